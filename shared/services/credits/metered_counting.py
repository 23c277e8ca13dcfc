"""Brings what usage is worth from its shards to the counters of the wallet that pays."""

from datetime import datetime
from typing import ClassVar

from shared.domain.credits.alerts import raise_alerts
from shared.domain.credits.metered_usage import MeteredSums, counted_id
from shared.domain.credits.usage_counting import count_usage
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import UnavailableError
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.metered_sums import MeteredSumsStore
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.credit_alerts import CreditAlerts
from shared.services.credits.paying import Paying
from shared.services.storage import Outbox, Stored, retry_lost_races


class DueMeteredSums(Entity):
    """What is needed of sums that the wallet does not have yet."""

    kind: ClassVar[str] = "metered_sums"
    audit: ClassVar[Audit] = BOOKKEEPING
    organization_id: str
    partition: str


class MeteredCounting:
    """Sums are cumulative and have a revision: lost, repeated and late ones count nothing twice."""

    def __init__(  # noqa: PLR0913  its neighbours
        self,
        sums: MeteredSumsStore,
        wallets: Wallets,
        clock: Clock,
        paying: Paying,
        alerts: CreditAlerts,
        outbox: Outbox,
    ) -> None:
        self._alerts = alerts
        self._sums = sums
        self._wallets = wallets
        self._clock = clock
        self._paying = paying
        outbox.expect(DueMeteredSums)

    async def complete_due(self, due: Stored[DueMeteredSums]) -> None:
        """Count the newest sums of a context. Safe to repeat."""
        entity = due.entity
        read = await self._sums.read(entity.partition, entity.id)
        if read is None:
            raise UnavailableError("The sums were stored a moment ago and cannot be read yet")
        sums, etag = read
        await self._count(entity.organization_id, entity.partition, sums)
        await self._sums.note_sent(entity.partition, entity.id, etag)

    async def counted_to(self, organization: Organization) -> datetime:
        """Usage that was metered until then is counted."""
        now = self._clock.now()
        oldest = await self._sums.oldest_unsent(organization.id, organization.largest_shard_count)
        return now if oldest is None else min(oldest, now)

    async def _count(self, organization_id: str, shard: str, sums: MeteredSums) -> None:
        counted = counted_id(shard, sums.context)
        wanted = Wanted(
            counters=frozenset(sums.context.counter_ids()),
            members=frozenset({organization_id}),
            counted_usage=frozenset({counted}),
        )

        async def attempt() -> None:
            paid = await self._paying.wallet_of(organization_id)
            stored = await self._wallets.read(paid.payer, wanted)
            stored.wallet.check_member(organization_id)
            await self._paying.shares.complete(stored.wallet, organization_id, wanted.counters)
            newest = await self._paying.shares.newest_usage(stored.wallet, organization_id, counted)
            wallet = stored.wallet.copy()
            if newest is not None:
                wallet.counted_usage[counted] = newest
            now = max(self._clock.now(), wallet.head.time)
            if count_usage(wallet, shard, sums, now):
                payer = await self._paying.organization(paid.payer)
                raise_alerts(stored.wallet, wallet, now, payer.own_settings.balance_alerts)
                wallet.finish()
                await self._wallets.commit(stored, wallet, self._alerts.beside(wallet))

        await retry_lost_races(attempt, UnavailableError("The wallet is being changed by many at once"))
