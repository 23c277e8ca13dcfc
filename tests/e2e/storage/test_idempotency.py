"""One idempotency key, one request, one answer."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.xyra_client import Answer, Organization, Xyra

Json = dict[str, Any]


def keyed(key: str, **headers: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **headers}


def kept(made: dict[str, Any]) -> dict[str, Any]:
    """What a repeated call is told of a key."""
    return {name: value for name, value in made.items() if name not in ("token", "warnings")}


async def test_many_calls_at_once_get_the_one_answer(xyra: Xyra) -> None:
    organization = await xyra.organization()
    body = {"name": "Key", "scopes": ["events:write"], "organization_id": organization.id}

    async def make() -> Answer:
        return await xyra.operator.send("POST", "api-keys", body, headers=keyed(f"at-once-{organization.id}"))

    answers = await asyncio.gather(*(make() for _ in range(6)))
    (made,) = [answer.expect(201) for answer in answers if answer.status == 201]
    record = kept(made) | {"reused": True}
    assert [answer.expect(200) for answer in answers if answer.status != 201] == [record] * 5
    assert (await make()).expect(200) == record
    names = [key["name"] for key in (await organization.key.get("api-keys"))["data"]]
    assert names.count("Key") == 1


async def test_another_credential_is_neither_shown_the_answer_nor_does_it_act(xyra: Xyra) -> None:
    """Neither another key, however much it may do, nor a user, nor a key that has to be refused anyway."""
    email = f"{uuid4().hex}@example.com"
    signed_up = await xyra.sign_up(email)
    owner, organization_id = await xyra.sign_in(email), signed_up["organization"]["id"]
    key, narrow = await xyra.key_of(organization_id), await xyra.key_of(organization_id, ["events:write"])
    requests: dict[str, Json] = {
        "api-keys": {"name": "Owner's", "scopes": ["api_keys:write", "events:write"]},
        "agents": {"external_id": "coder", "name": "Coder"},
        "projects": {"name": "Website"},
        "departments": {"name": "Support"},
    }
    for path, body in requests.items():
        made = await owner.post(path, body, headers=keyed(path))
        other = await key.send("POST", path, body, headers=keyed(path))
        other.problem(409, "idempotency_conflict")
        assert made["id"] not in other.body.decode()
        (await narrow.send("POST", path, body, headers=keyed(path))).problem(403, "forbidden")
        again = await xyra.sign_in(email)  # another session of the same person
        assert (await again.send("POST", path, body, headers=keyed(path))).json()["id"] == made["id"]
        assert [each["id"] for each in (await owner.get(path))["data"]].count(made["id"]) == 1
    assert len((await owner.get("agents"))["data"]) == 1


async def test_a_report_is_repeated_with_the_key_that_came_after(xyra: Xyra) -> None:
    """Identity decides about events: what is sent again after the rotation of a key is taken, and counts once."""
    organization = await xyra.organization()
    await organization.agent()
    old = await xyra.operator.post(
        "api-keys", {"name": "Old", "scopes": ["events:write"], "organization_id": organization.id}
    )
    new = await xyra.key_of(organization.id, ["events:write"])
    reports: dict[str, Json] = {
        "events": {"id": "1", "type": "command", "agent": "coder"},
        "agents/coder/activities": {"activity_type": "command"},
        "runs": {"key": "run"},
    }
    answers = {
        path: await xyra.bearing(old["token"]).send("POST", path, body, headers=keyed(path))
        for path, body in reports.items()
    }
    (await organization.key.send("DELETE", f"api-keys/{old['id']}")).expect(204)
    for path, body in reports.items():
        again = await new.send("POST", path, body, headers=keyed(path))
        assert (again.status, again.body) == (answers[path].status, answers[path].body)
    await xyra.idle()
    assert await quantity(organization) == ["2"]


async def test_whoever_may_no_longer_do_it_is_not_shown_what_it_came_to(xyra: Xyra) -> None:
    organization = await xyra.organization(settings={"self_managed_pricing": True})
    model = {"name": "M", "currency": "USD", "charges": [{"key": "f", "type": "flat_fee", "amount": "1"}]}
    await organization.key.post("billing-models", model, headers=keyed("model"))
    path = f"organizations/{organization.id}"
    change = {"settings": {"self_managed_pricing": False}}
    read = {"If-Match": (await xyra.operator.send("GET", path)).headers["ETag"]}
    (await xyra.operator.send("PATCH", path, change, headers=read)).expect(200)
    (await organization.key.send("POST", "billing-models", model, headers=keyed("model"))).problem(403, "forbidden")


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


async def test_the_token_of_a_key_is_shown_only_in_the_first_answer(xyra: Xyra) -> None:
    organization = await xyra.organization()
    body = {"name": "Key", "scopes": ["agents:read"]}
    made = await organization.key.post("api-keys", body, headers=keyed("key"))
    again = await organization.key.send("POST", "api-keys", body, headers=keyed("key"))
    assert again.expect(200) == kept(made) | {"reused": True}
    await xyra.bearing(made["token"]).get("agents")
