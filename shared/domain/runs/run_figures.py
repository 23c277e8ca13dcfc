"""Figures of a run: its cost, its outcomes, and the price of its usage alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.domain.kernel.money import ZERO, add, total
from shared.domain.kernel.times import from_text
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.gauges import Event
from shared.domain.metering.stored_readings import read_reading
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


def standalone_price(
    versions: Iterable[Version], usage: Mapping[tuple[str, str], Totals], period: Period, currency: str
) -> Decimal:
    """What usage costs in a period without any other usage.

    `usage` is by agent id and version id. Only charges for this usage count, without fees, minima, maxima and
    discounts. The versions of a model follow each other in one line. Exact amounts in `currency`, truncated to 12
    places per line.
    """
    by_model: dict[str, list[Version]] = {}
    for version in sorted(versions, key=lambda version: version.number):
        by_model.setdefault(version.model_id, []).append(version)
    return total(_model_price(of_model, usage, period, currency) for of_model in by_model.values())


def _model_price(
    versions: Sequence[Version], usage: Mapping[tuple[str, str], Totals], period: Period, currency: str
) -> Decimal:
    ids = {version.id for version in versions}
    totals = {
        (agent_id, version_id): of_agent for (agent_id, version_id), of_agent in usage.items() if version_id in ids
    }
    gauges = {name for of_agent in totals.values() for name in of_agent.charged()}
    used = {charge.key for version in versions for charge in version.charges if not gauges.isdisjoint(charge.gauges)}
    reduced = [
        version.model_copy(
            update={"charges": tuple(without_modifiers(charge) for charge in version.charges if charge.key in used)}
        )
        for version in versions
    ]
    starts = [period.start, *(version.effective_from for version in reduced[1:])]
    ends = [*starts[1:], period.end]
    segments = [
        Segment(agent_id, version, start, end)
        for agent_id in sorted({agent_id for agent_id, _ in totals})
        for version, start, end in zip(reduced, starts, ends, strict=True)
    ]
    lines = rate(Facts(period=period, currency=currency, segments=segments, totals=totals))
    return total(line.exact_amount for line in lines)


def without_modifiers(charge: AnyCharge) -> AnyCharge:
    """The charge without base fee, discount, minimum and maximum."""
    if not isinstance(charge, ModifiedCharge):
        return charge
    removed: dict[str, object] = {"base_fee": None, "discount": None, "minimum": None, "maximum": None}
    if isinstance(charge, WorkflowCharge):
        removed["workflows"] = {
            name: workflow.model_copy(update={"minimum": None, "maximum": None})
            for name, workflow in charge.workflows.items()
        }
    return charge.model_copy(update=removed)
