"""Meters and percentages, collected in batches and shards, in any order, with repeats."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.sqlite import Database, SqliteStore
from shared.domain.kernel.money import truncate
from shared.ports.store import Store
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.plain_meters import OCTOBER, Happened, Share, histories, meters, shares
from tests.doubles.worlds.sharded_usage import dealt, metered, of_a_meter, only_line, recorded, versions


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
