"""Traces that were stored while each had a partition of its own."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.ports.store import Create
from shared.services.ingestion.trace_records import earlier_partition_of, partition_of, slot_of
from tests.doubles.worlds.plain_spans import TRACE, agent_run, call
from tests.doubles.worlds.trace_world import MODEL, ORGANIZATION, World, identity

EARLIER = """{
  "id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "kind": "trace", "ttl": 86400, "organization_id": "%s",
  "credential": {"id": "key", "by_operator": false, "make_with": "%s"},
  "memory": {
    "trace": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "spans": [{
      "f": {"i": "63616c6c00000000", "p": "72756e0000000000", "k": "call", "s": 1796040000000000, "e": 1796040001000000,
            "u": {"i": 100, "o": 10}, "r": "a", "v": "openai", "q": "gpt-5", "l": "plain", "n": "helpdesk"},
      "c": 1796040010000000, "o": true, "u": 1796040310000000
    }]
  },
  "due_at": "2026-11-30T12:05:25.000000Z"
}"""
"""As a process of then stored a call that waits for its agent."""


@pytest.fixture
async def world() -> World:
    world = await World().prepared()
    document: dict[str, Any] = json.loads(EARLIER % (ORGANIZATION, MODEL))
    await world.store.batch("inbox", earlier_partition_of(ORGANIZATION, TRACE), [Create(document)])
    return world


async def places(world: World) -> list[str]:
    """Where the memory lies."""
    partitions = (earlier_partition_of(ORGANIZATION, TRACE), partition_of(ORGANIZATION, slot_of(TRACE)))
    return [partition for partition in partitions if await world.store.get("inbox", partition, TRACE) is not None]


async def test_a_call_gets_the_agent_that_is_named_now(world: World) -> None:
    await world.send(agent_run("run"))
    assert await world.agents_of_calls() == {identity("a"): "run"}
    assert await places(world) == [partition_of(ORGANIZATION, slot_of(TRACE))]
    await world.send(call("call", "run", answer="a"))  # sent again
    assert await world.agents_of_calls() == {identity("a"): "run"}


async def test_a_call_is_released_when_its_wait_is_over(world: World) -> None:
    world.clock.move(timedelta(seconds=300))
    await world.host.traces.release(ORGANIZATION, TRACE)
    assert await world.agents_of_calls() == {identity("a"): "helpdesk"}
    assert await places(world) == [partition_of(ORGANIZATION, slot_of(TRACE))]


async def test_the_sweep_releases_it_where_no_message_does(world: World) -> None:
    world.clock.move(timedelta(seconds=316))
    await world.host.outbox.sweep()
    assert await world.agents_of_calls() == {identity("a"): "helpdesk"}
    assert await world.store.due("inbox", "9999") == []


async def test_of_two_processes_only_one_moves_it(world: World) -> None:
    other = world.another_host()
    await world.send(agent_run("run"))
    await world.store.batch(  # the first process stopped before it deleted what it had moved
        "inbox",
        earlier_partition_of(ORGANIZATION, TRACE),
        [Create(json.loads(EARLIER % (ORGANIZATION, MODEL)))],
    )
    world.clock.move(timedelta(seconds=316))
    await other.outbox.sweep()
    assert await world.agents_of_calls() == {identity("a"): "run"}
    assert await places(world) == [partition_of(ORGANIZATION, slot_of(TRACE))]
    assert await world.store.due("inbox", "9999") == []


async def test_after_a_day_nobody_looks_for_more(world: World) -> None:
    await world.send(replace(agent_run("run"), trace_id=f"{1:032x}"))
    world.clock.move(timedelta(hours=26))
    later = world.another_host()
    await later.traces.release(ORGANIZATION, TRACE)
    assert await world.agents_of_calls() == {}
