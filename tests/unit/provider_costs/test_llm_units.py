"""Every unit and service tier of the price list; the costs are worked out by hand from the providers' prices."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.domain.kernel.histories import History
from shared.domain.provider_costs.costs import CostRules, CostTerms, EventCost
from shared.domain.provider_costs.exchange_rates import ExchangeRates
from shared.domain.provider_costs.llm_prices import ModelPrices, PriceOverride, Prices
from shared.domain.provider_costs.price_lookup import LlmPrices
from shared.services.provider_costs.llm_calls import LlmCallReader

Data = dict[str, Any]

NOVEMBER = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIST = PackagedPriceList()
RULES = CostRules(LlmPrices(LIST), ExchangeRates())
READER = LlmCallReader(LIST)


def cost_of(data: Data, at: datetime = NOVEMBER, terms: CostTerms | None = None) -> EventCost:
    call = READER.read(data)
    assert call.errors == []
    return RULES.of("llm_call", call.data, at, "USD", terms or CostTerms())


def reason_of(data: Data, at: datetime = NOVEMBER) -> str | None:
    cost = cost_of(data, at)
    assert cost.amount is None
    assert cost.unpriced is not None
    return cost.reason


SONNET = "claude-sonnet-4-5"
LARGE = {"input_tokens": 50_000}
THOUSANDS = {"input_tokens": 1000, "output_tokens": 1000}


@pytest.mark.parametrize(
    ("data", "cost"),
    [
        # 264 x 1.25 + (104 + 989) x 10 per million: more reasoning than output is beside it
        ({"model": "gemini-2.5-pro", "input_tokens": 264, "output_tokens": 104, "reasoning_tokens": 989}, "0.01126"),
        # 1,860 x 2 + (42 + 126) x 12
        (
            {"model": "gemini-3-pro-preview", "input_tokens": 1860, "output_tokens": 42, "reasoning_tokens": 126},
            "0.005736",
        ),
        # 1,000 x 8 + 70,000 x 3
        (
            {"model": "sonar-deep-research", "input_tokens": 0, "output_tokens": 1000, "reasoning_tokens": 70_000},
            "0.218",
        ),
        # the total says that the reasoning is beside: 100 x 1.25 + (50 + 30) x 10
        (
            {
                "model": "gpt-5",
                "input_tokens": 100,
                "output_tokens": 50,
                "reasoning_tokens": 30,
                "total_tokens": 180,
            },
            "0.000925",
        ),
        # 4,000 characters at 15 a million
        ({"model": "openai/tts-1", "units": {"input_characters": 4000}}, "0.06"),
        # 90.5 seconds at 0.36 an hour
        ({"model": "whisper-1", "units": {"audio_seconds": Decimal("90.5")}}, "0.00905"),
        ({"model": "whisper-1", "units": {"input_audio_seconds": "90.5"}}, "0.00905"),
        # 3 seconds count as 10 at Groq, at 0.111 an hour
        ({"model": "groq/whisper-large-v3", "units": {"audio_seconds": 3}}, "0.000308333333"),
        # 12 pages at 4 a thousand
        ({"model": "mistral-ocr-latest", "units": {"input_document_pages": 12}}, "0.048"),
        # 10,000 x 3 + 40,000 x 3.75, and x 6 for an hour
        ({"model": SONNET, **LARGE, "cache_write_tokens": 40_000}, "0.18"),
        ({"model": SONNET, **LARGE, "cache_write_tokens": 40_000, "cache_write_1h_tokens": 40_000}, "0.27"),
        ({"model": SONNET, **LARGE, "cache_write_1h_tokens": 40_000}, "0.27"),
        ({"model": SONNET, **LARGE, "cache_write_tokens": 40_000, "cache_write_1h_tokens": 10_000}, "0.2025"),
        # writes without a price of their own cost what input costs
        ({"model": "gpt-5", **LARGE, "cache_write_tokens": 40_000, "cache_write_1h_tokens": 40_000}, "0.0625"),
        # 1,000 x 3 + 10 searches at 10 a thousand
        ({"model": SONNET, "input_tokens": 1000, "units": {"web_searches": 10}}, "0.103"),
        # 10,000 x 4 + 40,000 of sound x 32
        ({"model": "gpt-realtime", **LARGE, "units": {"input_audio_tokens": 40_000}}, "1.32"),
        # without input_tokens the sound is all of it
        ({"model": "gpt-realtime", "units": {"input_audio_tokens": 40_000}}, "1.28"),
        # all of the input is sound, so that the cached part is: 30,000 x 32 + 10,000 x 0.40
        (
            {
                "model": "gpt-realtime",
                "input_tokens": 40_000,
                "cached_input_tokens": 10_000,
                "units": {"input_audio_tokens": 40_000},
            },
            "0.964",
        ),
        # 50 x 0.30 + 10 x 2.50 + 1,290 of images x 30
        (
            {
                "model": "gemini-2.5-flash-image",
                "input_tokens": 50,
                "output_tokens": 1300,
                "units": {"output_image_tokens": 1290},
            },
            "0.03874",
        ),
        # above 272,000 input tokens: 300,000 x 5 + 1,000 x 22.50
        ({"model": "gpt-5.4", "input_tokens": 300_000, "output_tokens": 1000}, "1.5225"),
    ],
)
def test_every_unit_costs_what_the_provider_charges(data: Data, cost: str):
    found = cost_of(data)
    assert (found.amount, found.source, found.unpriced) == (Decimal(cost), "list", None)


@pytest.mark.parametrize(
    ("data", "cost", "priced_by"),
    [
        ({"model": "deepseek/deepseek-r1:free"}, "0", "openrouter/deepseek/deepseek-r1:free"),
        (
            {"model": "deepseek/deepseek-r1:free", "provider": "openrouter"},
            "0",
            "openrouter/deepseek/deepseek-r1:free",
        ),
        ({"model": "openrouter/deepseek/deepseek-r1:free"}, "0", "openrouter/deepseek/deepseek-r1:free"),
        (
            {"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
            "0.0198",
            "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            {"model": "global.anthropic.claude-sonnet-4-5-20250929-v1:0"},
            "0.018",
            "aws/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            {"model": "bedrock/us-east-1/us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
            "0.0198",
            "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            {"model": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"},
            "0.004",
            "aws/amazon.nova-pro-v1:0",
        ),
        ({"model": "amazon.nova-pro-v1:0"}, "0.004", "aws/amazon.nova-pro-v1:0"),
        ({"model": "models/gemini-2.5-pro"}, "0.01125", "google/gemini-2.5-pro"),
        ({"model": "gemini-2.5-pro", "provider": "gcp.vertex_ai"}, "0.01125", "google/gemini-2.5-pro"),
        ({"model": "publishers/google/models/gemini-2.5-pro"}, "0.01125", "google/gemini-2.5-pro"),
        ({"model": "azure_ai/gpt-5"}, "0.01125", "azure/gpt-5"),
        ({"model": "gpt-5", "provider": "azure.ai.openai"}, "0.01125", "azure/gpt-5"),
        ({"model": "openai/gpt-5", "provider": "litellm"}, "0.01125", "openai/gpt-5"),
        ({"model": "grok-4", "provider": "x_ai"}, "0.018", "x-ai/grok-4-0709"),
    ],
)
def test_a_model_is_found_by_the_names_that_senders_have(data: Data, cost: str, priced_by: str):
    found = cost_of({**data, **THOUSANDS})
    assert (found.amount, found.priced_by) == (Decimal(cost), priced_by)


@pytest.mark.parametrize(
    "data",
    [
        {"model": "deepseek-r1:8b"},
        {"model": "deepseek-r1:8b", "provider": "ollama"},
        {"model": "ollama/deepseek-r1:8b"},
        {"model": "deepseek-r1:latest", "provider": "deepseek"},
        {"model": "mistral:7b"},
    ],
)
def test_what_somebody_runs_has_no_price_of_a_provider(data: Data):
    assert "is on no price list" in str(reason_of({**data, **THOUSANDS}))


@pytest.mark.parametrize(
    ("tier", "cost"),
    [
        (None, "0.01125"),
        ("default", "0.01125"),
        ("AUTO", "0.01125"),
        ("on_demand", "0.01125"),
        ("batch", "0.005625"),
        ("flex", "0.005625"),
        ("priority", "0.0225"),
    ],
)
def test_a_service_tier_has_its_own_price(tier: str | None, cost: str):
    assert cost_of({"model": "gpt-5", **THOUSANDS, "service_tier": tier}).amount == Decimal(cost)


def test_fast_is_a_speed_at_anthropic():
    assert cost_of({"model": "claude-opus-4-8", **THOUSANDS, "service_tier": "fast"}).amount == Decimal("0.06")
    assert cost_of({"model": "claude-opus-4-6", **THOUSANDS, "service_tier": "batch"}).amount == Decimal("0.015")


@pytest.mark.parametrize(
    ("data", "at"),
    [
        ({"model": "gpt-5", "service_tier": "batch"}, datetime(2026, 10, 13, 23, tzinfo=UTC)),
        ({"model": "gpt-5", "service_tier": "flex"}, datetime(2026, 10, 11, tzinfo=UTC)),
        ({"model": "gpt-5", "service_tier": "scale"}, NOVEMBER),
        ({"model": "gpt-5", "provider": "azure", "service_tier": "batch"}, NOVEMBER),
        ({"model": "amazon.nova-pro-v1:0", "service_tier": "batch"}, NOVEMBER),
        ({"model": SONNET, "service_tier": "priority"}, NOVEMBER),
    ],
)
def test_a_tier_that_is_not_listed_then_and_there_has_no_price(data: Data, at: datetime):
    assert f"has no price for the service tier {data['service_tier']}" in str(reason_of({**data, **THOUSANDS}, at))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"model": "gpt-5"}, "the call has no count that could be priced"),
        ({"model": "openai/tts-1", "characters": 4000}, "the call has no count that could be priced"),
        ({"model": "openai/tts-1", **THOUSANDS}, "the model has no price for input_tokens"),
        (
            {"model": "gpt-5", **LARGE, "units": {"input_audio_tokens": 1}},
            "the model has no price for input_audio_tokens",
        ),
        ({"model": "gpt-5", **LARGE, "units": {"code_executions": 1}}, "the model has no price for code_executions"),
        ({"model": "gpt-5", **LARGE, "units": {"holograms": 1}}, "the price list knows no unit holograms"),
        (
            {"model": "amazon.nova-pro-v1:0", **LARGE, "units": {"web_searches": 1}},
            "the model has no price for web_searches",
        ),
        (
            {"model": "gpt-realtime", **LARGE, "cached_input_tokens": 10, "units": {"input_audio_tokens": 40_000}},
            "cache_audio_read_tokens are needed to tell how many of cache_read_tokens are input_audio_tokens",
        ),
    ],
)
def test_what_has_no_price_is_unpriced_with_its_reason_and_never_zero(data: Data, reason: str):
    assert reason_of(data) == reason


def test_an_hour_in_the_cache_needs_a_price_where_writing_has_one():
    """Nova's list has no price of writes at all; older models of Anthropic have one, for five minutes only."""
    written = {**LARGE, "cache_write_1h_tokens": 40_000}
    assert cost_of({"model": "amazon.nova-pro-v1:0", **written}).amount == Decimal("0.04")
    assert reason_of({"model": FIVE_MINUTES_ONLY, **written}) == "the model has no price for cache_write_1h_tokens"


