"""Usage of one metered thing, priced over the segments of a line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, groupby

from shared.domain.charges.commitment import Commitment
from shared.domain.charges.stated import Stated
from shared.domain.lines import Part, sum_of
from shared.domain.meters import Gauge, Meter
from shared.domain.periods import Span
from shared.domain.pricing.rule import Portion, PricingRule, StatedEvents
from shared.domain.readings import Reading, Tally, together
from shared.domain.validation import Place

MARK = "#"
"""Between the name of a meter and that of what its pricing needs besides; in no charge key or event type."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one segment used of a metered thing, and its version's price for it. `included` are the units that its
    share of the period includes, `beside` the readings of the pricing's own gauges.
    """

    version: int
    meter: Meter
    pricing: PricingRule
    reading: Reading
    beside: Mapping[str, Reading] = field(default_factory=dict)
    included: Fraction = Fraction(0)
    commitment: Commitment | None = None


def gauges_of(name: str, gauge: Gauge, pricing: PricingRule, factor: Fraction) -> dict[str, Gauge]:
    """A gauge and what its pricing needs besides, by the names under which totals keep their readings."""
    return {name: gauge} | {f"{name}{MARK}{suffix}": other for suffix, other in pricing.gauges(gauge, factor).items()}


def beside(name: str, readings: Mapping[str, Reading]) -> dict[str, Reading]:
    prefix = f"{name}{MARK}"
    return {each.removeprefix(prefix): reading for each, reading in readings.items() if each.startswith(prefix)}


def total_quantity(uses: Sequence[Use], span: Span) -> Fraction:
    """Before anything is included."""
    return uses[0].meter.quantities([use.reading for use in uses], span)[-1]


def priced(uses: Sequence[Use], span: Span) -> list[list[Part]]:
    """What each segment's part of the quantity costs under its own version, in the order of the segments."""
    included = sum((use.included for use in uses), Fraction(0))
    return [
        [*use.pricing.parts(portion, use.version), *_overage(use, portion, included)]
        for use, portion in zip(uses, _portions(uses, span, included), strict=True)
    ]


def _portions(uses: Sequence[Use], span: Span, included: Fraction) -> list[Portion]:
    """The quantities that count, after the included units of the whole line. What a segment adds is what it adds to
    the meter merged over the segments before it, so that a rounding conversion rounds the whole.
    """
    merged = uses[0].meter.quantities([use.reading for use in uses], span)
    ends = [max(Fraction(0), quantity - included) for quantity in merged]
    events = [Fraction(use.reading.count) if isinstance(use.reading, Tally) else Fraction(0) for use in uses]
    before = accumulate(events, initial=Fraction(0))
    return [
        Portion(
            start=start,
            end=end,
            total=ends[-1],
            first=index == 0,
            events_before=events_before,
            events=events[index],
            beside=known,
            factor=uses[index].meter.factor,
        )
        for index, (start, end, events_before, known) in enumerate(
            zip([Fraction(0), *ends], ends, before, _beside_by_version(uses), strict=False)
        )
    ]


def _beside_by_version(uses: Sequence[Use]) -> Iterator[Mapping[str, Reading]]:
    """What pricings need besides is known of a version's segments together: all of it goes to the first of them. The
    segments of one version follow each other, because no model has two versions at a time.
    """
    for _, of_version in groupby(uses, key=lambda use: use.version):
        first, *others = (use.beside for use in of_version)
        yield {name: together([reading, *(other[name] for other in others)]) for name, reading in first.items()}
        for _ in others:
            yield {name: _nothing_of(reading) for name, reading in first.items()}


def _nothing_of(reading: Reading) -> Reading:
    return type(reading)()


def _overage(use: Use, portion: Portion, included: Fraction) -> list[Part]:
    """Units beyond a commitment inside one type cost the multiple; a commitment counts included units, too."""
    if use.commitment is None:
        return []
    bound = max(Fraction(0), Fraction(use.commitment.quantity) - included)
    if portion.end <= bound:
        return []
    above = replace(portion, start=max(portion.start, bound), first=False)
    return use.commitment.overage(sum_of(use.pricing.parts(above, use.version)), use.version)


def refusals_of_use(
    pricing: PricingRule, meter: Meter, included_units: Decimal, commitment: Commitment | None
) -> Iterator[tuple[Place, str]]:
    """Why a pricing does not go with what stands beside it: places in the charge, with what is wrong."""
    yield from pricing.refusals(meter)
    if pricing.COUNTS_UNITS:
        return
    if included_units:
        yield ("included_units",), f"cannot stand beside {pricing.type}, which does not price units"
    if commitment is not None:
        yield ("commitment",), f"cannot stand beside {pricing.type}, which does not price units"


def stated_readings(name: str, meter: Meter, pricing: PricingRule, stated: Stated, span: Span) -> dict[str, Reading]:
    """What the gauges of a metered thing would have come to. Raises `ValidationError`."""
    if pricing.COUNTS_UNITS:
        stated.only("quantity")
        return {name: meter.reading_of(Fraction(stated.quantity or 0), span)}
    stated.only("quantity", "value", "values")
    events = stated.events(each_needed=pricing.needs_values)
    own: Reading = Tally(events.count, events.sum / meter.factor)
    if not pricing.BY_VALUE:  # what is stated are prices, beside a quantity that is only shown
        own = meter.reading_of(events.count, span)
    return {name: own} | stated_beside(name, pricing, events, meter.factor)


def stated_beside(name: str, pricing: PricingRule, events: StatedEvents, factor: Fraction) -> dict[str, Reading]:
    return {f"{name}{MARK}{suffix}": reading for suffix, reading in pricing.stated(events, factor).items()}
