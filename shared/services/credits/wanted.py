"""What commands need to see of a wallet."""

from collections.abc import Iterable

from shared.domain.credits.commands import (
    AnyCommand,
    Capture,
    Clawback,
    Draw,
    ExpireHold,
    ExpireLease,
    ExtendLease,
    FailTopUp,
    GiveGrant,
    Refund,
    Release,
    Reserve,
    SettleLease,
    TakeLease,
    Use,
    WriteOffLease,
)
from shared.domain.credits.counters import Context
from shared.domain.credits.drawn_periods import drawn_period_id
from shared.domain.credits.payments import takings_page_id
from shared.ports.wallets import StoredWallet, Wanted


def wanted_by(commands: Iterable[AnyCommand]) -> Wanted:
    """What is known from the commands alone."""
    transactions: set[str] = set()
    holds: set[str] = set()
    leases: set[str] = set()
    grants: set[str] = set()
    refunded: set[str] = set()
    counters: set[str] = set()
    drawn: set[str] = set()
    members: set[str] = set()
    for command in commands:
        transactions.add(command.transaction_id)
        match command:
            case GiveGrant() | FailTopUp():
                pass  # what makes something has it only together with its transfer; top-ups are in the head
            case Use():
                members.add(command.organization_id)
                counters |= _counters(command.contexts)
            case Reserve() | TakeLease():
                members.add(command.organization_id)
                counters |= _counters([command.context])
            case Capture() | Release() | ExpireHold():
                members.add(command.organization_id)  # where it has left, the wallet that pays now is told
                holds.add(command.hold_id)
            case ExtendLease() | SettleLease() | ExpireLease() | WriteOffLease():
                members.add(command.organization_id)
                leases.add(command.lease_id)
            case Refund():
                members.add(command.organization_id)
                transactions.add(command.transaction_id_refunded)
                refunded.add(command.transaction_id_refunded)
            case Clawback():
                grants.add(command.grant_id)
            case Draw():
                drawn.add(drawn_period_id(command.organization_id, command.period))
    return Wanted(*map(frozenset, (transactions, holds, leases, counters, grants, refunded, drawn, members)))


def counters_admitted_by(commands: Iterable[AnyCommand]) -> dict[str, set[str]]:
    """The counters that limit what commands admit, by organization."""
    admitted: dict[str, set[str]] = {}
    for command in commands:
        match command:
            case Use():
                admitted.setdefault(command.organization_id, set()).update(_counters(command.contexts))
            case Reserve() | TakeLease():
                admitted.setdefault(command.organization_id, set()).update(command.context.counter_ids())
            case _:
                pass
    return admitted


def refunded_by(commands: Iterable[AnyCommand]) -> set[str]:
    """The transactions that commands refund."""
    return {command.transaction_id_refunded for command in commands if isinstance(command, Refund)}


def wanted_behind(commands: Iterable[AnyCommand], stored: StoredWallet) -> Wanted:
    """What is known once the wallet is read: counters of what commands refer to, and grants
    whose lapsing makes something good.
    """
    wallet = stored.wallet
    contexts: list[Context] = []
    leases: set[str] = set()
    takings: set[str] = set()
    for command in commands:
        match command:
            case Clawback() if command.grant_id in wallet.grant_records:
                last = wallet.grant_records[command.grant_id].takings_pages
                takings |= {takings_page_id(command.grant_id, number) for number in (last, last + 1)}
            case Capture() | Release() | ExpireHold() if command.hold_id in wallet.holds:
                contexts.append(wallet.holds[command.hold_id].context)
            case ExtendLease() | SettleLease() | ExpireLease() | WriteOffLease() if command.lease_id in wallet.leases:
                contexts.append(wallet.leases[command.lease_id].context)
            case Refund() if command.transaction_id_refunded in stored.transactions:
                refunded = stored.transactions[command.transaction_id_refunded]
                contexts += [entry.context for entry in refunded.entries]
                if refunded.type == "lease_settlement" and refunded.corrects is not None:
                    leases.add(refunded.corrects)
            case _:
                pass
    return Wanted(
        leases=frozenset(leases),
        counters=frozenset(_counters(contexts)),
        grants=frozenset(wallet.head.owing),
        takings_pages=frozenset(takings),
    )


def _counters(contexts: Iterable[Context]) -> set[str]:
    return {id_ for context in contexts for id_ in context.counter_ids()}
