"""Shares of counters: what an organization has counted in wallets that it has left, beside what it counts now.

A counter takes such a share from the wallet that was left when it is first needed. What moves there later (a capture, a
release, a refund) is sent on. A share is replaced by one with a higher revision, never added to.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from shared.domain.credits.counters import Counter, new_counter
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import UnavailableError
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.wallets import StoredWallet, Wallets, Wanted
from shared.services.storage import Outbox, OutboxEntry, StaleEtagError, retry_lost_races
from shared.services.tenancy.organizations import Organizations

COUNTERS_MOVED = "counters_moved"
"""The effect of what moves counters in a wallet that their organization has left."""
_SEPARATOR = ","


class CounterShares:
    def __init__(self, wallets: Wallets, clock: Clock, organizations: Organizations, outbox: Outbox) -> None:
        self._wallets = wallets
        self._clock = clock
        self._organizations = organizations
        self._moved = outbox.sender(COUNTERS_MOVED)

    async def complete(
        self, payer: str, organization_id: str, counters: Mapping[str, Counter], ids: Collection[str]
    ) -> dict[str, Counter]:
        """Those of the counters, by id, that lack the share of a wallet that was left, with it.

        Raises `StaleEtagError` where a read does not show yet that the organization has left: only then it has all that
        was admitted there.
        """
        organization = await self._organizations.cached(organization_id)
        completed: dict[str, Counter] = {}
        for left in _left_payers(organization, payer, self._clock.now()):
            lacking = [id_ for id_ in ids if id_ not in counters or left not in counters[id_].shares]
            if not lacking:
                continue
            stored = await self._wallets.read(
                left, Wanted(counters=frozenset(lacking), members=frozenset({organization_id}))
            )
            member = stored.wallet.members.get(organization_id)
            if member is None or member.state != "left":
                raise StaleEtagError("That the organization has left a wallet cannot be read yet")
            for id_ in lacking:
                before = completed.get(id_) or counters.get(id_)
                completed |= _with_share(before, stored, id_)
        return completed

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
        organization = await self._organizations.cached(organization_id)
        target, ids = organization.payer_at(self._clock.now()), counters.split(_SEPARATOR)
        if target == payer:
            return
        wanted = Wanted(counters=frozenset(ids))

        async def attempt() -> None:
            left = await self._wallets.read(payer, wanted)
            if left.wallet.head.revision < int(revision):
                raise UnavailableError("The wallet that was left cannot be read yet as it was changed")
            stored = await self._wallets.read(target, wanted)
            wallet = stored.wallet.copy()
            for id_ in ids:
                wallet.counters |= _with_share(wallet.counters.get(id_), left, id_)
            if any(wallet.counters.get(id_) is not stored.wallet.counters.get(id_) for id_ in ids):
                wallet.finish()
                await self._wallets.commit(stored, wallet)

        await retry_lost_races(attempt, UnavailableError("The wallet is being changed by many at once"))


def _with_share(counter: Counter | None, left: StoredWallet, id_: str) -> dict[str, Counter]:
    """The counter with the share of a wallet that was left; empty where neither has it."""
    theirs = left.wallet.counters.get(id_)
    if counter is None and theirs is None:
        return {}
    if counter is None and theirs is not None:
        counter = new_counter(theirs.scope, theirs.organization_id, theirs.reference)
    assert counter is not None  # noqa: S101  narrows
    return {id_: counter.with_share(left.wallet.payer, left.wallet.head.revision, theirs)}


def _left_payers(organization: Organization, payer: str, now: datetime) -> Sequence[str]:
    """Whose wallets the organization has left before it came to this one."""
    entries = organization.payers.entries[: (organization.payers.index_at(now) or 0) + 1]
    payers = [entry.value or organization.id for entry in entries]
    if payer not in payers:
        return []
    came = len(payers) - 1 - payers[::-1].index(payer)
    return [each for each in dict.fromkeys(payers[:came]) if each != payer]
