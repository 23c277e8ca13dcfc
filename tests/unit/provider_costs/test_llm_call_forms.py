"""LLM calls in the forms of providers and SDKs become calls under our names."""

from decimal import Decimal
from typing import Any

import pytest

from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.domain.provider_costs.foreign_names import FOREIGN_NAMES
from shared.domain.provider_costs.llm_calls import LlmCall
from shared.domain.provider_costs.usage_counts import USAGE_KEYS
from shared.services.provider_costs.llm_calls import LlmCallReader

Data = dict[str, Any]

READER = LlmCallReader(PackagedPriceList())
ANTHROPIC = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 12_304,
    "cache_read_input_tokens": 0,
    "output_tokens": 550,
}


def read(**data: Any) -> LlmCall:
    call = READER.read(data)
    if not call.errors:
        assert READER.read(call.data).data == call.data, "reading it again changes it"
    return call


def counts_of(call: LlmCall) -> Data:
    assert call.errors == []
    return {name: value for name, value in call.data.items() if name in {*USAGE_KEYS, "total_tokens", "units"}}


def test_counts_under_our_names_stay_as_they_were_sent():
    sent = {"model": "m", "input_tokens": 10, "output_tokens": 4, "reasoning_tokens": 9, "total_tokens": 23, "tag": "x"}
    assert read(**sent).data == sent


def test_null_is_as_good_as_missing_in_names_with_a_meaning():
    assert read(model="m", input_tokens=1, output_tokens=None, cost=None, tag=None).data == {
        "model": "m",
        "input_tokens": 1,
        "tag": None,
    }


