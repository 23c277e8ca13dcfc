"""Outcomes, as their port describes them, on every store that they are laid out in."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.adapters.usage.item_outcomes import ItemOutcomes
from shared.adapters.usage.item_usage import ItemUsage
from shared.domain.kernel.times import to_text
from shared.domain.metering.readings import CountAndSum
from shared.domain.usage.events import AcceptedEvent, TotalKey, event_key, shard_of
from shared.domain.usage.outcomes import Decision, Outcome, Verification, new_outcome, reject, system_totals_of, verify
from shared.domain.usage.totals import unpriced_contribution
from shared.ports.changes import ChangeResult
from shared.ports.outcomes import OutcomeChange, OutcomeFilter, StoredOutcome
from shared.ports.store import Document, Position, Store
from shared.ports.usage import MeteredEvent

ORGANIZATION = "org_1"
OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
MANY = 130
RETENTION_SECONDS = 90 * 24 * 60 * 60
DECISION = Decision(NOVEMBER, "operator", "usr_1")


@pytest.fixture
def outcomes(store: Store) -> ItemOutcomes:
    return ItemOutcomes(store, RETENTION_SECONDS)


@pytest.fixture
def usage(store: Store) -> ItemUsage:
    return ItemUsage(store, RETENTION_SECONDS)


def reported(number: int, period: datetime = OCTOBER, agent: str = "agt_1") -> MeteredEvent:
    event = AcceptedEvent(
        key=event_key(ORGANIZATION, "api", f"{number}"),
        id=f"{number}",
        source="api",
        type="outcome.won",
        agent=agent,
        time=to_text(period + timedelta(minutes=number)),
        data={"value": Decimal(2)},
        content="",
    )
    total = TotalKey(period, agent, "-")
    outcome = new_outcome(event, total, (), unpriced_contribution(event), "USD", period)
    added = unpriced_contribution(event, system_totals_of(outcome, "USD"))
    return MeteredEvent(event, total, added, None, outcome=outcome)


def ids_of(events: list[MeteredEvent]) -> list[str]:
    return [event.outcome.id for event in events if event.outcome is not None]


def accepting(kept: StoredOutcome, rebilling: Document | None = None) -> OutcomeChange:
    assert kept.event is not None
    decided = verify(kept.outcome, kept.event.costed(), (), "USD", Verification(), DECISION)
    assert decided is not None
    return OutcomeChange(kept, decided, rebilling)


async def system_totals(usage: ItemUsage, shards: int, period: datetime = OCTOBER) -> dict[str, tuple[int, Decimal]]:
    found: dict[str, tuple[int, Decimal]] = {}
    for total in await usage.totals(ORGANIZATION, shards, period):
        for name in total.totals.meters():
            reading = total.totals.reading(name)
            if name.startswith("$") and isinstance(reading, CountAndSum):
                count, value = found.get(name, (0, Decimal(0)))
                found[name] = (count + int(reading.count), value + Decimal(reading.sum))
    return found


async def listed(outcomes: ItemOutcomes, wanted: OutcomeFilter, after: Position | None = None) -> list[Outcome]:
    return [outcome async for outcome in outcomes.newest(ORGANIZATION, 4, wanted, after, page=50)]


async def test_decisions_move_their_totals_whatever_the_shard_count_has_become(
    outcomes: ItemOutcomes, usage: ItemUsage
) -> None:
    old, new = [reported(number) for number in range(MANY)], [reported(MANY + number) for number in range(20)]
    await usage.record(ORGANIZATION, [1], old)
    await usage.record(ORGANIZATION, [1, 4], new)
    found = await outcomes.find(ORGANIZATION, [1, 4], [*ids_of(old), *ids_of(new), "out_unknown"])
    assert set(found) == set(ids_of([*old, *new]))
    assert {kept.outcome.status for kept in found.values()} == {"pending"}
    changed = await outcomes.commit([accepting(kept) for kept in found.values()])
    assert (len(changed.committed), changed.superseded) == (MANY + 20, [])
    assert await system_totals(usage, 4) == {
        "$outcome_pending": (0, Decimal(0)),
        "$outcome_value": (MANY + 20, Decimal(2 * (MANY + 20))),
    }
    again = await outcomes.find(ORGANIZATION, [1, 4], list(found))
    assert {kept.outcome.status for kept in again.values()} == {"verified"}
    late = await outcomes.commit([accepting(kept) for kept in list(found.values())[:3]])
    assert (late.committed, len(late.superseded)) == ([], 3)
    assert (await system_totals(usage, 4))["$outcome_value"][0] == MANY + 20


async def test_deciders_and_recorders_at_the_same_time_lose_nothing(outcomes: ItemOutcomes, usage: ItemUsage) -> None:
    events, more = [reported(number) for number in range(60)], [reported(60 + number) for number in range(40)]
    await usage.record(ORGANIZATION, [1], events)
    found = list((await outcomes.find(ORGANIZATION, [1], ids_of(events))).values())
    refusals = [reject(kept.outcome, "USD", "no", DECISION) for kept in found]
    refusing = [
        OutcomeChange(kept, decided, None) for kept, decided in zip(found, refusals, strict=True) if decided is not None
    ]
    accepted_, refused, _ = await asyncio.gather(
        outcomes.commit([accepting(kept) for kept in found[:40]]),
        outcomes.commit(refusing[20:]),
        usage.record(ORGANIZATION, [1], more),
    )
    assert isinstance(accepted_, ChangeResult)
    assert len(accepted_.committed) + len(refused.committed) == 60
    assert len(accepted_.superseded) + len(refused.superseded) == 20
    found_now = await system_totals(usage, 1)
    assert found_now["$outcome_pending"] == (40, Decimal(80))
    assert found_now["$outcome_value"][0] == len(accepted_.committed)
    assert found_now["$outcome_rejected"][0] == len(refused.committed)


async def test_the_outbox_entry_comes_with_the_decision(outcomes: ItemOutcomes, usage: ItemUsage, store: Store) -> None:
    event = reported(1)
    await usage.record(ORGANIZATION, [1], [event])
    (kept,) = (await outcomes.find(ORGANIZATION, [1], ids_of([event]))).values()
    entry = {"id": "outbox:moved", "kind": "outbox", "due_at": to_text(NOVEMBER)}
    changed = await outcomes.commit([accepting(kept, entry)])
    ((container, partition, entry_id),) = changed.outbox_entries
    assert await store.get(container, partition, entry_id) is not None


async def test_lists_are_newest_first_over_all_shards(outcomes: ItemOutcomes, usage: ItemUsage) -> None:
    events = [reported(number, OCTOBER if number < 70 else NOVEMBER, f"agt_{number % 3}") for number in range(MANY)]
    await usage.record(ORGANIZATION, [4], events)
    assert len({shard_of(event.event.key, 4) for event in events}) == 4
    found = await outcomes.find(ORGANIZATION, [4], ids_of(events[:10]))
    await outcomes.commit([accepting(kept) for kept in found.values()])

    async def names(wanted: OutcomeFilter, after: Position | None = None) -> list[int]:
        return [int(outcome.event_id) for outcome in await listed(outcomes, wanted, after)]

    everything = list(range(MANY - 1, -1, -1))
    assert await names(OutcomeFilter()) == everything
    assert await names(OutcomeFilter(status="verified")) == list(range(9, -1, -1))
    assert await names(OutcomeFilter(agent_id="agt_1")) == [number for number in everything if number % 3 == 1]
    assert await names(OutcomeFilter(period=OCTOBER)) == list(range(69, -1, -1))
    window = OutcomeFilter(start=OCTOBER + timedelta(minutes=5), end=OCTOBER + timedelta(minutes=8))
    assert await names(window) == [7, 6, 5]
    middle = (await listed(outcomes, OutcomeFilter()))[64]
    assert await names(OutcomeFilter(), Position(middle.time, middle.id)) == everything[65:]
