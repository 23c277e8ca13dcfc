"""What events come to by a meter, read one by one."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from tests.doubles.worlds.generated_usage import OCTOBER, Json, Reported
from tests.doubles.worlds.second_computation.days import ZERO, LineSegment


def measured_over(
    meter: Json, segments: Sequence[LineSegment], events: Callable[[LineSegment], Sequence[Reported]]
) -> Fraction:
    """What the events of these segments come to together."""
    if meter.get("aggregation") == "weighted_sum":
        return max(ZERO, sum((lasting_level(meter, segment, segments, events) for segment in segments), ZERO))
    return measured(meter, [each for segment in segments for each in events(segment)])


def lasting_level(
    meter: Json,
    segment: LineSegment,
    segments: Sequence[LineSegment],
    events: Callable[[LineSegment], Sequence[Reported]],
) -> Fraction:
    """The level during a segment times the part of the month that it lasted: change by change.

    A change lasts to the end of the segment, also one under an earlier version, unless the agent was away since.
    """
    whole = in_seconds(OCTOBER.end - OCTOBER.start)
    lasting = ZERO
    for earlier in segments:
        for each in events(earlier) if earlier.agent == segment.agent else ():
            happened = datetime.fromisoformat(each.time)
            absent_before = next(absences for start, end, absences in earlier.times if start <= happened < end)
            for start, end, absences in segment.times:
                if absences == absent_before and happened < end:
                    lasting += number(each, meter["value"]) * in_seconds(end - max(start, happened)) / whole
    return lasting


def number(event: Reported, path: str) -> Fraction:
    return Fraction(str(event.data[path.removeprefix("data.")]))


def measured(meter: Json, events: Sequence[Reported]) -> Fraction:
    """The quantity of all events of the month by this meter."""
    path = meter.get("value")
    match meter.get("aggregation", "count"):
        case "count":
            return Fraction(len(events))
        case "sum":
            return converted(meter, sum((number(each, path) for each in events), ZERO))
        case "max":
            return max((number(each, path) for each in events), default=ZERO)
        case "last":
            last = max(events, key=lambda each: (each.time, each.key), default=None)
            return ZERO if last is None else number(last, path)
        case "unique":
            return Fraction(len({each.data["user"] for each in events}))
        case other:
            raise ValueError(f"{other} depends on more than the events")


def in_seconds(time: timedelta) -> Fraction:
    return Fraction(time // timedelta(microseconds=1), 10**6)


def converted(meter: Json, quantity: Fraction) -> Fraction:
    unit = meter.get("unit", {})
    quantity /= Fraction(unit.get("divide_by", 1))
    match unit.get("rounding"):
        case "up":
            return Fraction(-(-quantity // 1))
        case "down":
            return Fraction(quantity // 1)
        case "half_up":
            return Fraction((2 * quantity + 1) // 2)
        case _:
            return quantity
