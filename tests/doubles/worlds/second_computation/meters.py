"""What events come to by a meter, read one by one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from tests.doubles.worlds.generated_usage import OCTOBER, Json, Reported
from tests.doubles.worlds.second_computation.days import ZERO


def number(event: Reported, path: str) -> Fraction:
    return Fraction(str(event.data[path.removeprefix("data.")]))


def measured(meter: Json, events: Sequence[Reported]) -> Fraction:
    """What the events of a whole month come to."""
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
        case _:
            whole = OCTOBER.end - OCTOBER.start
            lasted = ((number(each, path), OCTOBER.end - datetime.fromisoformat(each.time)) for each in events)
            return max(ZERO, sum((change * in_seconds(left) for change, left in lasted), ZERO) / in_seconds(whole))


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
