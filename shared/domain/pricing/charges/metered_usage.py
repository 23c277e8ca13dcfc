"""The price of metered usage, segment by segment of a line (docs/billing.md, "Quantities")."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, groupby

from shared.domain.metering.meters import Meter
from shared.domain.metering.readings import CountAndSum, Reading, merge_all
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.commitment import Commitment
from shared.domain.pricing.charges.metered_gauges import pricing_readings
from shared.domain.pricing.lines import ExactStep, exact_sum
from shared.domain.pricing.rules.rule import PricingRule, UnitRange


@dataclass(frozen=True, slots=True)
class MeteredSegment:
    """What one agent used of a metered thing under one version, with that version's price.

    `readings` are all readings of the segment; the one called `name`, measured by `meter`, is priced. `included_units`
    are prorated by the days of the segment.
    """

    version: int
    agent_id: str
    name: str
    meter: Meter
    pricing: PricingRule
    readings: Mapping[str, Reading]
    included_units: Fraction = Fraction(0)
    commitment: Commitment | None = None
    pays_flat_amounts: bool = True
    """Whether its line pays what zero units cost."""

    @property
    def reading(self) -> Reading:
        return self.readings[self.name]

    @property
    def pricing_readings(self) -> dict[str, Reading]:
        return pricing_readings(self.name, self.readings)

    @property
    def events(self) -> Fraction:
        """The events that count; 0 where the meter does not count them."""
        return Fraction(self.reading.count) if isinstance(self.reading, CountAndSum) else Fraction(0)

    @property
    def reversed_events(self) -> int:
        return self.reading.reversed if isinstance(self.reading, CountAndSum) else 0


def metered_quantity(segments: Sequence[MeteredSegment], span: Span) -> Fraction:
    """The quantity of the whole line, before included units come off."""
    return segments[0].meter.quantities([segment.reading for segment in segments], span)[-1]


def usage_steps(segments: Sequence[MeteredSegment], span: Span) -> list[list[ExactStep]]:
    """What each segment costs at its own version's price, in the order of the segments.

    Each pays for the units that it adds to those of the segments before it. The included units of all segments come
    off once, before the first unit that is paid.
    """
    included = sum((segment.included_units for segment in segments), Fraction(0))
    return [
        [*segment.pricing.steps(units, segment.version), *_overage_steps(segment, units, included)]
        for segment, units in zip(segments, _unit_ranges(segments, span, included), strict=True)
    ]


def _unit_ranges(segments: Sequence[MeteredSegment], span: Span, included: Fraction) -> list[UnitRange]:
    """The range of the line's units that each segment pays for.

    A range ends where the meter stands once it has seen the segment and all before it, so that a rounding unit
    conversion rounds the whole line and not each segment.
    """
    ranges = []
    events_before = Fraction(0)
    all_ends = _range_ends(segments, span, included)
    for index, (segment, ends, readings) in enumerate(
        zip(segments, all_ends, _pricing_readings_by_version(segments), strict=True)
    ):
        ranges.append(
            UnitRange(
                start=ends[index - 1] if index else Fraction(0),
                end=ends[index],
                total=ends[-1],
                first=index == 0 and segment.pays_flat_amounts,
                events_before=events_before,
                events=segment.events,
                pricing_readings=readings,
                factor=segment.meter.factor,
            )
        )
        events_before += segment.events + segment.reversed_events
    return ranges


def _range_ends(segments: Sequence[MeteredSegment], span: Span, included: Fraction) -> list[list[Fraction]]:
    """For each segment, where all ranges end as its own version measures them.

    Versions measure differently where one prices units and another the values of the same events.
    """
    by_measure: list[tuple[tuple[str, Meter, bool], list[Fraction]]] = []
    all_ends = []
    for segment in segments:
        measure = (segment.name, segment.meter, segment.pricing.BASIS == "units")
        ends = next((ends for known, ends in by_measure if known == measure), None)
        if ends is None:
            ends = _ends_measured_by(segment, segments, span, included)
            by_measure.append((measure, ends))
        all_ends.append(ends)
    return all_ends


def _ends_measured_by(
    measuring: MeteredSegment, segments: Sequence[MeteredSegment], span: Span, included: Fraction
) -> list[Fraction]:
    name, meter = measuring.name, measuring.meter
    quantities = meter.quantities([segment.readings.get(name, meter.nothing) for segment in segments], span)
    free = included if measuring.pricing.BASIS == "units" else Fraction(0)
    return _without_later_falls([max(Fraction(0), quantity - free) for quantity in quantities])


def _without_later_falls(quantities: Sequence[Fraction]) -> list[Fraction]:
    """Cap each running quantity at the lowest one after it, so that none falls.

    Last values and averages may fall. A fall takes back the units added last, each at the price at which it was added
    (docs/billing.md, "Falling meters"): a segment then pays only for those of its units that are left at the end. So no
    range is negative, and tiers, commitments and minima see what is left.
    """
    return list(accumulate(reversed(quantities), min))[::-1]


def _pricing_readings_by_version(segments: Sequence[MeteredSegment]) -> Iterator[Mapping[str, Reading]]:
    """For each segment the readings of its pricing's own gauges.

    The first segment of a version has the readings of all of them, the others none. The segments of one version are
    adjacent, because a model has one version at a time.
    """
    for _, of_version in groupby(segments, key=lambda segment: segment.version):
        first, *others = (segment.pricing_readings for segment in of_version)
        yield {name: merge_all([reading, *(other[name] for other in others)]) for name, reading in first.items()}
        for _ in others:
            yield {name: type(reading)() for name, reading in first.items()}


def _overage_steps(segment: MeteredSegment, units: UnitRange, included: Fraction) -> list[ExactStep]:
    """What units beyond the commitment cost on top of their price.

    Flat amounts of tiers, and packages that were started before, are not multiplied.
    """
    if segment.commitment is None:
        return []
    committed = max(Fraction(0), Fraction(segment.commitment.quantity) - included)
    if units.end <= committed:
        return []
    beyond = replace(units, start=max(units.start, committed), first=False)
    steps = segment.pricing.steps(beyond, segment.version)
    flat_amounts = sum((Fraction(step.flat_amount or 0) for step in steps), Fraction(0))
    return segment.commitment.overage(exact_sum(steps) - flat_amounts, segment.version)
