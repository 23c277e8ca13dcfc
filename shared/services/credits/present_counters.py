"""Counters as they are now: what is set aside beyond its time counts in no read."""

from datetime import datetime

from shared.domain.credits.counters import Amounts, Counter
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import windows_at
from shared.domain.tenancy.organizations import Organization
from shared.ports.wallets import Wallets, Wanted


async def present_counter(
    wallets: Wallets, wallet: Wallet, counter: Counter, organization: Organization, now: datetime
) -> tuple[Wallet, Counter]:
    """The wallet, and a counter of the organization's as if all that is due were done. Nothing is written."""
    counted = wallet.counters.get(counter.id, counter)
    if not any(spending.held for of_kind in counted.windows.values() for spending in of_kind.values()):
        return wallet, counted
    holds, leases = await wallets.due_holds(wallet.payer, now), await wallets.due_leases(wallet.payer, now)
    # Read together with the counter: one of them may have been resolved meanwhile.
    wanted = Wanted(
        counters=frozenset({counter.id}),
        holds=frozenset(hold.id for hold in holds),
        leases=frozenset(lease.id for lease in leases),
    )
    wallet = (await wallets.read(wallet.payer, wanted)).wallet
    counted = wallet.counters.get(counter.id, counter)
    for hold in wallet.holds.values():
        if hold.is_due(now) and counter.id in hold.context.counter_ids():
            windows = windows_at(hold.admitted_at, organization.calendars)
            freed = Amounts(held=-hold.amount)
            counted = counted.counted(hold.credit_kind, windows, now, freed, hold.credit_value)
    for lease in wallet.leases.values():
        if lease.is_due(now) and counter.id in lease.context.counter_ids():
            windows = windows_at(lease.admitted_at, organization.calendars)
            returned = Amounts(held=-lease.set_aside, unreported=lease.rest)
            counted = counted.counted(lease.credit_kind, windows, now, returned, lease.credit_value)
    return wallet, counted
