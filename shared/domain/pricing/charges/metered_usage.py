"""Usage of one metered thing, priced over the segments of a line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, groupby
from operator import add

from shared.domain.kernel.validation import Place
from shared.domain.metering.meters import Gauge, Meter
from shared.domain.metering.readings import CountAndSum, Reading, together
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.commitment import Commitment
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.event_values import reported_amount_paths
from shared.domain.pricing.lines import ExactStep, exact_sum
from shared.domain.pricing.rules.rule import PRICES, EstimatedEvents, PricingRule, UnitRange

PRICING_MARK = "#"
"""Between the name of a meter and that of what its pricing needs besides; in no charge key or event type."""


@dataclass(frozen=True, slots=True)
class MeteredSegment:
    """What one segment used of a metered thing, and its version's price for it. `readings` are all of the segment;
    what is priced is that of `name`, as `meter` measures it. `included` are the units that its share of the period
    includes.
    """

    version: int
    name: str
    meter: Meter
    pricing: PricingRule
    readings: Mapping[str, Reading]
    included: Fraction = Fraction(0)
    commitment: Commitment | None = None

    @property
    def reading(self) -> Reading:
        return self.readings[self.name]

    @property
    def pricing_readings(self) -> dict[str, Reading]:
        """The readings of the pricing's own gauges."""
        prefix = f"{self.name}{PRICING_MARK}"
        return {
            each.removeprefix(prefix): reading for each, reading in self.readings.items() if each.startswith(prefix)
        }

    @property
    def measured(self) -> Reading:
        """What an agent's part of it is measured by."""
        return self.pricing_readings[PRICES] if self.pricing.SUMS_PRICES else self.reading


def gauges_with_pricing(name: str, gauge: Gauge, pricing: PricingRule, factor: Fraction) -> dict[str, Gauge]:
    """A gauge and what its pricing needs besides, by the names under which totals keep their readings."""
    return {name: gauge} | {
        f"{name}{PRICING_MARK}{suffix}": other for suffix, other in pricing.gauges(gauge, factor).items()
    }


def metered_amount_paths(meter: Meter, pricing: PricingRule) -> frozenset[str]:
    """The paths of what is read as money of the events that the meter matches."""
    reads_money = pricing.BY_VALUE or (meter.reads_numbers and meter.value in reported_amount_paths(meter.event_type))
    value = () if meter.value is None or not reads_money else (meter.value,)
    return frozenset((*value, *pricing.amount_paths))


def money_fields(meter: Meter, pricing: PricingRule) -> Iterator[Place]:
    """What of a pricing makes money of the numbers that the meter reads, unless they are that anyway."""
    if pricing.BY_VALUE and _adds_up_units(meter):
        yield ("pricing", "type")


def _adds_up_units(meter: Meter) -> bool:
    return meter.value is not None and meter.value not in reported_amount_paths(meter.event_type)


def metered_quantity(metered: Sequence[MeteredSegment], span: Span) -> Fraction:
    """Before anything is included."""
    return metered[0].meter.quantities([segment.reading for segment in metered], span)[-1]


def usage_steps(metered: Sequence[MeteredSegment], span: Span) -> list[list[ExactStep]]:
    """What each segment's part of the quantity costs under its own version, in the order of the segments."""
    included = sum((segment.included for segment in metered), Fraction(0))
    return [
        [*segment.pricing.steps(units, segment.version), *_overage(segment, units, included)]
        for segment, units in zip(metered, _unit_ranges(metered, span, included), strict=True)
    ]


