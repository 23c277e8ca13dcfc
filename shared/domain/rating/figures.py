"""Figures of summaries: provider cost, billed amount, outcome value, and the ratios between them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.money import ZERO, round_to, total
from shared.domain.metering.readings import CountAndSum
from shared.domain.provider_costs.costs import PROVIDER_COST
from shared.domain.usage.outcomes import OUTCOME_VALUE
from shared.domain.usage.totals import SYSTEM, Totals

RATIO_PLACES = 6


@dataclass(frozen=True, slots=True)
class Figures:
    """Provider cost, billed amount and outcome value of agents, in one currency."""

    provider_cost: Decimal = ZERO
    billed_amount: Decimal = ZERO
    outcome_value: Decimal = ZERO

    @property
    def margin(self) -> Decimal:
        """(billed amount - provider cost) / billed amount; 0 where nothing is billed."""
        return ratio(Fraction(self.billed_amount) - Fraction(self.provider_cost), self.billed_amount)

    @property
    def return_ratio(self) -> Decimal:
        """(outcome value - billed amount) / outcome value; 0 where outcomes have no value."""
        return ratio(Fraction(self.outcome_value) - Fraction(self.billed_amount), self.outcome_value)


@dataclass(frozen=True, slots=True)
class ActivityTotals:
    """System totals, events by type, and the time of the latest event."""

    system_totals: Mapping[str, CountAndSum]
    counts: Mapping[str, int]
    last_event_at: str | None

    @classmethod
    def of(cls, all_totals: Iterable[Totals]) -> "ActivityTotals":
        """The sum over agents, versions and periods."""
        system_totals: dict[str, CountAndSum] = {}
        counts: dict[str, int] = {}
        latest = ""
        for totals in all_totals:
            for name in totals.meters():
                reading = totals.reading(name)
                if name.startswith(SYSTEM) and isinstance(reading, CountAndSum):
                    system_totals[name] = reading.merge(system_totals.get(name, CountAndSum()))
            for event_type, count in totals.counts().items():
                counts[event_type] = counts.get(event_type, 0) + count
            latest = max(latest, totals.last_event_at or "")
        return cls(system_totals, counts, latest or None)

    @property
    def costs(self) -> dict[str, Decimal]:
        """Provider cost by category, in the organization's currency."""
        return {
            name.removeprefix(PROVIDER_COST): self.sum_of(name)
            for name in sorted(self.system_totals)
            if name.startswith(PROVIDER_COST)
        }

    def sum_of(self, name: str) -> Decimal:
        """The sum of one system total, 0 where it is not there."""
        amount = self.system_totals.get(name, CountAndSum()).sum
        if not isinstance(amount, Decimal):
            raise TypeError("totals keep no fractions")
        return amount

    def count_of(self, name: str) -> int:
        """The number of events in one system total, 0 where it is not there."""
        return int(self.system_totals.get(name, CountAndSum()).count)

    def figures(self, billed_amount: Decimal) -> Figures:
        return Figures(total(self.costs.values()), billed_amount, self.sum_of(OUTCOME_VALUE))


def ratio(part: Fraction | int, whole: Decimal | int) -> Decimal:
    """Part / whole, rounded half up to 6 places; 0 where the whole is 0."""
    return round_to(Fraction(part) / Fraction(whole), RATIO_PLACES) if whole else ZERO
