"""The operator's prices of LLM models over HTTP: they hold for events by the time of each, and beside them the list."""

from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

OCTOBER = "2026-10"
START = "2026-10-01T00:00:00Z"
PASSED_ON = {"key": "llm", "type": "cost", "categories": ["llm"], "markup_percent": "20"}
TEN_EACH = {"input": "10", "output": "10"}
IN_FULL = {"currency": "USD", "input": "10", "cached_input": None, "output": "10", "reasoning": None}


def call(event_id: str, model: str, time: str = "2026-10-10T12:00:00Z", **data: Any) -> Json:
    tokens = {"model": model, "input_tokens": 100_000, **data}
    return {"id": event_id, "type": "llm_call", "agent": "coder", "time": time, "data": tokens}


def new_model() -> str:
    """Prices are everybody's, so each test has a model of its own."""
    return f"model-{uuid4().hex}"


async def event_of(organization: Organization, event_id: str) -> Json:
    (found,) = (await organization.key.get("events", source="api", id=event_id))["data"]
    return found


async def cost_of(organization: Organization, event_id: str) -> str | None:
    cost: str | None = (await event_of(organization, event_id))["provider_cost"]
    return cost


async def test_an_event_keeps_what_it_cost_beside_what_its_sender_says(xyra: Xyra):
    organization = await xyra.organization()
    await organization.agent()
    await organization.key.report(
        call("stated", "google/gemini-3-pro-preview", cost="0.25"),
        call("silent", "gemini-3-pro-preview", cached_input_tokens=50_000, output_tokens=1000),
        call("unknown", "of-our-own", cost="0.125"),
        {"id": "tool", "type": "cost.tools", "agent": "coder", "data": {"amount": "1.50"}},
        {"id": "command", "type": "command", "agent": "coder"},
    )
    await xyra.idle()
    fields = ("provider_cost", "cost_category", "stated_cost", "cost_difference", "priced_by")
    shown = {}
    for event_id in ("stated", "silent", "unknown", "tool", "command"):
        event = await event_of(organization, event_id)
        shown[event_id] = tuple(event[field] for field in fields)
    listed = "google/gemini-3-pro-preview"
    assert shown == {
        "stated": ("0.2", "llm", "0.25", "-0.05", listed),
        "silent": ("0.122", "llm", None, None, listed),
        "unknown": (None, "llm", "0.125", None, None),
        "tool": ("1.5", "tools", None, None, None),
        "command": (None, None, None, None, None),
    }


@pytest.mark.walk
async def test_llm_calls_are_passed_on_by_what_they_cost(xyra: Xyra):
    organization = await xyra.organization()
    model = await organization.model(PASSED_ON, effective_from=START)
    await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    await organization.key.report(
        call("1", "google/gemini-3-pro-preview", cost="99"),
        call("2", "of-our-own", cost="99"),
        {"id": "3", "type": "cost.llm", "agent": "coder", "time": "2026-10-10T12:00:00Z", "data": {"amount": "0.8"}},
        {"id": "4", "type": "cost.tools", "agent": "coder", "time": "2026-10-10T12:00:00Z", "data": {"amount": "7"}},
    )
    await xyra.idle()
    (line,) = (await organization.preview(OCTOBER))["lines"]
    assert (line["quantity"], line["exact_amount"], line["amount"]) == ("1", "1.2", "1.20")
    usage = (await organization.key.get("usage", period=OCTOBER))["data"]
    assert not [row for row in usage if row["event_type"].startswith("$")]


