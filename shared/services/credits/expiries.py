"""What is due: holds and leases whose time is over, and refusals that they may stand behind."""

from collections.abc import Collection, Iterator, Sequence

from shared.domain.credits.accounts import LEASED, RESERVED, balance
from shared.domain.credits.commands import ExpireHold, ExpireLease
from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar


def all_of(holds: Sequence[Hold], leases: Sequence[Lease]) -> Sequence[Hold | Lease]:
    return [*holds, *leases]


def expiry_of(due: Hold | Lease, organization_id: str, calendars: History[Calendar]) -> ExpireHold | ExpireLease:
    """The command that resolves it, once."""
    if isinstance(due, Hold):
        key = f"hold_expiry:{due.id}"
        return ExpireHold(organization_id=organization_id, key=key, by_system=True, hold_id=due.id, calendars=calendars)
    key = f"lease_expiry:{due.id}"
    return ExpireLease(organization_id=organization_id, key=key, by_system=True, lease_id=due.id, calendars=calendars)


def may_have_due(wallet: Wallet) -> bool:
    """Whether a command was refused while credits are set aside: what is beyond its time comes back first."""
    return any(
        any(balance(wallet.balances(transfer.credit_kind), account) for account in (RESERVED, LEASED))
        for transfer in _refused(wallet, "insufficient_credits", "limit_exceeded")
    )


def held_in_left_wallets(wallet: Wallet) -> Iterator[tuple[str, str, Collection[str]]]:
    """Where a limit refused while something is held in wallets that were left: organization, wallet, counters."""
    refused = {transfer.organization_id for transfer in _refused(wallet, "limit_exceeded")}
    holding: dict[tuple[str, str], set[str]] = {}
    for counter in wallet.counters.values():
        if counter.organization_id in refused:
            for left in counter.holding_shares():
                holding.setdefault((counter.organization_id, left), set()).add(counter.id)
    for (organization_id, left), ids in holding.items():
        yield organization_id, left, ids


def _refused(wallet: Wallet, *codes: str) -> Iterator[Transfer]:
    return (each for each in wallet.transfers if each.refusal is not None and each.refusal.code in codes)
