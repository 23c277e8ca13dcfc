"""What was accepted and cannot be metered waits, visibly, until it is metered or discarded."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.sqlite.queue import LocalQueue
from shared.containers import TENANTS
from shared.domain.kernel.ids import new_id
from shared.domain.usage.events import content_hash, event_key
from shared.ports.queue import Message
from shared.services.usage.messages import QUEUE, session_of
from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.fakes.settable_clock import SettableClock

Json = dict[str, Any]

MONTH = "2026-11"
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}


class Backstage:
    """Store and queue of the running host, for what the API does not allow."""

    def __init__(self, data_dir: Path) -> None:
        self._database = Database(data_dir / "xyra.db")
        self._store = SqliteStore(self._database, SettableClock(NOW))
        self._queue = LocalQueue(self._database)

    def close(self) -> None:
        self._database.close()

    async def send(self, organization: Organization, body: bytes) -> None:
        message = Message(body=body, session_id=session_of(organization.id, 0), message_id=new_id("msg"))
        await self._queue.send(QUEUE, [message])

    async def restore_organization(self, like: Organization, organization_id: str) -> None:
        """The document of an organization that a restored backup did not have."""
        item = await self._store.get(TENANTS.name, like.id, like.id)
        assert item is not None
        await self._store.create(TENANTS.name, organization_id, item.document | {"id": organization_id})

    async def restore_agent(self, organization: Organization, like: Json, agent_id: str) -> None:
        """The document of an agent that a restored backup did not have."""
        item = await self._store.get(TENANTS.name, organization.id, like["id"])
        assert item is not None
        await self._store.create(
            TENANTS.name, organization.id, item.document | {"id": agent_id, "external_id": agent_id}
        )


@pytest.fixture
async def backstage(shared_host: Served) -> AsyncIterator[Backstage]:
    opened = Backstage(shared_host.process.data_dir)
    yield opened
    opened.close()


async def with_agent(xyra: Xyra) -> tuple[Organization, Json]:
    organization = await xyra.organization(shard_count=1)
    model = await organization.model(COMMANDS, effective_from="2026-11-01T00:00:00Z")
    agent = await organization.agent(billing_model_id=model["id"], billing_model_from="2026-11-01T00:00:00Z")
    return organization, agent


def command(event_id: str, quantity: int = 1) -> Json:
    return {"id": event_id, "type": "command", "agent": "coder", "data": {"quantity": quantity}}


def sent(organization: Organization, event_id: str, agent_id: str, quantity: int = 1) -> Json:
    """An event as it is on the queue."""
    data = {"quantity": quantity}
    return {
        "key": event_key(organization.id, "api", event_id),
        "id": event_id,
        "source": "api",
        "type": "command",
        "agent": agent_id,
        "time": "2026-11-10T12:00:00.000000Z",
        "data": data,
        "content": content_hash("command", agent_id, None, data),
    }


def message(organization: Organization, *events: Json) -> bytes:
    return json.dumps({"organization": organization.id, "events": events}).encode()


async def parked(organization: Organization, **query: str) -> list[Json]:
    found: list[Json] = (await organization.key.get("events/parked", **query))["data"]
    return found


async def replay_parked(organization: Organization, body: Json) -> Json:
    answer: Json = await organization.operator.post(
        "events/parked/replay", body, expect=202, organization_id=organization.id
    )
    return answer


async def conflicting(xyra: Xyra) -> tuple[Organization, Json]:
    organization, _ = await with_agent(xyra)
    for quantity in (1, 2):
        await organization.key.report(command("call", quantity))
        await xyra.idle()
    (entry,) = await parked(organization)
    return organization, entry


async def test_one_poison_event_among_99_good_ones_is_parked_and_replayed_when_its_cause_is_gone(
    xyra: Xyra, backstage: Backstage
) -> None:
    organization, agent = await with_agent(xyra)
    lost = new_id("agt")
    events = [sent(organization, f"call-{number}", agent["id"]) for number in range(99)]
    events.insert(50, sent(organization, "poison", lost, quantity=1000))
    for start in range(0, 100, 50):
        await backstage.send(organization, message(organization, *events[start : start + 50]))
    await xyra.idle()
    assert await organization.usage(MONTH, "commands") == 99
    (entry,) = await parked(organization)
    assert (entry["subject"]["id"], entry["status"], entry["replay"]) == ("poison", "parked", None)
    assert "agent" in entry["reason"]

    assert (await replay_parked(organization, {"ids": [entry["id"]]}))["sent"] == 1
    await xyra.idle()
    (still,) = await parked(organization)
    assert (still["id"], still["replay"]["attempt"]) == (entry["id"], 1)
    assert await organization.usage(MONTH, "commands") == 99

    await backstage.restore_agent(organization, agent, lost)
    assert (await replay_parked(organization, {"all": True}))["sent"] == 1
    await xyra.idle()
    assert await organization.usage(MONTH, "commands") == 1099
    assert await parked(organization) == []
    (closed,) = await parked(organization, status="rated")
    assert (closed["id"], closed["replay"]["attempt"]) == (entry["id"], 2)
    refused = await replay_parked(organization, {"ids": [entry["id"]]})
    assert (refused["sent"], [each["id"] for each in refused["refused"]]) == (0, [entry["id"]])


async def test_a_message_that_fails_in_all_its_deliveries_becomes_parked_events(
    xyra: Xyra, backstage: Backstage
) -> None:
    """The host delivers a message a hundred times before it gives up."""
    organization, _ = await with_agent(xyra)
    lost = replace(organization, id=new_id("org"))
    agent_id = new_id("agt")
    events = [sent(lost, f"call-{number}", agent_id) for number in range(3)]
    await backstage.send(lost, message(lost, *events))
    await xyra.idle()
    await backstage.restore_organization(organization, lost.id)
    entries = (await xyra.operator.get("events/parked", organization_id=lost.id))["data"]
    assert {each["subject"]["key"] for each in entries} == {event["key"] for event in events}
    assert {each["reason"] for each in entries} == {"the message could not be handled in all its deliveries"}


async def test_an_event_that_breaks_the_rater_stops_no_neighbour(xyra: Xyra, backstage: Backstage) -> None:
    organization, agent = await with_agent(xyra)
    good = [sent(organization, f"call-{number}", agent["id"]) for number in range(5)]
    broken = sent(organization, "broken", agent["id"]) | {"time": "no time at all"}
    await backstage.send(organization, message(organization, broken, *good))
    await xyra.idle()
    assert await organization.usage(MONTH, "commands") == 5
    (entry,) = await parked(organization)
    assert entry["subject"]["id"] == "broken"
    assert (await replay_parked(organization, {"all": True}))["sent"] == 1
    await xyra.idle()
    (still,) = await parked(organization)
    assert still["replay"]["attempt"] == 1


async def test_replays_at_once_count_the_event_once(xyra: Xyra, backstage: Backstage) -> None:
    organization, agent = await with_agent(xyra)
    lost = new_id("agt")
    await backstage.send(organization, message(organization, sent(organization, "call", lost, quantity=7)))
    await xyra.idle()
    await backstage.restore_agent(organization, agent, lost)
    answers = await asyncio.gather(*(replay_parked(organization, {"all": True}) for _ in range(4)))
    await xyra.idle()
    assert sum(answer["sent"] for answer in answers) >= 1
    assert await organization.usage(MONTH, "commands") == 7
    assert await parked(organization) == []


async def test_a_conflicting_event_can_only_be_discarded(xyra: Xyra) -> None:
    organization, entry = await conflicting(xyra)
    answer = await replay_parked(organization, {"ids": [entry["id"], "of/nothing"]})
    assert answer["sent"] == 0
    assert [each["id"] for each in answer["refused"]] == [entry["id"], "of/nothing"]
    path = f"events/parked/{entry['id']}/discard"
    for _ in range(2):
        discarded = await organization.operator.post(
            path, {"reason": "A mistake"}, expect=200, organization_id=organization.id
        )
        assert (discarded["status"], discarded["discard"]["reason"]) == ("discarded", "A mistake")
        assert discarded["discard"]["by"]
    assert await parked(organization) == []
    assert await parked(organization, status="discarded") == [discarded]
    missing = await organization.operator.send(
        "POST", "events/parked/park_nothing/discard", {"reason": "A mistake"}, organization_id=organization.id
    )
    missing.problem(404, "not_found")
    other = await organization.operator.send("POST", path, {"reason": "Another"}, organization_id=organization.id)
    other.problem(409, "conflict")
    assert (await replay_parked(organization, {"ids": [entry["id"]]}))["sent"] == 0
    assert await organization.usage(MONTH, "commands") == 1


async def test_an_event_that_was_rated_after_all_is_closed_and_cannot_be_discarded(
    xyra: Xyra, backstage: Backstage
) -> None:
    organization, agent = await with_agent(xyra)
    late = new_id("agt")
    body = message(organization, sent(organization, "one", late), sent(organization, "two", late))
    await backstage.send(organization, body)
    await xyra.idle()
    first, second = await parked(organization)
    await backstage.restore_agent(organization, agent, late)
    await backstage.send(organization, body)
    await xyra.idle()
    assert await organization.usage(MONTH, "commands") == 2
    assert await replay_parked(organization, {"ids": [first["id"]]}) == {
        "sent": 0,
        "rated": 1,
        "refused": [],
        "next_cursor": None,
    }
    refused = await organization.operator.send(
        "POST", f"events/parked/{second['id']}/discard", {"reason": "Old"}, organization_id=organization.id
    )
    refused.problem(409, "conflict")
    assert {each["id"] for each in await parked(organization, status="rated")} == {first["id"], second["id"]}


async def test_a_message_that_cannot_be_read_is_shown_to_the_operator(xyra: Xyra, backstage: Backstage) -> None:
    organization, _ = await with_agent(xyra)
    text = f"no message of ours {organization.id}"
    await backstage.send(organization, text.encode())
    await xyra.idle()
    assert await parked(organization) == []
    unreadable = (await xyra.operator.get("events/parked", limit="200"))["data"]
    (entry,) = [each for each in unreadable if each["subject"]["message"] == text]
    path = f"events/parked/{entry['id']}/discard"
    assert (await xyra.operator.post(path, {"reason": "Noise"}, expect=200))["status"] == "discarded"
    unnamed = await xyra.operator.send("POST", "events/parked/replay", {"ids": [entry["id"]]})
    unnamed.problem(422, "validation")


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"ids": ["a"], "all": True}, {"ids": ["a"], "cursor": "b"}, {"ids": ["a"] * 201}]
)
async def test_what_to_replay_is_named_in_one_way(xyra: Xyra, body: Json) -> None:
    organization = await xyra.organization()
    answer = await xyra.operator.send("POST", "events/parked/replay", body, organization_id=organization.id)
    assert answer.problem(422, "validation")


async def test_members_and_their_keys_can_neither_replay_nor_discard(xyra: Xyra) -> None:
    organization, entry = await conflicting(xyra)
    for path, body in (("replay", {"all": True}), (f"{entry['id']}/discard", {"reason": "Too dear"})):
        (await organization.key.send("POST", f"events/parked/{path}", body)).problem(403, "forbidden")
    assert await parked(organization) == [entry]
