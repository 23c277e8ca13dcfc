"""The convenience routes make the same events as `POST /events`."""

from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]

TIME = {"time": "2026-11-10T12:00:00Z"}

SAME = [
    (
        "activities",
        {"activity_type": "command", "quantity": "2.5", "metadata": {"status": "ok"}},
        {"type": "command", "data": {"status": "ok", "quantity": "2.5"}},
    ),
    ("activities", {"activity_type": "command"}, {"type": "command"}),
    (
        "costs",
        {"cost_type": "compute", "amount": "0.25", "currency": "USD", "details": {"machine": "a-1"}},
        {"type": "cost.compute", "data": {"machine": "a-1", "amount": "0.25", "currency": "USD"}},
    ),
    ("costs", {"cost_type": "labor", "amount": 3}, {"type": "cost.labor", "data": {"amount": "3"}}),
    (
        "costs",
        {"cost_type": "api", "amount": "3.10", "details": {"share": 0.5, "rate": "1.50"}},
        {"type": "cost.api", "data": {"share": 0.5, "rate": "1.50", "amount": "3.10"}},
    ),
    (
        "outcomes",
        {"outcome_type": "deal", "value": "20.00", "interaction_time": "2026-11-10T11:00:00+02:00"},
        {"type": "outcome.deal", "data": {"value": "20.00", "interaction_time": "2026-11-10T11:00:00+02:00"}},
    ),
    (
        "workflows/bulk",
        {"workflows": {"email": "3.0"}, "metadata": {"list": 7}},
        {"type": "workflow.email", "data": {"list": 7, "quantity": "3.0"}},
    ),
    (
        "llm-calls",
        {
            "model": "gpt-4o",
            "provider": "openai",
            "input_tokens": 1200,
            "cached_input_tokens": 800,
            "output_tokens": 90,
            "reasoning_tokens": 30,
            "cost": "0.01",
            "currency": "USD",
            "metadata": {"purpose": "plan"},
        },
        {
            "type": "llm_call",
            "data": {
                "purpose": "plan",
                "model": "gpt-4o",
                "provider": "openai",
                "input_tokens": 1200,
                "cached_input_tokens": 800,
                "output_tokens": 90,
                "reasoning_tokens": 30,
                "cost": "0.01",
                "currency": "USD",
            },
        },
    ),
]


async def recorded(organization: Organization, event_id: str) -> Json:
    (found,) = (await organization.key.get("events", source="api", id=event_id))["data"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("route", "body", "event"), SAME, ids=lambda value: str(value)[:30])
async def test_they_make_the_same_event(xyra: Xyra, route: str, body: Json, event: Json) -> None:
    organization = await xyra.organization()
    agent = await organization.agent()
    path = f"agents/{agent['id']}/{route}"
    answer = await organization.key.send("POST", path, body | TIME | {"id": "told", "run": "r"})
    told = answer.expect(202)
    assert told["id"] == "told"
    (made,) = told.get("events", [told])
    assert answer.headers["Location"] == f"/api/v1/events/{made['event_id']}"
    await organization.key.report(event | TIME | {"id": "sent", "agent": "coder", "run": "r"})
    await xyra.idle()
    by_route, by_hand = await recorded(organization, made["id"]), await recorded(organization, "sent")
    assert (await organization.key.send("GET", answer.headers["Location"])).expect(200) == by_route
    assert by_route | {"id": "sent", "event_id": by_hand["event_id"]} == by_hand


