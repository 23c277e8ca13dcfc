"""Events: in every form, by every credential, in part."""

from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.billed_commands import billed_agent, command

Json = dict[str, Any]


OCTOBER = "2026-10"


@pytest.mark.walk
@pytest.mark.parametrize("by", ["token", "key", "header"])
async def test_every_form_of_event_and_of_credential_counts(xyra: Xyra, by: str) -> None:
    organization = await xyra.organization()
    agent = await billed_agent(organization)
    sender = organization.key
    if by == "header":
        sender = sender.with_headers(**{"X-API-Key": sender.headers["Authorization"].removeprefix("Bearer ")})
    if by == "token":
        sender = xyra.operator
    named: Json = {"organization_id": organization.id} if by == "token" else {}
    cloud = {"specversion": "1.0", "source": "tests", "type": "command", "subject": "coder", "datacontenttype": "x/y"}
    at = {"time": "2026-10-10T14:00:00+02:00"}

    async def send(body: object, content_type: str, **headers: str) -> Json:
        answer = await sender.send("POST", "events", body, headers={"Content-Type": content_type, **headers}, **named)
        accepted: Json = answer.expect(202)
        return accepted

    one = await send(command("plain"), "application/json")
    assert one == {
        "accepted": 1,
        "duplicates_in_request": 0,
        "rejected": [],
        "events": [{"index": 0, "id": "plain"}],
        "warnings": [],
        "warnings_left_out": 0,
    }
    await send([command("list-1"), command("list-2", agent=agent["id"])], "application/json; charset=utf-8")
    batch = await send({"events": [command("batch"), command("batch")]}, "application/json")
    assert (batch["accepted"], batch["duplicates_in_request"]) == (1, 1)
    await send(cloud | at | {"id": "ce", "run": "r1", "data": {"quantity": 2}}, "application/cloudevents+json")
    structured = cloud | at | {"id": "ce-batch", "data": {"quantity": "0.5"}}
    await send([structured], "application/cloudevents-batch+json")
    binary = {f"ce-{name}": value for name, value in (cloud | at).items() if name != "datacontenttype"}
    await send({"quantity": 1.25}, "application/json", **binary, **{"ce-id": "ce-binary"})
    answer = await sender.send(
        "POST",
        f"agents/{agent['id']}/activities",
        {"activity_type": "command", "quantity": "3", "time": "2026-10-11T00:00:00Z", "id": "by-hand"},
        **named,
    )
    assert answer.headers["Location"] == f"/api/v1/events/{answer.expect(202)['event_id']}"
    await xyra.idle()
    assert await organization.usage(OCTOBER, "commands") == Decimal(4) + Decimal("2.5") + Decimal("1.25") + 3


async def test_with_partial_the_good_events_are_taken(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await billed_agent(organization)
    events = [command("good"), command("bad", quantity="-1"), command("nobody", agent="nobody"), {"id": "no type"}]
    answer = await organization.key.post("events", events, expect=202, partial="true")
    assert answer["events"] == [{"index": 0, "id": "good"}]
    pointers = {each["index"]: [place["pointer"] for place in each["errors"]] for each in answer["rejected"]}
    assert pointers == {1: ["/data/quantity"], 2: ["/agent"], 3: ["/type", "/agent"]}
    await xyra.idle()
    assert await organization.usage(OCTOBER, "commands") == 1


@pytest.mark.parametrize("form", ["list", "batch"])
async def test_a_refused_batch_names_all_events_that_are_not_valid(xyra: Xyra, form: str) -> None:
    """Whether it is their form, or what is known of agents and times."""
    organization = await xyra.organization()
    await billed_agent(organization)
    events = [command("good"), command("bad", quantity="-1"), command("nobody", agent="nobody"), {"id": "no type"}]
    body, prefix = (events, "") if form == "list" else ({"events": events}, "/events")
    answer = await organization.key.send("POST", "events", body)
    assert answer.problem(422, "validation") == [
        f"{prefix}/{place}" for place in ("1/data/quantity", "2/agent", "3/type", "3/agent")
    ]
    assert [(each["index"], [place["pointer"] for place in each["errors"]]) for each in answer.json()["rejected"]] == [
        (1, ["/data/quantity"]),
        (2, ["/agent"]),
        (3, ["/type", "/agent"]),
    ]
    assert answer.json()["detail"] == "3 of the events are not valid; none was taken"
    one = await organization.key.send("POST", "events", events[1])
    assert (one.problem(422, "validation"), "rejected" in one.json()) == (["/data/quantity"], False)
    await xyra.idle()
    assert await organization.usage(OCTOBER, "commands") == 0


async def test_a_batch_of_mistakes_is_answered_alike_each_time(xyra: Xyra) -> None:
    """The answer is kept for its key, so what it tells of mistakes is bounded."""
    organization = await xyra.organization()
    await billed_agent(organization)
    many = {f"unknown_{number}_{'n' * 90}": number for number in range(8)}
    body = [command("good"), *({"id": str(number)} | many for number in range(999))]
    key = {"Idempotency-Key": f"mistakes {organization.id}"}
    sent = [await organization.key.send("POST", "events", body, headers=key, partial="true") for _ in range(2)]
    assert sent[0].expect(202) == sent[1].expect(202)
    answer = sent[0].json()
    assert (answer["accepted"], [each["index"] for each in answer["rejected"]]) == (1, [*range(1, 1000)])
    assert [len(each["errors"]) for each in answer["rejected"]] == [5] * 20 + [0] * 979
    assert len(sent[0].body) < 64 * 1024
    refused = await organization.key.send("POST", "events", body)
    assert len(refused.problem(422, "validation")) == 20
    assert refused.json()["detail"] == "999 of the events are not valid; none was taken"
    assert refused.json()["rejected"] == answer["rejected"]
    await xyra.idle()
    assert await organization.usage(OCTOBER, "commands") == 1
