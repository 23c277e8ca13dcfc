"""Goodwill follows how its line is taxed: taken back at the old treatment, and given at the present one.

Neither counts as billed. So what a line was taxed at comes back with it, whatever moves it (docs/taxes.md).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from shared.domain.kernel.money import EXACT, ZERO
from shared.domain.pricing.lines import Line, Step
from shared.domain.pricing.treatments import Treatment


def is_goodwill(line: Line) -> bool:
    """Whether it gives back, or moves what was given back, so that it bills nothing."""
    return line.type == "goodwill"


def given_back(lines: Iterable[Line], period_start: datetime) -> dict[str, Decimal]:
    """What goodwill gives back of the period that starts then, by line key."""
    return _sums((line.key, line) for line in lines if line.period.start == period_start)


def given_by_treatment(lines: Iterable[Line]) -> dict[str, Decimal]:
    """What these lines give back, by key and treatment."""
    return _sums((line.billing_key, line) for line in lines)


def moved_goodwill(due: Sequence[Line], given: Sequence[Line]) -> list[Line]:
    """The lines that let goodwill follow what is due: for each line and treatment, what moves, at both of them."""
    amounts = given_by_treatment(given)
    if not amounts:
        return []
    latest = {line.billing_key: line for line in given}
    moved: list[Line] = []
    for line in due:
        if line.discount is not None:
            continue
        old = [
            each
            for key, each in sorted(latest.items())
            if each.key == line.key and key != line.billing_key and key in amounts
        ]
        for each in old:
            amount = amounts[each.billing_key]
            moved += [_moved(each, each.treatment, amount), _moved(each, line.treatment, EXACT.minus(amount))]
    return moved


def _sums(lines: Iterable[tuple[str, Line]]) -> dict[str, Decimal]:
    amounts: dict[str, Decimal] = {}
    for key, line in lines:
        amounts[key] = EXACT.subtract(amounts.get(key, ZERO), line.amount)
    return {key: amount for key, amount in amounts.items() if amount}


def _moved(given: Line, treatment: Treatment | None, amount: Decimal) -> Line:
    changes = {
        "description": f"Goodwill on {given.charge or given.description}, taxed as it is",
        "steps": (Step(kind="goodwill", amount=amount),),
        "exact_amount": amount,
        "amount": amount,
        "adjusts": given.period,
        "treatment": treatment,
        "net_amount": None,
        "tax_amount": None,
    }
    return given.model_copy(update=changes)
