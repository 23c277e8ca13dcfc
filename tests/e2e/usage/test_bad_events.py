"""Events and reports that are refused, at the place of what is wrong."""

import json
from typing import Any

import pytest

from tests.doubles.worlds.two_organizations import EVENT, TwoOrganizations, events

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"agent": "nobody"}, ["/1/agent"]),
        ({"agent": ""}, ["/1/agent"]),
        ({"id": "x" * 10_000}, ["/1/id"]),
        ({"id": ""}, ["/1/id"]),
        ({"id": 7}, ["/1/id"]),
        ({"id": "a\nb"}, ["/1/id"]),
        ({"source": "x" * 257}, ["/1/source"]),
        ({"type": "two words"}, ["/1/type"]),
        ({"type": "x" * 201}, ["/1/type"]),
        ({"type": "outcome."}, ["/1/type"]),
        ({"type": "cost.", "data": {"amount": "1"}}, ["/1/type"]),
        ({"type": "workflow."}, ["/1/type"]),
        ({"time": "2026-11-10T12:00:00"}, ["/1/time"]),
        ({"time": "2126-11-10T12:00:00Z"}, ["/1/time"]),
        ({"time": "1926-11-10T12:00:00Z"}, ["/1/time"]),
        ({"time": "2026-11-18T12:00:00Z"}, ["/1/time"]),
        ({"time": "2026-11-31T12:00:00Z"}, ["/1/time"]),
        ({"time": "yesterday"}, ["/1/time"]),
        ({"time": 1_700_000_000}, ["/1/time"]),
        ({"time": "0001-01-01T00:00:00+14:00"}, ["/1/time"]),
        ({"data": {"quantity": "-1"}}, ["/1/data/quantity"]),
        ({"data": {"quantity": -0.5}}, ["/1/data/quantity"]),
        ({"data": {"quantity": "NaN"}}, ["/1/data/quantity"]),
        ({"data": {"quantity": "Infinity"}}, ["/1/data/quantity"]),
        ({"data": {"quantity": True}}, ["/1/data/quantity"]),
        ({"data": {"quantity": "1e40"}}, ["/1/data/quantity"]),
        ({"data": []}, ["/1/data"]),
        ({"data": {"text": "x" * 33_000}}, ["/1"]),
        ({"type": "outcome.sale", "data": {"evidence": {"text": "x" * 33_000}}}, ["/1"]),
        ({"type": "cost.llm"}, ["/1/data/amount"]),
        ({"type": "cost.llm", "data": {"amount": "1", "currency": "dollars"}}, ["/1/data/currency"]),
        ({"type": "cost.llm", "data": {"amount": "1", "currency": "XXQ"}}, ["/1/data/currency"]),
        ({"type": "outcome.sale", "data": {"value": "1", "currency": "XXQ"}}, ["/1/data/currency"]),
        ({"type": "outcome.sale", "data": {"value": "1", "currency": {"code": "USD"}}}, ["/1/data/currency"]),
        ({"type": "llm_call", "data": {"cost": "1", "currency": "XAU"}}, ["/1/data/currency"]),
        ({"data": {"currency": "usd"}}, ["/1/data/currency"]),
        ({"type": "outcome.sale", "data": {"value": "-1"}}, ["/1/data/value"]),
        ({"type": "llm_call", "data": {"input_tokens": -1}}, ["/1/data/input_tokens"]),
        (
            {"type": "llm_call", "data": {"input_tokens": 1, "cached_input_tokens": 2}},
            ["/1/data/cached_input_tokens"],
        ),
        ({"type": "llm_call", "data": {"output_tokens": "many"}}, ["/1/data/output_tokens"]),
        ({"quantity": "1"}, ["/1/quantity"]),
        ({"agent": "nobody", "time": "2126-11-10T12:00:00Z"}, ["/1/agent", "/1/time"]),
    ],
)
async def test_one_bad_event_rejects_the_request(
    unchanged: TwoOrganizations, change: Json, pointers: list[str]
) -> None:
    answer = await unchanged.key.send("POST", "events", events(change))
    assert answer.problem(422, "validation") == pointers
    wrapped = await unchanged.key.send("POST", "events", {"events": events(change)})
    assert wrapped.problem(422, "validation") == [f"/events{pointer}" for pointer in pointers]


