"""Repair: the totals of a period, made once more from its events and outcomes and compared with those that are kept."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta

from shared import json
from shared.domain.kernel.errors import ValidationError
from shared.domain.periods.periods import Period
from shared.domain.pricing.charges import AnyCharge
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import TotalKey
from shared.domain.usage.recomputation import Difference, added_by, added_by_outcome, differences, emptied, pruned
from shared.domain.usage.totals import Totals
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Document, StaleEtagError
from shared.ports.usage_shards import KeptTotal, UsageShards
from shared.services.periods import rebilling
from shared.services.storage.outbox import Outbox
from shared.services.usage.rated_versions import RatedVersions

LOOKS = 12
"""How often a total is looked at that moves meanwhile, or seems wrong."""
_PAUSE_SECONDS = 0.3
"""Longer than the replicas of a store differ: what seems wrong has to look the same once more."""
_MARGIN = timedelta(days=1)
"""Nothing may expire while it is looked at."""
_FEW_AGENTS = 20
"""So many are read one by one; of more, all events are read again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A total that is not what its events come to."""

    key: TotalKey
    differences: Sequence[Difference]
    mended: bool


@dataclass(slots=True)
class ShardReport:
    shard: int
    events: int = 0
    totals: int = 0
    found: list[Found] = field(default_factory=list)
    unsteady: list[TotalKey] = field(default_factory=list)
    """Moved whenever they were looked at: nothing is known of them."""


@dataclass(frozen=True, slots=True)
class _Place:
    organization: Organization
    period: Period
    shard: int


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of a total. `moved`: whether something was added to it meanwhile, so that nothing follows."""

    kept: KeptTotal
    recomputed: Totals
    changed: bool


class Repair:
    """Safe while events flow: a total is compared only where its etag was the same before and after its events were
    read, and as each event moves its total in its own transaction, these are the events of that total. It needs memory
    for one shard's totals with their distinct values, and none for events.
    """

    def __init__(
        self,
        shards: UsageShards,
        clock: Clock,
        rated_versions: RatedVersions,
        outbox: Outbox,
        retention: timedelta,
    ) -> None:
        self._shards = shards
        self._clock = clock
        self._rated_versions = rated_versions
        self._outbox = outbox
        self._retention = retention

    async def run(self, organization: Organization, period: Period, *, mend: bool) -> AsyncIterator[ShardReport]:
        """Shard by shard; with `mend`, what is wrong is put right. Safe to repeat.

        Raises `ValidationError` for a period whose events may have expired.
        """
        oldest = self._clock.now() - self._retention + _MARGIN
        if period.start < oldest:
            raise ValidationError.at(
                "/period", f"Events are kept for {self._retention.days} days: some of this period may be gone"
            )
        for shard in range(organization.largest_shard_count):
            yield await self._shard(_Place(organization, period, shard), mend=mend)

    async def _shard(self, place: _Place, *, mend: bool) -> ShardReport:
        """Looks again at what moved meanwhile, and at what is wrong: only what is found twice, just so, is."""
        report = ShardReport(place.shard)
        seen: dict[TotalKey, _Look] = {}
        wanted: set[TotalKey] | None = None
        for attempt in range(LOOKS):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS)
            looks = await self._look(place, wanted, report)
            wanted = set()
            for key, look in looks.items():
                different = [] if look.changed else differences(look.kept.totals, look.recomputed)
                if look.changed or (different and look != seen.get(key)):
                    wanted.add(key)
                elif different:
                    if mend and not await self._put_right(place, look):
                        wanted.add(key)
                    else:
                        report.found.append(Found(key, different, mended=mend))
            if not wanted:
                return report
            seen = looks
        report.unsteady = sorted(wanted or (), key=lambda key: (key.agent_id, key.version_id))
        return report

    async def _look(
        self, place: _Place, wanted: AbstractSet[TotalKey] | None, report: ShardReport
    ) -> dict[TotalKey, _Look]:
        """At all totals, or at those that are wanted."""
        at = place.organization.id, place.shard
        kept = {each.key: each for each in await self._shards.kept(*at, place.period.start)}
        recomputed = {key: emptied(each.totals) for key, each in kept.items()}
        charges: dict[TotalKey, Sequence[AnyCharge] | None] = {}
        events = 0
        async for event in self._events(place, wanted):
            key = TotalKey(place.period.start, event["agent_id"], event["version_id"])
            if key not in charges:
                charges[key] = await self._charges(place.organization, key)
            events += 1
            added = added_by(event, json.decode(event["data"]), charges[key], place.organization.currency)
            recomputed.setdefault(key, Totals()).add(added)
        async for outcome in self._shards.outcomes(*at, place.period.start):
            added = added_by_outcome(outcome, place.organization.currency)
            recomputed.setdefault(outcome.total, Totals()).add(added)
        etags = await self._shards.etags(*at, place.period.start)
        if wanted is None:
            report.events, report.totals = events, len(kept)
        return {
            key: _Look(before, totals, changed=before.etag != etags.get(key))
            for key, totals in recomputed.items()
            if wanted is None or key in wanted
            for before in [kept.get(key) or KeptTotal(key, Totals(), None)]
        }

    async def _events(self, place: _Place, wanted: AbstractSet[TotalKey] | None) -> AsyncIterator[Document]:
        agents: list[str | None] = [*{key.agent_id for key in wanted}] if wanted is not None else [None]
        for agent_id in agents if len(agents) <= _FEW_AGENTS else [None]:
            async for event in self._shards.events(
                place.organization.id, place.shard, place.period.span, agent_id=agent_id
            ):
                yield event

    async def _charges(self, organization: Organization, key: TotalKey) -> Sequence[AnyCharge] | None:
        version = await self._rated_versions.of(organization.id, key.agent_id, key.version_id)
        return None if version is None else version.charges

    async def _put_right(self, place: _Place, look: _Look) -> bool:
        """False where the total has moved since."""
        organization_id = place.organization.id
        rebilling_entry = rebilling.entry_of(self._outbox, organization_id, place.period, self._clock.now())
        try:
            entry = await self._shards.put_right(
                organization_id, place.shard, look.kept, pruned(look.recomputed), rebilling_entry
            )
        except (AlreadyExistsError, StaleEtagError):
            return False
        _log.warning(
            "a total was put right",
            extra={
                "organization_id": organization_id,
                "shard": place.shard,
                "agent_id": look.kept.key.agent_id,
                "version_id": look.kept.key.version_id,
            },
        )
        if entry is not None:
            await self._outbox.attempt(*entry)
        return True
