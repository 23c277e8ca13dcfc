"""Figures of a run: its cost, its outcomes, and the price of its usage alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.domain.kernel.money import ZERO, add
from shared.domain.kernel.times import from_text
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.gauges import Event
from shared.domain.metering.stored_readings import read_reading
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.outcome import OutcomeCharge
from shared.domain.rating.figures import Figures
from shared.domain.usage.outcomes import Outcome, Status
from shared.domain.usage.totals import Contribution, contribution


@dataclass(slots=True)
class RunFigures:
    """The figures of a run, collected event by event; exact amounts in the organization's currency."""

    currency: str
    events: Counter[str] = field(default_factory=Counter)
    """The number of events by type."""
    outcomes: Counter[Status] = field(default_factory=Counter)
    provider_cost: Decimal = ZERO
    outcome_value: Decimal = ZERO
    """The value of verified outcomes, without those in another currency that had no exchange rate."""
    unpriced_calls: int = 0
    """LLM calls whose model has no price, so that their cost is unknown."""
    price: Decimal = ZERO
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    is_complete: bool = True
    """Whether these are all events of the run that have been metered."""

    def count(self, event: Event) -> None:
        time = from_text(event.time)
        self.events[event.type] += 1
        self.provider_cost = add(self.provider_cost, event.cost or ZERO)
        self.unpriced_calls += event.type == LLM_CALL and event.cost is None
        self.first_event_at = min(time, self.first_event_at or time)
        self.last_event_at = max(time, self.last_event_at or time)

    def count_outcome(self, outcome: Outcome) -> None:
        self.outcomes[outcome.status] += 1
        if outcome.status == "verified":
            self.outcome_value = add(self.outcome_value, outcome.value_in(self.currency) or ZERO)

    def add_price(self, price: Decimal) -> None:
        self.price = add(self.price, price)

    @property
    def margin(self) -> Decimal:
        """(price - provider cost) / price; 0 where the price is 0."""
        return Figures(self.provider_cost, self.price, self.outcome_value).margin


def contributions(
    event: Event, outcome: Outcome | None, charges: Sequence[Charge], currency: str
) -> Iterator[Contribution]:
    """What an event adds to usage totals, given the present state of its outcome.

    Once the outcome is rejected or reversed, it adds nothing to charges for outcomes. Raises `UnmeterableError`,
    `NoExchangeRateError`.
    """
    if outcome is not None and outcome.status in ("rejected", "reversed"):
        charges = [charge for charge in charges if not isinstance(charge, OutcomeCharge)]
    yield contribution(event, charges, currency)
    if outcome is not None and outcome.status == "verified":
        counted = tuple((name, read_reading(kept)) for name, kept in outcome.on_decision.items())
        yield Contribution(outcome.type, outcome.time, counted, events=0)
