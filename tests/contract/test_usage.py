"""Usage, as its port describes it, on every store that it is laid out in."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import pytest

from shared.adapters.usage.item_usage import ItemUsage
from shared.containers import LEDGERS
from shared.domain.kernel.times import to_text
from shared.domain.metering.aggregations import AGGREGATIONS
from shared.domain.metering.bands import Bands, OrderedEvent
from shared.domain.metering.readings import CountAndSum, Distinct, Highest, Latest, Reading, Weighted
from shared.domain.periods.periods import Span
from shared.domain.usage.events import AcceptedEvent, TotalKey, event_key, shard_of
from shared.domain.usage.totals import Contribution, Totals
from shared.ports.store import Position, Store
from shared.ports.usage import EventFilter, MeteredEvent, ShardCountChangedError, Usage
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.distinct_values import counted, number_of, stored_totals

ORGANIZATION = "org_1"
OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
TIME = "2026-10-03T12:00:00.000000Z"
RETENTION = timedelta(days=90)
MOST_UNIQUE_METERS = 20


@pytest.fixture
def usage(store: Store) -> Usage:
    return ItemUsage(store, int(RETENTION.total_seconds()))


def metered(  # noqa: PLR0913  what an event may differ in
    event_id: str,
    measures: Mapping[str, Reading],
    *,
    agent: str = "agt_1",
    version: str = "bmv_1",
    period: datetime = OCTOBER,
    content: str = "same",
) -> MeteredEvent:
    event = AcceptedEvent(
        key=event_key(ORGANIZATION, "api", event_id),
        id=event_id,
        source="api",
        type="command",
        agent=agent,
        time=TIME,
        data={},
        content=content,
    )
    contribution = Contribution("command", TIME, tuple(measures.items()))
    return MeteredEvent(event, TotalKey(period, agent, version), contribution, None)


def user(name: str) -> Distinct:
    return Distinct(frozenset({name}))


async def totals_of(usage: Usage, shards: int, period: datetime = OCTOBER) -> dict[tuple[str, str], Totals]:
    found = await usage.totals(ORGANIZATION, shards, period)
    assert all(total.key.period == period for total in found)
    return {(total.key.agent_id, total.key.version_id): total.totals for total in found}


async def only_total(usage: Usage, shards: int = 1) -> Totals:
    (totals,) = (await totals_of(usage, shards)).values()
    return totals


def in_shard(shard: int, shards: int) -> Iterable[str]:
    """Ids of events whose identity puts them there."""
    ids = (f"event-{number}" for number in count())
    return (each for each in ids if shard_of(event_key(ORGANIZATION, "api", each), shards) == shard)


async def test_readings_of_every_kind_are_kept_and_merged_over_shards(usage: Usage) -> None:
    shards = 4
    for shard in range(shards):
        later = f"2026-10-0{shard + 1}T00:00:00.000000Z"
        measures: dict[str, Reading] = {
            "commands": CountAndSum(1, Decimal("0.1")),
            "peak": Highest(Decimal(shard)),
            "level": Latest(later, "evt", Decimal(shard)),
            "disk": Weighted(Decimal(-1), Decimal(10**18)),
            "users": user(f"user-{shard // 2}"),
            "share#events": Bands(2, (OrderedEvent(later, "evt", Decimal(shard), "between"),)),
        }
        ids = iter(in_shard(shard, shards))
        await usage.record(ORGANIZATION, [shards], [metered(next(ids), measures)])
    totals = await only_total(usage, shards)
    assert {name: totals.reading(name) for name in totals.meters()} == {
        "commands": CountAndSum(4, Decimal("0.4")),
        "peak": Highest(Decimal(3)),
        "level": Latest("2026-10-04T00:00:00.000000Z", "evt", Decimal(3)),
        "disk": Weighted(Decimal(-4), Decimal(4 * 10**18)),
        "users": Distinct(frozenset({"user-0", "user-1"})),
        "share#events": Bands(
            2,
            (
                OrderedEvent("2026-10-01T00:00:00.000000Z", "evt", Decimal(0), "between"),
                OrderedEvent("2026-10-02T00:00:00.000000Z", "evt", Decimal(1), "between"),
            ),
            between=CountAndSum(2, Decimal(5)),
        ),
    }


async def test_an_event_counts_once_whatever_is_repeated(usage: Usage) -> None:
    events = [
        metered(f"{number}", {"commands": CountAndSum(1), "users": user(f"{number % 7}")}) for number in range(30)
    ]
    first = await usage.record(ORGANIZATION, [2], [*events[:20], *map(replace, events[:5])])
    again = await usage.record(ORGANIZATION, [2], events[::-1])
    assert (len(first.recorded), len(first.duplicates)) == (20, 5)
    assert (len(again.recorded), len(again.duplicates)) == (10, 20)
    totals = await only_total(usage, 2)
    assert totals.reading("commands") == CountAndSum(30)
    assert totals.reading("users") == Distinct(frozenset(map(str, range(7))))


async def test_what_is_not_recorded_leaves_no_value_after(usage: Usage) -> None:
    await usage.record(ORGANIZATION, [1], [metered("a", {"users": user("ada")})])
    repeated = metered("a", {"users": user("a later reading of the same event")}, period=NOVEMBER)
    conflicting = metered("a", {"users": user("ben")}, content="other")
    recorded = await usage.record(ORGANIZATION, [1], [repeated, conflicting])
    assert (recorded.recorded, recorded.duplicates, recorded.conflicting) == ([], [repeated], [conflicting])
    assert (await only_total(usage)).reading("users") == counted(1)
    assert await totals_of(usage, 1, NOVEMBER) == {}


async def test_values_count_for_their_own_period_agent_version_and_meter(usage: Usage) -> None:
    positions = [
        (agent, version, period)
        for agent in ("agt_1", "agt_2")
        for version in ("bmv_1", "bmv_2")
        for period in (OCTOBER, NOVEMBER)
    ]
    for agent, version, period in positions:
        name = f"{agent} {version} {to_text(period)}"
        measures = {"users": user("everybody"), "guests": user(name)}
        await usage.record(ORGANIZATION, [1], [metered(name, measures, agent=agent, version=version, period=period)])
    for period in (OCTOBER, NOVEMBER):
        found = await totals_of(usage, 1, period)
        assert found.keys() == {(agent, version) for agent, version, own in positions if own == period}
        for (agent, version), totals in found.items():
            assert totals.reading("users") == user("everybody")
            assert totals.reading("guests") == user(f"{agent} {version} {to_text(period)}")


async def test_many_unique_meters_and_many_values_fit_their_transactions(usage: Usage) -> None:
    """The stores refuse more than 100 operations in one."""
    events = [
        metered(
            f"{number}",
            {"commands": CountAndSum(1)}
            | {f"u{meter}": user(f"{number}-{meter}") for meter in range(MOST_UNIQUE_METERS)},
        )
        for number in range(60)
    ]
    recorded = await usage.record(ORGANIZATION, [2], events)
    assert len(recorded.recorded) == len(events)
    totals = await only_total(usage, 2)
    assert totals.reading("commands") == CountAndSum(60)
    for meter in range(MOST_UNIQUE_METERS):
        assert totals.reading(f"u{meter}") == Distinct(frozenset(f"{number}-{meter}" for number in range(60)))


async def test_values_are_read_beyond_one_page(usage: Usage) -> None:
    names = [f"{number}" for number in range(1100)]
    await usage.record(
        ORGANIZATION,
        [1],
        [
            metered(
                names[start],
                {f"u{meter}": user(names[start + meter]) for meter in range(20)},
                version=f"bmv_{start % 3}",
            )
            for start in range(0, len(names), 20)
        ],
    )
    totals = Totals()
    for of_version in (await totals_of(usage, 1)).values():
        totals.merge(of_version)
    found = [totals.reading(f"u{meter}") for meter in range(20)]
    assert sum(len(reading.values) for reading in found if isinstance(reading, Distinct)) == len(names)


async def test_without_distinct_values_only_unique_meters_are_missing(usage: Usage) -> None:
    measures: dict[str, Reading] = {"commands": CountAndSum(1, Decimal("0.1")), "peak": Highest(Decimal(7))}
    events = [
        metered(f"{number}", measures | {"users": user(f"{number}"), "guests": user("ada")}, agent=f"agt_{number % 2}")
        for number in range(20)
    ]
    await usage.record(ORGANIZATION, [2], events)
    whole = await totals_of(usage, 2)
    found = {
        (total.key.agent_id, total.key.version_id): total.totals
        for total in await usage.totals(ORGANIZATION, 2, OCTOBER, distinct=False)
    }
    assert found.keys() == whole.keys()
    for key, totals in found.items():
        assert set(whole[key].meters()) - set(totals.meters()) == {"users", "guests"}
        assert totals.document() == whole[key].document()
        assert (totals.reading("commands"), totals.reading("users")) == (CountAndSum(10, Decimal(1)), None)


def pooled(name: str) -> Distinct:
    """As `user`, of a meter that all agents share."""
    return Distinct(frozenset({name}), pooled=True)


def quantity(readings: Iterable[Reading | None]) -> int:
    """What a line over these readings counts."""
    read = [reading or Distinct() for reading in readings]
    (*_, number) = AGGREGATIONS["unique"].numbers(read, Span(start=OCTOBER, end=NOVEMBER))
    return int(number)


async def test_an_agents_values_are_known_by_their_number(usage: Usage) -> None:
    events = [metered(f"{number}", {"users": user(f"{number % 8}")}, agent=f"agt_{number % 3}") for number in range(30)]
    for batch in (events[:11], events[11:], events):
        await usage.record(ORGANIZATION, [1], batch)
    found = await totals_of(usage, 1)
    assert {totals.reading("users") for totals in found.values()} == {counted(8)}


async def test_a_pooled_line_counts_a_value_once_over_its_agents(usage: Usage) -> None:
    """And each agent by itself has its own number."""
    for agent, names in (("agt_1", "abc"), ("agt_2", "bcd"), ("agt_3", "abcd"), ("agt_4", "e")):
        events = [metered(f"{agent}{name}", {"users": pooled(name), "own": user(name)}, agent=agent) for name in names]
        await usage.record(ORGANIZATION, [1], events)
    found = await totals_of(usage, 1)
    readings = [found[key].reading("users") for key in sorted(found)]
    assert [number_of(reading) for reading in readings] == [3, 3, 4, 1]
    assert quantity(readings) == len("abcde")
    assert [number_of(totals.reading("own")) for _, totals in sorted(found.items())] == [3, 3, 4, 1]


async def test_over_versions_and_shards_values_are_merged(usage: Usage) -> None:
    """Where one agent has two versions, and another a version and a shard of its own."""
    places = [("agt_1", "bmv_1"), ("agt_1", "bmv_2"), ("agt_2", "bmv_1"), ("agt_3", "bmv_1")]
    events = [
        metered(f"{number} {agent} {version}", {"users": pooled(f"{number % 5}"), "own": user(f"{number % 5}")})
        for number in range(10)
        for agent, version in places
    ]
    events = [replace(event, total=TotalKey(OCTOBER, *event.event.id.split()[1:])) for event in events]
    await usage.record(ORGANIZATION, [1], events[:20])
    found = await totals_of(usage, 1)
    assert quantity(totals.reading("users") for totals in found.values()) == 5
    assert quantity(found["agt_1", version].reading("own") for version in ("bmv_1", "bmv_2")) == 5
    assert found["agt_2", "bmv_1"].reading("own") == counted(5)
    await usage.record(ORGANIZATION, [1, 4], events)
    found = await totals_of(usage, 4)
    assert quantity(totals.reading("users") for totals in found.values()) == 5
    for key in found:
        assert number_of(found[key].reading("own")) == 5


async def test_recorders_of_a_pooled_line_at_the_same_time_lose_nothing(usage: Usage, store: Store) -> None:
    events = [
        metered(f"{number}", {"users": pooled(f"{number % 13}")}, agent=f"agt_{number % 4}") for number in range(60)
    ]
    recorded = await asyncio.gather(
        *(usage.record(ORGANIZATION, [1], part) for part in (events[:40], events[20:], events[::-1], events[::2]))
    )
    assert sum(len(each.recorded) for each in recorded) == len(events)
    found = await totals_of(usage, 1)
    assert quantity(totals.reading("users") for totals in found.values()) == 13
    assert {number_of(totals.reading("users")) for totals in found.values()} == {13}
    await stored_totals(store, ORGANIZATION, 1, [OCTOBER])


@pytest.mark.parametrize("value", [user, pooled])
async def test_an_event_with_a_value_too_many_is_left_out_until_the_limit_is_raised(
    store: Store, value: Callable[[str], Distinct]
) -> None:
    """What brings no new value goes on counting; another line has a limit of its own."""
    retention = int(RETENTION.total_seconds())
    usage = ItemUsage(store, retention, maximum_distinct_values=4)
    events = [
        metered(f"{number}", {"commands": CountAndSum(1), "users": value(f"{number % 6}")}) for number in range(12)
    ]
    other = metered("other", {"users": value("9")}, version="bmv_2")
    recorded = await usage.record(ORGANIZATION, [1], [*events, other])
    over = {event.id for event, _ in recorded.over_limit}
    assert {event.id for event in events} - over == {event.id for event in events if event in recorded.recorded}
    assert len(over) == 4
    assert all("4 distinct values" in reason for _, reason in recorded.over_limit)
    assert other in recorded.recorded
    totals = (await totals_of(usage, 1))["agt_1", "bmv_1"]
    assert (totals.reading("commands"), number_of(totals.reading("users"))) == (CountAndSum(8), 4)
    again = await usage.record(ORGANIZATION, [1], events)
    assert (len(again.duplicates), len(again.over_limit)) == (8, 4)
    raised = ItemUsage(store, retention, maximum_distinct_values=6)
    late = await raised.record(ORGANIZATION, [1], events)
    assert ({event.id for event in late.recorded}, late.over_limit) == (over, [])
    totals = (await totals_of(usage, 1))["agt_1", "bmv_1"]
    assert (totals.reading("commands"), number_of(totals.reading("users"))) == (CountAndSum(12), 6)


async def test_recorders_at_the_same_time_stay_within_the_limit_of_values(store: Store) -> None:
    usages = [ItemUsage(store, int(RETENTION.total_seconds()), maximum_distinct_values=10) for _ in range(3)]
    recorded = await asyncio.gather(
        *(
            each.record(ORGANIZATION, [1], [metered(name, {"users": pooled(name)}, agent=agent)])
            for agent, each in zip(("agt_1", "agt_2", "agt_3"), usages, strict=True)
            for name in (f"{agent}-{number}" for number in range(7))
        )
    )
    assert sum(len(each.recorded) for each in recorded) == 10
    assert sum(len(each.over_limit) for each in recorded) == 11
    found = await totals_of(usages[0], 1)
    assert quantity(totals.reading("users") for totals in found.values()) == 10


async def test_totals_begun_before_values_were_counted_stay_right(usage: Usage, store: Store) -> None:
    """They are read value by value: for what comes after, too, and for another agent's total of the same line."""
    old = [metered(f"old-{n}", {"users": pooled(f"{n}"), "own": user(f"{n}")}) for n in range(5)]
    await usage.record(ORGANIZATION, [1], old)
    await without_numbers(store)
    both = [
        metered(f"new-{agent}-{n}", {"users": pooled(f"{n}"), "own": user(f"{n}")}, agent=agent)
        for agent in ("agt_1", "agt_2")
        for n in range(3, 8)
    ]
    for recorded, expected in ((0, [5]), (5, [8]), (10, [8, 5])):
        await usage.record(ORGANIZATION, [1], both[:recorded])
        found = await totals_of(usage, 1)
        for name in ("users", "own"):
            assert [number_of(found[key].reading(name)) for key in sorted(found)] == expected
        assert quantity(totals.reading("users") for totals in found.values()) == expected[0]
    assert [each.recorded for each in [await usage.record(ORGANIZATION, [1], [*old, *both])]] == [[]]


