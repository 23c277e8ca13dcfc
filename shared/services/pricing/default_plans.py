"""The plans that every deployment begins with. The operator may change and archive them like others."""

from dataclasses import dataclass

from shared.domain.kernel.ids import named_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.plans import PlanDraft


@dataclass(frozen=True, slots=True)
class DefaultPlan:
    """A plan with one fee in advance, in US dollars."""

    key: str
    name: str
    amount: str

    @property
    def plan_id(self) -> str:
        return named_id("plan", "default", self.key)

    @property
    def model_id(self) -> str:
        return named_id("bm", "default_plan", self.key)

    @property
    def model(self) -> BillingModelDraft:
        fee = {"key": "subscription", "type": "flat_fee", "amount": self.amount, "timing": "advance"}
        return BillingModelDraft.model_validate({"name": self.name, "currency": "USD", "charges": [fee]})

    @property
    def model_version_id(self) -> str:
        return named_id("bmv", self.model_id, 1)

    @property
    def draft(self) -> PlanDraft:
        return PlanDraft(key=self.key, name=self.name, prices={"USD": self.model_version_id})


DEFAULT_PLANS = (
    DefaultPlan("free", "Free", "0.00"),
    DefaultPlan("starter", "Starter", "29.00"),
    DefaultPlan("professional", "Professional", "99.00"),
    DefaultPlan("enterprise", "Enterprise", "299.00"),
)