async def test_the_operators_prices_hold_from_their_time_on_until_they_end(time_machine: TimeMachine):
    xyra, name = time_machine.xyra, new_model()
    await time_machine.at("2026-12-01T00:00:00Z")
    organization = await xyra.organization()
    await organization.agent()
    first = {"provider": "Acme", "model": name.upper(), "prices": TEN_EACH, "effective_from": "2026-11-30T12:00:00Z"}
    made = await organization.operator.post("llm-prices", first)
    assert (made["provider"], made["model"], made["prices"]) == ("acme", name, IN_FULL)
    route = f"llm-prices/{made['id']}"
    later = {"prices": {"input": "20", "cached_input": "1", "output": "20"}, "effective_from": "2026-12-01T00:15:00Z"}
    await organization.operator.send("PUT", route, later)
    ended = await organization.operator.post(f"{route}/end", {"effective_from": "2026-12-01T00:20:00Z"}, expect=200)
    assert [entry["effective_from"] for entry in ended["history"]] == [
        "2026-11-30T12:00:00Z",
        "2026-12-01T00:15:00Z",
        "2026-12-01T00:20:00Z",
    ]
    assert [entry["prices"] and entry["prices"]["input"] for entry in ended["history"]] == ["10", "20", None]
    assert await organization.key.get(route) == ended
    assert ended["upcoming"] == ended["history"][1:]
    assert (await organization.operator.post(f"{route}/end", {}, expect=200)) == ended

    await time_machine.at("2026-12-01T00:30:00Z")
    times = ("2026-11-30T11:00:00Z", "2026-11-30T13:00:00Z", "2026-12-01T00:15:00Z", "2026-12-01T00:20:00Z")
    calls = [call(str(number), f"acme/{name}", time, cached_input_tokens=50_000) for number, time in enumerate(times)]
    await organization.key.report(*calls)
    await xyra.idle()
    assert [await cost_of(organization, str(number)) for number in range(4)] == [None, "1", "1.05", None]
    assert (await organization.key.get(route))["prices"] is None


async def test_histories_of_prices_grow_at_their_end_only(xyra: Xyra):
    operator, name = xyra.operator, new_model()
    made = await operator.post("llm-prices", {"model": name, "prices": TEN_EACH})
    route = f"llm-prices/{made['id']}"
    again = await operator.send("POST", "llm-prices", {"model": name, "prices": TEN_EACH})
    again.problem(409, "conflict")
    for start in ("2026-11-18T10:05:00Z", "2026-11-01T00:00:00Z"):
        refused = await operator.send("PUT", route, {"prices": TEN_EACH, "effective_from": start})
        assert refused.problem(422, "validation") == ["/effective_from"]
    stale = await operator.send("PUT", route, {"prices": TEN_EACH}, headers={"If-Match": '"other"'})
    stale.problem(412, "precondition_failed")
    current = (await operator.send("GET", route)).headers["ETag"]
    assert (await operator.send("PUT", route, {"prices": TEN_EACH}, headers={"If-Match": current})).status == 200
    (await operator.send("GET", "llm-prices/llp_0")).problem(404, "not_found")


async def test_members_read_prices_and_cannot_write_them(xyra: Xyra):
    organization = await xyra.organization()
    made = await organization.operator.post("llm-prices", {"model": new_model(), "prices": TEN_EACH})
    route = f"llm-prices/{made['id']}"
    assert await organization.key.get(route) == made
    listed: list[Json] = []
    cursor: Json = {}
    while True:
        page = await organization.key.get("llm-prices", limit="3", **cursor)
        listed += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert listed.count({name: value for name, value in made.items() if name != "history"}) == 1
    ids = [each["id"] for each in listed]
    assert len(ids) == len(set(ids))
    for method, path, body in (
        ("POST", "llm-prices", {"model": new_model(), "prices": TEN_EACH}),
        ("PUT", route, {"prices": TEN_EACH}),
        ("POST", f"{route}/end", {}),
    ):
        (await organization.key.send(method, path, body)).problem(403, "forbidden")


