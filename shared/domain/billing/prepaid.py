"""Prepaid periods: which lines a wallet pays, how much of them, and what is left to invoice."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from shared.domain.kernel.money import EXACT, ZERO, round_half_up, total
from shared.domain.pricing.lines import Line, StepKind

_METERED = frozenset({"activity", "outcome", "workflow", "cost", "paid_usage"})
"""Types of lines that grow with usage."""
_DUE_AT_THE_END: frozenset[StepKind] = frozenset({"minimum", "base_fee"})
"""What a metered line costs whatever was used, so that it is due with the period's end."""


def settles_from_wallet(line: Line) -> bool:
    """Its charge says so: by default usage does, and fees, seats and setup are invoiced in prepaid periods, too."""
    return line.settles == "wallet"


def amounts_to_draw(
    due: Iterable[Line], before: Mapping[str, Decimal], currency: str, maximum: int, *, is_open: bool
) -> dict[str, Decimal]:
    """Money by line key that a wallet has to have paid in all.

    In an open period base fees, minima and fees in arrears are left out. At most `maximum` lines: those that it pays
    already, then others in the order of their keys; the rest is invoiced.
    """
    amounts = {line.key: _amount(line, currency, is_open=is_open) for line in due if settles_from_wallet(line)}
    to_pay = sorted((key for key, amount in amounts.items() if amount > 0), key=lambda key: (key not in before, key))
    return {key: amounts[key] for key in sorted(to_pay[:maximum])}


def _amount(line: Line, currency: str, *, is_open: bool) -> Decimal:
    if not is_open or line.timing == "advance":
        return line.amount
    if line.type not in _METERED:
        return ZERO
    at_the_end = total(step.amount for step in line.steps if step.kind in _DUE_AT_THE_END)
    return line.amount if not at_the_end else round_half_up(EXACT.subtract(line.exact_amount, at_the_end), currency)


def lowered(drawn: Mapping[str, Decimal], due: Sequence[Line]) -> dict[str, Decimal]:
    """What a wallet has paid of a closed period, at most as much as is due now."""
    amounts = {line.key: line.amount for line in due}
    paid = {key: min(amount, max(amounts.get(key, ZERO), ZERO)) for key, amount in drawn.items()}
    return {key: amount for key, amount in paid.items() if amount}
