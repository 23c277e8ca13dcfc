"""Included units of plans: what a plan that ends inside a period includes (docs/subscriptions.md, "Usage").

It includes its units by days. Where more was used before its end, up to the units of a whole period, the missing ones
come off those that plans after it at the same place include of the same meter; of lines by agent, for the same agent.
So a change in mid-period charges nothing for what the old plan would have included, and a period includes no more than
its days at each plan.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from shared.domain.pricing.charges.activity import ActivityCharge
from shared.domain.pricing.charges.charge import Charge, LineSegment, quantity_of
from shared.domain.rating.charged_segments import ChargedSegment, LineKey
from shared.domain.rating.facts import Cycle


@dataclass(frozen=True, slots=True)
class _PlanLine:
    """A line of a plan that includes units. Numbers are units."""

    key: LineKey
    starts: datetime
    ends_early: bool
    included: Fraction
    """By its days."""
    needed: Fraction
    """What of it was used, up to the units of a whole period."""


def lent_units(
    cycle: Cycle, lines: Mapping[LineKey, tuple[Sequence[ChargedSegment], Sequence[LineSegment[Charge]]]]
) -> dict[LineKey, Fraction]:
    """What each line of a plan includes more, or less, than by its days. Lines that are left out: nothing."""
    by_meter: dict[tuple[str, str, str], list[_PlanLine]] = {}
    for key, (charged, segments) in lines.items():
        place, charge = charged[0].segment.place, charged[-1].charge
        if place is not None and isinstance(charge, ActivityCharge):
            line = _plan_line(cycle, key, charged, segments)
            by_meter.setdefault((place, charge.meter.model_dump_json(), key.agent_id), []).append(line)
    lent: dict[LineKey, Fraction] = {}
    for of_meter in by_meter.values():
        if len(of_meter) > 1:
            lent |= _lent(sorted(of_meter, key=lambda line: (line.starts, str(line.key))))
    return lent


def with_lent_units(segments: Sequence[LineSegment[Charge]], units: Fraction) -> list[LineSegment[Charge]]:
    first, *others = segments
    return [replace(first, included_elsewhere=units), *others]


def _plan_line(
    cycle: Cycle, key: LineKey, charged: Sequence[ChargedSegment], segments: Sequence[LineSegment[Charge]]
) -> _PlanLine:
    of_plan = [segment for segment in charged if segment.line_days]
    with_units = [
        (Fraction(segment.charge.included_units), segment)
        for segment in segments
        if isinstance(segment.charge, ActivityCharge)
    ]
    whole = Fraction(len(cycle.period.days()), len(cycle.whole.days()))
    used = quantity_of(segments)
    return _PlanLine(
        key=key,
        starts=min(charged_segment.segment.start for charged_segment in charged),
        ends_early=all(segment.segment.end < cycle.period.end for segment in of_plan),
        included=_sum(units * segment.share for units, segment in with_units),
        needed=min(max(units for units, _ in with_units) * whole, used),
    )


def _lent(lines: Sequence[_PlanLine]) -> dict[LineKey, Fraction]:
    """Each line that ends early borrows of those after it."""
    included = {line.key: line.included for line in lines}
    for place, line in enumerate(lines):
        for later in lines[place + 1 :] if line.ends_early else ():
            units = min(line.needed - included[line.key], included[later.key])
            if units > 0:
                included[line.key] += units
                included[later.key] -= units
    return {line.key: included[line.key] - line.included for line in lines}


def _sum(numbers: Iterable[Fraction]) -> Fraction:
    return sum(numbers, Fraction(0))
