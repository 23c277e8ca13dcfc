"""The worked examples with known answers, as estimated usage and as events."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.kernel.money import total
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.rating.calculation import ModelSketch, UsageEntry, calculate
from shared.domain.rating.facts import Cycle, Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.rating.segments import first_starts
from shared.domain.usage.totals import Contribution, Totals
from tests.doubles.worlds.oracles import NOT_REPRODUCED, Case, cases, parameters

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")

NOT_FROM_EVENTS = {
    "pct-minmax-free30": "no saved model has a free amount beside per-event parts: it would keep all events"
}


@pytest.mark.parametrize("case", parameters())
def test_stated_usage_gives_the_known_answers(case: Case) -> None:
    sketch = ModelSketch.model_validate(case.model)
    usage = [UsageEntry.model_validate(entry) for entry in case.usage]
    result = calculate(sketch.version(), sketch.currency, usage, OCTOBER.span, case.only)
    assert case.exact in (None, result.exact_total)
    assert case.rounded in (None, result.total)


@dataclass(frozen=True)
class Event:
    type: str
    data: dict[str, Any]
    time: str
    key: str
    amounts: dict[str, Decimal] = field(default_factory=dict)
    returned_at: str | None = None


def events(case: Case) -> Iterator[Event]:
    """As many as the usage says, worth what it says."""
    meters = {charge["key"]: charge.get("meter", {}).get("event_type", "") for charge in case.model["charges"]}
    number = 0
    for entry in case.usage:
        for event_type, data in data_of(entry, meters[entry["charge"]]):
            time = to_text(OCTOBER.start + timedelta(minutes=number))
            yield Event(event_type, data, time, f"{number:09d}")
            number += 1


def data_of(entry: dict[str, Any], event_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, count in entry.get("workflows", {}).items():
        yield f"workflow.{name}", {"quantity": count}
    for value in entry.get("values", ()):
        yield event_type, {"quantity": value}
    if "value" in entry:
        for number in range(int(entry.get("quantity", 1))):
            value = entry["value"] if number == 0 else "0"
            yield event_type, {"quantity": value, "value": value, "price": value}
    elif "quantity" in entry:
        yield event_type, {"quantity": entry["quantity"]}


def metered(version: Version, found: Iterator[Event]) -> Totals:
    """Of outcomes, too, as if they were verified."""
    totals = Totals()
    for event in found:
        readings = [(name, gauge.measure(event)) for charge in version.charges for name, gauge in charge.gauges.items()]
        known = tuple((name, reading) for name, reading in readings if reading is not None)
        totals.add(Contribution(event.type, event.time, known))
    return Totals.read(totals.document())


def agents_of(case: Case) -> int:
    agent_numbers = [entry.get("agents", entry.get("quantity", 1)) for entry in case.usage if "agents" in entry]
    agent_numbers += [entry.get("quantity", 1) for entry in case.usage if entry["charge"] == "agents"]
    return int(agent_numbers[0]) if agent_numbers else 1


@pytest.mark.parametrize("case", parameters(NOT_FROM_EVENTS))
def test_events_that_come_to_it_give_the_known_answers(case: Case) -> None:
    version = ModelSketch.model_validate(case.model).version()
    version = version.changed(
        charges=tuple(charge for charge in version.charges if case.only is None or charge.key in case.only)
    )
    found = [Segment(f"agent-{number}", version, OCTOBER.start, OCTOBER.end) for number in range(agents_of(case))]
    cycle = Cycle(OCTOBER, found, closes=OCTOBER.end)
    lines = rate(
        Facts(
            period=OCTOBER,
            currency=case.model["currency"],
            segments=found,
            totals={(segment.agent_id, version.id): metered(version, events(case)) for segment in found[:1]},
            first_starts=first_starts(found),
            cycles={"quarter": cycle, "year": cycle},
        )
    )
    assert case.exact in (None, total(line.exact_amount for line in lines))
    assert case.rounded in (None, total(line.amount for line in lines))


def test_nothing_is_left_out_but_what_is_named() -> None:
    assert len(cases()) == 123 - len(NOT_REPRODUCED)
