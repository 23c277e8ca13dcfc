"""What metering will make of events, as far as their senders should know it when they are accepted."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from shared.domain.kernel.errors import UnavailableError
from shared.domain.provider_costs.costs import CostTerms
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.price_checks import PriceChecks
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.plan_usage import PlanUsage
from shared.services.provider_costs.costs import Costs
from shared.services.usage.pricing_in_force import UNKNOWN, AgentPricing, PricingInForce, TypeInForce


class Checks:
    """For events of an organization that are accepted together."""

    def __init__(
        self,
        organization: Organization,
        pricing: Mapping[str, AgentPricing],
        prices: PriceChecks | None,
    ) -> None:
        self._pricing = pricing
        self._prices = prices
        self._organization_id = organization.id
        takes_reported = organization.settings.reported_llm_costs
        self._own_terms, self._standard_terms = CostTerms(takes_reported), CostTerms(takes_reported, takes_terms=False)

    def in_force(self, agent: Agent | None, event_type: str, time: datetime) -> TypeInForce:
        """What the agent's billing model does with events of a type at a time."""
        pricing = None if agent is None else self._pricing.get(agent.id)
        return UNKNOWN if pricing is None else pricing.of(event_type, time)

    def unpriced(self, data: Mapping[str, Any], time: datetime, *, standard_terms: bool) -> Unpriced | None:
        """Why an LLM call, given by its canonical data, will have no price."""
        if self._prices is None:
            return None
        terms = self._standard_terms if standard_terms else self._own_terms
        return self._prices.unpriced(data, time, terms, self._organization_id)


class AcceptanceChecks:
    """Acceptance never fails because of them: what cannot be read now is not warned of."""

    def __init__(self, billing_models: BillingModels, plan_usage: PlanUsage, costs: Costs) -> None:
        self._pricing = PricingInForce(billing_models, plan_usage)
        self._costs = costs
        self._prices: PriceChecks | None = None

    async def of(
        self,
        organization: Organization,
        agents: Collection[Agent],
        times: tuple[datetime, datetime],
        *,
        has_llm_calls: bool,
    ) -> Checks:
        """`times` are those of the first and the last event."""
        pricing = await self._pricing.of(agents, *times)
        return Checks(organization, pricing, await self._price_checks() if has_llm_calls else None)

    async def _price_checks(self) -> PriceChecks | None:
        try:
            rules = await self._costs.cached()
        except UnavailableError:
            return None
        if self._prices is None or self._prices.rules is not rules:
            self._prices = PriceChecks(rules)
        return self._prices