async def test_a_repeat_by_another_route_is_a_duplicate(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent()
    told = {"activity_type": "command", "quantity": "2", "id": "one"}
    await organization.key.post(f"agents/{agent['id']}/activities", told, expect=202)
    await organization.key.report({"id": "one", "type": "command", "agent": "coder", "data": {"quantity": 2}})
    await xyra.idle()
    assert (await organization.key.get("events/parked"))["data"] == []
    (row,) = (await organization.key.get("usage"))["data"]
    assert row["quantity"] == "2"


@pytest.mark.parametrize(
    ("route", "body", "other"),
    [
        ("activities", {"activity_type": "command"}, {"activity_type": "search"}),
        ("costs", {"cost_type": "api", "amount": "1"}, {"cost_type": "api", "amount": "2"}),
        ("llm-calls", {"model": "gpt-4o"}, {"model": "gpt-5"}),
        ("workflows/bulk", {"workflows": {"a": 1}}, {"workflows": {"a": 2}}),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_the_id_comes_from_the_idempotency_key(xyra: Xyra, route: str, body: Json, other: Json) -> None:
    """The key belongs to one route and body."""
    organization = await xyra.organization()
    agent, twin = await organization.agent(), await organization.agent("twin")
    path, headers = f"agents/{agent['id']}/{route}", {"Idempotency-Key": f"key-{uuid4().hex}"}
    first = await organization.key.send("POST", path, body, headers=headers)
    assert first.expect(202)["id"] == headers["Idempotency-Key"]
    again = await organization.key.send("POST", path, body, headers=headers)
    assert again.expect(202) == first.expect(202)
    assert again.headers["Location"] == first.headers["Location"]
    for changed_path, changed_body in ((path, other), (f"agents/{twin['id']}/{route}", body)):
        answer = await organization.key.send("POST", changed_path, changed_body, headers=headers)
        answer.problem(409, "idempotency_conflict")
    elsewhere = await organization.key.send("POST", "agents", {"external_id": "x", "name": "X"}, headers=headers)
    elsewhere.problem(409, "idempotency_conflict")
    await xyra.idle()
    assert len((await organization.key.get("events"))["data"]) == 1


async def test_without_any_id_each_report_is_an_event_of_its_own(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent()
    path = f"agents/{agent['id']}/costs"
    ids = {(await organization.key.post(path, {"cost_type": "api", "amount": 1}, expect=202))["id"] for _ in range(2)}
    assert len(ids) == 2


async def test_workflows_in_bulk_are_an_event_each(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent()
    body = {"workflows": {"lead_research": 12, "email": "3.5"}, "metadata": {"campaign": "x"}, "run": "r", **TIME}
    headers = {"Idempotency-Key": "bulk-1"}
    answer = await organization.key.send("POST", f"agents/{agent['id']}/workflows/bulk", body, headers=headers)
    told = answer.expect(202)
    assert told["id"] == "bulk-1"
    assert [(each["workflow"], each["id"]) for each in told["events"]] == [
        ("lead_research", "bulk-1:lead_research"),
        ("email", "bulk-1:email"),
    ]
    assert answer.headers["Location"] == f"/api/v1/events/{told['events'][0]['event_id']}"
    await xyra.idle()
    events = {each["type"]: each for each in (await organization.key.get("events", run="r"))["data"]}
    assert set(events) == {"workflow.lead_research", "workflow.email"}
    assert events["workflow.email"]["data"]["campaign"] == "x"
    assert events["workflow.email"]["data"]["quantity"] == "3.5"
    assert events["workflow.lead_research"]["data"]["quantity"] == "12"
    quantities = {row["event_type"]: row["quantity"] for row in (await organization.key.get("usage"))["data"]}
    assert quantities == {"workflow.lead_research": "12", "workflow.email": "3.5"}


COST = {"cost_type": "api", "amount": "1"}
CALL = {"model": "gpt-4o"}
FLOWS = {"workflows": {"email": 1}}


@pytest.mark.parametrize(
    ("route", "body", "pointers"),
    [
        ("costs", {"amount": "1"}, ["/cost_type"]),
        ("costs", COST | {"cost_type": "two words"}, ["/cost_type"]),
        ("costs", {"cost_type": "api"}, ["/amount"]),
        ("costs", COST | {"amount": "-1"}, ["/amount"]),
        ("costs", COST | {"amount": "NaN"}, ["/amount"]),
        ("costs", COST | {"amount": "1e30"}, ["/amount"]),
        ("costs", COST | {"currency": "dollars"}, ["/currency"]),
        ("costs", COST | {"details": {"amount": "2"}}, ["/details/amount"]),
        ("costs", COST | {"details": {"currency": "EUR"}}, ["/details/currency"]),
        ("costs", COST | {"details": {str(number): 1 for number in range(51)}}, ["/details"]),
        ("costs", COST | {"details": {"quantity": "many"}}, ["/details/quantity"]),
        ("costs", COST | {"time": "2126-11-10T12:00:00Z"}, ["/time"]),
        ("costs", COST | {"time": "2026-11-10T12:00:00"}, ["/time"]),
        ("costs", COST | {"id": ""}, ["/id"]),
        ("costs", COST | {"run": "a\nb"}, ["/run"]),
        ("costs", COST | {"surprise": 1}, ["/surprise"]),
        ("llm-calls", {}, ["/model"]),
        ("llm-calls", {"model": ""}, ["/model"]),
        ("llm-calls", CALL | {"input_tokens": -1}, ["/input_tokens"]),
        ("llm-calls", CALL | {"output_tokens": "many"}, ["/output_tokens"]),
        ("llm-calls", CALL | {"output_tokens": 1.5}, ["/output_tokens"]),
        ("llm-calls", CALL | {"output_tokens": True}, ["/output_tokens"]),
        ("llm-calls", CALL | {"input_tokens": 1, "cached_input_tokens": 2}, ["/cached_input_tokens"]),
        ("llm-calls", CALL | {"cost": "-0.1"}, ["/cost"]),
        ("llm-calls", CALL | {"metadata": {"model": "other"}}, ["/metadata/model"]),
        ("workflows/bulk", {}, ["/workflows"]),
        ("workflows/bulk", {"workflows": {}}, ["/workflows"]),
        ("workflows/bulk", {"workflows": {"email": "-1"}}, ["/workflows/email"]),
        ("workflows/bulk", {"workflows": {"two words": 1}}, ["/workflows/two words"]),
        ("workflows/bulk", {"workflows": {str(number): 1 for number in range(101)}}, ["/workflows"]),
        ("workflows/bulk", FLOWS | {"id": "x" * 256}, ["/workflows/email"]),
        ("workflows/bulk", FLOWS | {"metadata": {"quantity": 1}}, ["/metadata/quantity"]),
        ("workflows/bulk", {"workflows": {"a": 1, "b": 1}, "time": "2126-11-10T12:00:00Z"}, ["/time"]),
        ("workflows/bulk", FLOWS | {"metadata": {"text": "x" * 33_000}}, [""]),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_bad_report_is_refused(xyra: Xyra, route: str, body: Json, pointers: list[str]) -> None:
    organization = await xyra.organization()
    agent = await organization.agent()
    answer = await organization.key.send("POST", f"agents/{agent['id']}/{route}", body)
    assert answer.problem(422, "validation") == pointers
    await xyra.idle()
    assert (await organization.key.get("events"))["data"] == []


@pytest.mark.parametrize("route", ["costs", "llm-calls", "workflows/bulk"])
async def test_what_is_no_report_is_refused(xyra: Xyra, route: str) -> None:
    organization, other = await xyra.organization(), await xyra.organization()
    agent, others = await organization.agent(), await other.agent()
    path = f"agents/{agent['id']}/{route}"
    for raw in (b"{", b"\xff", b"[" * 1_000):
        (await organization.key.send("POST", path, raw=raw)).problem(400, "malformed")
    for raw in (b"null", b"[]", b"1", b'"x"'):
        (await organization.key.send("POST", path, raw=raw)).problem(422, "validation")
    xml = {"Content-Type": "application/xml"}
    (await organization.key.send("POST", path, {}, headers=xml)).problem(415, "unsupported_media_type")
    body = {"costs": COST, "llm-calls": CALL, "workflows/bulk": FLOWS}[route]
    await assert_no_agent(organization.key, f"agents/{others['id']}/{route}", body)
    await assert_no_agent(organization.key, f"agents/agt_0/{route}", body)


async def assert_no_agent(client: Client, path: str, body: Json) -> None:
    (await client.send("POST", path, body)).problem(404, "not_found")
