"""LLM calls over HTTP: every form and unit costs what the provider charges, or is unpriced with its reason."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

SONNET = "claude-sonnet-4-5"
NOVEMBER = "2026-11-20T12:00:00Z"
THOUSANDS = {"input_tokens": 1000, "output_tokens": 1000}
SEARCHED = {"web_searches": 10}

CALLS: dict[str, tuple[Json, str | None]] = {
    "reasoning beside": (
        {"model": "gemini-2.5-pro", "input_tokens": 264, "output_tokens": 104, "reasoning_tokens": 989},
        "0.01126",
    ),
    "characters": ({"model": "openai/tts-1", "units": {"input_characters": 4000}}, "0.06"),
    "seconds": ({"model": "whisper-1", "units": {"audio_seconds": "90.5"}}, "0.00905"),
    "pages": ({"model": "mistral-ocr-latest", "units": {"input_document_pages": 12}}, "0.048"),
    "no count": ({"model": "gpt-5"}, None),
    "free": ({"model": "deepseek/deepseek-r1:free", **THOUSANDS}, "0"),
    "local": ({"model": "deepseek-r1:8b", **THOUSANDS}, None),
    "region": ({"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0", **THOUSANDS}, "0.0198"),
    "path": ({"model": "models/gemini-2.5-pro", **THOUSANDS}, "0.01125"),
    "written": ({"model": SONNET, "input_tokens": 50_000, "cache_write_tokens": 40_000}, "0.18"),
    "written for an hour": ({"model": SONNET, "input_tokens": 50_000, "cache_write_1h_tokens": 40_000}, "0.27"),
    "searches": ({"model": SONNET, "input_tokens": 1000, "units": SEARCHED}, "0.103"),
    "no price for searches": ({"model": "amazon.nova-pro-v1:0", "input_tokens": 1000, "units": SEARCHED}, None),
    "sound": ({"model": "gpt-realtime", "input_tokens": 50_000, "units": {"input_audio_tokens": 40_000}}, "1.32"),
    "the provider's object": (
        {
            "model": SONNET,
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 12_304, "output_tokens": 550},
        },
        "0.054399",
    ),
    "the same, flat": (
        {"model": SONNET, "input_tokens": 3, "cache_creation_input_tokens": 12_304, "output_tokens": 550},
        "0.054399",
    ),
    "old names": ({"model": "gpt-5", "prompt_tokens": 1000, "completion_tokens": 1000}, "0.01125"),
    "no cost said": ({"model": "gpt-5", **THOUSANDS, "cost": None}, "0.01125"),
    "noise": ({"model": "gpt-5", **THOUSANDS, "cost": 0.00010811999999999999}, "0.01125"),
}
TIERS = {
    "batch": ({"model": "gpt-5", **THOUSANDS, "service_tier": "batch"}, "0.005625"),
    "priority": ({"model": "gpt-5", **THOUSANDS, "service_tier": "priority"}, "0.0225"),
    "fast": ({"model": "claude-opus-4-8", **THOUSANDS, "service_tier": "fast"}, "0.06"),
    "of Azure": ({"model": "gpt-5", "provider": "azure", **THOUSANDS, "service_tier": "batch"}, None),
}


def event(event_id: str, data: Json, **fields: Any) -> Json:
    return {"id": event_id, "type": "llm_call", "agent": "coder", "time": NOVEMBER, "data": data, **fields}


async def shown(organization: Organization, event_id: str) -> Json:
    (found,) = (await organization.key.get("events", source="api", id=event_id))["data"]
    return found


async def november(time_machine: TimeMachine) -> Organization:
    await time_machine.at("2026-11-20T13:00:00Z")
    organization = await time_machine.xyra.organization()
    await organization.agent()
    return organization


async def test_every_call_costs_what_its_provider_charges(time_machine: TimeMachine):
    organization = await november(time_machine)
    await organization.key.report(*(event(name, data) for name, (data, _) in CALLS.items()))
    await time_machine.xyra.idle()
    for name, (data, cost) in CALLS.items():
        found = await shown(organization, name)
        assert found["provider_cost"] == cost, name
        assert (found["unpriced_reason"] is None) == (cost is not None), name
        assert found["cost_source"] == ("list" if cost is not None else None)
        sent = {field: value for field, value in data.items() if field != "cost"}
        calculated = await organization.key.post("llm-prices/calculate", sent | {"time": NOVEMBER}, expect=200)
        assert calculated["cost"] == cost, name
        if cost is None:
            assert [each["code"] for each in calculated["warnings"]] == [
                "no_count" if name == "no count" else "unpriced"
            ]
        else:
            assert sum(Decimal(step["amount"]) for step in calculated["steps"]) == Decimal(cost)
    assert (await shown(organization, "noise"))["stated_cost"] == "0.00010812"
    stored = (await shown(organization, "the provider's object"))["data"]
    assert (stored["input_tokens"], stored["cache_write_tokens"], stored["output_tokens"]) == (12_307, 12_304, 550)
    unpriced = (await organization.key.get("llm-prices/unpriced", period="2026-11"))["data"]
    assert sorted(row["model"] for row in unpriced) == ["amazon.nova-pro-v1:0", "deepseek-r1:8b", "gpt-5"]


async def test_a_service_tier_counts_where_the_operator_says_or_allows_it(time_machine: TimeMachine):
    organization = await november(time_machine)
    standard = {"batch": "0.01125", "priority": "0.01125", "fast": "0.03", "of Azure": "0.01125"}
    await organization.key.report(*(event(f"theirs {name}", data) for name, (data, _) in TIERS.items()))
    await organization.operator.report(
        *(event(f"ours {name}", data, organization=organization.id) for name, (data, _) in TIERS.items())
    )
    await time_machine.xyra.idle()
    for name, (data, cost) in TIERS.items():
        assert (await shown(organization, f"theirs {name}"))["provider_cost"] == standard[name]
        assert (await shown(organization, f"ours {name}"))["provider_cost"] == cost
        asked = data | {"time": NOVEMBER}
        calculated = await organization.key.post("llm-prices/calculate", asked, expect=200)
        assert (calculated["cost"], calculated["warnings"][0]["code"]) == (standard[name], "standard_price")
        calculated = await organization.operator.post("llm-prices/calculate", asked, expect=200)
        assert calculated["cost"] == cost
    await allow(organization, reported_llm_terms=True)
    await organization.key.report(*(event(f"allowed {name}", data) for name, (data, _) in TIERS.items()))
    await time_machine.xyra.idle()
    for name, (_, cost) in TIERS.items():
        assert (await shown(organization, f"allowed {name}"))["provider_cost"] == cost


async def allow(organization: Organization, **settings: bool) -> None:
    route = f"organizations/{organization.id}"
    etag = (await organization.operator.send("GET", route)).headers["ETag"]
    changed = await organization.operator.send("PATCH", route, {"settings": settings}, headers={"If-Match": etag})
    assert changed.status == 200
    refused = await organization.key.send("PATCH", route, {"settings": settings}, headers={"If-Match": etag})
    refused.problem(403, "forbidden")


async def test_the_customers_own_key_costs_the_operator_nothing(time_machine: TimeMachine):
    organization = await november(time_machine)
    own_key = {"model": "gpt-5", **THOUSANDS, "byok": True, "cost": "0.01"}
    await organization.key.report(event("not allowed", own_key))
    await organization.operator.report(event("byok", own_key, organization=organization.id))
    await time_machine.xyra.idle()
    fields = ("provider_cost", "byok", "byok_cost", "stated_cost", "cost_difference")
    found = await shown(organization, "byok")
    assert [found[field] for field in fields] == ["0", True, "0.01125", "0.01", "0.00125"]
    found = await shown(organization, "not allowed")
    assert [found[field] for field in fields] == ["0.01125", False, None, "0.01", "0.00125"]


async def test_a_reported_cost_is_the_cost_only_where_the_operator_allows_it(time_machine: TimeMachine):
    organization = await november(time_machine)
    unknown = {"model": "of-our-own", **THOUSANDS, "cost": "0.5"}
    await organization.key.report(event("before", unknown))
    await time_machine.xyra.idle()
    await allow(organization, reported_llm_costs=True)
    await organization.key.report(event("after", unknown), event("listed", {**unknown, "model": "gpt-5"}))
    await time_machine.xyra.idle()
    fields = ("provider_cost", "cost_source", "stated_cost", "cost_difference")
    costs = {name: [(await shown(organization, name))[field] for field in fields] for name in ("before", "after")}
    assert costs == {"before": [None, None, "0.5", None], "after": ["0.5", "reported", "0.5", None]}
    assert (await shown(organization, "listed"))["provider_cost"] == "0.01125"


@pytest.mark.parametrize(
    ("said", "cost", "source", "provider_cost"),
    [
        ({"cost": "0.5"}, "0.5", "reported", "0.5"),
        ({"cost": "0.5", "byok": True}, None, None, "0"),
        ({"byok": True}, None, None, "0"),
    ],
    ids=str,
)
async def test_a_calculation_takes_the_word_that_the_event_takes(
    time_machine: TimeMachine, said: Json, cost: str | None, source: str | None, provider_cost: str
):
    organization = await november(time_machine)
    await allow(organization, reported_llm_costs=True, reported_llm_terms=True)
    call = {"model": "of-our-own", **THOUSANDS, **said}
    asked = call | {"currency": "USD", "time": NOVEMBER}
    calculated = await organization.key.post("llm-prices/calculate", asked, expect=200)
    assert (calculated["cost"], calculated["cost_source"], calculated["warnings"]) == (cost, source, [])
    answer = await organization.key.post("events", event("reported", call), expect=202)
    assert "unpriced" not in {warning["code"] for warning in answer["warnings"]}
    await time_machine.xyra.idle()
    reported = await shown(organization, "reported")
    assert (reported["provider_cost"], reported["cost_source"]) == (provider_cost, source)


@pytest.mark.parametrize("route", ["events", "agents/coder/llm-calls"])
async def test_contradictions_are_refused_at_their_name(xyra: Xyra, route: str):
    organization = await xyra.organization()
    await organization.agent()
    for data, pointer in (
        ({"input_tokens": 5, "cache_write_tokens": 6}, "/cache_write_tokens"),
        ({"input_tokens": 5, "units": {"input_audio_tokens": 6}}, "/units"),
        ({"usage": {"prompt_tokens": 5, "completion_tokens": 1}, "input_tokens": 6}, "/usage"),
    ):
        call = {"model": "gpt-5", **data}
        body = {"id": "1", "type": "llm_call", "agent": "coder", "data": call} if route == "events" else call
        refused = await organization.key.send("POST", route, body)
        assert refused.problem(422, "validation") == [f"/data{pointer}" if route == "events" else pointer]
        refused = await organization.key.send("POST", "llm-prices/calculate", call)
        assert refused.problem(422, "validation") == [pointer]


async def test_noise_in_a_cost_is_rounded_on_every_route(time_machine: TimeMachine):
    organization = await november(time_machine)
    noisy = {"model": "gpt-5", **THOUSANDS, "cost": 0.00010811999999999999}
    sent = await organization.key.post("agents/coder/llm-calls", {**noisy, "id": "noisy", "time": NOVEMBER}, expect=202)
    await time_machine.xyra.idle()
    assert (await organization.key.get(f"events/{sent['event_id']}"))["stated_cost"] == "0.00010812"
    calculated = await organization.key.post("llm-prices/calculate", {**noisy, "time": NOVEMBER}, expect=200)
    assert calculated["reported_cost"] == "0.00010812"


async def test_an_override_with_a_border_keeps_it(time_machine: TimeMachine):
    organization, name = await november(time_machine), f"model-{uuid4().hex}"
    prices = {
        "rates": {
            "input_mtok": {"base": "2.50", "tiers": [{"start": 272_000, "price": "5"}]},
            "output_mtok": {"base": "15", "tiers": [{"start": 272_000, "price": "22.50"}]},
            "web_searches_kcount": "10",
        },
        "service_tiers": {"batch": {"input_mtok": "1", "output_mtok": "7"}},
    }
    first = {"model": name, "prices": prices, "effective_from": "2026-11-01T00:00:00Z"}
    made = await organization.operator.post("llm-prices", first)
    assert made["prices"] == {"currency": "USD", **prices}
    assert await organization.key.get(f"llm-prices/{made['id']}") == made
    for data, cost in (
        ({"input_tokens": 272_000, "output_tokens": 1000}, "0.695"),
        ({"input_tokens": 300_000, "output_tokens": 1000}, "1.5225"),
        ({"input_tokens": 1000, "units": {"web_searches": 3}}, "0.0325"),
        ({"input_tokens": 1000, "service_tier": "batch"}, "0.001"),
        ({"input_tokens": 1000, "service_tier": "flex"}, None),
        ({"input_tokens": 1000, "units": {"input_audio_tokens": 3}}, None),
    ):
        call = {"model": name, "time": NOVEMBER, **data}
        calculated = await organization.operator.post("llm-prices/calculate", call, expect=200)
        assert (calculated["cost"], calculated["overridden"]) == (cost, cost is not None)


async def test_bad_rates_are_refused_at_their_field(xyra: Xyra):
    for prices, pointer in (
        ({"rates": {"input_tokens": "1"}}, "/prices/rates/input_tokens"),
        ({"rates": {"input_mtok": "-1"}}, "/prices/rates/input_mtok"),
        ({"rates": {"cache_read_mtok": "1"}}, "/prices/rates/cache_read_mtok"),
        ({"rates": {"input_mtok": "1", "cache_read_mtok": "1", "input_audio_mtok": "1"}}, "/prices/rates"),
        (
            {"rates": {"input_mtok": {"base": "1", "tiers": [{"start": -1, "price": "1"}]}}},
            "/prices/rates/input_mtok/tiers/0/start",
        ),
        ({"rates": {}, "service_tiers": {"batch": {"mtok": "1"}}}, "/prices/service_tiers/batch/mtok"),
        ({"rates": {}, "input": "1"}, "/prices/input"),
    ):
        answer = await xyra.operator.send("POST", "llm-prices", {"model": "m", "prices": prices})
        assert answer.problem(422, "validation") == [pointer]
