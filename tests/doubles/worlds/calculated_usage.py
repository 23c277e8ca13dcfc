"""Usage that is stated instead of reported, calculated by an unsaved billing model."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.kernel.errors import ValidationError
from shared.domain.periods.periods import Span
from shared.domain.rating.calculation import Calculation, ModelSketch, UsageEntry, calculate

OCTOBER = Span(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))
PLATFORM = {"key": "platform", "type": "flat_fee", "amount": "499.00"}
TIERS = [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}]
SEATS = {"key": "seats", "type": "seat", "pricing": {"type": "per_unit", "unit_amount": "12"}}
AGENTS = {"key": "agents", "type": "agent", "pricing": {"type": "per_unit", "unit_amount": "29.99"}}
PRICES = {
    "percentage": {"type": "percentage", "rate": "10", "fixed_per_event": "1"},
    "bounded": {"type": "percentage", "rate": "10", "maximum_per_event": "5"},
    "dynamic": {"type": "dynamic", "value": "data.price"},
}


def activity(key: str = "commands", **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "type": "activity",
        "meter": {"event_type": "command"},
        "pricing": {"type": "graduated", "tiers": TIERS},
        "base_fee": {"amount": "15.00", "per": "agent"},
        "minimum": "5.00",
        **more,
    }


def calculated(
    charges: list[dict[str, Any]],
    usage: list[dict[str, Any]] | None = None,
    only: list[str] | None = None,
    currency: str = "USD",
    period: Span = OCTOBER,
) -> Calculation:
    """What the usage comes to by a model of these charges."""
    sketch = ModelSketch.model_validate({"currency": currency, "charges": charges})
    entries = [UsageEntry.model_validate(entry) for entry in usage or []]
    return calculate(sketch.version(), sketch.currency, entries, period, only)


def due(calculation: Calculation) -> dict[str, str]:
    """The amount of each line by charge and agent."""
    return {line.key.removeprefix("draft/"): str(line.amount) for line in calculation.lines}


def valued(key: str, **more: Any) -> dict[str, Any]:
    """A charge priced by the values of its events, with one of `PRICES`."""
    meter = {"event_type": "order", "aggregation": "sum", "value": "data.value"}
    return {"key": key, "type": "activity", "meter": meter, "pricing": PRICES[key], **more}


def outcome(**more: Any) -> dict[str, Any]:
    return {
        "key": "sales",
        "type": "outcome",
        "meter": {"event_type": "outcome.sale"},
        "pricing": {"type": "per_unit", "unit_amount": "2"},
        **more,
    }


def refused_at(*arguments: Any, **more: Any) -> list[str]:
    """The pointers at which the calculation is refused."""
    with pytest.raises(ValidationError) as refused:
        calculated(*arguments, **more)
    return [error.pointer for error in refused.value.errors]
