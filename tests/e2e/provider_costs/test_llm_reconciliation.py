"""A provider's export beside what was metered: the differences by day and model, and the calls that one side lacks."""

import gzip
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra

Json = dict[str, Any]

ROUTE = "llm-costs/reconciliation"
DAY = "2026-11-10"
MILLION = 1_000_000
CSV = {"Content-Type": "text/csv"}


def call(event_id: str, provider: str, model: str, time: str = f"{DAY}T12:00:00Z", **data: Any) -> Json:
    tokens = {"provider": provider, "model": model, "input_tokens": MILLION, "output_tokens": 100, **data}
    return {"id": event_id, "type": "llm_call", "agent": "coder", "time": time, "data": tokens}


async def reporting(xyra: Xyra, *events: Json) -> Organization:
    organization = await xyra.organization(settings={"reported_llm_terms": True})
    await organization.agent()
    await organization.key.report(*events)
    await xyra.idle()
    return organization


async def compared(client: Client, provider: str, export: str | Json | list[Json], **query: Any) -> Json:
    return (await sent(client, provider, export, **query)).expect(200)


async def sent(client: Client, provider: str, export: str | Json | list[Json], **query: Any) -> Answer:
    if isinstance(export, str):
        return await client.send("POST", ROUTE, raw=export.encode(), headers=CSV, provider=provider, **query)
    return await client.send("POST", ROUTE, export, provider=provider, **query)


def generations(ids: Sequence[str], cost: str = "1.251") -> str:
    """As the activity log of OpenRouter is exported."""
    names = "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_reasoning,model_permaslug"
    rows = [f"{id_},{DAY} 12:00:01.123,{cost},{MILLION},100,0,openai/gpt-5-2025-08-07" for id_ in ids]
    return "\n".join([names, *rows]) + "\n"


@pytest.mark.walk
async def test_an_export_that_lacks_two_calls_and_has_one_too_many_names_these(xyra: Xyra) -> None:
    ids = [f"gen-{number}" for number in range(10)]
    organization = await reporting(
        xyra,
        *(call(id_, "openrouter", "openai/gpt-5") for id_ in ids),
        call("elsewhere", "anthropic", "claude-sonnet-4-5"),
        call("gen-next-day", "openrouter", "openai/gpt-5", "2026-11-11T00:00:00Z"),
    )
    whole = await compared(organization.key, "openrouter", generations(ids))
    assert (whole["agrees"], whole["missing_here"], whole["missing_there"]) == (True, [], [])
    found = await compared(organization.key, "openrouter", generations([*ids[2:], "gen-unknown"]))
    assert (found["agrees"], found["calls_are_named"], found["days"]) == (False, True, [DAY])
    (model,) = found["data"]
    assert (model["day"], model["agrees"], model["unpriced"]) == (DAY, False, 0)
    assert model["requests"] == {"here": "10", "there": "9", "difference": "1"}
    assert model["units"]["input_tokens"] == {"here": "10000000", "there": "9000000", "difference": "1000000"}
    assert model["cost"] == {"here": "12.51", "there": "11.259", "difference": "1.251"}
    assert [each["id"] for each in found["missing_here"]] == ["gen-unknown"]
    assert sorted(each["event_id"] for each in found["missing_there"]) == ids[:2]
    assert (found["missing_here_count"], found["missing_there_count"]) == (1, 2)
    assert {each["model"] for each in (*found["missing_here"], *found["missing_there"])} == {model["model"]}