async def without_numbers(store: Store) -> None:
    """Make what is stored what it was before values were counted."""
    pk = f"{ORGANIZATION}:usage:0"
    for kind in ("pooled_total", "pooled_unique"):
        for item in (await store.query(LEDGERS.name, pk, kind, limit=100)).items:
            await store.delete(LEDGERS.name, pk, item.document["id"])
    for item in (await store.query(LEDGERS.name, pk, "total", limit=100)).items:
        totals = {name: part for name, part in item.document["totals"].items() if name not in ("distinct", "pooled")}
        await store.replace(LEDGERS.name, pk, item.document | {"totals": totals}, item.etag)


async def test_totals_that_keep_many_events_fit_their_transactions(usage: Usage) -> None:
    """The stores refuse more than 2 MB in one."""
    kept = tuple(
        OrderedEvent(TIME, f"evt_{number:026}", Decimal("123456789.123456"), "between") for number in range(500)
    )
    measures: dict[str, Reading] = {f"share-{number}#events": Bands(500, kept) for number in range(5)}
    for more in (measures, {"commands": CountAndSum(1)}):
        name = next(iter(more))
        events = [metered(f"{name}-{number}", more, agent=f"agt_{number}") for number in range(10)]
        assert len((await usage.record(ORGANIZATION, [1], events)).recorded) == 10
    found = await totals_of(usage, 1)
    assert len(found) == 10
    for totals in found.values():
        assert totals.reading("share-4#events") == Bands(500, kept)
        assert totals.reading("commands") == CountAndSum(1)


