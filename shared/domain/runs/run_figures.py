"""What a run has cost and earned: its own usage, priced as if there were no other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.domain.kernel.money import ZERO, add, total
from shared.domain.kernel.times import from_text
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.gauges import Event
from shared.domain.metering.readings import read_reading
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.charges.outcome import OutcomeCharge
from shared.domain.pricing.charges.workflow import WorkflowCharge
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.figures import Figures
from shared.domain.rating.rating import rate
from shared.domain.usage.outcomes import Outcome, Status
from shared.domain.usage.totals import Contribution, Totals, contribution


@dataclass(slots=True)
class RunFigures:
    """Counted one event after the other. Amounts are exact, in the organization's currency."""

    currency: str
    events: Counter[str] = field(default_factory=Counter)
    """By type."""
    outcomes: Counter[Status] = field(default_factory=Counter)
    provider_cost: Decimal = ZERO
    outcome_value: Decimal = ZERO
    """Of verified outcomes, but for those in another currency without an exchange rate."""
    unpriced_calls: int = 0
    """LLM calls whose model has no price, so that their cost is not known."""
    price: Decimal = ZERO
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    is_complete: bool = True
    """Whether these are all of its events that have been rated."""

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
        """The part of the price that is left after the costs, as a ratio; 0 where the price is 0."""
        return Figures(self.provider_cost, self.price, self.outcome_value).margin


def contributions(
    event: Event, outcome: Outcome | None, charges: Sequence[Charge], currency: str
) -> Iterator[Contribution]:
    """What an event adds under a version as its outcome stands now: nothing to charges for outcomes once it is rejected
    or reversed. Raises `UnmeterableError`, `NoExchangeRateError`.
    """
    if outcome is not None and outcome.status in ("rejected", "reversed"):
        charges = [charge for charge in charges if not isinstance(charge, OutcomeCharge)]
    yield contribution(event, charges, currency)
    if outcome is not None and outcome.status == "verified":
        counted = tuple((name, read_reading(kept)) for name, kept in outcome.on_decision.items())
        yield Contribution(outcome.type, outcome.time, counted, events=0)


def price_alone(
    versions: Iterable[Version], usage: Mapping[tuple[str, str], Totals], period: Period, currency: str
) -> Decimal:
    """What usage, by agent and version, comes to in a period without any other: by the charges that it moves, without
    fees, minima, maxima and discounts. The versions of a model that were used go on in one line where the one before
    left off, and share the period as they follow each other in it. Exact, cut to 12 places by line.
    """
    by_model: dict[str, list[Version]] = {}
    for version in sorted(versions, key=lambda version: version.number):
        by_model.setdefault(version.model_id, []).append(version)
    return total(_price_under(of_model, usage, period, currency) for of_model in by_model.values())


def _price_under(
    versions: Sequence[Version], usage: Mapping[tuple[str, str], Totals], period: Period, currency: str
) -> Decimal:
    ids = {version.id for version in versions}
    totals = {place: own for place, own in usage.items() if place[1] in ids}
    gauges = {name for own in totals.values() for name in own.charged()}
    used = {charge.key for version in versions for charge in version.charges if not gauges.isdisjoint(charge.gauges)}
    alone = [
        version.model_copy(
            update={"charges": tuple(usage_alone(charge) for charge in version.charges if charge.key in used)}
        )
        for version in versions
    ]
    starts = [period.start, *(version.effective_from for version in alone[1:])]
    ends = [*starts[1:], period.end]
    segments = [
        Segment(agent_id, version, start, end)
        for agent_id in sorted({agent_id for agent_id, _ in totals})
        for version, start, end in zip(alone, starts, ends, strict=True)
    ]
    lines = rate(Facts(period=period, currency=currency, segments=segments, totals=totals))
    return total(line.exact_amount for line in lines)


def usage_alone(charge: AnyCharge) -> AnyCharge:
    """The charge without what is put around the price of usage."""
    if not isinstance(charge, ModifiedCharge):
        return charge
    around: dict[str, object] = {"base_fee": None, "discount": None, "minimum": None, "maximum": None}
    if isinstance(charge, WorkflowCharge):
        around["workflows"] = {
            name: workflow.model_copy(update={"minimum": None, "maximum": None})
            for name, workflow in charge.workflows.items()
        }
    return charge.model_copy(update=around)
