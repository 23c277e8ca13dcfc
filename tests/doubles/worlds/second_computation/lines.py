"""Base fees, discounts, minima and maxima around usage."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tests.doubles.worlds.generated_usage import Json
from tests.doubles.worlds.second_computation.days import ZERO, LineSegment, share


def line(
    charges: Sequence[Json],
    segments: Sequence[LineSegment],
    due: dict[int, Fraction],
    quantity: Fraction,
    *,
    fee_apart: bool,
) -> Fraction:
    """The whole line. Where `fee_apart`, a maximum holds for what stands beside the base fee."""
    fees = dict.fromkeys(due, ZERO)
    for segment in segments:
        fee = charges[segment.version].get("base_fee")
        if fee is not None:
            days = segment.own_days if fee["per"] == "agent" else segment.line_days
            fees[segment.version] += Fraction(fee["amount"]) * share(days)
    in_force = {
        version: share(day for segment in segments if segment.version == version for day in segment.line_days)
        for version in due
    }
    due = {version: own + fees[version] for version, own in due.items()}
    due = discounted(
        [(charges[version].get("discount"), due[version], in_force[version], quantity) for version in due], due
    )
    capped = {
        version: in_force[version] * Fraction(charges[version]["maximum"])
        for version in due
        if "maximum" in charges[version]
    }
    maximum, fee = sum(capped.values(), ZERO), sum((fees[version] for version in capped), ZERO)
    of_capped = sum((due[version] for version in capped), ZERO)
    most = fee + max(ZERO, maximum - fee) if fee_apart else maximum
    total = sum(due.values(), ZERO) - (max(ZERO, of_capped - most) if capped else ZERO)
    minimum = sum(
        (
            Fraction(charges[version]["minimum"]) * in_force[version]
            for version in due
            if "minimum" in charges[version] and (quantity or when_unused(charges[version]))
        ),
        ZERO,
    )
    return max(total, minimum)


def when_unused(charge: Json) -> bool:
    """True where the minimum is due without any usage."""
    return charge.get("minimum_when_unused", charge["type"] != "workflow")


def discounted(
    found: Sequence[tuple[Json | None, Fraction, Fraction, Fraction]], due: dict[Any, Fraction]
) -> dict[Any, Fraction]:
    """Each version's amount after its discount; `found` has its discount, amount, days and quantity.

    Discount amounts share what there is to discount in proportion; where a type's maximum has left less than nothing to
    discount, they are nothing.
    """
    reached = [
        discount if discount is not None and quantity >= Fraction(discount["from_quantity"]) else None
        for discount, _, _, quantity in found
    ]
    wanted = [
        Fraction(discount["amount"]) * days if discount is not None and "amount" in discount else ZERO
        for discount, (_, _, days, _) in zip(reached, found, strict=True)
    ]
    room = sum(
        (own for discount, (_, own, _, _) in zip(reached, found, strict=True) if discount and "amount" in discount),
        ZERO,
    )
    asked = sum(wanted, ZERO)
    result = {}
    for (key, own), discount, amount in zip(due.items(), reached, wanted, strict=True):
        percent = Fraction(discount["percent"]) if discount is not None and "percent" in discount else ZERO
        granted = amount * min(max(ZERO, room), asked) / asked if asked else ZERO
        result[key] = own * (1 - percent / 100) - granted
    return result