async def test_recorders_at_the_same_time_lose_nothing(usage: Usage) -> None:
    events = [
        metered(f"{number}", {"commands": CountAndSum(1, Decimal("0.5")), "users": user(f"{number % 11}")})
        for number in range(40)
    ]
    await asyncio.gather(
        usage.record(ORGANIZATION, [1], events[:30]),
        usage.record(ORGANIZATION, [1], events[10:]),
        usage.record(ORGANIZATION, [1], events[::-1]),
    )
    totals = await only_total(usage)
    assert totals.reading("commands") == CountAndSum(40, Decimal(20))
    assert totals.reading("users") == counted(11)


async def test_a_value_counts_once_after_its_shard_has_moved(usage: Usage) -> None:
    moving = iter(in_shard(1, 2))
    event = metered(next(moving), {"users": user("ada")})
    await usage.record(ORGANIZATION, [1], [event])
    new = metered(next(moving), {"users": user("ada")})
    recorded = await usage.record(ORGANIZATION, [1, 2], [event, new])
    assert (recorded.duplicates, recorded.recorded) == ([event], [new])
    with pytest.raises(ShardCountChangedError):
        await usage.record(ORGANIZATION, [1], [new])
    assert (await only_total(usage, 2)).reading("users") == user("ada")


@pytest.mark.usefixtures("database")  # of the stores that count time by the clock they are given
async def test_values_and_totals_outlive_their_events(usage: Usage, clock: SettableClock) -> None:
    event = metered("a", {"commands": CountAndSum(1), "users": user("ada")})
    await usage.record(ORGANIZATION, [1], [event])
    assert await usage.find(ORGANIZATION, [1], event.event.key) is not None
    clock.move(2 * RETENTION)
    assert await usage.find(ORGANIZATION, [1], event.event.key) is None
    totals = await only_total(usage)
    assert totals.reading("commands") == CountAndSum(1)
    assert totals.reading("users") == counted(1)


