"""Repair: recomputes totals from events and outcomes, and compares them with the stored ones."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta

from shared.domain.kernel.errors import ValidationError
from shared.domain.periods.periods import Period
from shared.domain.pricing.charges import AnyCharge
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import TotalKey
from shared.domain.usage.recomputation import (
    Difference,
    added_by,
    added_by_outcome,
    emptied,
    pruned,
    with_lines,
    wrong_readings,
)
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Totals
from shared.ports.clock import Clock
from shared.ports.usage_shards import StoredTotal, UsageShards
from shared.services.periods.rebilling import Rebilling
from shared.services.storage import AlreadyExistsError, Outbox, StaleEtagError
from shared.services.usage.metered_versions import MeteredVersions

MAXIMUM_COMPARISONS = 12
"""Of a total that changes meanwhile, or differs."""
_PAUSE_SECONDS = 0.3
"""Longer than the replicas of the store differ: a difference counts only when it is seen twice."""
_EXPIRY_MARGIN = timedelta(days=1)
"""No event may expire while it is read."""
_FEW_AGENTS = 20
"""The events of so many agents are read agent by agent; for more, all events are read again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WrongTotal:
    """A total that is not what its events add up to."""

    key: TotalKey
    differences: Sequence[Difference]
    mended: bool


@dataclass(slots=True)
class ShardReport:
    shard: int
    events: int = 0
    totals: int = 0
    wrong: list[WrongTotal] = field(default_factory=list)
    unsteady: list[TotalKey] = field(default_factory=list)
    """Those that changed during every comparison, so that nothing is known about them."""


@dataclass(frozen=True, slots=True)
class _PeriodShard:
    """A shard of a period's usage, which is compared as one."""

    organization: Organization
    period: Period
    shard: int


@dataclass(frozen=True, slots=True)
class _Comparison:
    stored: StoredTotal
    recomputed: Totals
    has_changed: bool
    """Whether the stored total changed while its events were read, so that nothing follows from it."""


class Repair:
    """Compares totals with their events, safely while more events come in.

    Each event changes its total in its own transaction. So a total whose ETag is the same before and after its events
    were read is compared with exactly those events. Needs memory for one shard's totals with their distinct values, and
    none for events.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        shards: UsageShards,
        clock: Clock,
        metered_versions: MeteredVersions,
        rebilling: Rebilling,
        outbox: Outbox,
        retention: timedelta,
    ) -> None:
        """`retention` is the time until a recorded event expires."""
        self._shards = shards
        self._clock = clock
        self._metered_versions = metered_versions
        self._rebilling = rebilling
        self._outbox = outbox
        self._retention = retention

    async def run(self, organization: Organization, period: Period, *, mend: bool) -> AsyncIterator[ShardReport]:
        """Shard by shard. With `mend`, wrong totals are replaced by the recomputed ones. Safe to repeat.

        Raises `ValidationError` for a period whose events may have expired.
        """
        oldest = self._clock.now() - self._retention + _EXPIRY_MARGIN
        if period.start < oldest:
            raise ValidationError.at(
                "/period", f"Events are kept for {self._retention.days} days: some of this period may be gone"
            )
        for shard in range(organization.largest_shard_count):
            yield await self._run_in(_PeriodShard(organization, period, shard), mend=mend)

    async def _run_in(self, part: _PeriodShard, *, mend: bool) -> ShardReport:
        """Compares again what changed meanwhile or differs: a difference counts when seen twice."""
        report = ShardReport(part.shard)
        earlier: dict[TotalKey, _Comparison] = {}
        wanted: set[TotalKey] | None = None
        for attempt in range(MAXIMUM_COMPARISONS):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS)
            comparisons = await self._compare(part, wanted, report)
            wanted = set()
            for key, comparison in comparisons.items():
                if comparison.has_changed:
                    wanted.add(key)
                    continue
                different = wrong_readings(comparison.stored.totals, comparison.recomputed)
                if not different:
                    continue
                if comparison != earlier.get(key) or (mend and not await self._mend(part, comparison)):
                    wanted.add(key)
                else:
                    report.wrong.append(WrongTotal(key, different, mended=mend))
            if not wanted:
                return report
            earlier = comparisons
        report.unsteady = sorted(wanted or (), key=lambda key: (key.agent_id, key.version_id))
        return report

    async def _compare(
        self, part: _PeriodShard, wanted: AbstractSet[TotalKey] | None, report: ShardReport
    ) -> dict[TotalKey, _Comparison]:
        """The wanted totals, or all of them."""
        organization, period = part.organization, part.period
        stored = {total.key: total for total in await self._shards.totals(organization.id, part.shard, period.start)}
        recomputed = {key: emptied(total.totals) for key, total in stored.items()}
        charges: dict[TotalKey, Sequence[AnyCharge] | None] = {}
        events = 0
        async for event in self._events(part, wanted):
            if event.total not in charges:
                charges[event.total] = await self._charges(organization, event.total)
            events += 1
            added = added_by(event, charges[event.total], organization.currency)
            recomputed.setdefault(event.total, Totals()).add(added)
        async for outcome in self._shards.outcomes(organization.id, part.shard, period.start):
            recomputed.setdefault(outcome.total, Totals()).add(added_by_outcome(outcome, organization.currency))
        recomputed = with_lines({key: total.totals for key, total in stored.items()}, recomputed)
        etags = await self._shards.etags(organization.id, part.shard, period.start)
        if wanted is None:
            report.events, report.totals = events, len(stored)
        comparisons: dict[TotalKey, _Comparison] = {}
        # Lines first, so that they have what an agent's total counts from then on.
        for key, totals in sorted(recomputed.items(), key=lambda each: not each[0].is_line):
            if wanted is None or key in wanted:
                before = stored.get(key) or StoredTotal(key, Totals(), None)
                comparisons[key] = _Comparison(before, totals, has_changed=before.etag != etags.get(key))
        return comparisons

    async def _events(self, part: _PeriodShard, wanted: AbstractSet[TotalKey] | None) -> AsyncIterator[RecordedEvent]:
        agents: list[str | None] = [None]
        if wanted is not None and not any(key.is_line for key in wanted):  # a line is of all agents
            agents = [*{key.agent_id for key in wanted}]
        for agent_id in agents if len(agents) <= _FEW_AGENTS else [None]:
            events = self._shards.events(part.organization.id, part.shard, part.period.span, agent_id=agent_id)
            async for event in events:
                yield event

    async def _charges(self, organization: Organization, key: TotalKey) -> Sequence[AnyCharge] | None:
        version = await self._metered_versions.of(organization.id, key.agent_id, key.version_id)
        return None if version is None else version.charges

    async def _mend(self, part: _PeriodShard, comparison: _Comparison) -> bool:
        """False where the total has changed since."""
        organization_id, stored = part.organization.id, comparison.stored
        entry = self._rebilling.entry(part.organization, part.period, self._clock.now())
        try:
            committed = await self._shards.replace_total(
                organization_id, part.shard, stored, pruned(comparison.recomputed), entry
            )
        except (AlreadyExistsError, StaleEtagError):
            return False
        _log.warning(
            "a total was put right",
            extra={
                "organization_id": organization_id,
                "shard": part.shard,
                "agent_id": stored.key.agent_id,
                "version_id": stored.key.version_id,
            },
        )
        if committed is not None:
            await self._outbox.attempt(*committed)
        return True
