"""Discounts: what coupons take off the lines of a period, as lines of their own that converge like all others.

They are a function of the period's rounded lines (docs/coupons.md): whatever moves a line moves its discounts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from shared.domain.billing.moved_goodwill import is_goodwill
from shared.domain.kernel.money import EXACT, ZERO, RoundedAmount, add, round_half_up, total
from shared.domain.kernel.shares import split
from shared.domain.kernel.value import Value
from shared.domain.pricing.lines import Line, LineDiscount, Step, discount_key


@dataclass(frozen=True, slots=True)
class Discount:
    """A redeemed coupon as it lies on a period: a percentage, or at most an amount in the lines' currency."""

    redemption_id: str
    name: str
    redeemed_at: datetime
    percent: Decimal | None = None
    amount: Decimal | None = None
    """In place of `percent`."""
    charges: frozenset[str] | None = None
    """The keys of the charges that it is for; None for all."""
    models: frozenset[str] | None = None
    """The billing models that it is for; None for all."""

    @property
    def order(self) -> tuple[bool, datetime, str]:
        """Those for some lines come first, and then who was redeemed earlier."""
        return self.charges is None and self.models is None, self.redeemed_at, self.redemption_id

    def covers(self, line: Line) -> bool:
        is_charge = self.charges is None or line.charge in self.charges
        return is_charge and (self.models is None or line.model_id in self.models)

    def of(self, left: Decimal, currency: str) -> Decimal:
        """What it takes off so much: rounded once, half up, and never more than that."""
        if self.percent is None:
            return min(self.amount or ZERO, left)
        return round_half_up(Fraction(left) * Fraction(self.percent) / 100, currency)


class DocumentDiscount(Value):
    """What one redemption takes off a document."""

    redemption_id: str
    """The redemption's id."""
    name: str
    """The coupon's."""
    amount: RoundedAmount
    """Positive for what is taken off; negative where a document takes a discount back."""


def discount_lines(lines: Sequence[Line], discounts: Iterable[Discount], currency: str) -> list[Line]:
    """What the discounts take off these lines of a period: each of what those before it have left.

    A discount is split over the lines that it covers by largest remainder, of equal ones to the first key. Nothing is
    taken off a line that is not above 0.
    """
    by_key = sorted(lines, key=lambda line: line.order)
    left = [line.amount for line in by_key]
    made: list[Line] = []
    for discount in sorted(discounts, key=lambda each: each.order):
        places = [place for place, line in enumerate(by_key) if left[place] > 0 and discount.covers(line)]
        weights = [left[place] for place in places]
        amount = discount.of(total(weights), currency)
        if amount <= 0:
            continue
        for place, share in zip(places, split(amount, weights, currency), strict=True):
            if share:
                left[place] = EXACT.subtract(left[place], share)
                made.append(_discounting(by_key[place], discount, share))
    return made


def _discounting(line: Line, discount: Discount, share: Decimal) -> Line:
    amount = EXACT.minus(share)
    changes = {
        "key": discount_key(line.key, discount.redemption_id),
        "type": "discount",
        "description": described(discount.name, line.description),
        "quantity": Decimal(1),
        "unit": None,
        "unit_amount": None,
        "steps": (Step(kind="discount", rate=discount.percent, amount=amount),),
        "exact_amount": amount,
        "amount": amount,
        "discount": LineDiscount(redemption_id=discount.redemption_id, name=discount.name),
    }
    return line.model_copy(update=changes)


def described(name: str, charge: str) -> str:
    """What a discount line says: the coupon's name, and what it is taken off."""
    return f"{name}: {charge}"


def discounts_of(lines: Iterable[Line], currency: str) -> tuple[DocumentDiscount, ...]:
    """What a document with these lines says of each redemption, in the order of their first lines."""
    amounts: dict[str, Decimal] = {}
    names: dict[str, str] = {}
    for line in lines:
        if line.discount is not None:
            redemption_id = line.discount.redemption_id
            names[redemption_id] = line.discount.name
            amounts[redemption_id] = EXACT.subtract(amounts.get(redemption_id, ZERO), line.amount)
    return tuple(
        DocumentDiscount(redemption_id=each, name=names[each], amount=round_half_up(amount, currency))
        for each, amount in amounts.items()
    )


Place = tuple[datetime, str, str]


def place_of(line: Line) -> Place:
    """A line and its discounts have one."""
    return line.period.start, line.discounted_key, "" if line.treatment is None else line.treatment.key


def net_amounts(lines: Iterable[Line]) -> dict[Place, Decimal]:
    """The lines of a document less their discounts on it, by period, key and treatment."""
    amounts: dict[Place, Decimal] = {}
    for line in lines:
        amounts[place_of(line)] = add(amounts.get(place_of(line), ZERO), line.amount)
    return amounts


def net_lines(lines: Sequence[Line]) -> list[Line]:
    """One line for each line of a document and its discounts, with what they come to.

    A discount whose line is not on the document stands for it.
    """
    amounts = net_amounts(lines)
    net: dict[Place, Line] = {}
    for line in lines:
        if place_of(line) not in net or line.discount is None:
            changes = {"key": line.discounted_key, "amount": amounts[place_of(line)], "discount": None}
            net[place_of(line)] = line.model_copy(update=changes)
    return list(net.values())


def with_net_amounts(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines of a document, taxed already, with what their discounts take off and leave of them."""
    if all(line.discount is None for line in lines):
        return tuple(lines)
    discounted: dict[Place, list[Line]] = {}
    for line in lines:
        if line.discount is not None:
            discounted.setdefault(place_of(line), []).append(line)
    charged = {place_of(line) for line in lines if line.discount is None and not is_goodwill(line)}
    return tuple(_with_net_amount(line, discounted.get(place_of(line), []), charged) for line in lines)


def _with_net_amount(line: Line, discounts: Sequence[Line], charged: set[Place]) -> Line:
    if line.discount is not None:
        return line.model_copy(update={"net_amount": None}) if place_of(line) in charged else line
    if not discounts or is_goodwill(line):
        return line
    is_inclusive = line.treatment is not None and line.treatment.inclusive
    together = [line, *discounts]
    contained = total(each.tax_amount or ZERO for each in together) if is_inclusive else ZERO
    amounts = {
        "discount_amount": EXACT.minus(total(each.amount for each in discounts)),
        "net_amount": EXACT.subtract(total(each.amount for each in together), contained),
    }
    return line.model_copy(update=amounts)
