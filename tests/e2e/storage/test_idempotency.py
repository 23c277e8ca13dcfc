"""One idempotency key, one request, one answer."""

import asyncio
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]


def keyed(key: str, **headers: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **headers}


async def test_many_calls_at_once_get_the_one_answer(xyra: Xyra) -> None:
    organization = await xyra.organization()
    body = {"name": "Key", "scopes": ["events:write"], "organization_id": organization.id}

    async def make() -> Json:
        return await xyra.operator.post("api-keys", body, headers=keyed(f"at-once-{organization.id}"))

    made = await asyncio.gather(*(make() for _ in range(6)))
    assert {key["token"] for key in made} == {made[0]["token"]}
    assert await make() == made[0]
    names = [key["name"] for key in (await organization.key.get("api-keys"))["data"]]
    assert names.count("Key") == 1


async def test_the_query_is_part_of_the_request(xyra: Xyra) -> None:
    first, second = await xyra.organization(), await xyra.organization()
    body = {"external_id": "coder", "name": "Coder"}
    key = f"query-{first.id}"
    made = await xyra.operator.post("agents", body, headers=keyed(key), organization_id=first.id)
    assert made["organization_id"] == first.id
    other = await xyra.operator.send("POST", "agents", body, headers=keyed(key), organization_id=second.id)
    other.problem(409, "idempotency_conflict")
    assert (await second.key.get("agents"))["data"] == []


async def test_the_attributes_of_a_binary_cloud_event_are_part_of_the_request(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent()
    key = f"binary-{organization.id}"

    async def report(event_id: str) -> int:
        attributes = {
            "ce-specversion": "1.0",
            "ce-id": event_id,
            "ce-source": "s",
            "ce-type": "command",
            "ce-subject": "coder",
        }
        answer = await organization.key.send("POST", "events", {"quantity": 1}, headers=keyed(key, **attributes))
        return answer.status

    assert [await report("one"), await report("one"), await report("two")] == [202, 202, 409]


async def quantity(organization: Organization) -> list[str]:
    return [row["quantity"] for row in (await organization.key.get("usage"))["data"]]


async def test_binary_data_of_a_cloud_event_is_read(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent()
    event = {"specversion": "1.0", "id": "b", "source": "s", "type": "command", "subject": "coder"}
    structured = {"Content-Type": "application/cloudevents+json"}
    encoded = "eyJxdWFudGl0eSI6NX0="  # {"quantity":5}
    await organization.key.post("events", {**event, "data_base64": encoded}, expect=202, headers=structured)
    await xyra.idle()
    assert await quantity(organization) == ["5"]
    for wrong in ({"data_base64": "?"}, {"data_base64": encoded, "data": {}}):
        refused = await organization.key.send("POST", "events", {**event, **wrong}, headers=structured)
        assert refused.problem(422, "validation") == ["/data_base64"]


@pytest.mark.walk
async def test_the_same_idempotency_key_gives_the_first_answer_again(xyra: Xyra) -> None:
    organization = await xyra.organization()
    key = {"Idempotency-Key": "once"}
    body = {"external_id": "coder", "name": "Coder"}
    first = await organization.key.send("POST", "agents", body, headers=key)
    second = await organization.key.send("POST", "agents", body, headers=key)
    assert first.expect(201) == second.expect(201)
    assert first.headers["ETag"] == second.headers["ETag"]
    assert len((await organization.key.get("agents"))["data"]) == 1
    new_key = {"name": "Key", "scopes": ["agents:read"]}
    tokens = {
        (await organization.key.post("api-keys", new_key, headers={"Idempotency-Key": "key"}))["token"] for _ in "12"
    }
    assert len(tokens) == 1
    await xyra.bearing(tokens.pop()).get("agents")
