"""Prices of units and of the values of events."""

from fractions import Fraction

from tests.doubles.worlds.generated_usage import Json
from tests.doubles.worlds.second_computation.days import ZERO

COUNTING = ("per_unit", "graduated", "volume", "package")


def of_units(pricing: Json, quantity: Fraction, total: Fraction) -> Fraction:
    """What the first units cost without flat amounts; `total` is the quantity of the whole line."""
    match pricing["type"]:
        case "per_unit":
            return quantity * Fraction(pricing["unit_amount"])
        case "volume":
            return quantity * Fraction(tier_of(pricing, total)["unit_amount"])
        case "graduated":
            return sum((inside * Fraction(tier["unit_amount"]) for tier, inside in spread(pricing, quantity)), ZERO)
        case "package":
            packages = max(ZERO, quantity - Fraction(pricing["free_units"])) / Fraction(pricing["package_size"])
            begun = packages.denominator > 1 and pricing["rounding"] == "up"
            return (int(packages) + begun) * Fraction(pricing["package_amount"])
        case _:
            raise NotImplementedError(pricing["type"])


def flat_amounts(pricing: Json, quantity: Fraction) -> Fraction:
    """The flat amounts of the tiers that the quantity reaches; the first is always reached."""
    lower = ZERO
    found = ZERO
    for tier in pricing["tiers"]:
        if quantity > lower or lower == 0:
            found += Fraction(tier["flat_amount"])
        lower = Fraction(tier["up_to"] or 0)
    return found


def tier_of(pricing: Json, total: Fraction) -> Json:
    return next(tier for tier in pricing["tiers"] if tier["up_to"] is None or total <= Fraction(tier["up_to"]))


def spread(pricing: Json, quantity: Fraction) -> list[tuple[Json, Fraction]]:
    lower = ZERO
    found = []
    for tier in pricing["tiers"]:
        upper = quantity if tier["up_to"] is None else min(quantity, Fraction(tier["up_to"]))
        found.append((tier, max(ZERO, upper - lower)))
        lower = Fraction(tier["up_to"] or 0)
    return found


def flat_between(pricing: Json, start: Fraction, end: Fraction, total: Fraction, first: bool) -> Fraction:
    if "volume" in pricing["type"]:
        return Fraction(tier_of(pricing, total)["flat_amount"]) if first else ZERO
    if "graduated" in pricing["type"]:
        return flat_amounts(pricing, end) - (ZERO if first else flat_amounts(pricing, start))
    return ZERO


def of_event(pricing: Json, place: int, before: Fraction, value: Fraction, total: Fraction) -> Fraction:
    """What the event at this place costs, after events that add up to `before`."""
    fixed = Fraction(pricing.get("fixed_per_event", 0))
    match pricing["type"]:
        case "percentage":
            return _of_event_by_percentage(pricing, place, before, value)
        case "volume_percentage":
            return value * Fraction(tier_of(pricing, total)["rate"]) / 100 + fixed
        case "graduated_percentage":
            return (
                rates(pricing, before + value)
                - rates(pricing, before)
                + flat_between(pricing, before, before + value, total, first=False)
                + fixed
            )
        case _:
            raise NotImplementedError(pricing["type"])


def _of_event_by_percentage(pricing: Json, place: int, before: Fraction, value: Fraction) -> Fraction:
    if place < pricing.get("free_events", 0):
        return ZERO
    free = Fraction(pricing.get("free_amount", 0))
    paying = max(ZERO, before + value - free) - max(ZERO, before - free)
    price = paying * Fraction(pricing["rate"]) / 100 + Fraction(pricing.get("fixed_per_event", 0))
    least, most = pricing.get("minimum_per_event"), pricing.get("maximum_per_event")
    price = price if least is None else max(price, Fraction(least))
    return price if most is None else min(price, Fraction(most))


def rates(pricing: Json, value: Fraction) -> Fraction:
    return sum((inside * Fraction(tier["rate"]) / 100 for tier, inside in spread(pricing, value)), ZERO)
