"""LiteLLM's generic API callback over HTTP, beside its callback for OpenMeter."""

import gzip
import json
from typing import Any

from tests.doubles.clients.xyra_client import Client, Organization, Xyra
from tests.doubles.worlds.litellm_payloads import payload
from tests.e2e.ingestion.test_openmeter import EVENTS, events_of, key_of, litellm_tokens

Json = dict[str, Any]

PATH = "/ingest/litellm"


async def ingest(client: Client, *payloads: Json) -> Json:
    return (await client.send("POST", PATH, list(payloads))).expect(202)


async def test_a_batch_counts_its_calls_once(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent("coder")
    sent = [payload("1"), payload("2"), payload("3", cache_hit=True), payload("1")]
    answer = await ingest(organization.key, *sent)
    assert (answer["accepted"], answer["duplicates_in_request"], answer["skipped"]) == (2, 1, 1)
    assert answer["rejected"] == []
    assert {warning["code"] for warning in answer["warnings"]} == {"no_billing_model"}
    assert (await ingest(organization.key, *sent))["accepted"] == 2
    await xyra.idle()
    calls = await events_of(organization)
    assert sorted(call["id"] for call in calls) == ["1", "2"]
    assert {(call["type"], call["source"], call["agent_id"]) for call in calls} == {
        ("llm_call", "litellm", agent["id"])
    }
    assert "secret" not in json.dumps(calls, default=str)
    assert {call["provider_cost"] for call in calls} == {"0.0035"}


async def test_one_a_line_a_single_one_and_gzip_are_read(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent("coder")
    lines = "\n".join(json.dumps(payload(call_id)) for call_id in ("1", "2")).encode()
    assert (await organization.key.send("POST", PATH, raw=lines)).expect(202)["accepted"] == 2
    assert (await organization.key.send("POST", PATH, payload("3"))).expect(202)["accepted"] == 1
    packed = gzip.compress(json.dumps([payload("4")]).encode())
    answer = await organization.key.send("POST", PATH, raw=packed, headers={"Content-Encoding": "gzip"})
    assert answer.expect(202)["accepted"] == 1
    bomb = gzip.compress(b" " * (17 * 1024 * 1024))
    answer = await organization.key.send("POST", PATH, raw=bomb, headers={"Content-Encoding": "gzip"})
    answer.problem(413, "too_large")
    (await organization.key.send("POST", PATH, raw=b'[{"id": ')).problem(400, "malformed")


async def test_a_bad_payload_fails_alone(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent("coder")
    bad = payload("2", usage={"prompt_tokens": 10, "total_tokens": 10**16, "completion_tokens": 10**16})
    sent = [payload("1"), payload("4") | {"id": None}, payload("5") | {"metadata": 7}, payload("3"), bad]
    answer = await ingest(organization.key, *sent)
    assert [each["index"] for each in answer["rejected"]] == [1, 2]
    assert answer["accepted"] == 3


async def test_both_callbacks_count_a_call_once_and_the_first_stands(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent("coder")
    key = organization.key
    await ingest(key, payload("1"), payload("2"))
    await xyra.idle()
    for tokens in (litellm_tokens("1"), litellm_tokens("2", prompt_tokens=999, total_tokens=1099)):
        (await key.send("POST", EVENTS, tokens)).expect(204)
    (await key.send("POST", EVENTS, litellm_tokens("3"))).expect(204)
    await xyra.idle()
    await ingest(key, payload("3", usage={"prompt_tokens_details": {"cached_tokens": 500}}))
    await xyra.idle()
    calls = {call["id"]: call["data"] for call in await events_of(organization)}
    assert {call_id: data["input_tokens"] for call_id, data in calls.items()} == {"1": 1000, "2": 1000, "3": 1000}
    assert "cached_input_tokens" not in calls["3"]
    assert (await key.get("events/parked"))["data"] == []
    warnings = {each["code"]: each["count"] for each in (await key.get("ingestion"))["warnings"]}
    assert warnings["differing_repetition"] == 1


async def test_unknown_agents_are_parked_or_made_and_the_answer_says_so(xyra: Xyra) -> None:
    organization = await xyra.organization()
    nobody = payload("1", metadata={"user_api_key_user_id": None})
    warning = (await ingest(organization.key, nobody))["warnings"][0]
    assert (warning["code"], warning["index"]) == ("agent_unknown", None)
    assert warning["detail"].startswith("calls of agent litellm are parked")
    model = await organization.model({"key": "platform", "type": "flat_fee", "amount": "1"})
    maker = await maker_of(xyra, organization, model)
    (warning, _) = (await ingest(maker, payload("2")))["warnings"]
    assert warning == {"index": None, "code": "agent_made", "detail": "agent coder was made"}
    await xyra.idle()
    assert [call["id"] for call in await events_of(organization)] == ["2"]


async def maker_of(xyra: Xyra, organization: Organization, model: Json) -> Client:
    return await key_of(xyra, organization, make_agents={"billing_model_id": model["id"]})


async def test_teams_and_keys_go_to_the_agents_of_their_projects(xyra: Xyra) -> None:
    organization = await xyra.organization()
    research, website = await organization.project("Research"), await organization.project("Website")
    own = await organization.agent("coder", project_id=website["id"])
    model = await organization.model({"key": "platform", "type": "flat_fee", "amount": "1"})
    mapping = [
        {"team": "team-1", "project_id": research["id"]},
        {"key": "nightly", "project_id": website["id"]},
    ]
    key = await key_of(xyra, organization, litellm_mapping=mapping, make_agents={"billing_model_id": model["id"]})
    team, nightly = {"user_api_key_team_id": "team-1"}, {"user_api_key_alias": "nightly"}
    answer = await ingest(
        key,
        payload("1", metadata=team),
        payload("2", metadata=team | nightly),
        payload("3"),
        payload("4", metadata={"user_api_key_team_alias": "team-1"}),
    )
    made = f"coder@{research['id']}"
    assert [each["detail"] for each in answer["warnings"] if each["code"] == "agent_made"] == [f"agent {made} was made"]
    await xyra.idle()
    (agent,) = (await organization.key.get("agents", external_id=made))["data"]
    assert agent["project_id"] == research["id"]
    agents = {call["id"]: call["agent_id"] for call in await events_of(organization)}
    assert agents == {"1": agent["id"], "2": own["id"], "3": own["id"], "4": agent["id"]}
    spent = await organization.key.get(f"projects/{research['id']}/summary", period="2026-11")
    assert spent["provider_cost"] == "0.007"


async def test_what_goes_to_a_project_waits_for_an_agent_in_it(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project("Research")
    await organization.agent("coder")
    key = await key_of(xyra, organization, litellm_mapping=[{"team": "team-1", "project_id": project["id"]}])
    (warning,) = (await ingest(key, payload("1", metadata={"user_api_key_team_id": "team-1"})))["warnings"]
    assert warning["code"] == "agent_unknown"
    await xyra.idle()
    (parked,) = (await organization.key.get("events/parked"))["data"]
    agent = await organization.agent(f"coder@{project['id']}", project_id=project["id"])
    named = {"organization_id": organization.id}
    await organization.operator.post("events/parked/replay", {"ids": [parked["id"]]}, expect=202, **named)
    await xyra.idle()
    assert [call["agent_id"] for call in await events_of(organization)] == [agent["id"]]


async def test_the_operators_key_sends_teams_to_organizations(xyra: Xyra) -> None:
    acme, globex = await xyra.organization(), await xyra.organization()
    for organization in (acme, globex):
        await organization.agent("coder")
    mapping = [{"team": "acme", "organization_id": acme.id}, {"team": "globex", "organization_id": globex.id}]
    body = {"name": "Proxy", "scopes": ["events:write"], "litellm_mapping": mapping}
    key = xyra.bearing((await xyra.operator.post("api-keys", body))["token"])
    sent = [payload(team, metadata={"user_api_key_team_id": team}) for team in ("acme", "globex", "nobody")]
    answer = await ingest(key, *sent)
    assert (answer["accepted"], [each["index"] for each in answer["rejected"]]) == (2, [2])
    await xyra.idle()
    for organization, team in ((acme, "acme"), (globex, "globex")):
        assert [call["id"] for call in await events_of(organization)] == [team]


async def test_what_is_refused_makes_no_agent(xyra: Xyra) -> None:
    organization = await xyra.organization()
    model = await organization.model({"key": "platform", "type": "flat_fee", "amount": "1"})
    maker = await maker_of(xyra, organization, model)
    long_ago = 1262304000
    answer = await ingest(maker, payload("1", endTime=long_ago), payload("2", metadata={"user_api_key_user_id": "b"}))
    assert [each["index"] for each in answer["rejected"]] == [0]
    assert [each["detail"] for each in answer["warnings"] if each["code"] == "agent_made"] == ["agent b was made"]
    assert [agent["external_id"] for agent in (await organization.key.get("agents"))["data"]] == ["b"]
