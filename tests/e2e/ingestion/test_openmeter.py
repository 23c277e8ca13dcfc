"""OpenMeter's ingestion over HTTP: as its SDKs and LiteLLM's callback send."""

from typing import Any
from uuid import uuid4

from tests.doubles.clients.xyra_client import ORGANIZATION_SCOPES, Client, Organization, Xyra

Json = dict[str, Any]

EVENTS = "/openmeter/api/v1/events"
CLOUD_EVENT = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def event(event_id: str, **fields: Any) -> Json:
    base = {"specversion": "1.0", "id": event_id, "source": "shop", "type": "command", "subject": "coder"}
    return base | {"data": {"quantity": 2}} | fields


def litellm_tokens(event_id: str, subject: str = "coder", **data: Any) -> Json:
    """What LiteLLM's callback sends."""
    counts = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    return {
        "specversion": "1.0",
        "type": "litellm_tokens",
        "id": event_id,
        "time": "2026-11-02T12:00:00.123456",
        "subject": subject,
        "source": "litellm-proxy",
        "data": {"model": "gpt-4o", "cost": 0.00010811999999999999, **counts, **data},
    }


async def key_of(xyra: Xyra, organization: Organization, **reporting: Any) -> Client:
    body = {"name": "LiteLLM", "organization_id": organization.id, "scopes": ORGANIZATION_SCOPES}
    return xyra.bearing((await organization.operator.post("api-keys", body | reporting))["token"])


async def events_of(organization: Organization) -> list[Json]:
    return list((await organization.key.get("events", limit="200"))["data"])


async def test_events_come_one_by_one_in_batches_and_as_plain_json(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent("coder")
    key = organization.key
    (await key.send("POST", EVENTS, event("1"), headers=CLOUD_EVENT)).expect(204)
    (await key.send("POST", EVENTS, [event("2"), event("3")], headers=BATCH)).expect(204)
    (await key.send("POST", EVENTS, event("4"))).expect(204)
    (await key.send("POST", EVENTS, [event("5"), event("1")])).expect(204)
    await xyra.idle()
    recorded = await events_of(organization)
    assert sorted(each["id"] for each in recorded) == ["1", "2", "3", "4", "5"]
    assert {each["source"] for each in recorded} == {"shop"}


async def test_a_bad_event_fails_alone_and_is_named(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent("coder")
    sent = [event("good"), event("bad", type="no type!"), event("late", time="2020-01-01T00:00:00Z"), event("fine")]
    answer = await organization.key.send("POST", EVENTS, sent, headers=BATCH)
    assert answer.problem(400, "malformed") == ["/1/type", "/2/time"]
    assert "the other 2 were taken" in answer.json()["detail"]
    await xyra.idle()
    assert sorted(each["id"] for each in await events_of(organization)) == ["fine", "good"]


async def test_calls_that_may_have_cached_tokens_are_warned_of(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent("coder")
    sent = [litellm_tokens("short"), litellm_tokens("long", prompt_tokens=1024, total_tokens=1124)]
    (await organization.key.send("POST", EVENTS, sent, headers=BATCH)).expect(204)
    warnings = (await organization.key.get("ingestion"))["warnings"]
    assert {each["code"]: each["count"] for each in warnings}["cache_not_told"] == 1


async def test_litellm_tokens_are_llm_calls_of_the_subject(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent("coder")
    for _ in range(2):
        (await organization.key.send("POST", EVENTS, litellm_tokens("chatcmpl-1"), headers=CLOUD_EVENT)).expect(204)
    await xyra.idle()
    (call,) = await events_of(organization)
    assert (call["type"], call["source"], call["agent_id"]) == ("llm_call", "litellm", agent["id"])
    assert call["time"] == "2026-11-02T12:00:00.123456Z"
    data = call["data"]
    assert (data["input_tokens"], data["output_tokens"], data["model"], data["user"]) == (1000, 100, "gpt-4o", "coder")
    assert str(data["cost"]) == "0.000108120000"


async def test_an_unknown_agent_parks_its_calls_until_there_is_one(xyra: Xyra) -> None:
    organization = await xyra.organization()
    (await organization.key.send("POST", EVENTS, litellm_tokens("chatcmpl-1", "new"), headers=CLOUD_EVENT)).expect(204)
    await xyra.idle()
    (parked,) = (await organization.key.get("events/parked"))["data"]
    assert "there is no agent new" in parked["reason"]
    agent = await organization.agent("new")
    await organization.operator.post("events/parked/replay", {"ids": [parked["id"]]}, expect=202, **named(organization))
    await xyra.idle()
    (call,) = await events_of(organization)
    assert call["agent_id"] == agent["id"]


def named(organization: Organization) -> dict[str, str]:
    return {"organization_id": organization.id}


async def test_a_key_says_what_subjects_mean(xyra: Xyra) -> None:
    external_id = f"customer-{uuid4().hex}"
    organization = await xyra.organization(external_id=external_id)
    agent, shop = await organization.agent("coder"), await organization.agent("shop")
    default = await key_of(xyra, organization, subject_is="default_agent", default_agent="coder")
    (await default.send("POST", EVENTS, event("1", subject="anyone"))).expect(204)
    (await default.send("POST", EVENTS, event("6", subject="anyone", agent="shop"))).expect(204)
    body = {"name": "Proxy", "scopes": ["events:write"], "subject_is": "organization"}
    operators = xyra.bearing((await xyra.operator.post("api-keys", body))["token"])
    sent = [
        event("2", subject=external_id, agent="coder"),
        event("3", subject=external_id),
        event("4", subject=organization.slug),
        event("5", subject=organization.id),
    ]
    answer = await operators.send("POST", EVENTS, sent, headers=BATCH)
    assert answer.problem(400, "malformed") == ["/2/subject", "/3/subject"]
    await xyra.idle()
    recorded = await events_of(organization)
    expected = {"1": agent["id"], "2": agent["id"], "3": shop["id"], "6": shop["id"]}
    assert {each["id"]: each["agent_id"] for each in recorded} == expected


async def test_a_key_that_may_makes_agents(xyra: Xyra) -> None:
    organization = await xyra.organization()
    model = await organization.model({"key": "platform", "type": "flat_fee", "amount": "1"})
    key = await key_of(xyra, organization, make_agents={"billing_model_id": model["id"]})
    (await key.send("POST", EVENTS, [event("1", subject="new"), event("2", subject="new")])).expect(204)
    await xyra.idle()
    (agent,) = (await organization.key.get("agents"))["data"]
    assert agent["external_id"] == "new"
    assert {each["agent_id"] for each in await events_of(organization)} == {agent["id"]}


async def test_what_is_refused_makes_no_agent(xyra: Xyra) -> None:
    organization = await xyra.organization()
    model = await organization.model({"key": "platform", "type": "flat_fee", "amount": "1"})
    maker = await key_of(xyra, organization, make_agents={"billing_model_id": model["id"]})
    sent = [event("1", subject="late", time="2020-01-01T00:00:00Z"), event("2", subject="new")]
    (await maker.send("POST", EVENTS, sent, headers=BATCH)).problem(400, "malformed")
    assert [agent["external_id"] for agent in (await organization.key.get("agents"))["data"]] == ["new"]