async def test_an_agent_of_another_organization_is_no_agent(unchanged: TwoOrganizations) -> None:
    answer = await unchanged.key.send("POST", "events", events({"agent": unchanged.other_agent["id"]}))
    assert answer.problem(422, "validation") == ["/1/agent"]
    named = await unchanged.key.send("POST", "events", EVENT | {"organization": unchanged.other.id})
    named.problem(404, "not_found")
    activity = await unchanged.key.send(
        "POST", f"agents/{unchanged.other_agent['id']}/activities", {"activity_type": "command"}
    )
    activity.problem(404, "not_found")


async def test_at_most_1000_events_at_once(unchanged: TwoOrganizations) -> None:
    many = [EVENT | {"id": str(number)} for number in range(1001)]
    assert (await unchanged.key.send("POST", "events", many)).problem(422, "validation") == [""]
    assert (await unchanged.key.send("POST", "events", {"events": many})).problem(422, "validation") == ["/events"]
    assert (await unchanged.key.send("POST", "events", [])).problem(422, "validation") == [""]
    assert (await unchanged.key.send("POST", "events", {"events": {}})).problem(422, "validation") == ["/events"]


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
async def test_at_most_1_mib(unchanged: TwoOrganizations, size: int) -> None:
    raw = json.dumps([EVENT]).encode().ljust(size)
    assert (await unchanged.key.send("POST", "events", raw=raw)).problem(413, "too_large") == [""]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
async def test_a_literal_that_is_no_number_is_named(unchanged: TwoOrganizations, literal: str) -> None:
    raw = json.dumps(events({"data": {"quantity": "?"}})).replace('"?"', literal).encode()
    assert (await unchanged.key.send("POST", "events", raw=raw)).problem(422, "validation") == ["/1/data/quantity"]


@pytest.mark.parametrize(
    ("event", "content_type", "pointers"),
    [
        ({}, "application/cloudevents+json", ["/specversion", "/id", "/source", "/type", "/subject"]),
        ({"specversion": "0.3"}, "application/cloudevents+json", ["/specversion"]),
        ({"subject": "nobody"}, "application/cloudevents+json", ["/agent"]),
    ],
)
async def test_a_bad_cloud_event_is_refused(
    unchanged: TwoOrganizations, event: Json, content_type: str, pointers: list[str]
) -> None:
    good = {"specversion": "1.0", "id": "1", "source": "tests", "type": "command", "subject": "coder"}
    body = good | event if event else {}
    expected = [pointer.replace("/agent", "/subject") for pointer in pointers]
    answer = await unchanged.key.send("POST", "events", body, headers={"Content-Type": content_type})
    assert answer.problem(422, "validation") == expected


async def test_the_detail_of_a_single_mistake_names_the_same_place(unchanged: TwoOrganizations) -> None:
    cloud = {"specversion": "1.0", "id": "1", "source": "tests", "type": "two words", "subject": "coder"}
    plain = EVENT | {"type": "two words"}
    for body, content_type, place in (
        (cloud, "application/cloudevents+json", "/type"),
        ([cloud], "application/cloudevents-batch+json", "/0/type"),
        (plain, "application/json", "/type"),
        ([plain], "application/json", "/0/type"),
        ({"events": [plain]}, "application/json", "/events/0/type"),
    ):
        answer = await unchanged.key.send("POST", "events", body, headers={"Content-Type": content_type})
        assert answer.problem(422, "validation") == [place]
        assert answer.json()["detail"].startswith(f"{place}: ")


async def test_reports_by_name_are_bounded_as_events_are(unchanged: TwoOrganizations) -> None:
    agent = f"agents/{unchanged.agent['id']}"
    for route, body, place in (
        ("activities", {"activity_type": "workflow."}, "/activity_type"),
        ("costs", {"cost_type": "", "amount": "1"}, "/cost_type"),
        ("costs", {"cost_type": "api", "amount": "1", "currency": "XXQ"}, "/currency"),
        ("outcomes", {"outcome_type": ""}, "/outcome_type"),
        ("outcomes", {"outcome_type": "sale", "currency": "XXQ"}, "/currency"),
        ("llm-calls", {"model": "x", "currency": "XXQ"}, "/currency"),
        ("workflows/bulk", {"workflows": {"": "1"}}, "/workflows/"),
        ("activities", {"activity_type": "a", "metadata": {"currency": "XXQ"}}, "/metadata/currency"),
    ):
        answer = await unchanged.key.send("POST", f"{agent}/{route}", body)
        assert (route, answer.problem(422, "validation")) == (route, [place])
