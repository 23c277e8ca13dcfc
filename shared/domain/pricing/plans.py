"""Plans: what customers subscribe to, in versions. A published version never changes."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from shared.domain.kernel.audit import Audit, Audited, Target, called_at_creation, usual_verb
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.money import Currency
from shared.domain.kernel.times import Instant
from shared.domain.kernel.validation import FieldPath, Length, refusal
from shared.domain.kernel.validation_messages import Expected
from shared.domain.kernel.value import Value
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.plan_grants import PlanGrant, PlanGrants
from shared.domain.pricing.plan_intervals import CycleAnchor, PlanInterval
from shared.domain.tenancy.entitlements import MAXIMUM_FEATURES, PlanEntitlement

BASE = "base"
"""The place of a subscription to a plan of the kind `base`; an add-on's place is its key."""
MAXIMUM_CURRENCIES = 20
MAXIMUM_VERSIONS = 500
MAXIMUM_PLANS = 500
MAXIMUM_TRIAL_DAYS = 730
MAXIMUM_QUANTITY = 1_000_000
"""How often an add-on is had at most."""

PlanKind = Literal["base", "addon"]
PlanKey = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$"),
    Expected("1 to 64 small letters, digits, _ and -, such as professional"),
]


def _each_feature_once(entitlements: tuple[PlanEntitlement, ...]) -> tuple[PlanEntitlement, ...]:
    first: dict[str, int] = {}
    for index, entitlement in enumerate(entitlements):
        if first.setdefault(entitlement.feature, index) != index:
            raise refusal(((index, "feature"), f"is that of entitlement {first[entitlement.feature]}, too"))
    return entitlements


PlanEntitlements = Annotated[
    tuple[PlanEntitlement, ...], Length(0, MAXIMUM_FEATURES), AfterValidator(_each_feature_once)
]


class PlanPrice(Value):
    """The version of a billing model that prices a plan in one currency."""

    model_id: str
    version_id: str


class Trial(Value):
    """Time without fees at the beginning of a subscription."""

    days: int = Field(ge=1, le=MAXIMUM_TRIAL_DAYS)
    """Local days, to the same local time."""
    usage: Literal["free"] = "free"
    """What is used in it costs nothing, and counts in no tier."""
    then: Literal["active", "canceled", "paused"] = "active"
    """What the subscription is from its end on."""


class PlanDraft(Value):
    """A plan, or a new version of one, as it is sent."""

    key: PlanKey
    """Names the plan for good: another version cannot change it."""
    name: str = Field(min_length=1, max_length=200)
    """For people."""
    description: str = Field(default="", max_length=2000)
    """For people."""
    kind: PlanKind = "base"
    """`base`: an organization has one such subscription at most. `addon`: beside it, one for each add-on."""
    interval: PlanInterval = "month"
    """What a change at `period_end` waits for: the end of the billing period, or of the plan's quarter or year."""
    anchor: CycleAnchor | None = None
    """`anniversary`: quarters and years are counted from the first day that is paid. `calendar`: from 1 January. Of a
    plan by the month, `anniversary` moves the organization's billing months to the day on which it is first paid. Left
    out, quarters and years begin on the first day that is paid, and months stay.
    """
    trial: Trial | None = None
    """Given to an organization once at the plan's place."""
    public: bool = True
    """Whether `GET /billing/plans` shows it, and organizations may subscribe to it by themselves."""
    prices: Annotated[Mapping[Currency, Annotated[str, Field(max_length=64)]], Length(1, MAXIMUM_CURRENCIES)]
    """By currency, the id of a version (`bmv_...`) of a billing model of the operator's in that currency."""
    entitlements: PlanEntitlements = ()
    """The features of the plan, each once."""
    grants: PlanGrants = ()
    """Credits that it brings in each cycle."""


class PlanVersionReference(Value):
    """Names a version of a plan."""

    id: str
    number: int


def _verb(before: Any, after: Any) -> str:  # noqa: ANN401  plans
    is_archived = before is not None and after is not None and before.archived_at != after.archived_at
    return "archive" if is_archived else usual_verb(before, after)


class Plan(Entity):
    """A plan of the operator's catalog without its versions, which are documents of their own."""

    kind: ClassVar[str] = "plan"
    audit: ClassVar[Audit] = Audited(area="plans", verb=_verb, ignored=frozenset({"versions"}))

    key: str
    plan_kind: PlanKind
    public: bool
    created_at: Instant
    archived_at: Instant | None = None
    """Since when nobody can subscribe to it; who has it keeps it."""
    versions: tuple[PlanVersionReference, ...] = Field(min_length=1)
    """Oldest first."""

    @property
    def place(self) -> str:
        """Where a subscription to it stands."""
        return BASE if self.plan_kind == "base" else self.key

    @property
    def newest(self) -> PlanVersionReference:
        return self.versions[-1]


class PlanVersion(Entity):
    """One published version of a plan."""

    kind: ClassVar[str] = "plan_version"
    audit: ClassVar[Audit] = Audited(
        area="plans", verb=called_at_creation("publish"), target=lambda version: Target(Plan.kind, version.plan_id)
    )

    plan_id: str
    number: int
    """Counts from 1 within the plan."""
    name: str
    description: str = ""
    interval: PlanInterval = "month"
    anchor: CycleAnchor | None = None
    prices: Mapping[str, PlanPrice]
    """By currency."""
    trial: Trial | None = None
    entitlements: tuple[PlanEntitlement, ...] = ()
    grants: tuple[PlanGrant, ...] = ()
    created_at: Instant


def refused_charges(version: Version) -> Iterator[tuple[FieldPath, str]]:
    """What a plan cannot price by a version of a billing model, by the charge's place in it."""
    for index, charge in enumerate(version.charges):
        if charge.scope != "organization" and not charge.gauges:
            detail = "has to be organization in a plan; what each agent costs is a charge of the type agent"
            yield ("charges", index, "scope"), detail
        elif charge.settles != "invoice" and not charge.gauges:
            yield ("charges", index, "settles"), "has to be invoice in a plan: no wallet pays fees of subscriptions"
