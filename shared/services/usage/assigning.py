"""Assigns each event to a total, and works out what it adds to it."""

from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.times import from_text
from shared.domain.pricing.billing_models import Version
from shared.domain.provider_costs.costs import CostedEvent, CostRules, CostTerms
from shared.domain.provider_costs.exchange_rates import reported_currency
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import NO_VERSION, AcceptedEvent, TotalKey
from shared.domain.usage.outcomes import is_outcome, new_outcome, system_totals_of
from shared.domain.usage.totals import contribution, unpriced_contribution
from shared.ports.usage import MeteredEvent
from shared.services.periods.periods import Periods
from shared.services.periods.rebilling import Rebilling
from shared.services.pricing.billing_models import BillingModels


class CannotBeMeteredError(XyraError):
    """Why an accepted event is parked instead of metered."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unrateable"
    title = "The event cannot be metered"


class Assigner:
    def __init__(self, billing_models: BillingModels, periods: Periods, rebilling: Rebilling) -> None:
        self._billing_models = billing_models
        self._periods = periods
        self._rebilling = rebilling

    async def assign(
        self,
        organization: Organization,
        agent: Agent | None,
        event: AcceptedEvent,
        costs: CostRules,
        now: datetime,
    ) -> MeteredEvent:
        """Period, agent and model version are those of the event's own time, whenever it arrives.

        Raises `CannotBeMeteredError`, `UnmeterableError`, `NoExchangeRateError`, `UnavailableError`.
        """
        at = from_text(event.time)
        if agent is None or agent.ended_by(at):
            raise CannotBeMeteredError("the agent was deleted before the event happened")
        period = await self._periods.containing(organization, at)
        version = await self._version(organization.id, agent, at)
        terms = CostTerms(organization.settings.reported_llm_costs, not event.standard_terms)
        cost = costs.of(event.type, event.data, at, organization.currency, terms)
        rate = costs.rates.rate(reported_currency(event.data, organization.currency), organization.currency, at)
        costed = CostedEvent(event.type, event.data, event.time, event.key, cost.amount, cost.category, rate)
        if version is None:
            added = unpriced_contribution(costed, cost.readings())
        else:
            added = contribution(costed, version.charges, organization.currency, cost.readings())
        total = TotalKey(period.start, agent.id, version.id if version else NO_VERSION)
        outcome = None
        if is_outcome(event.type):
            charges = version.charges if version else ()
            outcome = new_outcome(event, total, charges, added, organization.currency, now, rate)
            by_status = system_totals_of(outcome, organization.currency)
            added = replace(added, system_totals=(*added.system_totals, *by_status))
        return MeteredEvent(
            event=event,
            total=total,
            contribution=added,
            cost=cost,
            outcome=outcome,
            exchange_rate=rate,
            rebilling=self._rebilling.entry(organization.id, period, now),
        )

    async def _version(self, organization_id: str, agent: Agent, at: datetime) -> Version | None:
        model_id = agent.models.at(at)
        if model_id is None:
            return None
        model = await self._billing_models.cached(organization_id, model_id)
        reference = model.versions.at(at)
        return await self._billing_models.version(model, reference) if reference else None
