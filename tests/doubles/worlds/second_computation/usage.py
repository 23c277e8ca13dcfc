"""What the usage of one meter costs, by the versions of its price."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tests.doubles.worlds.generated_usage import Json, Reported
from tests.doubles.worlds.second_computation.days import ZERO, LineSegment, share
from tests.doubles.worlds.second_computation.meters import measured_over, number
from tests.doubles.worlds.second_computation.prices import COUNTING, flat_between, of_event, of_units


@dataclass
class PricedMeter:
    """A meter with its price under each version, and the events that it counts.

    The events have their values. `priced_by_value` are the versions under which values are known.
    """

    meter: Json
    prices: dict[int, Json]
    events: Callable[[LineSegment], list[Reported]]
    value_of: Callable[[Reported], Fraction]
    priced_by_value: set[int]


def usage(priced: PricedMeter, segments: Sequence[LineSegment]) -> dict[int, Fraction]:
    """What the usage under each version costs. Versions follow each other in time."""
    having = [segment for segment in segments if segment.version in priced.prices]
    included = sum(
        (
            Fraction(priced.prices[segment.version].get("included_units", 0)) * share(segment.line_days)
            for segment in having
        ),
        ZERO,
    )
    due = dict.fromkeys(sorted({segment.version for segment in having}), ZERO)
    add_units(priced, having, included, due)
    add_values(priced, having, due)
    return due


def add_units(
    priced: PricedMeter, segments: Sequence[LineSegment], included: Fraction, due: dict[int, Fraction]
) -> None:
    """Units go through the tiers in the order of the segments. What a later fall takes back was added last."""
    ends = [
        max(
            ZERO,
            measured_over(priced.meter, segments[: index + 1], priced.events) - included,
        )
        for index in range(len(segments))
    ]
    before = ZERO
    for index, segment in enumerate(segments):
        price = priced.prices[segment.version]
        pricing, commitment = price["pricing"], price.get("commitment")
        lasts = min(ends[index:])
        total = ends[-1]
        if pricing["type"] in COUNTING:
            due[segment.version] += of_units(pricing, lasts, total) - of_units(pricing, before, total)
            due[segment.version] += flat_between(pricing, before, lasts, total, index == 0)
            if commitment is not None:
                agreed = max(ZERO, Fraction(commitment["quantity"]) - included, before)
                above = of_units(pricing, max(agreed, lasts), total) - of_units(pricing, agreed, total)
                due[segment.version] += above * (Fraction(commitment["overage_multiplier"]) - 1)
        before = lasts


def add_values(priced: PricedMeter, segments: Sequence[LineSegment], due: dict[int, Fraction]) -> None:
    """Values are priced event by event, in the order of their times."""
    found = sorted(
        ((segment.version, each) for segment in segments for each in priced.events(segment)),
        key=lambda each: (each[0], each[1].time, each[1].key),
    )
    known = [priced.value_of(each) if version in priced.priced_by_value else ZERO for version, each in found]
    total = sum(known, ZERO)
    first = priced.prices[segments[0].version]["pricing"] if segments else {"type": ""}
    if "tiers" in first and "percentage" in first["type"]:
        due[segments[0].version] += flat_between(first, ZERO, ZERO, total, first=True)
    before = ZERO
    for place, ((version, event), value) in enumerate(zip(found, known, strict=True)):
        pricing = priced.prices[version]["pricing"]
        if pricing["type"] == "dynamic":
            due[version] += number(event, "data.price")
        elif pricing["type"] not in COUNTING:
            due[version] += of_event(pricing, place, before, value, total)
        before += value