@pytest.mark.parametrize(
    ("usage", "provider", "counts"),
    [
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            "openai",
            {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 50, "reasoning_tokens": 30},
        ),
        (
            {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 40},
                "output_tokens": 50,
                "output_tokens_details": {"reasoning_tokens": 30},
                "total_tokens": 150,
            },
            "openai",
            {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 50, "reasoning_tokens": 30},
        ),
        (
            {"prompt_tokens": 8, "total_tokens": 8},
            "openai",
            {"input_tokens": 8},
        ),
        (
            {
                "input_tokens": 60,
                "input_tokens_details": {"text_tokens": 20, "image_tokens": 40},
                "output_tokens": 4000,
            },
            "openai",
            {
                "input_tokens": 60,
                "output_tokens": 4000,
                "units": {"input_text_tokens": 20, "input_image_tokens": 40},
            },
        ),
        (
            ANTHROPIC,
            "anthropic",
            {"input_tokens": 12_307, "cached_input_tokens": 0, "cache_write_tokens": 12_304, "output_tokens": 550},
        ),
        (
            {
                **ANTHROPIC,
                "cache_creation": {"ephemeral_5m_input_tokens": 304, "ephemeral_1h_input_tokens": 12_000},
                "server_tool_use": {"web_search_requests": 2},
            },
            "anthropic",
            {
                "input_tokens": 12_307,
                "cached_input_tokens": 0,
                "cache_write_tokens": 12_304,
                "cache_write_1h_tokens": 12_000,
                "output_tokens": 550,
                "units": {"cache_write_5m_tokens": 304, "web_searches": 2},
            },
        ),
        (
            {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 40,
                "candidatesTokenCount": 50,
                "thoughtsTokenCount": 30,
                "totalTokenCount": 180,
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 70},
                    {"modality": "TEXT", "tokenCount": 30},
                ],
            },
            "google",
            {
                "input_tokens": 100,
                "cached_input_tokens": 40,
                "output_tokens": 80,
                "reasoning_tokens": 30,
                "units": {"input_audio_tokens": 70, "input_text_tokens": 30},
            },
        ),
        (
            {"inputTokens": 100, "outputTokens": 50, "totalTokens": 170, "cacheReadInputTokens": 20},
            "bedrock",
            {"input_tokens": 120, "cached_input_tokens": 20, "output_tokens": 50},
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
            "mistral",
            {"input_tokens": 100, "output_tokens": 50},
        ),
        (
            {
                "billed_units": {"input_tokens": 10, "output_tokens": 5},
                "tokens": {"input_tokens": 70, "output_tokens": 5},
                "cached_tokens": 30,
            },
            "cohere",
            {"input_tokens": 10, "output_tokens": 5},
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150, "total_time": 0.4},
            "groq",
            {"input_tokens": 100, "output_tokens": 50},
        ),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 180,
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            "xai",
            {"input_tokens": 100, "output_tokens": 80, "reasoning_tokens": 30},
        ),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 80,
                "total_tokens": 180,
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            "xai",
            {"input_tokens": 100, "output_tokens": 80, "reasoning_tokens": 30},
        ),
        (
            {
                "prompt_tokens": 100,
                "prompt_cache_hit_tokens": 40,
                "prompt_cache_miss_tokens": 60,
                "prompt_tokens_details": {"cached_tokens": 40},
                "completion_tokens": 50,
            },
            "deepseek",
            {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 50},
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 50, "cost": Decimal("0.01"), "is_byok": False},
            "openrouter",
            {"input_tokens": 100, "output_tokens": 50},
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
            "a server of our own",
            {"input_tokens": 100, "output_tokens": 50},
        ),
        ({"pages_processed": 12, "doc_size_bytes": 345}, "mistral", {"units": {"input_document_pages": 12}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_providers_own_object_is_read(usage: Data, provider: str, counts: Data):
    call = read(model="m", provider=provider, usage=usage)
    assert counts_of(call) == counts
    assert call.data["usage"] == usage


def test_the_api_tells_objects_apart_that_look_alike():
    pages = read(model="m", provider="mistral", api="ocr_annotated", usage={"pages_processed": 12})
    assert counts_of(pages) == {"units": {"input_document_pages": 12, "input_annotated_document_pages": 12}}


@pytest.mark.parametrize(
    ("usage", "tier"),
    [
        ({**ANTHROPIC, "service_tier": "batch"}, "batch"),
        ({**ANTHROPIC, "speed": "fast"}, "fast"),
        ({"inputTokens": 1, "outputTokens": 1, "totalTokens": 2, "serviceTier": {"type": "flex"}}, "flex"),
        (ANTHROPIC, None),
    ],
)
def test_the_service_tier_is_read_from_the_object(usage: Data, tier: str | None):
    assert read(model="m", usage=usage).data.get("service_tier") == tier
    assert read(model="m", usage=usage, service_tier="priority").data["service_tier"] == "priority"


def test_the_names_of_old_sdks_become_ours():
    assert read(model="m", prompt_tokens=100, completion_tokens=50, total_tokens=150).data == {
        "model": "m",
        "input_tokens": 100,
        "output_tokens": 50,
        "total_tokens": 150,
    }


def test_what_a_provider_counts_beside_the_input_is_added_to_it():
    call = read(model="claude-sonnet-4-5", **ANTHROPIC)
    assert counts_of(call) == {
        "input_tokens": 12_307,
        "cached_input_tokens": 0,
        "cache_write_tokens": 12_304,
        "output_tokens": 550,
    }
    litellm = read(model="m", prompt_tokens=12_307, completion_tokens=550, cache_creation_input_tokens=12_304)
    assert counts_of(litellm) == {"input_tokens": 12_307, "cache_write_tokens": 12_304, "output_tokens": 550}


def test_reasoning_is_put_inside_the_output_where_foreign_names_leave_it_out():
    gemini = read(model="m", promptTokenCount=100, candidatesTokenCount=50, thoughtsTokenCount=30, totalTokenCount=180)
    assert counts_of(gemini) == {
        "input_tokens": 100,
        "output_tokens": 80,
        "reasoning_tokens": 30,
        "total_tokens": 180,
    }
    by_total = read(model="m", prompt_tokens=100, completion_tokens=50, reasoning_tokens=30, total_tokens=180)
    assert counts_of(by_total)["output_tokens"] == 80
    inside = read(model="m", prompt_tokens=100, completion_tokens=50, reasoning_tokens=30, total_tokens=150)
    assert counts_of(inside)["output_tokens"] == 50


@pytest.mark.parametrize("name", FOREIGN_NAMES, ids=lambda name: name.path)
def test_each_foreign_name_has_a_source_and_a_meaning(name: Any):
    data: Data = {"model": "m"}
    inner = data
    *groups, last = name.path.split(".")
    for group in groups:
        inner = inner.setdefault(group, {})
    inner[last] = 7
    if name.means in ("cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens") and name.place == "inside":
        data["prompt_tokens"] = 9
    call = read(**data)
    group, _, key = name.means.rpartition(".")
    assert call.errors == []
    assert (call.data["units"] if group else call.data)[key] == 7
    assert name.source


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": "100", "completion_tokens": 50},
        {"prompt_tokens": -1, "completion_tokens": 50},
        {"prompt_tokens": Decimal("12.5"), "completion_tokens": 50},
        {"prompt_tokens": True, "completion_tokens": 50},
        {"prompt_tokens": 10**15, "completion_tokens": 50},
        {"promptTokensDetails": [{"modality": 5, "tokenCount": 7}, None, "x"]},
        {"inputTokens": 1, "outputTokens": 1, "cacheDetails": [{"ttl": 5}], "cacheReadInputTokens": []},
        {"usage": 5},
        {"response": {"usage": None}},
        {"billed_units": "all"},
    ],
)
def test_a_usage_object_of_any_form_is_read_or_said_to_be_unknown(usage: Data):
    for provider in (None, "openai", "google", "bedrock", "cohere", "of our own"):
        call = READER.read({"model": "m", "provider": provider, "usage": usage})
        assert call.errors or call.findings or counts_of(call)
        for count in counts_of(call).values() if not call.errors else ():
            assert isinstance(count, int | dict)


