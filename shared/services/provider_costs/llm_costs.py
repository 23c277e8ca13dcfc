"""LLM costs by model: beside what was reported, and paid by customers' own keys."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.money import add, truncate
from shared.domain.metering.readings import CountAndSum
from shared.domain.periods.periods import Period
from shared.domain.provider_costs.costs import BYOK_BY_MODEL, DIFFERENCE_BY_MODEL, REPORTED_BY_MODEL
from shared.domain.tenancy.organizations import Organization
from shared.ports.usage import Usage

_FAMILIES = (REPORTED_BY_MODEL, DIFFERENCE_BY_MODEL, BYOK_BY_MODEL)


@dataclass(frozen=True, slots=True)
class LlmModelCosts:
    """Calls of a model with a reported cost, and those with a customer's own key.

    `*` is all models beyond those counted one by one. Amounts are in the organization's currency.
    """

    model: str
    """The `provider/model` whose price was applied."""
    calls: int
    """Those with a cost of ours and a reported one."""
    cost: Decimal
    reported_cost: Decimal
    difference: Decimal
    """The cost minus the reported one."""
    byok_calls: int
    byok_cost: Decimal
    """What the customer paid for those."""


class LlmCosts:
    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    async def of(self, organization: Organization, period: Period) -> list[LlmModelCosts]:
        """By model, the largest difference first. From totals, without reading events."""
        readings: dict[str, dict[str, CountAndSum]] = {family: {} for family in _FAMILIES}
        shards = organization.largest_shard_count
        for usage in await self._usage.totals(organization.id, shards, period.start, distinct=False):
            for name in usage.totals.meters():
                reading = usage.totals.reading(name)
                family = next((each for each in _FAMILIES if name.startswith(each)), None)
                if family is not None and isinstance(reading, CountAndSum):
                    model = name.removeprefix(family)
                    readings[family][model] = readings[family].get(model, CountAndSum()).merge(reading)
        models = {model for by_model in readings.values() for model in by_model}
        costs = [_costs_of(model, readings) for model in models]
        return sorted(costs, key=lambda each: (-abs(each.difference), -each.byok_cost, each.model))


def _costs_of(model: str, readings: dict[str, dict[str, CountAndSum]]) -> LlmModelCosts:
    reported, difference, byok = (readings[family].get(model, CountAndSum()) for family in _FAMILIES)
    return LlmModelCosts(
        model=model,
        calls=int(reported.count),
        cost=add(_sum_of(reported), _sum_of(difference)),
        reported_cost=_sum_of(reported),
        difference=_sum_of(difference),
        byok_calls=int(byok.count),
        byok_cost=_sum_of(byok),
    )


def _sum_of(reading: CountAndSum) -> Decimal:
    return truncate(Fraction(reading.sum))
