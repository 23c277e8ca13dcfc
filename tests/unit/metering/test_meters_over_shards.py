"""What meters come to and what percentages cost, collected in batches and shards, in any order, with repeats, against a
plain computation over the whole list of events.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.usage.item_usage import ItemUsage
from shared.containers import LEDGERS
from shared.domain.kernel.money import truncate
from shared.domain.kernel.times import BEGINNING, to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.lines import Line
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.usage.events import AcceptedEvent, TotalKey
from shared.domain.usage.totals import Totals, contribution
from shared.ports.store import Operation, Store
from shared.ports.usage import MeteredEvent
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

Json = dict[str, Any]
Collected = Mapping[tuple[str, str], Totals]
"""Totals by agent and version."""

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
MIDDLE = datetime(2026, 10, 12, 6, tzinfo=UTC)
"""When the second version takes effect."""
ORGANIZATION = "org_1"
YEAR = 365 * 24 * 60 * 60

USERS = {
    "ada": "ada",
    "Ada": "Ada",
    "a number": 1,
    "its text": "1",
    "written otherwise": Decimal("1.0"),
    "a truth": True,
    "its word": "true",
    "nobody": "",
}
SAME_USER = {"its text": "a number", "written otherwise": "a number", "its word": "a truth"}


@dataclass(frozen=True)
class Happened:
    """An event of an agent, with who in `USERS` it was."""

    key: str
    type: str
    agent: str
    at: datetime
    user: str
    data: Json

    @property
    def time(self) -> str:
        return to_text(self.at)

    @property
    def version(self) -> int:
        return 1 if self.at < MIDDLE else 2


@st.composite
def histories(draw: st.DrawFn) -> list[Happened]:
    """Some at the same time, at the very beginning of the period and of the second version."""
    moments = st.sampled_from([OCTOBER.start, MIDDLE, OCTOBER.start + timedelta(days=3)]) | st.integers(
        0, 31 * 24 * 3600 - 1
    ).map(lambda seconds: OCTOBER.start + timedelta(seconds=seconds))
    amount = st.decimals(0, 400, places=3)
    events = []
    for number in range(draw(st.integers(0, 16))):
        user = draw(st.sampled_from(sorted(USERS)))
        data = {
            "status": draw(st.sampled_from(["ok", "ok", "failed", None])),
            "plan": {"tier": draw(st.sampled_from(["pro", "free"]))},
            "level": draw(amount | amount.map(str)),
            "change": draw(st.decimals(-200, 400, places=3)),
            "user": USERS[user],
        }
        events.append(
            Happened(
                key=f"evt_{number * 7 % 17:02}",  # not in the order of the times
                type=draw(st.sampled_from(["command", "command", "query"])),
                agent=draw(st.sampled_from(["a", "b"])),
                at=draw(moments),
                user=user,
                data=data,
            )
        )
    return events


FILTERS: dict[str, tuple[Json, Callable[[Json], bool]]] = {
    "all": ({}, lambda _: True),
    "good": ({"data.status": ["ok"]}, lambda data: data["status"] == "ok"),
    "good or unknown, paid": (
        {"data.status": ["ok", None], "data.plan.tier": ["pro"]},
        lambda data: data["status"] != "failed" and data["plan"]["tier"] == "pro",
    ),
}
UNITS: dict[str, tuple[Json | None, Callable[[Fraction], Fraction]]] = {
    "as it is": (None, lambda number: number),
    "thirds": ({"divide_by": "3"}, lambda number: number / 3),
    "minutes": ({"multiply_by": "60"}, lambda number: number * 60),
    "begun tens": ({"divide_by": "10", "rounding": "up"}, lambda number: Fraction(-(-number // 10))),
    "full tens": ({"divide_by": "10", "rounding": "down"}, lambda number: Fraction(number // 10)),
    "rounded": ({"rounding": "half_up"}, lambda number: Fraction((2 * number + 1) // 2)),
}


# The plain computation


def counted(events: Sequence[Happened]) -> Fraction:
    return Fraction(len(events))


def added_up(events: Sequence[Happened]) -> Fraction:
    return sum((Fraction(event.data["level"]) for event in events), Fraction(0))


def highest(events: Sequence[Happened]) -> Fraction:
    return max((Fraction(event.data["level"]) for event in events), default=Fraction(0))


def last(events: Sequence[Happened]) -> Fraction:
    by_time = sorted(events, key=lambda event: (event.at, event.key))
    return Fraction(by_time[-1].data["level"]) if by_time else Fraction(0)


def different_users(events: Sequence[Happened]) -> Fraction:
    return Fraction(len({SAME_USER.get(event.user, event.user) for event in events}))


def average_level(events: Sequence[Happened]) -> Fraction:
    """The integral of the level over the period, step by step from change to change, by the period's length."""
    changes: dict[datetime, Fraction] = {OCTOBER.start: Fraction(0), OCTOBER.end: Fraction(0)}
    for event in events:
        changes[event.at] = changes.get(event.at, Fraction(0)) + Fraction(event.data["change"])
    level = area = Fraction(0)
    for begin, end in pairwise(sorted(changes)):
        level += changes[begin]
        area += level * ((end - begin) // timedelta(microseconds=1))
    return max(Fraction(0), area / ((OCTOBER.end - OCTOBER.start) // timedelta(microseconds=1)))


PLAIN: dict[str, tuple[str | None, Callable[[Sequence[Happened]], Fraction]]] = {
    "count": (None, counted),
    "sum": ("data.level", added_up),
    "max": ("data.level", highest),
    "last": ("data.level", last),
    "unique": ("data.user", different_users),
    "weighted_sum": ("data.change", average_level),
}


@dataclass(frozen=True)
class Metered:
    """A meter, and what it has to come to."""

    aggregation: str
    filter: str
    unit: str

    def written(self) -> Json:
        return {
            "event_type": "command",
            "aggregation": self.aggregation,
            "value": PLAIN[self.aggregation][0],
            "filter": FILTERS[self.filter][0],
            "unit": UNITS[self.unit][0],
        }

    def expected(self, events: Sequence[Happened]) -> Fraction:
        matching = [event for event in events if event.type == "command" and FILTERS[self.filter][1](event.data)]
        return UNITS[self.unit][1](PLAIN[self.aggregation][1](matching))


meters = st.builds(
    Metered, st.sampled_from(sorted(PLAIN)), st.sampled_from(sorted(FILTERS)), st.sampled_from(sorted(UNITS))
)


@dataclass(frozen=True)
class Share:
    """A percentage under two versions with its parts per event, of values that are converted by a factor."""

    kind: str
    unit: str
    prices: tuple[Json, Json]

    def charge(self, version: int) -> Json:
        pricing = {"type": "percentage", **self.prices[version - 1]}
        if self.kind == "outcome":
            meter = {"event_type": "outcome.sale", "aggregation": "sum", "value": "data.level"}
            more = {"type": "outcome", "verification": "none"}
        else:
            meter = {"event_type": "command", "aggregation": "sum", "value": "data.level"}
            more = {"type": "activity", "scope": "organization"}
        return {"key": "share", **more, "meter": {**meter, "unit": UNITS[self.unit][0]}, "pricing": pricing}

    def reported(self, events: Sequence[Happened]) -> list[Happened]:
        return [event for event in events if event.type == "command"]

    def expected(self, events: Sequence[Happened]) -> Fraction:
        in_order = sorted(self.reported(events), key=lambda event: (event.at, event.key))
        return sum((self._price(place, event) for place, event in enumerate(in_order)), Fraction(0))

    def _price(self, place: int, event: Happened) -> Fraction:
        prices = self.prices[event.version - 1]
        if place < prices["free_events"]:
            return Fraction(0)
        value = UNITS[self.unit][1](Fraction(event.data["level"]))
        price = value * Fraction(prices["rate"]) / 100 + Fraction(prices["fixed_per_event"])
        if prices["minimum_per_event"] is not None:
            price = max(price, Fraction(prices["minimum_per_event"]))
        if prices["maximum_per_event"] is not None:
            price = min(price, Fraction(prices["maximum_per_event"]))
        return price


prices = st.fixed_dictionaries(
    {
        "rate": st.sampled_from(["0", "2.5", "7"]),
        "fixed_per_event": st.sampled_from(["0", "0.3"]),
        "free_events": st.integers(0, 5),
        "minimum_per_event": st.sampled_from([None, "0", "1.25"]),
        "maximum_per_event": st.sampled_from([None, "1.25", "9"]),
    }
)
shares = st.builds(
    Share,
    st.sampled_from(["activity", "outcome"]),
    st.sampled_from(["as it is", "thirds", "minutes"]),
    st.tuples(prices, prices),
)


# The running form


def versions(*charges: Json) -> list[Version]:
    """Two that differ in nothing but their charges."""
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
    """Totals as a store keeps them, in shards: documents, and the values of unique meters beside them."""

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
    """In any order over 1 to 4 shards."""
    shards = Shards(draw(st.integers(1, 4)))
    for event in draw(st.permutations(events)):
        shards.record(draw(st.integers(0, 3)) % len(shards._documents), [event])
    return shards.collected()


async def recorded(
    store: Store, events: Sequence[MeteredEvent], draw: Callable[[st.SearchStrategy[Any]], Any]
) -> Collected:
    """In any order and batches, some of them sent again, over shards whose number grows meanwhile."""
    usage = ItemUsage(store, YEAR)
    waiting = list(draw(st.permutations(events)))
    sent: list[MeteredEvent] = []
    counts = [1]
    while waiting:
        size = draw(st.integers(1, len(waiting)))
        again = [event for event in sent if draw(st.booleans())]
        batch = [*waiting[:size], *again]
        outcome = await usage.record(ORGANIZATION, counts, draw(st.permutations(batch)))
        assert len(outcome.recorded) == size
        assert len(outcome.duplicates) == len(again)
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


def as_outcomes(share: Share, events: Sequence[Happened]) -> list[Happened]:
    """What the share is of, under the type that its charge looks for."""
    event_type = "outcome.sale" if share.kind == "outcome" else "command"
    return [
        Happened(each.key, event_type, each.agent, each.at, each.user, each.data) for each in share.reported(events)
    ]


pure = settings(max_examples=150)
stored = settings(max_examples=40)


@pure
@given(meters, histories(), st.data())
def test_a_meter_comes_to_the_same_in_any_shards_and_order(meter, events, data):
    priced = of_a_meter(meter)
    line = only_line(priced, dealt([metered(event, priced) for event in events], data.draw))
    assert line.quantity == line.exact_amount == truncate(meter.expected(events))


@pure
@given(shares, histories(), st.data())
def test_a_percentage_costs_the_same_in_any_shards_and_order(share, events, data):
    priced = versions(share.charge(1), share.charge(2))
    reported = [metered(event, priced) for event in as_outcomes(share, events)]
    assert only_line(priced, dealt(reported, data.draw)).exact_amount == truncate(share.expected(events))


@contextmanager
def memory_store() -> Iterator[Store]:
    yield MemoryStore()


@contextmanager
def sqlite_store() -> Iterator[Store]:
    database = Database(":memory:")
    try:
        yield SqliteStore(database, SettableClock(OCTOBER.end))
    finally:
        database.close()


@pytest.mark.parametrize("opened", [memory_store, sqlite_store])
@stored
@given(meters, histories(), st.data())
def test_a_meter_comes_to_the_same_through_a_store(opened, meter, events, data):
    priced = of_a_meter(meter)
    with opened() as store:
        collected = asyncio.run(recorded(store, [metered(event, priced) for event in events], data.draw))
    line = only_line(priced, collected)
    assert line.quantity == line.exact_amount == truncate(meter.expected(events))


@pytest.mark.parametrize("opened", [memory_store, sqlite_store])
@stored
@given(shares, histories(), st.data())
def test_a_percentage_costs_the_same_through_a_store(opened, share, events, data):
    priced = versions(share.charge(1), share.charge(2))
    reported = [metered(event, priced) for event in as_outcomes(share, events)]
    with opened() as store:
        collected = asyncio.run(recorded(store, reported, data.draw))
    assert only_line(priced, collected).exact_amount == truncate(share.expected(events))


# What does not grow


class MeasuringStore(MemoryStore):
    """Remembers how many operations its batches had, and how large the totals in them were."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[int] = []
        self.totals: list[int] = []

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        assert container == LEDGERS.name
        self.operations.append(len(operations))
        self.totals += [
            len(json.dumps(operation.document))
            for operation in operations
            if not hasattr(operation, "id") and operation.document["kind"] == "total"
        ]
        return await super().batch(container, pk, operations)


async def test_neither_totals_nor_transactions_grow_with_the_values_that_were_seen():
    """Each event brings a value that was never seen before."""
    priced = of_a_meter(Metered("unique", "all", "as it is"))
    store = MeasuringStore()
    usage = ItemUsage(store, YEAR)

    async def record(first: int, count: int) -> None:
        events = [
            Happened(f"evt_{number}", "command", "a", OCTOBER.start, "ada", {"user": number})
            for number in range(first, first + count)
        ]
        await usage.record(ORGANIZATION, [1], [metered(event, priced) for event in events])

    await record(0, 49)
    sizes, operations = store.totals[-1], store.operations[-1]
    await record(49, 980)
    assert max(store.totals) - sizes == len("1029") - len("49")  # the number of events, and nothing else
    assert operations == 99  # 49 events, their values and the total
    assert max(store.operations) == operations
    (total,) = await usage.totals(ORGANIZATION, 1, OCTOBER.start)
    assert len(total.totals.reading("metered").values) == 1029
