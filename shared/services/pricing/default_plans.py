"""The plans that every deployment begins with. The operator may change and archive them like others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.kernel.ids import named_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.plan_grants import PlanGrant
from shared.domain.pricing.plan_intervals import PlanInterval
from shared.domain.pricing.plans import PlanDraft, Trial
from shared.domain.tenancy.entitlements import PlanEntitlement

_TRIAL_DAYS = 14


@dataclass(frozen=True, slots=True)
class Included:
    """What a plan includes; None is any number. Events are those of a month, and more of them are only told."""

    projects: int | None
    agents: int | None
    seats: int | None
    events: int | None
    api_access: bool = False
    custom_integrations: bool = False

    @property
    def entitlements(self) -> Sequence[PlanEntitlement]:
        flags = {"api_access": self.api_access, "custom_integrations": self.custom_integrations}
        hard = {"projects": self.projects, "agents": self.agents, "seats": self.seats}
        return [
            *(PlanEntitlement(feature=feature, value=value) for feature, value in flags.items()),
            *(_limit(feature, number, "hard") for feature, number in hard.items()),
            _limit("events", self.events, "soft"),
        ]


def _limit(feature: str, number: int | None, mode: str) -> PlanEntitlement:
    return PlanEntitlement.model_validate({"feature": feature, "limit": number, "mode": mode})


@dataclass(frozen=True, slots=True)
class DefaultPlan:
    """A plan with one fee in advance, in US dollars, and credits in each cycle."""

    key: str
    name: str
    amount: str
    credits: str | None
    included: Included
    has_trial: bool = True
    interval: PlanInterval = "month"

    @property
    def plan_id(self) -> str:
        return named_id("plan", "default", self.key)

    @property
    def model_id(self) -> str:
        return named_id("bm", "default_plan", self.key)

    @property
    def model(self) -> BillingModelDraft:
        fee = {"key": "subscription", "type": "flat_fee", "amount": self.amount, "timing": "advance"}
        fee |= {} if self.interval == "month" else {"interval": self.interval}
        return BillingModelDraft.model_validate({"name": self.name, "currency": "USD", "charges": [fee]})

    @property
    def model_version_id(self) -> str:
        return named_id("bmv", self.model_id, 1)

    @property
    def draft(self) -> PlanDraft:
        fields: dict[str, Any] = {
            "key": self.key,
            "name": self.name,
            "interval": self.interval,
            "prices": {"USD": self.model_version_id},
            "entitlements": tuple(self.included.entitlements),
            "grants": ()
            if self.credits is None
            else (PlanGrant.model_validate({"key": "included", "amount": self.credits}),),
            "trial": Trial(days=_TRIAL_DAYS) if self.has_trial else None,
        }
        return PlanDraft(**fields)


_FREE = Included(projects=1, agents=1, seats=1, events=1_000)
_STARTER = Included(projects=1, agents=5, seats=1, events=10_000)
_PROFESSIONAL = Included(projects=5, agents=50, seats=5, events=100_000, api_access=True)
_ENTERPRISE = Included(projects=None, agents=None, seats=None, events=None, api_access=True, custom_integrations=True)

DEFAULT_PLANS = (
    DefaultPlan("free", "Free", "0.00", None, _FREE, has_trial=False),
    DefaultPlan("starter", "Starter", "29.00", "500", _STARTER),
    DefaultPlan("starter_yearly", "Starter, yearly", "290.00", "6000", _STARTER, interval="year"),
    DefaultPlan("professional", "Professional", "99.00", "2000", _PROFESSIONAL),
    DefaultPlan("professional_yearly", "Professional, yearly", "990.00", "24000", _PROFESSIONAL, interval="year"),
    DefaultPlan("enterprise", "Enterprise", "299.00", "10000", _ENTERPRISE),
)
