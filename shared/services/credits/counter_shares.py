"""Shares of counters: what an organization has counted in wallets that it has left, beside what it counts now.

A counter takes such a share from the wallet that was left when it is first needed. What moves there later (a capture, a
release, a refund) is sent on. A share is replaced by one with a higher revision, never added to.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from shared.domain.credits.alerts import raise_alerts
from shared.domain.credits.counters import Counter, new_counter
from shared.domain.credits.metered_usage import CountedUsage, newest_of
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import UnavailableError
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.wallets import StoredWallet, Wallets, Wanted
from shared.services.credits.credit_alerts import CreditAlerts
from shared.services.storage import Outbox, OutboxEntry, StaleEtagError, retry_lost_races
from shared.services.tenancy.organizations import Organizations

COUNTERS_MOVED = "counters_moved"
"""The effect of what moves counters in a wallet that their organization has left."""
_SEPARATOR = ","


class CounterShares:
    def __init__(
        self,
        wallets: Wallets,
        clock: Clock,
        organizations: Organizations,
        outbox: Outbox,
        alerts: CreditAlerts | None = None,
    ) -> None:
        """Without `alerts` none are raised."""
        self._alerts = alerts
        self._wallets = wallets
        self._clock = clock
        self._organizations = organizations
        self._moved = outbox.sender(COUNTERS_MOVED)

    async def complete(self, wallet: Wallet, organization_id: str, ids: Collection[str]) -> None:
        """Give the counters with these ids, of a wallet that was just read, the shares that they lack.

        The wallet has to have been read with the organization as a member. Raises `StaleEtagError` where a read of a
        wallet that was left does not show yet all that was admitted there.
        """
        for left, left_at in (await self._left(wallet, organization_id)).items():
            counters = wallet.counters
            lacking = [id_ for id_ in ids if id_ not in counters or counters[id_].lacks_share(left, left_at)]
            if lacking:
                stored = await self._read_left(left, organization_id, left_at, Wanted(counters=frozenset(lacking)))
                for id_ in lacking:
                    counters |= _with_share(counters.get(id_), stored, id_, left_at)

    async def newest_usage(self, wallet: Wallet, organization_id: str, counted_id: str) -> CountedUsage | None:
        """The newest sums of metered usage that this wallet, or one that was left, has taken.

        Raises `StaleEtagError` as `complete`.
        """
        counted = [wallet.counted_usage.get(counted_id)]
        for left, left_at in (await self._left(wallet, organization_id)).items():
            wanted = Wanted(counted_usage=frozenset({counted_id}))
            stored = await self._read_left(left, organization_id, left_at, wanted)
            counted.append(stored.wallet.counted_usage.get(counted_id))
        return newest_of(counted)

    def entries(self, before: Wallet, after: Wallet) -> list[OutboxEntry]:
        """What tells the wallet that pays now of counters that a batch has moved in one that was left."""
        moved: dict[str, list[str]] = {}
        for id_, counter in after.counters.items():
            member = after.members.get(counter.organization_id)
            if member is not None and member.state == "left" and before.counters.get(id_) is not counter:
                moved.setdefault(counter.organization_id, []).append(id_)
        return [
            self._moved.entry(
                f"{COUNTERS_MOVED}:{organization_id}:{before.head.revision + 1}",
                organization_id=organization_id,
                payer=after.payer,
                counters=_SEPARATOR.join(ids),
                revision=str(before.head.revision + 1),
            )
            for organization_id, ids in moved.items()
        ]

    async def send(self, organization_id: str, payer: str, counters: str, revision: str) -> None:
        """What happens for `COUNTERS_MOVED`: the wallet that pays now has the newest shares."""
        await self.refresh(organization_id, payer, counters.split(_SEPARATOR), int(revision))

    async def refresh(self, organization_id: str, payer: str, ids: Collection[str], at_least: int = 0) -> bool:
        """Bring the shares of a wallet that was left to the one that pays now. False where it has them.

        Raises `UnavailableError` where the wallet that was left cannot be read at this revision, or this host does not
        know yet who pays.
        """
        wanted = Wanted(counters=frozenset(ids), members=frozenset({organization_id}))

        async def attempt() -> bool:
            left = await self._wallets.read(payer, wanted)
            if left.wallet.head.revision < at_least:
                raise UnavailableError("The wallet that was left cannot be read yet as it was changed")
            member = left.wallet.members.get(organization_id)
            if member is None or member.state != "left":
                return False  # it has come back, and counts there itself
            stored = await self._present_wallet(organization_id, payer, member.since, wanted)
            wallet = stored.wallet.copy()
            left_at = (await self._left(wallet, organization_id)).get(payer, 0)
            for id_ in ids:
                wallet.counters |= _with_share(wallet.counters.get(id_), left, id_, left_at)
            is_changed = any(wallet.counters.get(id_) is not stored.wallet.counters.get(id_) for id_ in ids)
            if is_changed:
                await self._raise_alerts(stored.wallet, wallet)
                wallet.finish(above=left.wallet.head.revision)  # which answers have had
                beside = [] if self._alerts is None else self._alerts.beside(wallet)
                await self._wallets.commit(stored, wallet, beside)
            return is_changed

        return await retry_lost_races(attempt, UnavailableError("The wallet is being changed by many at once"))

    async def _raise_alerts(self, before: Wallet, wallet: Wallet) -> None:
        """Of what a late report crosses in a wallet that was left: only the one that pays now tells it."""
        if self._alerts is not None:
            payer = await self._organizations.cached(wallet.payer)
            now = max(self._clock.now(), wallet.head.time)
            raise_alerts(before, wallet, now, payer.own_settings.balance_alerts)

    async def _present_wallet(self, organization_id: str, left: str, since: datetime, wanted: Wanted) -> StoredWallet:
        """The wallet from which an organization spends that has left another one at that time.

        A host may have an old record of the organization, or a clock that is behind. Raises `UnavailableError`.
        """
        for is_last in (False, True):
            organization = await self._organizations.cached(organization_id, reload=is_last)
            payer = organization.payer_at(max(self._clock.now(), since))
            if payer == left:
                continue
            stored = await self._wallets.read(payer, wanted)
            member = stored.wallet.members.get(organization_id)
            if member is None or member.state == "joined":
                return stored
        raise UnavailableError("Who pays for the organization cannot be read yet")

    async def _left(self, wallet: Wallet, organization_id: str) -> Mapping[str, int]:
        """The wallets that an organization had left when it came to this one, with their revisions by then.

        Members that joined before revisions were noted have none of them: there any share is new enough.
        """
        member = wallet.members.get(organization_id)
        if member is None or member.state != "joined":
            return {}
        if member.left:
            return member.left
        organization = await self._organizations.cached(organization_id)
        now = max(self._clock.now(), member.since)
        return dict.fromkeys(_left_payers(organization, wallet.payer, now), 0)

    async def _read_left(self, left: str, organization_id: str, left_at: int, wanted: Wanted) -> StoredWallet:
        """Raises `StaleEtagError` where the read is older than the end of what was admitted there."""
        asked = Wanted(
            counters=wanted.counters, counted_usage=wanted.counted_usage, members=frozenset({organization_id})
        )
        stored = await self._wallets.read(left, asked)
        member = stored.wallet.members.get(organization_id)
        if member is None or member.state != "left" or stored.wallet.head.revision < left_at:
            raise StaleEtagError("That the organization has left a wallet cannot be read yet")
        return stored


def _with_share(counter: Counter | None, left: StoredWallet, id_: str, left_at: int) -> dict[str, Counter]:
    """The counter with the share of a wallet that was left; empty where neither has it."""
    theirs = left.wallet.counters.get(id_)
    if counter is None and theirs is None:
        return {}
    if counter is None and theirs is not None:
        counter = new_counter(theirs.scope, theirs.organization_id, theirs.reference)
    assert counter is not None  # noqa: S101  narrows
    return {id_: counter.with_share(left.wallet.payer, left.wallet.head.revision, theirs, left_at)}


def _left_payers(organization: Organization, payer: str, now: datetime) -> Sequence[str]:
    """Whose wallets the organization has left before it came to this one."""
    entries = organization.payers.entries[: (organization.payers.index_at(now) or 0) + 1]
    payers = [entry.value or organization.id for entry in entries]
    if payer not in payers:
        return []
    came = len(payers) - 1 - payers[::-1].index(payer)
    return [each for each in dict.fromkeys(payers[:came]) if each != payer]