def weights_of_metered(agent_ids: Sequence[str], metered: Sequence[MeteredSegment], span: Span) -> dict[str, Fraction]:
    """What each agent's part is measured by: its quantity, what its events are worth where that is priced, or their
    prices where they bring them. Where versions go by different ones of these, what comes to each version is parted by
    its own, so that all of it is money.
    """
    if all(_is_measured_as(metered[0], segment) for segment in metered):
        return _measured(agent_ids, metered, span)
    weights = dict.fromkeys(agent_ids, Fraction(0))
    costs = usage_steps(metered, span)
    for version in dict.fromkeys(segment.version for segment in metered):
        of_version = [index for index, segment in enumerate(metered) if segment.version == version]
        amount = sum((exact_sum(costs[index]) for index in of_version), Fraction(0))
        measured = _measured([agent_ids[index] for index in of_version], [metered[index] for index in of_version], span)
        for agent_id, part in split_by_weight(amount, measured).items():
            weights[agent_id] += part
    return weights


def split_by_weight(amount: Fraction, weights: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """The amount, exactly, by the weights; without any, nothing of it."""
    whole = sum(weights.values(), Fraction(0))
    return {name: amount * weight / whole for name, weight in weights.items()} if whole else {}


def _is_measured_as(one: MeteredSegment, other: MeteredSegment) -> bool:
    return one.pricing.SUMS_PRICES == other.pricing.SUMS_PRICES and one.meter == other.meter


def _measured(agent_ids: Sequence[str], metered: Sequence[MeteredSegment], span: Span) -> dict[str, Fraction]:
    """All measured the same way. Events that are all worth nothing are counted."""
    found: dict[str, list[Reading]] = {}
    for agent_id, segment in zip(agent_ids, metered, strict=True):
        found.setdefault(agent_id, []).append(segment.measured)
    readings = {agent_id: together(own) for agent_id, own in found.items()}
    pricing, meter = metered[0].pricing, metered[0].meter
    if pricing.COUNTS_UNITS:
        return {agent_id: max(Fraction(0), meter.quantity(own, span)) for agent_id, own in readings.items()}
    sums = {agent_id: own for agent_id, own in readings.items() if isinstance(own, CountAndSum)}
    factor = Fraction(1) if pricing.SUMS_PRICES else meter.factor
    values = {agent_id: max(Fraction(0), Fraction(own.sum) * factor) for agent_id, own in sums.items()}
    if any(values.values()):
        return values
    return {agent_id: max(Fraction(0), Fraction(own.count)) for agent_id, own in sums.items()}


def _unit_ranges(metered: Sequence[MeteredSegment], span: Span, included: Fraction) -> list[UnitRange]:
    """The quantities that count, after the included units of the whole line. What a segment adds is what it adds to
    the meter merged over the segments before it, so that a rounding conversion rounds the whole; each is measured by
    its own version's meter, also where others price values and it prices units.
    """
    ends = _range_ends(metered, span, included)
    events = [
        Fraction(segment.reading.count) if isinstance(segment.reading, CountAndSum) else Fraction(0)
        for segment in metered
    ]
    places = [
        Fraction(segment.reading.reversed) if isinstance(segment.reading, CountAndSum) else Fraction(0)
        for segment in metered
    ]
    before = accumulate(map(add, events, places), initial=Fraction(0))
    return [
        UnitRange(
            start=own[index - 1] if index else Fraction(0),
            end=own[index],
            total=own[-1],
            first=index == 0,
            events_before=events_before,
            events=events[index],
            pricing_readings=known,
            factor=metered[index].meter.factor,
        )
        for index, (own, events_before, known) in enumerate(
            zip(ends, before, _pricing_readings_by_version(metered), strict=False)
        )
    ]


def _range_ends(metered: Sequence[MeteredSegment], span: Span, included: Fraction) -> list[list[Fraction]]:
    """For each use the quantities that the line has come to after each segment, as its own version measures them."""
    measured: list[tuple[tuple[str, Meter, bool], list[Fraction]]] = []
    ends = []
    for segment in metered:
        way = (segment.name, segment.meter, segment.pricing.COUNTS_UNITS)
        known = next((found for one, found in measured if one == way), None)
        if known is None:
            known = _measured_by(segment, metered, span, included)
            measured.append((way, known))
        ends.append(known)
    return ends


def _measured_by(
    own: MeteredSegment, metered: Sequence[MeteredSegment], span: Span, included: Fraction
) -> list[Fraction]:
    quantities = own.meter.quantities([segment.readings.get(own.name, own.meter.nothing) for segment in metered], span)
    left_out = included if own.pricing.COUNTS_UNITS else Fraction(0)
    return _lasting([max(Fraction(0), quantity - left_out) for quantity in quantities])


def _lasting(quantities: Sequence[Fraction]) -> list[Fraction]:
    """What lasts of the level after each segment: no more than the lowest that is still to come.

    Last values and averages may fall. What a fall takes back are the units that were added last, so that each segment
    pays, at its own price, for those of its units that are still there at the end. No portion is then negative: nothing
    is paid back at another price than it was sold at, and tiers, commitments and minima see what is left.
    """
    return list(accumulate(reversed(quantities), min))[::-1]


def _pricing_readings_by_version(metered: Sequence[MeteredSegment]) -> Iterator[Mapping[str, Reading]]:
    """What pricings need besides is known of a version's segments together: all of it goes to the first of them. The
    segments of one version follow each other, because no model has two versions at a time.
    """
    for _, of_version in groupby(metered, key=lambda segment: segment.version):
        first, *others = (segment.pricing_readings for segment in of_version)
        yield {name: together([reading, *(other[name] for other in others)]) for name, reading in first.items()}
        for _ in others:
            yield {name: _nothing_of(reading) for name, reading in first.items()}


def _nothing_of(reading: Reading) -> Reading:
    return type(reading)()


def _overage(segment: MeteredSegment, units: UnitRange, included: Fraction) -> list[ExactStep]:
    """Units beyond a commitment inside one type cost the multiple; flat amounts of tiers never do, nor a package that
    was begun before. A commitment counts included units, too.
    """
    if segment.commitment is None:
        return []
    bound = max(Fraction(0), Fraction(segment.commitment.quantity) - included)
    if units.end <= bound:
        return []
    above = replace(units, start=max(units.start, bound), first=False)
    steps = segment.pricing.steps(above, segment.version)
    flat_amounts = sum((Fraction(step.flat_amount or 0) for step in steps), Fraction(0))
    return segment.commitment.overage(exact_sum(steps) - flat_amounts, segment.version)


def pricing_refusals(
    pricing: PricingRule, meter: Meter, included_units: Decimal, commitment: Commitment | None
) -> Iterator[tuple[Place, str]]:
    """Why a pricing does not go with what stands beside it: places in the charge, with what is wrong."""
    yield from pricing.refusals(meter)
    if meter.value in pricing.amount_paths and _adds_up_units(meter):
        detail = f"is the path of what the meter adds up: {meter.value} cannot be both a price and a number of units"
        yield ("pricing", "value"), detail
    if pricing.COUNTS_UNITS:
        return
    if included_units:
        yield ("included_units",), f"cannot stand beside {pricing.type}, which does not price units"
    if commitment is not None:
        yield ("commitment",), f"cannot stand beside {pricing.type}, which does not price units"


def estimated_readings(
    name: str, meter: Meter, pricing: PricingRule, estimate: Estimate, span: Span
) -> dict[str, Reading]:
    """What the gauges of a metered thing would have come to. Raises `ValidationError`."""
    if pricing.COUNTS_UNITS:
        estimate.only("quantity")
        return {name: meter.reading_of(Fraction(estimate.quantity or 0), span)}
    estimate.only("quantity", "value", "values")
    events = estimate.events(each_needed=pricing.needs_values, value_needed=True)
    own: Reading = CountAndSum(events.count, events.sum / meter.factor)
    if not pricing.BY_VALUE:  # what is stated are prices, beside a quantity that is only shown
        own = meter.reading_of(events.count, span)
    return {name: own} | estimated_pricing_readings(name, pricing, events, meter.factor)


def estimated_pricing_readings(
    name: str, pricing: PricingRule, events: EstimatedEvents, factor: Fraction
) -> dict[str, Reading]:
    return {f"{name}{PRICING_MARK}{suffix}": reading for suffix, reading in pricing.estimated(events, factor).items()}
