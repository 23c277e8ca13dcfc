"""Line segments: what a charge is rated from, one segment per agent and version.

They are in the order of first starts; a version that returns adds to its first segment.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Day, Period
from shared.domain.pricing.charges.charge import Charge, Headcount, LineSegment
from shared.domain.rating.charged_segments import ChargedSegment, LineKey, charged_segments
from shared.domain.rating.facts import Cycle, Facts, InconsistentFactsError
from shared.domain.rating.levels import Levels

_INSTANT = timedelta(microseconds=1)


def line_segments(facts: Facts, cycle: Cycle, charged: Sequence[ChargedSegment]) -> list[LineSegment[Charge]]:
    """The segments of a line; `cycle` is the time that its charge is for.

    Raises `InconsistentFactsError` where a headcount is missing.
    """
    alike: dict[tuple[str, str, int], list[int]] = {}
    for place, charged_segment in enumerate(charged):
        segment = charged_segment.segment
        alike.setdefault((segment.agent_id, segment.version.id, segment.quantity), []).append(place)
    numbers = _numbers_by_day(facts, charged, cycle.period.days())
    levels = Levels(cycle.period)
    has_days = charged[0].segment.place is None or any(charged_segment.line_days for charged_segment in charged)
    segments: list[LineSegment[Charge]] = []
    for places in alike.values():
        of_one = [charged[place] for place in places]
        with_usage = [charged_segment for charged_segment in of_one if charged_segment.segment.has_usage]
        readings = _readings(facts, of_one[0])
        readings = levels.bounded(with_usage, readings) if with_usage else readings
        headcounts = _headcounts([number for place in places for number in numbers[place]], len(cycle.whole.days()))
        of_line = _line_segment(cycle.whole, of_one, readings, headcounts)
        segments.append(of_line if has_days else replace(of_line, has_days=False))
    return segments


def segments_with_levels(facts: Facts) -> Iterator[tuple[LineKey, LineSegment[Charge]]]:
    """The line segments of all charges that price a level, each with its line."""
    cycle = Cycle(facts.period, facts.segments, closes=facts.period.end)
    for key, charged in charged_segments(cycle, "period").items():
        if charged[0].charge.has_levels:
            for segment in line_segments(facts, cycle, charged):
                yield key, segment


def _line_segment(
    whole: Period, charged: Sequence[ChargedSegment], readings: Mapping[str, Reading], headcounts: Sequence[Headcount]
) -> LineSegment[Charge]:
    """All segments of one agent under one version as one; `whole` is what their shares divide by."""
    segment, charge = charged[0].segment, charged[0].charge
    days = len(whole.days())
    return LineSegment(
        charge=charge,
        version=segment.version.number,
        agent_id=segment.agent_id,
        share=Fraction(sum(len(charged_segment.line_days) for charged_segment in charged), days),
        agent_share=Fraction(sum(len(charged_segment.agent_days) for charged_segment in charged), days),
        readings=readings,
        span=whole.span,
        agents=segment.agents,
        quantity=segment.quantity,
        headcounts=headcounts,
    )


def _readings(facts: Facts, charged_segment: ChargedSegment) -> dict[str, Reading]:
    segment, charge = charged_segment.segment, charged_segment.charge
    totals = facts.totals.get((segment.agent_id, segment.version.id))
    return {
        name: (None if totals is None else totals.reading(name)) or gauge.nothing
        for name, gauge in charge.gauges.items()
    }


def _numbers_by_day(facts: Facts, charged: Sequence[ChargedSegment], days: Sequence[Day]) -> list[list[int | Fraction]]:
    """For each charged segment, its charge's headcount on each counted day."""
    if charged[0].charge.headcount == "agents" and charged[0].segment.place is None:
        return _numbers_of_agents(charged, days)
    return [_numbers_of_organization(facts, charged_segment, days) for charged_segment in charged]


def _numbers_of_organization(facts: Facts, charged: ChargedSegment, days: Sequence[Day]) -> list[int | Fraction]:
    """The organization's members or seats, or its agents on plans, at the end of each day of the line.

    None for a charge without headcount.
    """
    name = charged.charge.headcount
    if name is None:
        return []
    if name not in facts.headcounts:
        raise InconsistentFactsError(f"The organization's {name} are missing")
    return [facts.headcounts[name].at(days[day].end - _INSTANT) or 0 for day in sorted(charged.line_days)]


def _numbers_of_agents(charged: Sequence[ChargedSegment], days: Sequence[Day]) -> list[list[int | Fraction]]:
    """Agents on the line at each day's end. A day counts for the first segment in force then."""
    numbers = [Fraction(0)] * len(days)
    first: list[int | None] = [None] * len(days)
    for place, charged_segment in enumerate(charged):
        segment = charged_segment.segment
        begins = bisect_right(days, segment.start, key=lambda day: day.end)
        ends = bisect_right(days, segment.end, key=lambda day: day.end)
        for day in range(begins, ends):
            numbers[day] += segment.agents
            first[day] = place if first[day] is None else first[day]
    counted: list[list[int | Fraction]] = [[] for _ in charged]
    for number, place_of_day in zip(numbers, first, strict=True):
        if place_of_day is not None:
            counted[place_of_day].append(number)
    return counted


def _headcounts(numbers: Sequence[int | Fraction], days: int) -> list[Headcount]:
    """The days by their number, `days` being those of the whole period."""
    days_by_number: dict[int | Fraction, int] = {}
    for number in numbers:
        days_by_number[number] = days_by_number.get(number, 0) + 1
    return [Headcount(Fraction(number), Fraction(count, days)) for number, count in days_by_number.items()]
