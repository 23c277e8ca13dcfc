"""Distinct values as they are stored: every total counts just the values that lie beside it."""

from collections.abc import Iterable
from datetime import datetime

from shared.adapters.usage.item_usage_shards import ItemUsageShards
from shared.domain.metering.readings import Distinct, Reading
from shared.domain.usage.events import TotalKey
from shared.domain.usage.totals import Totals
from shared.ports.store import Store


def counted(number: int) -> Distinct:
    """The reading of a meter of one agent that is known by its number of values."""
    return Distinct(unlisted=number, unlisted_in_line=number)


def number_of(reading: Reading | None) -> int:
    """Of distinct values, listed or not; 0 for any other reading."""
    return len(reading.values) + int(reading.unlisted) if isinstance(reading, Distinct) else 0


def values_in(totals: Totals) -> dict[str, frozenset[str]]:
    """By meter."""
    readings = {name: totals.reading(name) for name in totals.meters()}
    return {name: reading.values for name, reading in readings.items() if isinstance(reading, Distinct)}


async def stored_totals(
    store: Store, organization_id: str, shards: int, periods: Iterable[datetime]
) -> dict[TotalKey, Totals]:
    """The totals of agents with all their values, read one by one, merged over the shards.

    In each shard, totals count the values beside them, and a pooled line has those of all its agents, once.
    """
    merged: dict[TotalKey, Totals] = {}
    for period in periods:
        for shard in range(shards):
            found = {
                total.key: total.totals for total in await ItemUsageShards(store).totals(organization_id, shard, period)
            }
            lines: dict[TotalKey, dict[str, frozenset[str]]] = {key: {} for key in found if key.is_line}
            for key, totals in found.items():
                values = values_in(totals)
                assert totals.numbers == {name: len(of_meter) for name, of_meter in values.items()}, key
                if key.is_line:
                    continue
                merged.setdefault(key, Totals()).merge(totals)
                for name in totals.pooled & values.keys():
                    line = lines.setdefault(key.line, {})
                    line[name] = line.get(name, frozenset()) | values[name]
            assert {key: values_in(found[key]) for key in lines if key in found} == lines
    return merged
