"""Recomputes totals from their events and outcomes, and compares them with the stored ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from shared.domain.metering.readings import Distinct, Reading
from shared.domain.metering.stored_readings import document_of
from shared.domain.pricing.charges.charge import Charge
from shared.domain.provider_costs.costs import EventCost
from shared.domain.provider_costs.model_names import reported_model, unpriced_name
from shared.domain.provider_costs.usage_counts import reported_tokens
from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Outcome, contributions_of_decisions, system_totals_of
from shared.domain.usage.payments import beyond_readings
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Contribution, Totals, contribution, paid_contribution, unpriced_contribution

LAST_EVENT = "last_event_at"


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two totals, as texts for people; None where one of them has nothing there."""

    gauge: str
    """Or `unmatched` or `counts` with an event type, or `last_event_at`."""
    stored: str | None
    recomputed: str | None


def added_by(event: RecordedEvent, charges: Sequence[Charge] | None, currency: str) -> Contribution:
    """What a recorded event added to its total, without what its outcome adds.

    `charges` are those of its model version; None is usage without a billing model.
    """
    system_totals = _cost_of(event).readings()
    if event.is_paid:
        return paid_contribution(event.costed(), (*system_totals, *beyond_readings(event.beyond_payment)))
    if event.paid_with is not None:
        priced = added_by(msgspec.structs.replace(event, paid_with=None), charges, currency)
        return replace(priced, awaited=True)
    if charges is None:
        return unpriced_contribution(event.costed(), system_totals)
    return contribution(event.costed(), charges, currency, system_totals)


def _cost_of(event: RecordedEvent) -> EventCost:
    """With what is not recorded of an unpriced LLM call: its model and tokens."""
    if not event.cost.is_unpriced:
        return event.cost
    model, tokens = unpriced_name(*reported_model(event.data)), reported_tokens(event.data)
    return EventCost(None, event.cost.category, event.cost.reported, unpriced=model, tokens=tokens)


def added_by_outcome(outcome: Outcome, currency: str) -> Contribution:
    """What an outcome adds beside its event: by its status and by decisions."""
    measures = [reading for decision in contributions_of_decisions(outcome, currency) for reading in decision.measures]
    return Contribution(
        outcome.type, outcome.time, tuple(measures), events=0, system_totals=system_totals_of(outcome, currency)
    )


def emptied(totals: Totals) -> Totals:
    """Totals with the same names and nothing added to them, for recomputing.

    Where there are more names than a total tells apart, the order of events decided which of them it knows; here the
    known ones are known from the start.
    """
    return _changed(totals, lambda reading: type(reading)(), lambda _: 0)


def pruned(totals: Totals) -> Totals:
    """Without the names to which nothing was added; with all values of unique meters."""
    left = _changed(
        totals, lambda reading: None if reading == type(reading)() else reading, lambda count: count or None
    )
    for name in totals.meters():
        reading = totals.reading(name)
        if isinstance(reading, Distinct):
            left.add_distinct(name, reading.values)
    left.last_event_at = totals.last_event_at
    if totals.numbers is not None:
        left.numbers = {name: number for name, number in totals.numbers.items() if number}
    return left


def with_lines(stored: Mapping[TotalKey, Totals], recomputed: Mapping[TotalKey, Totals]) -> dict[TotalKey, Totals]:
    """The recomputed totals with those of the pooled lines that follow from them, and all numbers of values.

    A line has the values of all its agents whose totals count theirs. Values of others may be left in it, from when
    their totals did.
    """
    lines = {key: Totals() for key in stored if key.is_line}
    agents = {key: totals for key, totals in recomputed.items() if not key.is_line}
    for key, totals in agents.items():
        line, before = lines.setdefault(key.line, Totals()), stored.get(key.line, Totals())
        for meter in totals.pooled:
            values = values_of(totals, meter)
            line.add_distinct(meter, values if totals.numbers is not None else values & values_of(before, meter))
    whole = agents | {
        key: line for key, line in lines.items() if key in stored or any(map(line.reading, line.meters()))
    }
    for totals in whole.values():
        totals.count_values()
    return whole


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
            **({} if totals.numbers is None else {"distinct": {}}),
            **({"pooled": sorted(totals.pooled)} if totals.pooled else {}),
        }
    )


def _counts(counts: Mapping[str, int], count_of: Callable[[int], int | None]) -> dict[str, int]:
    changed = {event_type: count_of(count) for event_type, count in counts.items()}
    return {event_type: count for event_type, count in changed.items() if count is not None}


def wrong_readings(stored: Totals, recomputed: Totals) -> list[Difference]:
    """By gauge. A reading to which nothing was added is as good as none."""
    left, right = _described(pruned(stored)), _described(pruned(recomputed))
    compared = [Difference(name, left.get(name), right.get(name)) for name in sorted({*left, *right})]
    different = [each for each in compared if each.stored != each.recomputed]
    return different + _different_values(stored, recomputed) + _different_numbers(stored, recomputed)


def _described(totals: Totals) -> dict[str, str]:
    document = totals.document()
    described = {name: _text(reading) for name, reading in document["meters"].items()}
    for counts in ("unmatched", "counts"):
        described |= {f"{counts} {event_type}": str(count) for event_type, count in document[counts].items()}
    if totals.last_event_at is not None:
        described[LAST_EVENT] = totals.last_event_at
    return described


def _text(reading: Mapping[str, Any]) -> str:
    """Without the last change of a level, of which totals of before only know a bound."""
    fields = {name: value for name, value in reading.items() if name not in ("kind", "returns", "last")}
    after_returns = [f"since {time} {_text(kept)}" for time, kept in sorted(reading.get("returns", {}).items())]
    return ", ".join([*(f"{name} {value}" for name, value in fields.items()), *after_returns])


def _different_values(stored: Totals, recomputed: Totals) -> list[Difference]:
    different = []
    for name in sorted({*stored.meters(), *recomputed.meters()}):
        missing = values_of(recomputed, name) - values_of(stored, name)
        needless = values_of(stored, name) - values_of(recomputed, name)
        if missing or needless:
            different.append(Difference(name, f"{len(needless)} values too many", f"{len(missing)} values missing"))
    return different


def _different_numbers(stored: Totals, recomputed: Totals) -> list[Difference]:
    """Of distinct values, where the stored total counts them."""
    if stored.numbers is None or recomputed.numbers is None:
        return []
    return [
        Difference(name, f"{before} values counted", f"{after} values")
        for name in sorted({*stored.numbers, *recomputed.numbers})
        if (before := stored.numbers.get(name, 0)) != (after := recomputed.numbers.get(name, 0))
    ]


def values_of(totals: Totals, name: str) -> frozenset[str]:
    """The distinct values of a unique meter; none of any other."""
    reading = totals.reading(name)
    return reading.values if isinstance(reading, Distinct) else frozenset()
