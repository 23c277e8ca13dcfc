"""What agents cost and earn, in the same three words everywhere."""

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
    """In one currency: what providers charge for it, what the customer is billed, and what outcomes are worth."""

    provider_cost: Decimal = ZERO
    billed_amount: Decimal = ZERO
    outcome_value: Decimal = ZERO

    @property
    def margin(self) -> Decimal:
        """The part of what is billed that is left after the costs, as a ratio; 0 where nothing is billed."""
        return ratio(Fraction(self.billed_amount) - Fraction(self.provider_cost), self.billed_amount)

    @property
    def return_ratio(self) -> Decimal:
        """The part of what outcomes are worth that is left after the bill; 0 where they are worth nothing."""
        return ratio(Fraction(self.outcome_value) - Fraction(self.billed_amount), self.outcome_value)


@dataclass(frozen=True, slots=True)
class AgentActivity:
    """What totals say whatever the model: standing readings by name, events by type, the time of the latest event."""

    system_totals: Mapping[str, CountAndSum]
    counts: Mapping[str, int]
    last_event_at: str | None

    @classmethod
    def of(cls, totals: Iterable[Totals]) -> "AgentActivity":
        """Over agents, versions and periods."""
        system_totals: dict[str, CountAndSum] = {}
        counts: dict[str, int] = {}
        latest = ""
        for each in totals:
            for name in each.meters():
                reading = each.reading(name)
                if name.startswith(SYSTEM) and isinstance(reading, CountAndSum):
                    system_totals[name] = reading.merge(system_totals.get(name, CountAndSum()))
            for event_type, count in each.counts().items():
                counts[event_type] = counts.get(event_type, 0) + count
            latest = max(latest, each.last_event_at or "")
        return cls(system_totals, counts, latest or None)

    @property
    def costs(self) -> dict[str, Decimal]:
        """What providers charge, by category."""
        return {
            name.removeprefix(PROVIDER_COST): self.sum_of(name)
            for name in sorted(self.system_totals)
            if name.startswith(PROVIDER_COST)
        }

    def sum_of(self, name: str) -> Decimal:
        found = self.system_totals.get(name, CountAndSum()).sum
        if not isinstance(found, Decimal):
            raise TypeError("totals keep no fractions")
        return found

    def count_of(self, name: str) -> int:
        return int(self.system_totals.get(name, CountAndSum()).count)

    def figures(self, billed_amount: Decimal) -> Figures:
        return Figures(total(self.costs.values()), billed_amount, self.sum_of(OUTCOME_VALUE))


def ratio(part: Fraction | int, whole: Decimal | int) -> Decimal:
    """Half up to `RATIO_PLACES` places; 0 of nothing."""
    return round_to(Fraction(part) / Fraction(whole), RATIO_PLACES) if whole else ZERO