async def test_what_openai_answers_about_usage_and_costs_is_compared_by_model(xyra: Xyra) -> None:
    organization = await reporting(
        xyra,
        call("1", "openai", "gpt-5", cached_input_tokens=400_000),
        call("2", "openai", "gpt-5-2025-08-07"),
        call("3", "openai", "gpt-5-mini"),
        call("4", "openai", "nobody-knows-it"),
        call("own key", "openai", "gpt-5-nano", byok=True),
    )
    start = 1762732800 + 365 * 24 * 60 * 60
    bucket = {"object": "bucket", "start_time": start, "end_time": start + 24 * 60 * 60}

    def usage(model: str, requests: int, input_tokens: int, cached: int) -> Json:
        tokens = {"input_tokens": input_tokens, "input_cached_tokens": cached, "output_tokens": 100 * requests}
        kind = {"object": "organization.usage.completions.result", "batch": None, "project_id": None}
        return {**kind, "model": model, "num_model_requests": requests, **tokens}

    results = [usage("gpt-5-2025-08-07", 2, 2 * MILLION, 400_000), usage("gpt-5-mini-2025-08-07", 2, 2 * MILLION, 0)]
    page = {"object": "page", "data": [{**bucket, "results": results}], "has_more": False, "next_page": None}
    body = gzip.compress(json.dumps(page).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    packed = await organization.key.send("POST", ROUTE, raw=body, headers=headers, provider="openai")
    found = packed.expect(200)
    assert (found["calls_are_named"], found["missing_here"], found["missing_there"]) == (False, [], [])
    models = {each["model"]: (each["agrees"], each["requests"]["difference"], each["cost"]) for each in found["data"]}
    assert models == {
        "openai/gpt-5": (True, "0", None),
        "openai/gpt-5-mini": (False, "-1", None),
        "openai/nobody-knows-it": (False, "1", None),
    }
    costs = {"object": "organization.costs.result", "amount": {"value": 2.302, "currency": "usd"}}
    page = {"data": [{**bucket, "results": [{**costs, "line_item": None}]}], "has_more": False}
    (total,) = (await compared(organization.key, "openai", page))["data"]
    # 0.6 x 1.25 + 0.4 x 0.125 + 1.25 + 0.25 for input, 2 x 0.001 + 0.0002 for output; the unknown model has no price
    assert (total["model"], total["requests"], total["unpriced"]) == ("*", None, 1)
    assert total["cost"] == {"here": "2.3022", "there": "2.302", "difference": "0.0002"}
    own = await compared(organization.key, "openai", {"data": []}, date=DAY, byok="true")
    assert [(each["model"], each["requests"]["here"]) for each in own["data"]] == [("openai/gpt-5-nano", "1")]


async def test_csv_of_anthropics_console_is_compared_in_units_and_in_costs(xyra: Xyra) -> None:
    written = {"cached_input_tokens": 200_000, "cache_write_tokens": 300_000, "cache_write_1h_tokens": 100_000}
    organization = await reporting(xyra, call("1", "anthropic", "claude-sonnet-4-5-20250929", **written))
    usage = (
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
        "usage_output_tokens,web_search_count,inference_geo,speed\n"
        f"{DAY},claude-sonnet-4-5-20250929,key,Default,standard,≤ 200k,500000,200000,100000,200000,100,0,global,\n"
    )
    (model,) = (await compared(organization.key, "anthropic", usage))["data"]
    assert (model["model"], model["agrees"], model["requests"]) == ("anthropic/claude-sonnet-4-5", True, None)
    assert {key: each["there"] for key, each in model["units"].items()} == {
        "input_tokens": "1000000",
        "cache_read_tokens": "200000",
        "cache_write_tokens": "300000",
        "cache_write_1h_tokens": "100000",
        "output_tokens": "100",
        "web_searches": "0",
    }
    cost = (await organization.key.get("events", source="api", id="1"))["data"][0]["provider_cost"]
    costs = (
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,cost_type\n"
        f"{DAY},Claude Sonnet 4.5,Default,key,message,≤ 200k,input_no_cache,{Decimal(cost):.2f},token\n"
        f"{DAY},Claude Sonnet 4.5,Default,key,message,≤ 200k,output,0.00,token\n"
    )
    (model,) = (await compared(organization.key, "anthropic", costs))["data"]
    assert (model["model"], model["agrees"]) == ("anthropic/claude-sonnet-4-5", True)
    more = {"amount": "1000.5", "currency": "USD", "model": None}
    page = {"data": [{"starting_at": f"{DAY}T00:00:00Z", "results": [more]}], "has_more": False}
    (total,) = (await compared(organization.key, "anthropic", page))["data"]
    assert (total["model"], total["agrees"], total["cost"]["there"]) == ("*", False, "10.005")


async def test_the_operator_compares_all_organizations_and_an_empty_export_of_a_day(xyra: Xyra) -> None:
    day = "2026-11-05"
    events = [call("1", "openrouter", "openai/gpt-5", f"{day}T23:59:59Z")]
    first, second = await reporting(xyra, *events), await reporting(xyra, *events)
    rows = [{"date": f"{day} 00:00:00", "model": "openai/gpt-5", "requests": 2, "usage": 2.502}]
    (model,) = (await compared(xyra.operator, "openrouter", {"data": rows}))["data"]
    assert (model["agrees"], model["requests"]["here"], model["cost"]["here"]) == (True, "2", "2.502")
    (model,) = (await compared(first.operator, "openrouter", {"data": rows}, organization_id=second.id))["data"]
    assert (model["agrees"], model["requests"]["here"]) == (False, "1")
    empty = await compared(first.key, "openrouter", {"data": []}, date=day)
    assert (empty["agrees"], empty["days"], empty["data"][0]["requests"]["there"]) == (False, [day], "0")


async def test_what_cannot_be_read_is_said_by_row(xyra: Xyra) -> None:
    organization = await xyra.organization()
    dated = {"date": DAY, "model": "openai/gpt-5"}
    for provider, export, where in (
        ("openrouter", {"data": [{**dated, "usage": "much"}]}, "/0/cost_total"),
        ("openrouter", {"data": [{"model": "openai/gpt-5", "usage": "1"}]}, "/0/created_at"),
        ("openrouter", {"data": [{"date": "soon", "usage": "1"}]}, "/0/created_at"),
        ("openrouter", {"data": ["text"]}, "/data"),
        ("openrouter", {"data": []}, "?date"),
        ("openai", {"data": [], "has_more": True}, "/has_more"),
        ("openai", {"data": [{"start_time": 1, "amount": {"value": 1, "currency": "eur"}}]}, "/0/currency"),
        ("mistral", {"data": []}, "?provider"),
    ):
        refused = await sent(organization.key, provider, export)
        assert refused.problem(422, "validation") == [where]
    for day in ("soon", "2026-02-30"):
        refused = await sent(organization.key, "openrouter", {"data": []}, date=day)
        assert refused.problem(422, "validation") == ["?date"]
    (await sent(organization.key, "openrouter", 'a,"b\n1')).problem(400, "malformed")
    large = await organization.key.send(
        "POST", ROUTE, raw=b"x" * (8 * 1024 * 1024 + 1), headers=CSV, provider="openrouter"
    )
    large.problem(413, "too_large")