FIVE_MINUTES_ONLY = "anthropic.claude-3-5-haiku-20241022-v1:0"


def test_an_override_in_the_short_form_keeps_the_lists_border():
    """A tenth less than the list, whose prices are doubled, and half as high again, above 272,000 input tokens."""
    less = ModelPrices(input=Decimal("2.25"), cached_input=Decimal("0.225"), output=Decimal("13.50"))
    history = History[Prices | None].starting(less, at=datetime(2026, 11, 1, tzinfo=UTC))
    override = PriceOverride(id="llp_1", provider="openai", model="gpt-5.4", prices=history)
    rules = CostRules(LlmPrices(LIST, [override]), ExchangeRates())
    for counts, cost in (
        ({"input_tokens": 272_000, "output_tokens": 10_000}, "0.747"),
        ({"input_tokens": 300_000, "cached_input_tokens": 100_000, "output_tokens": 10_000}, "1.1475"),
    ):
        found = rules.of("llm_call", {"model": "gpt-5.4", **counts}, NOVEMBER, "USD")
        assert (found.amount, found.source, found.list_version) == (Decimal(cost), "override", None)


def test_units_that_the_short_form_does_not_name_cost_what_includes_them():
    ours = ModelPrices(input=Decimal(2), output=Decimal(10))
    history = History[Prices | None].starting(ours, at=datetime(2026, 11, 1, tzinfo=UTC))
    rules = CostRules(
        LlmPrices(LIST, [PriceOverride(id="llp_1", provider=None, model="ours", prices=history)]), ExchangeRates()
    )
    data = {
        "model": "ours",
        "input_tokens": 1000,
        "cache_write_1h_tokens": 500,
        "output_tokens": 100,
        "units": {"input_audio_tokens": 300},
    }
    assert rules.of("llm_call", data, NOVEMBER, "USD").amount == Decimal("0.003")
    searched = rules.of("llm_call", {**data, "units": {"web_searches": 1}}, NOVEMBER, "USD")
    assert (searched.amount, searched.reason) == (None, "the model has no price for web_searches")


def test_what_is_0_needs_no_price():
    assert cost_of({"model": "gpt-5", **THOUSANDS, "units": {"web_searches": 0, "holograms": 0}}).amount == Decimal(
        "0.01125"
    )


def test_a_free_model_costs_nothing_whatever_it_counts():
    free = {"model": "deepseek/deepseek-r1:free", "provider": "openrouter"}
    for counts in ({}, THOUSANDS, {"units": {"web_searches": 3}}):
        found = cost_of({**free, **counts})
        assert (found.amount, found.unpriced) == (0, None)


def test_requests_can_be_more_than_one():
    model = {"model": "perplexity/sonar", "input_tokens": 1000}  # 1,000 x 1 per million, and 12 per 1,000 requests
    assert cost_of(model).amount == Decimal("0.013")
    assert cost_of({**model, "units": {"requests": 3}}).amount == Decimal("0.037")


def test_the_price_list_is_kept_with_the_cost():
    assert cost_of({"model": "gpt-5", **THOUSANDS}).list_version == LIST.version
    assert cost_of({"model": "of-our-own", **THOUSANDS}).list_version is None
