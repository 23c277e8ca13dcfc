"""Organizations: tenants and billed customers."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from shared.domain.kernel.audit import FOLLOWS, Audit, Audited, by_value, verb_by_status
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import MINIMUM_LEAD, History
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import BEGINNING, Instant
from shared.domain.periods.periods import Calendar
from shared.domain.periods.settlements import POSTPAID, BillingMode, Settlement, settled_by
from shared.domain.tenancy.billing_details import BillingDetails
from shared.domain.tenancy.organization_settings import OrganizationSettings, OwnSettings

SLICES = 16
"""The number of directory partitions over which the list of all organizations is spread."""

MAXIMUM_SEATS = 1_000_000
SETTLEMENT_FIELDS = ("billing_mode", "credit_value", "credit_values")


def _verb(before: Any, after: Any) -> str | None:  # noqa: ANN401  organizations
    """The claim of its slug decides that an organization is created, and tells of it."""
    return None if before is None else verb_by_status(deleted="delete")(before, after)


class Organization(Entity, BillingDetails):
    """A tenant and billed customer."""

    kind: ClassVar[str] = "organization"
    audit: ClassVar[Audit] = Audited(
        area="organizations",
        verb=_verb,
        ignored=frozenset({"seat_commands", "payer_marks", "had_paid_usage"}),
        personal={"billing_email": by_value, "contact": by_value, "own_settings.billing_contacts": by_value},
    )

    name: str
    slug: str
    external_id: str | None = None
    description: str | None = None
    billing_email: str | None = None
    contact: str | None = None
    currency: str
    status: Literal["active", "deleted"] = "active"
    settings: OrganizationSettings = OrganizationSettings()
    own_settings: OwnSettings = OwnSettings()
    had_paid_usage: bool = False
    """Whether `settings.paid_usage` was ever set: then events may name its payments for good."""
    due_days: int
    grace_hours: int
    late_window_days: int
    calendars: History[Calendar]
    settlements: History[Settlement] = History[Settlement].starting(POSTPAID)
    """Billing modes with credit values. Periods keep the one in force when they begin."""
    payers: History[str | None] = History[str | None].starting(None)
    """Whose credits it spends; None for its own."""
    is_payer: bool = False
    """Whether another organization spends its credits, or did so."""
    payer_marks: int = 0
    """How often it was marked as one, so that a change that was refused takes only its own mark back."""
    shard_counts: History[int]
    seats: History[int] = History[int].starting(0)
    """The number of seats to bill where a charge prices seats."""
    seat_commands: int = 0
    """How often a command to a subscription set the seats, so that its effects can tell whether they read it."""
    purchase_orders: Mapping[str, str] = {}
    """The numbers of its own orders of plans, by place: of the last subscription there."""
    sign_up_bonus: Decimal = Decimal(0)
    """Credits that its wallet begins with, as somebody signed up for it."""
    livemode: bool = True
    """False for one that tries Xyra out: its documents have numbers of their own, and no sum over organizations has it.
    It never changes.
    """
    created_at: Instant
    ended_at: Instant | None = None
    """From then on nothing more becomes due."""
    restricted_since: Instant | None = None
    """Since when it may do less, as an invoice has been overdue for too long."""
    password_allowed: bool = True
    """Whether members may sign in otherwise than by an identity provider of the organization."""
    provider_sessions_ended_at: Instant | None = None
    """Sessions by an identity provider that began until then have ended, as one was removed."""

    @model_validator(mode="before")
    @classmethod
    def _remembers_paid_usage(cls, values: Any) -> Any:  # noqa: ANN401  a document, or fields
        settings = values.get("settings") if isinstance(values, dict) else None
        is_set = settings.get("paid_usage") if isinstance(settings, dict) else getattr(settings, "paid_usage", False)
        return {**values, "had_paid_usage": True} if is_set else values

    @property
    def purchase_order(self) -> str | None:
        """The one that its invoices name: of the base plan, else of the first add-on that has one."""
        places = sorted(self.purchase_orders, key=lambda place: (place != "base", place))
        return self.purchase_orders[places[0]] if places else None

    def with_purchase_order(self, place: str, number: str | None) -> "Organization":
        """With that of a new subscription, which may have none."""
        others = {other: named for other, named in self.purchase_orders.items() if other != place}
        ordered = others if number is None else {**others, place: number}
        return self if ordered == self.purchase_orders else self.changed(purchase_orders=ordered)

    @property
    def timezone(self) -> str:
        """The timezone last set; existing periods keep the one that they were created with."""
        return self.calendars.last.timezone

    @property
    def billing_mode(self) -> BillingMode:
        """The one last set, in force from `billing_mode_from` on."""
        return self.settlements.last.billing_mode

    @property
    def credit_value(self) -> Decimal | None:
        """As the billing mode."""
        return self.settlements.last.credit_value

    @property
    def credit_values(self) -> Mapping[str, Decimal]:
        """Of other kinds than `default`; as the billing mode."""
        return self.settlements.last.credit_values

    def credit_value_at(self, instant: datetime, kind: str) -> Decimal | None:
        """What one credit of a kind was worth then; None where nobody had said."""
        settlement = self.settlements.at(instant)
        return None if settlement is None else settlement.value_of(kind)

    @property
    def billing_mode_from(self) -> datetime | None:
        """When billing mode and credit value last set take effect; None for the first ones."""
        since = self.settlements.entries[-1].effective_from
        return None if since == BEGINNING else since

    def rescheduled_settlements(
        self, changes: Mapping[str, Any], start: datetime | None, now: datetime
    ) -> History[Settlement]:
        """The history with another mode or other values of credits, from the first period not yet created on.

        `start` is when that begins; None where no period is created, so that the change holds from the beginning.
        Raises `ValidationError`.
        """
        settlement = settled_by(
            changes.get("billing_mode", self.billing_mode),
            changes.get("credit_value", self.credit_value),
            self.currency,
            changes.get("credit_values", self.credit_values),
        )
        if start is None:
            return History[Settlement].starting(settlement)
        is_in_force = settlement == self.settlements.at(now + MINIMUM_LEAD)
        return self.settlements.scheduled(settlement, None if is_in_force else start, now, "/billing_mode")

    def payer_at(self, instant: datetime) -> str:
        """Whose wallet pays for it."""
        return self.payers.at(instant) or self.id

    def rescheduled_payers(self, payer_id: str | None, start: datetime | None, now: datetime) -> History[str | None]:
        """The history with another payer from `start` on, as `rescheduled_settlements`. Raises `ValidationError`."""
        if start is None:
            return History[str | None].starting(payer_id)
        is_in_force = payer_id == self.payers.at(now + MINIMUM_LEAD)
        return self.payers.scheduled(payer_id, None if is_in_force else start, now, "/payer_id")

    @property
    def seats_from(self) -> datetime | None:
        """When the number of seats last set takes effect; None for the first one."""
        since = self.seats.entries[-1].effective_from
        return None if since == BEGINNING else since

    @property
    def deleted_at(self) -> datetime | None:
        """When it was deleted: `MINIMUM_LEAD` before its end."""
        return None if self.ended_at is None else self.ended_at - MINIMUM_LEAD

    @property
    def largest_shard_count(self) -> int:
        return max(entry.value for entry in self.shard_counts.entries)

    def shard_counts_until(self, now: datetime) -> tuple[int, ...]:
        """All shard counts that have been in force, the present one last."""
        return tuple(entry.value for entry in self.shard_counts.entries if entry.effective_from <= now)

    def grown_shard_counts(self, shard_count: int, now: datetime, effective_from: datetime) -> History[int]:
        """The history with a larger shard count, a power of two up to 64. Raises `ValidationError`."""
        if shard_count not in (2, 4, 8, 16, 32, 64) or shard_count <= self.largest_shard_count:
            raise ValidationError.at(
                "/shard_count", f"must be a power of two over {self.largest_shard_count}, at most 64"
            )
        return self.shard_counts.appended(shard_count, effective_from, now, pointer="/shard_count")

    def reads(self) -> dict[str, Any]:
        """The fields as the API shows them."""
        return {
            **dict(self),
            "timezone": self.timezone,
            "shard_count": self.shard_counts.last,
            "seats": self.seats.last,
            "seats_from": self.seats_from,
            "billing_mode": self.billing_mode,
            "credit_value": self.credit_value,
            "credit_values": self.credit_values,
            "billing_mode_from": self.billing_mode_from,
        }


class SlugClaim(Entity):
    """Its creation decides that an organization exists. It has the organization to create until that is done."""

    kind: ClassVar[str] = "slug"
    audit: ClassVar[Audit] = Audited(
        area="organizations",
        trails=lambda organization: (organization.id,),
        shown=lambda claim: claim.organization,
    )

    id: str = "organization"
    slug: str
    organization_id: str
    organization: Organization | None = None

    def document(self) -> dict[str, Any]:
        document = super().document()
        if self.organization is None:
            return {name: value for name, value in document.items() if name != "organization"}
        return {**document, "organization": self.organization.document()}


class OrganizationExternalId(Entity):
    """Which organization has an external id, as it was stored before names were one namespace."""

    kind: ClassVar[str] = "external_id"
    audit: ClassVar[Audit] = FOLLOWS

    id: str = "organization"
    organization_id: str


class ListedOrganization(Entity):
    """By which the organizations are enumerated, in slices of the directory."""

    kind: ClassVar[str] = "organization"
    audit: ClassVar[Audit] = FOLLOWS


def slice_of(organization_id: str) -> str:
    """The directory partition that lists this organization."""
    return f"organizations:{int(fingerprint(organization_id)[:8], 16) % SLICES}"


def slices() -> list[str]:
    """All directory partitions that list organizations."""
    return [f"organizations:{number}" for number in range(SLICES)]