def test_units_are_counts_of_any_kind_rounded_to_12_places():
    call = read(model="m", units={"audio_seconds": Decimal("12.50"), "web_searches": "3", "input_characters": 4})
    assert call.data["units"] == {"audio_seconds": Decimal("12.5"), "web_searches": 3, "input_characters": 4}
    noisy = read(
        model="m", units={"audio_seconds": Decimal("0.30000000000000004")}, cost=Decimal("0.00010811999999999999")
    )
    assert (noisy.data["units"]["audio_seconds"], noisy.data["cost"]) == (Decimal("0.3"), Decimal("0.00010812"))


@pytest.mark.parametrize(
    ("data", "pointers"),
    [
        ({"input_tokens": 7, "prompt_tokens": 100}, ["/data/prompt_tokens"]),
        ({"usage": ANTHROPIC, "output_tokens": 1}, ["/data/usage"]),
        ({"input_tokens": 5, "cached_input_tokens": 6}, ["/data/cached_input_tokens"]),
        ({"input_tokens": 5, "cache_write_tokens": 6}, ["/data/cache_write_tokens"]),
        (
            {"input_tokens": 9, "cache_write_tokens": 6, "cache_write_1h_tokens": 7},
            ["/data/cache_write_1h_tokens"],
        ),
        ({"input_tokens": 9, "cache_write_tokens": 6, "cached_input_tokens": 4}, ["/data/cache_write_tokens"]),
        ({"input_tokens": 9, "units": {"input_audio_tokens": 10}}, ["/data/units"]),
        ({"input_tokens": 9, "units": {"input_audio_tokens": 5, "input_image_tokens": 5}}, ["/data/units"]),
        ({"units": {"web_searches": -1}}, ["/data/units/web_searches"]),
        ({"units": {"web_searches": "three"}}, ["/data/units/web_searches"]),
        ({"units": [1]}, ["/data/units"]),
        ({"units": {f"u{number}": 1 for number in range(51)}}, ["/data/units"]),
        ({"usage": "much"}, ["/data/usage"]),
        ({"byok": "yes"}, ["/data/byok"]),
        ({"service_tier": 5}, ["/data/service_tier"]),
        ({"service_tier": "x" * 65}, ["/data/service_tier"]),
        ({"total_tokens": "5"}, ["/data/total_tokens"]),
        ({"prompt_tokens": "5"}, ["/data/prompt_tokens"]),
        ({"prompt_tokens": Decimal("5.5")}, ["/data/prompt_tokens"]),
        ({"prompt_tokens": -5}, ["/data/prompt_tokens"]),
    ],
)
def test_contradictions_are_refused_by_name(data: Data, pointers: list[str]):
    errors = READER.read({"model": "m", **data}).errors
    assert [error.pointer for error in errors] == pointers


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        ({"input_tokens": 5}, []),
        ({"characters": 4000}, ["unknown_count"]),
        ({"inputTokenz": 1, "latency_ms": 12}, ["unknown_count"]),
        ({"max_tokens": 4096, "time_to_first_token_ms": 80, "cost_per_image": 1, "tokens": "many"}, []),
        ({"units": {"holograms": 1}}, ["unknown_count"]),
        ({"usage": {"credits": 4}}, ["unknown_count"]),
        ({"input_tokens": 5, "output_tokens": 5, "reasoning_tokens": 2, "total_tokens": 99}, ["total_mismatch"]),
        ({"input_tokens": 5, "output_tokens": 5, "reasoning_tokens": 2, "total_tokens": 12}, []),
    ],
)
def test_what_is_not_understood_is_said(data: Data, codes: list[str]):
    call = read(model="m", **data)
    assert (call.errors, [finding.code for finding in call.findings]) == ([], codes)