async def test_bad_prices_are_refused_at_their_field(xyra: Xyra):
    for body, pointer in (
        ({"model": "m", "prices": {"input": "-1", "output": "1"}}, "/prices/input"),
        ({"model": "m", "prices": {"input": "1"}}, "/prices/output"),
        ({"model": "m", "prices": {**TEN_EACH, "currency": "XXX"}}, "/prices/currency"),
        ({"model": "m", "prices": {**TEN_EACH, "reasoning": "NaN"}}, "/prices/reasoning"),
        ({"model": " m", "prices": TEN_EACH}, "/model"),
        ({"model": "m", "provider": "", "prices": TEN_EACH}, "/provider"),
        ({"model": "m", "prices": TEN_EACH, "effective_from": "2001-01-01T00:00:00Z"}, "/effective_from"),
    ):
        answer = await xyra.operator.send("POST", "llm-prices", body)
        assert answer.problem(422, "validation") == [pointer]


async def test_a_call_is_calculated_without_being_reported(xyra: Xyra):
    organization = await xyra.organization()
    asked = {"model": "google/gemini-3-pro-preview", "input_tokens": 250_000, "output_tokens": 1000}
    large = await organization.key.post("llm-prices/calculate", asked, expect=200)
    assert (large["cost"], large["currency"], large["overridden"]) == ("1.018", "USD", False)
    assert (large["prices"]["input"], large["prices"]["cached_input"], large["prices"]["reasoning"]) == (
        "4",
        "0.4",
        None,
    )
    small = await organization.key.post("llm-prices/calculate", asked | {"input_tokens": 0}, expect=200)
    assert (small["cost"], small["prices"]["output"]) == ("0.012", "12")

    name = new_model()
    await organization.operator.post("llm-prices", {"model": name, "prices": TEN_EACH, "effective_from": START})
    ours = {"model": name, "input_tokens": 100_000}
    answers = [
        await organization.key.post("llm-prices/calculate", ours | {"time": time}, expect=200)
        for time in (START, "2026-09-30T23:59:59Z")
    ]
    assert [(each["cost"], each["priced_by"], each["overridden"]) for each in answers] == [
        ("1", name, True),
        (None, None, False),
    ]
    for wrong, pointer in (
        ({"currency": "TND"}, "/currency"),
        ({"cached_input_tokens": 100_001}, "/cached_input_tokens"),
        ({"output_tokens": -1}, "/output_tokens"),
    ):
        refused = await organization.key.send("POST", "llm-prices/calculate", ours | wrong)
        assert refused.problem(422, "validation") == [pointer]


async def test_models_without_a_price_are_listed_with_their_calls_and_tokens(xyra: Xyra):
    organization = await xyra.organization()
    model = await organization.model(PASSED_ON, effective_from=START)
    await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    await organization.agent("other")
    calls = [
        *(call(f"large-{number}", "acme/large", output_tokens=number) for number in range(3)),
        call("small", "small", provider="acme"),
        call("known", "gpt-5"),
        call("other", "acme/large") | {"agent": "other"},
        {"id": "unnamed", "type": "llm_call", "agent": "coder", "time": "2026-10-10T12:00:00Z", "data": {}},
        call("september", "acme/large", "2026-09-10T12:00:00Z"),
    ]
    await organization.key.report(*calls)
    await organization.key.report(*calls)
    await xyra.idle()
    found = await organization.key.get("llm-prices/unpriced", period=OCTOBER)
    assert found["data"] == [
        {"model": "acme/large", "calls": 4, "tokens": "400003"},
        {"model": "acme/small", "calls": 1, "tokens": "100000"},
        {"model": "unnamed", "calls": 1, "tokens": "0"},
    ]
    page = await organization.key.get("llm-prices/unpriced", period=OCTOBER, limit="2")
    rest = await organization.key.get("llm-prices/unpriced", period=OCTOBER, limit="2", cursor=page["next_cursor"])
    assert page["data"] + rest["data"] == found["data"]
    by_operator = await xyra.operator.get("llm-prices/unpriced", period=OCTOBER, organization_id=organization.id)
    assert by_operator == found
