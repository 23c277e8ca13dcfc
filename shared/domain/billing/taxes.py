"""The tax of a document: by treatment on the sum of its lines, rounded once, and split so that the lines add up to it.

Each document is right by itself. A line without a treatment bears no tax.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.money import EXACT, ZERO, ExactDecimal, RoundedAmount, round_half_up, total
from shared.domain.kernel.shares import rounded_to_sum
from shared.domain.kernel.value import Value
from shared.domain.pricing.lines import Line
from shared.domain.pricing.treatments import Treatment


class TaxLine(Value):
    """What a document says of one treatment."""

    name: str
    country: str | None
    """ISO 3166-1; null where no rate is asked."""
    percent: ExactDecimal
    """0 under reverse charge and for what is exempt."""
    category: str
    """The category of EN 16931."""
    inclusive: bool
    """Whether the lines' amounts contain it."""
    taxable: RoundedAmount
    """What it is a percentage of: the lines without tax."""
    amount: RoundedAmount
    """The tax, rounded once."""
    text: str | None
    """What has to be said of it: reverse charge, or why nothing is taxed."""


def is_taxed(lines: Sequence[Line]) -> bool:
    return any(line.treatment is not None for line in lines)


def taxed(lines: Sequence[Line], currency: str) -> tuple[Line, ...]:
    """The lines of one document with their shares of its tax, split by largest remainder in their order."""
    shares: dict[int, Decimal] = {}
    for places in _by_treatment(lines).values():
        treatment = lines[places[0]].treatment
        assert treatment is not None, "grouped by it"  # noqa: S101  narrows
        exact = [treatment.tax_of(lines[place].amount) for place in places]
        tax = round_half_up(sum(exact, Fraction(0)), currency)
        shares |= dict(zip(places, rounded_to_sum(exact, tax, currency), strict=True))
    return tuple(_with_tax(line, shares.get(place)) for place, line in enumerate(lines))


def tax_lines_of(lines: Sequence[Line], currency: str) -> tuple[TaxLine, ...]:
    """What the document of these taxed lines says of each treatment."""
    return tuple(_tax_line([lines[place] for place in places], currency) for places in _by_treatment(lines).values())


def added_tax(lines: Sequence[Line]) -> Decimal:
    """The tax that is added to the amounts of taxed lines: that of exclusive treatments."""
    return total(
        line.tax_amount
        for line in lines
        if line.tax_amount is not None and line.treatment is not None and not line.treatment.inclusive
    )


def with_tax(amount: Decimal, treatment: Treatment | None) -> Fraction:
    """An amount of a line with the tax that is added to it."""
    if treatment is None or treatment.inclusive:
        return Fraction(amount)
    return Fraction(amount) + treatment.tax_of(amount)


def exact_gross(lines: Sequence[Line]) -> Fraction:
    """The sum of the lines with the tax that is added to them, before anything is rounded."""
    return sum((with_tax(line.amount, line.treatment) for line in lines), Fraction(0))


def _by_treatment(lines: Sequence[Line]) -> dict[str, list[int]]:
    """The places of the lines of each treatment."""
    places: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        if line.treatment is not None:
            places.setdefault(line.treatment.key, []).append(place)
    return places


def _with_tax(line: Line, tax: Decimal | None) -> Line:
    if tax is None:
        return line
    net = EXACT.subtract(line.amount, tax) if line.treatment and line.treatment.inclusive else line.amount
    return line.model_copy(update={"tax_amount": tax, "net_amount": net})


def _tax_line(lines: Sequence[Line], currency: str) -> TaxLine:
    treatment = lines[0].treatment
    assert treatment is not None, "grouped by it"  # noqa: S101  narrows
    amount, tax = total(line.amount for line in lines), total(line.tax_amount or ZERO for line in lines)
    return TaxLine(
        name=treatment.name,
        country=treatment.country,
        percent=treatment.percent,
        category=treatment.category,
        inclusive=treatment.inclusive,
        taxable=round_half_up(EXACT.subtract(amount, tax) if treatment.inclusive else amount, currency),
        amount=round_half_up(tax, currency),
        text=treatment.text,
    )
