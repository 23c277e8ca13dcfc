"""What metered charges read from events: the meter's reading, and what their pricing needs besides."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.validation import FieldPath
from shared.domain.metering.gauges import Gauge
from shared.domain.metering.meters import Meter
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.commitment import Commitment
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.event_values import reported_amount_paths
from shared.domain.pricing.rules.rule import EstimatedEvents, PricingRule

SEPARATOR = "#"
"""Joins the names of a meter and of a gauge of its pricing."""


def with_pricing_gauges(name: str, gauge: Gauge, pricing: PricingRule, factor: Fraction) -> dict[str, Gauge]:
    """A gauge and those that its pricing needs, by the names of their readings."""
    others = pricing.gauges(gauge, factor)
    return {name: gauge} | {f"{name}{SEPARATOR}{suffix}": other for suffix, other in others.items()}


def pricing_readings(name: str, readings: Mapping[str, Reading]) -> dict[str, Reading]:
    """The readings of a pricing's own gauges, by the names that the pricing gave them."""
    prefix = f"{name}{SEPARATOR}"
    return {other.removeprefix(prefix): reading for other, reading in readings.items() if other.startswith(prefix)}


def metered_amount_paths(meter: Meter, pricing: PricingRule) -> frozenset[str]:
    """The paths that a meter and its pricing read as amounts of money."""
    reads_money = pricing.BASIS == "values" or (
        meter.reads_numbers and meter.value in reported_amount_paths(meter.event_type)
    )
    value = () if meter.value is None or not reads_money else (meter.value,)
    return frozenset((*value, *pricing.amount_paths))


def metered_number_paths(meter: Meter, pricing: PricingRule) -> frozenset[str]:
    """The paths at which a meter and its pricing read numbers."""
    value = () if meter.value is None or not meter.reads_numbers else (meter.value,)
    return frozenset((*value, *pricing.amount_paths))


def metered_money_fields(meter: Meter, pricing: PricingRule) -> Iterator[FieldPath]:
    """The pricing's field `type`, where it takes the meter's sum for money."""
    if pricing.BASIS == "values" and _adds_up_units(meter):
        yield ("pricing", "type")


def _adds_up_units(meter: Meter) -> bool:
    return meter.value is not None and meter.value not in reported_amount_paths(meter.event_type)


def refused_combinations(
    pricing: PricingRule, meter: Meter, included_units: Decimal, commitment: Commitment | None
) -> Iterator[tuple[FieldPath, str]]:
    """Why a pricing does not go with its charge: fields, each with the reason."""
    yield from pricing.refusals(meter)
    if meter.value in pricing.amount_paths and _adds_up_units(meter):
        detail = f"is the path of what the meter adds up: {meter.value} cannot be both a price and a number of units"
        yield ("pricing", "value"), detail
    if pricing.BASIS == "units":
        return
    if included_units:
        yield ("included_units",), f"cannot be combined with {pricing.type}, which does not price units"
    if commitment is not None:
        yield ("commitment",), f"cannot be combined with {pricing.type}, which does not price units"


def estimated_metered_readings(
    name: str, meter: Meter, pricing: PricingRule, estimate: Estimate, span: Span
) -> dict[str, Reading]:
    """What a meter and the gauges of its pricing would read for estimated usage. Raises `ValidationError`."""
    if pricing.BASIS == "units":
        estimate.allow_only("quantity")
        return {name: meter.reading_of(Fraction(estimate.quantity or 0), span)}
    estimate.allow_only("quantity", "value", "values")
    events = estimate.events(each_needed=pricing.needs_each_value, value_needed=True)
    if pricing.BASIS == "values":
        reading: Reading = CountAndSum(events.count, events.sum / meter.factor)
    else:  # the estimated values are prices; the quantity beside them is only shown
        reading = meter.reading_of(events.count, span)
    return {name: reading} | estimated_pricing_readings(name, pricing, events, meter.factor)


def estimated_pricing_readings(
    name: str, pricing: PricingRule, events: EstimatedEvents, factor: Fraction
) -> dict[str, Reading]:
    """What the gauges of a pricing would read for estimated events."""
    readings = pricing.estimated_readings(events, factor)
    return {f"{name}{SEPARATOR}{suffix}": reading for suffix, reading in readings.items()}
