"""Reconciliation: a provider's export of usage or costs beside the calls that were metered."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.times import from_text
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.provider_costs.costs import CostRules
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.provider_costs.provider_exports import Provider, read_export
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.reconciliation import Comparison, ModelNames
from shared.domain.usage.recorded_events import RecordedEvent
from shared.one_at_a_time import OneAtATime
from shared.ports.usage import EventFilter, Usage
from shared.services.provider_costs.costs import Costs
from shared.services.tenancy.organizations import Organizations

MAXIMUM_DAYS = 31
MAXIMUM_EXAMINED = 200_000
"""Events that are read for one export."""
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class SentExport:
    """An export as it was sent; it is read where that holds nobody up."""

    is_csv: bool
    raw: bytes


class Reconciliation:
    def __init__(self, usage: Usage, organizations: Organizations, costs: Costs, reading: OneAtATime) -> None:
        self._usage = usage
        self._organizations = organizations
        self._costs = costs
        self._reading = reading

    async def of(
        self, provider: Provider, export: SentExport, day: date | None, organization_id: str | None, *, byok: bool
    ) -> Comparison:
        """Compare an export with the calls of one organization, or of all.

        With `byok` the calls with customers' own keys are compared, else all others. Costs are compared in USD. Raises
        `MalformedError`, `TooLargeError`, and `ValidationError` for rows that cannot be read and too many events.
        """
        rules = await self._costs.recent()

        def read() -> Comparison:
            rows = read_export(provider, is_csv=export.is_csv, raw=export.raw, day=day)
            return Comparison(rows, ModelNames(provider, rules.prices), day)

        comparison = await self._reading.run(read)
        days = comparison.days
        if not days or len(days) > MAXIMUM_DAYS:
            raise ValidationError.at("?date", f"name the day: the export has {len(days)}, and 1 to {MAXIMUM_DAYS} go")
        examined = 0
        async for organization in self._asked(organization_id):
            for each in days:
                async for event in self._calls(organization, each):
                    examined += 1
                    if examined > MAXIMUM_EXAMINED:
                        raise ValidationError.at(
                            "?date", f"has more than {MAXIMUM_EXAMINED} events: name one organization, or fewer days"
                        )
                    if event.type == LLM_CALL and event.cost.byok == byok:
                        comparison.add(event, _in_dollars(event, organization, rules), organization.id)
        return comparison

    async def _asked(self, organization_id: str | None) -> AsyncIterator[Organization]:
        if organization_id is not None:
            yield await self._organizations.get(organization_id)
            return
        async for organization in self._organizations.all():
            if organization.livemode:
                yield organization

    def _calls(self, organization: Organization, day: date) -> AsyncIterator[RecordedEvent]:
        start = datetime.combine(day, time(), UTC)
        wanted = EventFilter(start=start, end=start + timedelta(days=1))
        return self._usage.events(organization.id, organization.largest_shard_count, wanted, page=_PAGE)


def _in_dollars(event: RecordedEvent, organization: Organization, rules: CostRules) -> Decimal | None:
    """None for a cost that is not known, and without an exchange rate."""
    cost = event.cost.byok_amount if event.cost.byok else event.cost.amount
    if cost is None:
        return None
    try:
        return rules.rates.convert(cost, organization.currency, "USD", from_text(event.time))
    except NoExchangeRateError:
        return None
