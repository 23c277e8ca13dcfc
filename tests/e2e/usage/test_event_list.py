"""Events are found again: newest first over all shards, by agent, type, run and time, or by their own names."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

FIRST = datetime(2026, 11, 10, 12, tzinfo=UTC)


def at(minute: int) -> str:
    return (FIRST + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def event(number: int, **fields: Any) -> Json:
    return {"id": f"e{number}", "type": "command", "agent": "coder", "time": at(number)} | fields


async def names(organization: Organization, **query: str) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    cursor: Json = {}
    for _ in range(100):
        page = await organization.key.get("events", **query, **cursor)
        found += [each["id"] for each in page["data"]]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("shards", [1, 8])
async def test_newest_first_over_all_shards(xyra: Xyra, shards: int) -> None:
    organization = await xyra.organization(shard_count=shards)
    await organization.agent()
    # Each time is that of five events.
    await organization.key.report(*(event(number, time=at(number // 5)) for number in range(60)))
    await xyra.idle()
    whole = await names(organization, limit="200")
    assert sorted(whole) == sorted(f"e{number}" for number in range(60))
    minutes = [int(name[1:]) // 5 for name in whole]
    assert minutes == sorted(minutes, reverse=True)
    for limit in ("1", "7", "60"):
        assert await names(organization, limit=limit) == whole


async def test_a_cursor_keeps_its_place_while_events_come_in(xyra: Xyra) -> None:
    organization = await xyra.organization(shard_count=4)
    await organization.agent()
    await organization.key.report(*(event(number) for number in range(20)))
    await xyra.idle()
    page = await organization.key.get("events", limit="10")
    await organization.key.report(event(30), event(31, time=at(5)))
    await xyra.idle()
    rest = await organization.key.get("events", limit="200", cursor=page["next_cursor"])
    assert [each["id"] for each in page["data"]] == [f"e{number}" for number in range(19, 9, -1)]
    late = [each["id"] for each in rest["data"] if each["id"] == "e31"]
    others = [each["id"] for each in rest["data"] if each["id"] != "e31"]
    assert (late, others) == (["e31"], [f"e{number}" for number in range(9, -1, -1)])


async def test_filters(xyra: Xyra) -> None:
    organization = await xyra.organization(shard_count=2)
    coder = await organization.agent()
    await organization.agent("writer")
    await organization.key.report(
        event(0, run="r1"),
        event(1, run="r1", type="search"),
        event(2, agent="writer", run="r1"),
        event(3, agent="writer", type="search"),
        event(4),
    )
    await xyra.idle()
    assert await names(organization) == ["e4", "e3", "e2", "e1", "e0"]
    for agent in ("coder", coder["id"]):
        assert await names(organization, agent=agent) == ["e4", "e1", "e0"]
    assert await names(organization, type="search") == ["e3", "e1"]
    assert await names(organization, run="r1") == ["e2", "e1", "e0"]
    assert await names(organization, run="r1", agent="coder", type="command") == ["e0"]
    assert await names(organization, **{"from": at(1), "to": at(3)}) == ["e2", "e1"]
    assert await names(organization, **{"from": "2026-11-10T13:02:00+01:00"}) == ["e4", "e3", "e2"]
    assert await names(organization, type="search", limit="1") == ["e3", "e1"]
    assert await names(await xyra.organization()) == []


async def test_a_type_that_is_rare_takes_several_pages(xyra: Xyra) -> None:
    organization = await xyra.organization(shard_count=4)
    await organization.agent()
    await organization.key.report(
        *(event(number, time=at(0), type="rare" if number in (0, 2100) else "common") for number in range(2500))
    )
    await xyra.idle()
    page = await organization.key.get("events", type="rare")
    assert len(page["data"]) <= 2
    assert page["next_cursor"] is not None
    assert sorted(await names(organization, type="rare")) == ["e0", "e2100"]


async def test_an_event_is_found_by_its_own_name(xyra: Xyra) -> None:
    organization = await xyra.organization(shard_count=4)
    agent = await organization.agent()
    data = {"quantity": 2.50, "note": "x"}
    await organization.key.report(event(0, run="r", data=data), event(1), event(0, source="other"))
    await xyra.idle()
    (found,) = (await organization.key.get("events", source="api", id="e0"))["data"]
    assert (found["id"], found["source"], found["run"], found["agent_id"]) == ("e0", "api", "r", agent["id"])
    assert found["data"] == data
    assert found["rated_to"]["period_start"] == "2026-11-01T00:00:00Z"
    assert await organization.key.get(f"events/{found['event_id']}") == found
    assert found in (await organization.key.get("events"))["data"]
    (other,) = (await organization.key.get("events", source="other", id="e0"))["data"]
    assert other["event_id"] != found["event_id"]
    assert (await organization.key.get("events", source="api", id="e2"))["data"] == []
    assert (await (await xyra.organization()).key.get("events", source="api", id="e0"))["data"] == []


async def test_an_event_shows_what_it_cost(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent()
    call = {"model": "openai/gpt-4o", "input_tokens": 1000, "output_tokens": 100, "cost": "0.004"}
    await organization.key.report(
        event(0, type="llm_call", data=call),
        event(1, type="llm_call", data=call | {"model": "nobody's"}),
        event(2, type="cost.compute", data={"amount": "1.50"}),
        event(3),
    )
    await xyra.idle()
    fields = ("currency", "provider_cost", "cost_category", "stated_cost", "priced_by")
    shown = [tuple(each[name] for name in fields) for each in (await organization.key.get("events"))["data"]]
    assert shown == [
        ("USD", None, None, None, None),
        ("USD", "1.5", "compute", None, None),
        ("USD", None, "llm", "0.004", None),
        ("USD", "0.0035", "llm", "0.004", "openai/gpt-4o"),
    ]


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ({"source": "api"}, ["?id"]),
        ({"id": "e0"}, ["?source"]),
        ({"id": "e0", "source": "api", "type": "command"}, ["?id"]),
        ({"type": "two words"}, ["?type"]),
        ({"from": "yesterday"}, ["?from"]),
        ({"to": "2026-11-10"}, ["?to"]),
        ({"from": "2026-11-10T12:00:00"}, ["?from"]),
        ({"start": "2026-11-10T12:00:00Z"}, ["?start"]),
        ({"run": "x" * 257}, ["?run"]),
        ({"agent": "x" * 257}, ["?agent"]),
        ({"limit": "201"}, ["?limit"]),
        ({"limit": "0"}, ["?limit"]),
    ],
    ids=str,
)
async def test_a_bad_query_is_refused(xyra: Xyra, query: Json, pointers: list[str]) -> None:
    organization = await xyra.organization()
    assert (await organization.key.send("GET", "events", **query)).problem(422, "validation") == pointers


async def test_a_cursor_of_another_query_is_refused(xyra: Xyra) -> None:
    organization, other = await xyra.organization(), await xyra.organization()
    await organization.agent()
    await organization.key.report(*(event(number) for number in range(3)))
    await xyra.idle()
    cursor = (await organization.key.get("events", limit="1"))["next_cursor"]
    for query in ({"type": "command"}, {"agent": "coder"}, {"from": at(0)}):
        (await organization.key.send("GET", "events", cursor=cursor, **query)).problem(400, "malformed")
    (await other.key.send("GET", "events", cursor=cursor)).problem(400, "malformed")
    for wrong in ("x", "ü", "W10", "WyJ4IiwieSIsMV0", "e30"):
        (await organization.key.send("GET", "events", cursor=wrong)).problem(400, "malformed")