def happened(number: int, minute: int, *, agent: str = "agt_1", run: str | None = None) -> MeteredEvent:
    bare = metered(f"listed-{number}", {"commands": CountAndSum(1)}, agent=agent)
    time = to_text(OCTOBER + timedelta(minutes=minute))
    return replace(bare, event=msgspec.structs.replace(bare.event, time=time, run=run))


async def listed(
    usage: Usage, shards: int, wanted: EventFilter, *, page: int = 3, after: Position | None = None
) -> list[str]:
    return [event.id async for event in usage.events(ORGANIZATION, shards, wanted, after, page=page)]


async def test_events_are_listed_newest_first_over_the_shards(usage: Usage) -> None:
    """Also those from before the shards were more, and each of them once."""
    events = [happened(number, minute=number // 4) for number in range(24)]
    await usage.record(ORGANIZATION, [1], events[:10])
    await usage.record(ORGANIZATION, [1, 4], events)
    newest_first = sorted(events, key=lambda each: (each.event.time, each.event.key), reverse=True)
    ids = [each.event.id for each in newest_first]
    assert await listed(usage, 4, EventFilter()) == ids
    for index, each in enumerate(newest_first):
        after = Position(each.event.time, each.event.key)
        assert await listed(usage, 4, EventFilter(), after=after) == ids[index + 1 :]


async def test_events_are_listed_by_agent_run_and_time(usage: Usage) -> None:
    events = [
        happened(0, 0, run="r1"),
        happened(1, 1, run="r2"),
        happened(2, 2, agent="agt_2", run="r1"),
        happened(3, 3),
        happened(4, 4, agent="agt_2"),
    ]
    await usage.record(ORGANIZATION, [2], events)

    async def numbers(**wanted: Any) -> list[int]:
        return [int(id_.removeprefix("listed-")) for id_ in await listed(usage, 2, EventFilter(**wanted))]

    assert await numbers() == [4, 3, 2, 1, 0]
    assert await numbers(agent_id="agt_2") == [4, 2]
    assert await numbers(run="r1") == [2, 0]
    assert await numbers(run="r1", agent_id="agt_1") == [0]
    assert await numbers(start=OCTOBER + timedelta(minutes=1), end=OCTOBER + timedelta(minutes=3)) == [2, 1]
    assert await numbers(agent_id="agt_2", start=OCTOBER + timedelta(minutes=3)) == [4]
    assert await numbers(run="r3") == []
