"""Whether a call has a price is remembered by kind of call, and says the same as pricing each of them."""

from datetime import timedelta
from itertools import product
from typing import Any

from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.domain.provider_costs.costs import CostRules, CostTerms
from shared.domain.provider_costs.exchange_rates import ExchangeRates
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.price_checks import PriceChecks
from shared.domain.provider_costs.price_lookup import LlmPrices
from tests.doubles.worlds.served_endpoint import NOW

MODELS = ("gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro", "openai/whisper-1", "deepseek/deepseek-r1:free", "of-our-own")
COUNTS: tuple[dict[str, Any], ...] = (
    {},
    {"input_tokens": 0},
    {"input_tokens": 0, "output_tokens": 0},
    {"input_tokens": 0, "output_tokens": 1},
    {"input_tokens": 10, "output_tokens": 0},
    {"input_tokens": 10, "output_tokens": 1},
    {"input_tokens": 10, "output_tokens": 1, "cached_input_tokens": 0, "reasoning_tokens": 0},
    {"input_tokens": 10, "output_tokens": 1, "cache_write_tokens": 0, "cache_write_1h_tokens": 0},
    {"input_tokens": 10, "cached_input_tokens": 5, "output_tokens": 3, "reasoning_tokens": 2},
    {"input_tokens": 10, "cache_write_tokens": 5, "cache_write_1h_tokens": 5},
    {"units": {"web_searches": 1}, "input_tokens": 10},
    {"units": {"audio_seconds": 3}},
)
TIERS = (None, "default", "batch", "priority", "of-our-own")
TIMES = (NOW, NOW - timedelta(days=80))


def test_it_says_what_pricing_says() -> None:
    rules = CostRules(LlmPrices(PackagedPriceList()), ExchangeRates(()))
    checks = PriceChecks(rules)
    seen = set()
    for _ in range(2):
        for model, counts, tier, at, takes_terms in product(MODELS, COUNTS, TIERS, TIMES, (True, False)):
            terms = CostTerms(takes_terms=takes_terms)
            data = {"model": model, **counts} | ({} if tier is None else {"service_tier": tier})
            cost = rules.priced(data, at, terms).cost
            expected = cost if isinstance(cost, Unpriced) else None
            assert checks.unpriced(data, at, terms) == expected
            seen.add(expected.reason if expected is not None else None)
    assert {None, "no_model", "no_count"} <= seen


def test_no_warning_of_calls_that_cost_nothing_or_what_their_sender_says() -> None:
    checks = PriceChecks(CostRules(LlmPrices(PackagedPriceList()), ExchangeRates(())))
    call = {"model": "of-our-own", "input_tokens": 1}
    assert checks.unpriced(call | {"byok": True}, NOW) is None
    assert checks.unpriced(call | {"cost": "1"}, NOW, CostTerms(takes_reported=True)) is None
    assert checks.unpriced(call | {"byok": True}, NOW, CostTerms(takes_terms=False)) is not None
    assert checks.unpriced(call | {"cost": "1"}, NOW) is not None
