"""Unique meters of a period's totals: by their number where it says all, else value by value.

A number says all where no value can be counted twice: in one shard and under one version. Values that several totals
may share are merged.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.usage.stored_totals import add_values_of_period, read_totals, read_values
from shared.domain.usage.events import TotalKey
from shared.ports.store import Store
from shared.ports.usage_shards import StoredTotal

_FEW_AGENTS = 20
"""The values of so many agents are read agent by agent; for more, all values of the shard are read."""

_Meter = tuple[TotalKey, str]
"""A unique meter of a total, by its name."""


@dataclass(frozen=True, slots=True)
class ShardTotals:
    """The totals of a period in one shard."""

    partition: str
    totals: dict[TotalKey, StoredTotal]

    def numbers(self) -> Iterator[tuple[TotalKey, str, int]]:
        """How many values each unique meter of each total has."""
        for key, total in self.totals.items():
            for meter, number in (total.totals.numbers or {}).items():
                yield key, meter, number


async def add_distinct(store: Store, period: datetime, shards: Sequence[ShardTotals]) -> None:
    """Add what unique meters read to the totals of all shards."""
    if any(total.totals.numbers is None for shard in shards for total in shard.totals.values()):
        # Begun before values were counted. Values are in no pooled line then.
        await asyncio.gather(*(add_values_of_period(store, shard.partition, period, shard.totals) for shard in shards))
        return
    shared = _with_shared_values(shards)
    for shard in shards:
        lines = await _lines(store, shard, shared)
        shared |= _add_numbers(shard, shared, lines)
    await asyncio.gather(*(_add_values(store, period, shard, shared) for shard in shards))


def _with_shared_values(shards: Sequence[ShardTotals]) -> set[_Meter]:
    """The meters whose values another total may have, too, that is merged with theirs.

    Totals of one agent are merged, and for a pooled meter those of all agents.
    """
    places: dict[tuple[str, str], set[tuple[str, str]]] = {}
    pooled = {meter for shard in shards for total in shard.totals.values() for meter in total.totals.pooled}
    for shard in shards:
        for key, meter, _ in shard.numbers():
            line = key.line.agent_id if meter in pooled else key.agent_id
            places.setdefault((line, meter), set()).add((shard.partition, key.version_id))
    return {
        (key, meter)
        for shard in shards
        for key, meter, _ in shard.numbers()
        if len(places[key.line.agent_id if meter in pooled else key.agent_id, meter]) > 1
    }


async def _lines(store: Store, shard: ShardTotals, shared: AbstractSet[_Meter]) -> Mapping[TotalKey, StoredTotal]:
    """The totals of the pooled lines whose numbers are needed."""
    needed = {
        key.line
        for key, meter, _ in shard.numbers()
        if meter in shard.totals[key].totals.pooled and (key, meter) not in shared
    }
    return await read_totals(store, shard.partition, needed)


def _add_numbers(shard: ShardTotals, shared: AbstractSet[_Meter], lines: Mapping[TotalKey, StoredTotal]) -> set[_Meter]:
    """Add the numbers that say all. Returns the meters of lines that cannot be read."""
    pooled: dict[_Meter, dict[TotalKey, int]] = {}
    for key, meter, number in shard.numbers():
        if (key, meter) in shared:
            continue
        if meter in shard.totals[key].totals.pooled:
            pooled.setdefault((key.line, meter), {})[key] = number
        else:
            shard.totals[key].totals.set_unlisted(meter, number, number)
    unknown: set[_Meter] = set()
    for (line, meter), numbers in pooled.items():
        whole = (lines[line].totals.numbers or {}).get(meter)
        if whole is None:
            unknown |= {(key, meter) for key in numbers}
            continue
        for key, in_line in _split(whole, numbers).items():
            shard.totals[key].totals.set_unlisted(meter, numbers[key], in_line)
    return unknown


def _split(whole: int, numbers: Mapping[TotalKey, int]) -> dict[TotalKey, int]:
    """Split a line's number over its agents, who have these numbers themselves.

    A line has at least the values of any agent, and at most those of all; what was read a moment later is left out.
    """
    left = min(max(whole, *numbers.values(), 0), sum(numbers.values()))
    parts: dict[TotalKey, int] = {}
    for key in sorted(numbers, key=lambda key: key.agent_id):
        parts[key] = min(numbers[key], left)
        left -= parts[key]
    return parts


async def _add_values(store: Store, period: datetime, shard: ShardTotals, needed: AbstractSet[_Meter]) -> None:
    here = {(key, meter) for key, meter, _ in shard.numbers() if (key, meter) in needed}
    async for key, meter, value in _values_of(store, period, shard, {key.agent_id for key, _ in here}):
        if (key, meter) in here:
            shard.totals[key].totals.add_distinct(meter, [value])


async def _values_of(
    store: Store, period: datetime, shard: ShardTotals, agent_ids: AbstractSet[str]
) -> AsyncIterator[tuple[TotalKey, str, str]]:
    every: AbstractSet[str | None] = agent_ids if len(agent_ids) <= _FEW_AGENTS else {None}
    for agent_id in every:
        async for found in read_values(store, shard.partition, period, agent_id):
            yield found
