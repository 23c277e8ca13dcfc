"""A line whose charge changes halfway through October."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from shared.domain.kernel.times import to_text
from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Segment
from tests.doubles.worlds import generated_usage as generated
from tests.doubles.worlds.generated_usage import OCTOBER, Reported

Json = dict[str, Any]
HALF = Fraction(14, 31)
"""The part of the month before the second version."""
EARLY, LATE = OCTOBER.start + timedelta(days=2), OCTOBER.start + timedelta(days=20)


def event(kind: str, time: datetime, agent: str = "a", **data: Any) -> Reported:
    return Reported(agent, kind, to_text(time), f"evt_{agent}_{to_text(time)}", data)


def line(versions: Sequence[Json], reported: Sequence[Reported] = (), agents: Sequence[str] = ("a",)) -> Line:
    """The only line of a charge that has two versions.

    The first is in force until halfway, the second from then on.
    """
    starts = [OCTOBER.start, generated.halfway()][: len(versions)]
    ends = [*starts[1:], OCTOBER.end]
    found = [
        Segment(agent, generated.version([{"key": "charge", **charge}], number, start), start, end)
        for number, (charge, start, end) in enumerate(zip(versions, starts, ends, strict=True), 1)
        for agent in agents
    ]
    (only,) = generated.lines_of(found, generated.totals_of(found, reported))
    return only


def due(*arguments: Any) -> Fraction:
    return Fraction(line(*arguments).exact_amount)


def about(share: Fraction) -> Any:
    """Equal to 9 places: where a share is no decimal, amounts are cut to 12 places."""
    return pytest.approx(float(share), abs=1e-9)


def added(pricing: Json, **more: Any) -> Json:
    meter = {"event_type": "step", "aggregation": "sum", "value": "data.value"}
    return {"type": "activity", "scope": "organization", "meter": meter, "pricing": pricing, **more}


def outcome(pricing: Json, **more: Any) -> Json:
    meter = {"event_type": "outcome.sale"}
    return {"type": "outcome", "verification": "none", "meter": meter, "pricing": pricing, **more}


def workflow(pricing: Json, **more: Any) -> Json:
    return {"type": "workflow", "workflows": {"email": {"pricing": pricing, **more}}}


PER_UNIT = {"type": "per_unit", "unit_amount": "2"}
FIVE_PERCENT = {"type": "percentage", "rate": "5"}


def tiers(kind: str) -> Json:
    found = [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "2", "flat_amount": "100"}]
    return {"type": kind, "tiers": found}
