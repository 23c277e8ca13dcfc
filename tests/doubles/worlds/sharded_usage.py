"""Events metered into totals of several shards, in memory or through a store."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from shared.adapters.usage.item_usage import ItemUsage
from shared.domain.kernel.times import BEGINNING
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.lines import Line
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.usage.events import AcceptedEvent, TotalKey
from shared.domain.usage.totals import Totals, contribution
from shared.ports.store import Store
from shared.ports.usage import MeteredEvent
from tests.doubles.worlds.plain_meters import MIDDLE, OCTOBER, Happened, Json, Metered

Collected = Mapping[tuple[str, str], Totals]
"""Totals by agent and version."""

ORGANIZATION = "org_1"
YEAR = 365 * 24 * 60 * 60


def versions(*charges: Json) -> list[Version]:
    """Two versions that differ only in their charges."""
    return [
        Version.model_validate(
            {
                "id": f"bmv_{number}",
                "model_id": "bm_1",
                "number": number,
                "effective_from": BEGINNING if number == 1 else MIDDLE,
                "charges": [charge],
            }
        )
        for number, charge in enumerate(charges, start=1)
    ]


def metered(event: Happened, priced: Sequence[Version]) -> MeteredEvent:
    version = priced[event.version - 1]
    accepted = AcceptedEvent(
        key=event.key,
        id=event.key,
        source="test",
        type=event.type,
        agent=event.agent,
        time=event.time,
        data=event.data,
        content="same",
    )
    total = TotalKey(OCTOBER.start, event.agent, version.id)
    seen = CostedEvent(accepted.type, accepted.data, accepted.time, accepted.key)
    return MeteredEvent(accepted, total, contribution(seen, version.charges, "USD"), None)


class Shards:
    """Totals in shards, as a store keeps them: documents, with the values of unique meters beside them."""

    def __init__(self, count: int) -> None:
        self._documents: list[dict[TotalKey, str]] = [{} for _ in range(count)]
        self._values: list[set[tuple[TotalKey, str, str]]] = [set() for _ in range(count)]

    def record(self, shard: int, events: Sequence[MeteredEvent]) -> None:
        documents = self._documents[shard]
        for event in events:
            totals = self._read(shard, event.total)
            totals.add(event.contribution)
            self._values[shard] |= {
                (event.total, name, value) for name, values in totals.take_distinct().items() for value in values
            }
            documents[event.total] = json.dumps(totals.document())

    def _read(self, shard: int, key: TotalKey) -> Totals:
        kept = self._documents[shard].get(key)
        return Totals() if kept is None else Totals.read(json.loads(kept))

    def collected(self) -> Collected:
        merged: dict[tuple[str, str], Totals] = {}
        for shard, documents in enumerate(self._documents):
            for key in documents:
                totals = self._read(shard, key)
                for owner, name, value in self._values[shard]:
                    if owner == key:
                        totals.add_distinct(name, [value])
                merged.setdefault((key.agent_id, key.version_id), Totals()).merge(totals)
        return merged


def dealt(events: Sequence[MeteredEvent], draw: Callable[[st.SearchStrategy[Any]], Any]) -> Collected:
    """Spread the events over 1 to 4 shards, in any order."""
    shards = Shards(draw(st.integers(1, 4)))
    for event in draw(st.permutations(events)):
        shards.record(draw(st.integers(0, 3)) % len(shards._documents), [event])
    return shards.collected()


async def recorded(
    store: Store, events: Sequence[MeteredEvent], draw: Callable[[st.SearchStrategy[Any]], Any]
) -> Collected:
    """Record events in any order and batches, some of them twice.

    The number of shards grows meanwhile.
    """
    usage = ItemUsage(store, YEAR)
    waiting = list(draw(st.permutations(events)))
    sent: list[MeteredEvent] = []
    counts = [1]
    while waiting:
        size = draw(st.integers(1, len(waiting)))
        again = [event for event in sent if draw(st.booleans())]
        batch = [*waiting[:size], *again]
        result = await usage.record(ORGANIZATION, counts, draw(st.permutations(batch)))
        assert len(result.recorded) == size
        assert len(result.duplicates) == len(again)
        sent += waiting[:size]
        waiting = waiting[size:]
        if draw(st.booleans()):
            counts = [*counts, counts[-1] * 2]
    totals = await usage.totals(ORGANIZATION, counts[-1], OCTOBER.start)
    return {(total.key.agent_id, total.key.version_id): total.totals for total in totals}


def only_line(priced: Sequence[Version], collected: Collected) -> Line:
    segments = [
        Segment(agent, version, start, end)
        for agent in ("a", "b")
        for version, start, end in zip(priced, (OCTOBER.start, MIDDLE), (MIDDLE, OCTOBER.end), strict=True)
    ]
    (line,) = rate(Facts(OCTOBER, "USD", segments, collected))
    return line


def of_a_meter(meter: Metered) -> list[Version]:
    charge = {
        "key": "metered",
        "type": "activity",
        "scope": "organization",
        "meter": meter.written(),
        "pricing": {"type": "per_unit", "unit_amount": "1"},
    }
    return versions(charge, charge)
