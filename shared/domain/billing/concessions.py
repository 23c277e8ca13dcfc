"""Concessions: what is waived of a line before it is billed, and what goodwill gives back of what was billed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from shared.domain.billing.discounts import net_lines
from shared.domain.billing.moved_goodwill import is_goodwill
from shared.domain.kernel.money import EXACT, ZERO, add, round_half_up, total
from shared.domain.kernel.shares import split
from shared.domain.pricing.lines import Line, Step, StepKind


def conceded(lines: Iterable[Line], period_start: datetime) -> dict[str, Decimal]:
    """What these lines concede of the period that starts then, by line key; never negative."""
    amounts: dict[str, Decimal] = {}
    for line in lines:
        if line.period.start == period_start:
            amounts[line.key] = add(amounts.get(line.key, ZERO), abs(line.amount))
    return amounts


def due_after_concessions(
    due: Sequence[Line], waived: Mapping[str, Decimal], given: Mapping[str, Decimal], currency: str
) -> Sequence[Line]:
    """What is due of a period, its discounts beside it, as it is to be billed.

    A waiver of all that discounts leave of a line takes them along: nothing stands on a document.
    """
    if not waived and not given:
        return due
    discounted = _discounted(due)
    whole = {
        line.key
        for line in due
        if line.key in discounted.keys() & waived.keys() - given.keys()
        and add(line.amount, discounted[line.key]) <= waived[line.key]
    }
    return [
        _stepped(line, "waiver", ZERO, currency)
        if line.key in whole
        else _after_concessions(line, discounted.get(line.key, ZERO), waived, given, currency)
        if line.discount is None
        else line
        for line in due
        if line.discount is None or line.discounted_key not in whole
    ]


def _discounted(due: Iterable[Line]) -> dict[str, Decimal]:
    """What discounts take off what is due, by the key of the line; negative."""
    amounts: dict[str, Decimal] = {}
    for line in due:
        if line.discount is not None:
            amounts[line.discounted_key] = add(amounts.get(line.discounted_key, ZERO), line.amount)
    return amounts


def not_below_goodwill(line: Line, given: Decimal, currency: str) -> Line:
    """A line of which nothing is due any more: what goodwill has given back of it is not taken back, too."""
    return _stepped(line, "goodwill", max(line.amount, given), currency)


def _after_concessions(
    line: Line, discounted: Decimal, waived: Mapping[str, Decimal], given: Mapping[str, Decimal], currency: str
) -> Line:
    """The line as it is to be billed: less what is waived, and never below what goodwill has given back of it.

    Both are of what `discounted`, a sum below 0, leaves of it. A waiver takes at most that. Below what was given nobody
    is credited: they would get it back twice.
    """
    net = add(line.amount, discounted)
    lowered = max(net - waived.get(line.key, ZERO), min(net, ZERO))
    waived_line = _stepped(line, "waiver", EXACT.subtract(lowered, discounted), currency)
    return _stepped(
        waived_line, "goodwill", EXACT.subtract(max(lowered, given.get(line.key, ZERO)), discounted), currency
    )


def _stepped(line: Line, kind: StepKind, amount: Decimal, currency: str) -> Line:
    """The line with another amount, and the step that leads there; itself where it stays."""
    if amount == line.amount:
        return line
    rounded = round_half_up(amount, currency)
    step = Step(kind=kind, amount=EXACT.subtract(rounded, line.exact_amount))
    return line.model_copy(update={"amount": rounded, "exact_amount": rounded, "steps": (*line.steps, step)})


def waived_lines(lines: Sequence[Line], currency: str) -> list[Line]:
    """What a cancelled document waives: its total, split over its positive lines. Nothing of one that is not above 0.

    A line counts less its discounts. Its negative lines are billed again, so that they and what is left of the others
    come to nothing.
    """
    amount = total(line.amount for line in lines)
    billing = [line for line in lines if not is_goodwill(line)]
    positive = [line for line in net_lines(billing) if line.amount > 0]
    if amount <= 0:
        return []
    shares = split(round_half_up(amount, currency), [line.amount for line in positive], currency)
    return [_conceding(line, "waiver", share) for line, share in zip(positive, shares, strict=True) if share]


def goodwill_line(line: Line, amount: Decimal) -> Line:
    """The line of a credit note that gives back so much of this one."""
    return _conceding(line, "goodwill", -amount)


def goodwill_line_with_tax(line: Line, gross: Decimal, left: Decimal, currency: str) -> Line:
    """The line of a credit note that gives back this much of it, tax included, and at most what is left of it.

    The tax is what is left of the amount beside the net, so that they add up to what was asked for.
    """
    treatment = line.treatment
    if treatment is None:
        return goodwill_line(line, gross)
    rate = Fraction(treatment.percent) / 100
    net = round_half_up(Fraction(gross) / (1 + rate), currency)
    if treatment.inclusive:
        amounts = {"net_amount": -net, "tax_amount": EXACT.subtract(net, gross)}
        return goodwill_line(line, gross).model_copy(update=amounts)
    net = min(net, left)
    amounts = {"net_amount": -net, "tax_amount": EXACT.subtract(net, gross)}
    return goodwill_line(line, net).model_copy(update=amounts)


def _conceding(line: Line, line_type: StepKind, amount: Decimal) -> Line:
    changes = {
        "type": line_type,
        "unit_amount": None,
        "steps": (Step(kind=line_type, amount=amount),),
        "exact_amount": amount,
        "amount": amount,
        "timing": "arrears",
        "discount_amount": None,
        "net_amount": None,
        "tax_amount": None,
    }
    return line.model_copy(update=changes)
