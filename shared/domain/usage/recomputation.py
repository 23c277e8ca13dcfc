"""Totals made once more from the events and outcomes that they came from, and what is different in those kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.metering.readings import Distinct, Reading, document_of
from shared.domain.pricing.charges.charge import Charge
from shared.domain.provider_costs.costs import EventCost
from shared.domain.provider_costs.llm_prices import TokenCounts, reported_model, unpriced_name
from shared.domain.usage.outcomes import Outcome, contributions_of_decisions, system_totals_of
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Contribution, Totals, contribution, unpriced_contribution

LAST_EVENT = "last_event_at"


@dataclass(frozen=True, slots=True)
class Difference:
    """In a gauge of a total, its `unmatched` or `counts` of a type, or `last_event_at`; None where it has nothing."""

    gauge: str
    kept: str | None
    recomputed: str | None


def added_by(event: RecordedEvent, charges: Sequence[Charge] | None, currency: str) -> Contribution:
    """What a recorded event added when it was metered, save for what it adds as an outcome.

    `charges` are those of its model version; None is usage without a billing model.
    """
    system_totals = _cost_of(event).readings()
    if charges is None:
        return unpriced_contribution(event.costed(), system_totals)
    return contribution(event.costed(), charges, currency, system_totals)


def _cost_of(event: RecordedEvent) -> EventCost:
    """With what is not recorded of an LLM call without a price: its model and number of tokens."""
    if event.cost.category is None or event.cost.amount is not None:
        return event.cost
    model, tokens = unpriced_name(*reported_model(event.data)), TokenCounts.of(event.data).total
    return EventCost(None, event.cost.category, event.cost.reported, unpriced=model, tokens=tokens)


def added_by_outcome(outcome: Outcome, currency: str) -> Contribution:
    """What is known of it beside its event: the state that it is in, and what decisions added."""
    measures = [each for decision in contributions_of_decisions(outcome, currency) for each in decision.measures]
    return Contribution(
        outcome.type, outcome.time, tuple(measures), events=0, system_totals=system_totals_of(outcome, currency)
    )


def emptied(kept: Totals) -> Totals:
    """Totals in which nothing has come to these names. Where there are too many names to tell apart, it depends on the
    order of events which are; so those that are kept have their places before anything is added.
    """
    return _changed(kept, lambda reading: type(reading)(), lambda _: 0)


def pruned(totals: Totals) -> Totals:
    """Without the names to which nothing has come. The values of unique meters stay as they are."""
    kept = _changed(
        totals, lambda reading: None if reading == type(reading)() else reading, lambda count: count or None
    )
    for name in totals.meters():
        reading = totals.reading(name)
        if isinstance(reading, Distinct):
            kept.add_distinct(name, reading.values)
    kept.last_event_at = totals.last_event_at
    return kept


def _changed(
    totals: Totals, reading_of: Callable[[Reading], Reading | None], count_of: Callable[[int], int | None]
) -> Totals:
    readings = {name: totals.reading(name) for name in totals.meters()}
    changed = {
        name: reading_of(reading)
        for name, reading in readings.items()
        if reading is not None and not isinstance(reading, Distinct)
    }
    return Totals.read(
        {
            "meters": {name: document_of(reading) for name, reading in changed.items() if reading is not None},
            "unmatched": _counts(totals.unmatched(), count_of),
            "counts": _counts(totals.counts(), count_of),
            "last_event_at": None,
        }
    )


def _counts(counts: Mapping[str, int], count_of: Callable[[int], int | None]) -> dict[str, int]:
    changed = {event_type: count_of(count) for event_type, count in counts.items()}
    return {event_type: count for event_type, count in changed.items() if count is not None}


def differences(kept: Totals, recomputed: Totals) -> list[Difference]:
    """By gauge. What nothing has come to is as good as absent."""
    left, right = _described(pruned(kept)), _described(pruned(recomputed))
    found = [Difference(name, left.get(name), right.get(name)) for name in sorted({*left, *right})]
    return [each for each in found if each.kept != each.recomputed] + _different_values(kept, recomputed)


def _described(totals: Totals) -> dict[str, str]:
    document = totals.document()
    described = {name: _text(reading) for name, reading in document["meters"].items()}
    for counts in ("unmatched", "counts"):
        described |= {f"{counts} {event_type}": str(count) for event_type, count in document[counts].items()}
    if totals.last_event_at is not None:
        described[LAST_EVENT] = totals.last_event_at
    return described


def _text(reading: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in reading.items() if name != "kind")


def _different_values(kept: Totals, recomputed: Totals) -> list[Difference]:
    found = []
    for name in sorted({*kept.meters(), *recomputed.meters()}):
        missing = values_of(recomputed, name) - values_of(kept, name)
        needless = values_of(kept, name) - values_of(recomputed, name)
        if missing or needless:
            found.append(Difference(name, f"{len(needless)} values too many", f"{len(missing)} values missing"))
    return found


def values_of(totals: Totals, name: str) -> frozenset[str]:
    """The distinct values of a unique meter; of any other there are none."""
    reading = totals.reading(name)
    return reading.values if isinstance(reading, Distinct) else frozenset()
