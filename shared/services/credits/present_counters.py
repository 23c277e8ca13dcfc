"""Counters as they are now: what is set aside beyond its time counts in no read."""

from datetime import datetime

from shared.domain.credits.counters import Amounts, Counter
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import windows_at
from shared.domain.tenancy.organizations import Organization
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.paying import Paying


class PresentCounters:
    def __init__(self, wallets: Wallets, paying: Paying) -> None:
        self._wallets = wallets
        self._paying = paying

    async def read(
        self, payer: str, empty: Counter, organization: Organization, now: datetime
    ) -> tuple[Wallet, Counter]:
        """The wallet, and a counter of the organization's as if all that is due were done. Nothing is written.

        `empty` is that counter where nothing has counted in it yet. What is due in wallets that the organization has
        left counts in it no more than what is due here.
        """
        wallet, counted = await self._without_due(payer, empty, organization, now)
        for left in counted.holding_shares():
            left_wallet, theirs = await self._without_due(left, empty, organization, now)
            newer = max(left_wallet.head.revision, counted.shares[left].revision + 1)
            counted = counted.with_share(left, newer, theirs)
        return wallet, counted

    async def _without_due(
        self, payer: str, empty: Counter, organization: Organization, now: datetime
    ) -> tuple[Wallet, Counter]:
        wanted = Wanted(counters=frozenset({empty.id}), members=frozenset({organization.id}))
        wallet = (await self._wallets.read(payer, wanted)).wallet
        await self._paying.complete(wallet, organization.id, [empty.id])
        counted = wallet.counters.get(empty.id, empty)
        if not any(spending.held for of_kind in counted.windows.values() for spending in of_kind.values()):
            return wallet, counted
        holds, leases = await self._wallets.due_holds(payer, now), await self._wallets.due_leases(payer, now)
        # Read together with the counter: one of them may have been resolved meanwhile.
        wanted = Wanted(
            counters=wanted.counters,
            members=wanted.members,
            holds=frozenset(hold.id for hold in holds),
            leases=frozenset(lease.id for lease in leases),
        )
        wallet = (await self._wallets.read(payer, wanted)).wallet
        await self._paying.complete(wallet, organization.id, [empty.id])
        return wallet, _freed(wallet, wallet.counters.get(empty.id, empty), organization, now)


def _freed(wallet: Wallet, counted: Counter, organization: Organization, now: datetime) -> Counter:
    """A counter without the holds and leases of a wallet whose time is over."""
    for hold in wallet.holds.values():
        if hold.is_due(now) and counted.id in hold.context.counter_ids():
            windows = windows_at(hold.admitted_at, organization.calendars)
            freed = Amounts(held=-hold.amount)
            counted = counted.counted(hold.credit_kind, windows, now, freed, hold.credit_value)
    for lease in wallet.leases.values():
        if lease.is_due(now) and counted.id in lease.context.counter_ids():
            windows = windows_at(lease.admitted_at, organization.calendars)
            returned = Amounts(held=-lease.set_aside, unreported=lease.rest)
            counted = counted.counted(lease.credit_kind, windows, now, returned, lease.credit_value)
    return counted
