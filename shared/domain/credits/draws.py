"""Draws: what a wallet pays for the usage of a prepaid period, as a total that replaces earlier ones."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.credits.accounts import CONSUMED, DEBT, FREE, moved
from shared.domain.credits.commands import Draw
from shared.domain.credits.drawn_periods import BurntPart, DrawnPeriod, credits_for, drawn_period_id
from shared.domain.credits.grants import DEFAULT_KIND, Part, Terms, debt
from shared.domain.credits.holds import split
from shared.domain.credits.returns import Return
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.money import ZERO, plain

TransferFields = dict[str, Any]

MAXIMUM_PARTS = 500
"""How many parts of grants a period remembers; the oldest are forgotten first."""
GRANTS_AT_ONCE = 1_000
"""How many grants one draw burns, about: with more, its transfer would not fit into a batch."""


def draw(wallet: Wallet, command: Draw, now: datetime) -> TransferFields:
    """Bring the wallet from what it has drawn for a period to what is to be drawn, into debt where credits are short.

    It passes every overdraft, and counts in no cap: the usage has happened, and was counted. Where it would burn more
    grants than fit into a batch it goes part of the way: it closes nothing, the amounts stay those of before, and
    the next version draws the rest.
    """
    id_ = drawn_period_id(command.organization_id, command.period)
    before = wallet.drawn_periods.get(id_) or DrawnPeriod(
        id=id_, organization_id=command.organization_id, period=command.period, credit_value=command.credit_value
    )
    if command.version <= before.version or (before.is_closed and not command.is_after_close):
        return {"reason": _reason(command), "answer": {"amount": "0"}}
    after = msgspec.structs.replace(
        before,
        version=command.version,
        amounts=dict(command.amounts),
        drawn=credits_for(command.amounts, before.credit_value),
        is_closed=before.is_closed or command.closes,
    )
    difference = after.drawn - before.drawn
    if difference < 0:
        fields, burnt = _returned(wallet, before, -difference, command.transaction_id, now)
    else:
        parts = wallet.grants(DEFAULT_KIND).take(difference, pin=False, at_most=GRANTS_AT_ONCE)
        taken = sum((part.amount for part in parts), ZERO)
        if taken < difference and len(parts) >= GRANTS_AT_ONCE:
            difference = taken
            after = msgspec.structs.replace(before, version=command.version, drawn=before.drawn + taken)
        fields, burnt = _taken(before, parts, difference, now)
    wallet.drawn_periods[id_] = msgspec.structs.replace(after, burnt=burnt[-MAXIMUM_PARTS:])
    return {"amount": difference, "reason": _reason(command), "answer": {"amount": plain(difference)}, **fields}


def _reason(command: Draw) -> str:
    return f"Usage of the billing period that starts at {command.period}"


def _taken(
    before: DrawnPeriod, taken: Sequence[Part], amount: Decimal, now: datetime
) -> tuple[TransferFields, tuple[BurntPart, ...]]:
    """What these parts bear of an amount; the rest is debt."""
    in_debt = amount - sum((part.amount for part in taken), ZERO)
    parts = (*taken, *((debt(in_debt),) if in_debt else ()))
    lines = moved(DEFAULT_KIND, (FREE, in_debt - amount), (DEBT, -in_debt), (CONSUMED, amount))
    burnt = tuple(BurntPart(part, now) for part in parts)
    return {"parts": parts, "burnt_at": now, "lines": lines}, _folded((*before.burnt, *burnt))


def _returned(
    wallet: Wallet, before: DrawnPeriod, amount: Decimal, transaction_id: str, now: datetime
) -> tuple[TransferFields, tuple[BurntPart, ...]]:
    """What was burnt last comes back first, on its terms."""
    taken = Return(wallet, DEFAULT_KIND, transaction_id, now)
    burnt, rest = list(before.burnt), amount
    while rest and burnt:
        last = burnt.pop()
        returned, kept = split((last.part,), rest)
        rest -= returned[0].amount
        taken.give_back(returned, last.burnt_at)
        burnt += [BurntPart(part, last.burnt_at) for part in kept]
    if rest:  # of grants that are forgotten
        taken.give_back([debt(rest)], now)
    return {"parts": tuple(taken.parts), "lines": taken.lines((CONSUMED, -amount))}, tuple(burnt)


def _folded(burnt: tuple[BurntPart, ...]) -> tuple[BurntPart, ...]:
    """One part for each grant and its terms, which a rollover changes: at the place and with the time of the last."""
    folded: dict[tuple[str, Terms | None], BurntPart] = {}
    for each in burnt:
        key = each.part.grant_id, each.part.terms
        earlier = folded.pop(key, None)
        amount = each.part.amount + (ZERO if earlier is None else earlier.part.amount)
        folded[key] = BurntPart(each.part.of(amount), each.burnt_at)
    return tuple(folded.values())
