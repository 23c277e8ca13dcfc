"""Double entry: every transfer moves credits between accounts of one payer, and its lines sum to zero.

Credits are counted in decimals of at most six places. Each kind of credits has accounts of its own; kinds never mix.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from shared.domain.kernel.money import ZERO

GRANTED = "granted."
"""Begins the accounts that credits come from, one for each source of grants. Their balances are negative."""
FREE = "free"
"""In grants, and not set aside."""
RESERVED = "reserved"
"""Set aside by holds."""
LEASED = "leased"
"""Set aside by leases."""
CONSUMED = "consumed"
"""Spent, net of refunds."""
EXPIRED = "expired"
"""Breakage: what lapsed in grants that ended."""
CLAWED_BACK = "clawed_back"
"""Taken back because its payment was."""
DEBT = "debt"
"""What was spent beyond the grants: zero or negative."""

Balances = Mapping[str, Decimal]
"""Account -> balance, of one kind of credits. An account that is not there is empty."""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One account's part of a transfer."""

    kind: str
    account: str
    amount: Decimal
    """Positive where the account receives."""


class UnbalancedError(Exception):
    """A bug: lines that do not sum to zero."""


def moved(kind: str, *amounts: tuple[str, Decimal]) -> tuple[Line, ...]:
    """Lines for what each account receives; those of zero are left out."""
    return tuple(Line(kind, account, amount) for account, amount in amounts if amount)


def posted(accounts: Mapping[str, Balances], lines: Iterable[Line]) -> dict[str, Balances]:
    """The accounts of all kinds after a transfer. Raises `UnbalancedError`."""
    changed = {kind: dict(balances) for kind, balances in accounts.items()}
    sums: dict[str, Decimal] = {}
    for line in lines:
        balances = changed.setdefault(line.kind, {})
        balances[line.account] = balances.get(line.account, ZERO) + line.amount
        sums[line.kind] = sums.get(line.kind, ZERO) + line.amount
    if any(sums.values()):
        raise UnbalancedError(f"Lines sum to {sums}")
    return {**changed}


def balance(balances: Balances, account: str) -> Decimal:
    return balances.get(account, ZERO)


def available(balances: Balances) -> Decimal:
    """What can be spent: the free credits less the debt, so below zero in debt."""
    return balance(balances, FREE) + balance(balances, DEBT)


def granted(balances: Balances, source: str = "") -> Decimal:
    """What was granted in all, or by one source."""
    return -sum((amount for name, amount in balances.items() if name.startswith(GRANTED + source)), ZERO)
