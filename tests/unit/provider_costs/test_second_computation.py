"""What a call with every unit that the list prices costs, worked out from the list's own figures."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from genai_prices import Usage
from genai_prices.data import providers
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.adapters.price_list.priced_models import PackageModel
from shared.domain.provider_costs.costs import CostRules
from shared.domain.provider_costs.exchange_rates import ExchangeRates
from shared.domain.provider_costs.price_lookup import LlmPrices
from shared.domain.provider_costs.service_tiers import price_context
from shared.domain.provider_costs.usage_counts import USAGE_KEYS
from shared.services.provider_costs.llm_calls import LlmCallReader

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIST = PackagedPriceList()
RULES = CostRules(LlmPrices(LIST), ExchangeRates())
READER = LlmCallReader(LIST)
PROVIDERS = ("openai", "anthropic", "google", "aws", "mistral", "x-ai", "perplexity", "groq")
MODELS_OF_EACH = 5
CALLS_OF_EACH = 20

KEY_OF = {str(unit["price_key"]): key for key, unit in unit_data.items()}
FIELD_OF = {key: field for field, key in USAGE_KEYS.items()}


def prices_of(model: ModelInfo, context: dict[str, str]) -> dict[str, Decimal | TieredPrices]:
    """The prices in force by usage key, found as the list says: the last that applies, then the variant's."""
    prices = model.prices
    if isinstance(prices, ModelPrice):
        standard = prices
    else:
        active = [each for each in prices if each.constraint is None or each.constraint.active(AT)]
        standard = (active or prices[:1])[-1].prices
    found = {KEY_OF[key]: price for key, price in vars(standard).items() if price is not None}
    for variant in reversed(model.price_variants or []):
        if context and variant.when == context and (variant.constraint is None or variant.constraint.active(AT)):
            found |= {KEY_OF[key]: price for key, price in vars(variant.prices).items() if price is not None}
    return found


def tiers_of(model: ModelInfo) -> Iterator[tuple[str, dict[str, str]]]:
    yield "standard", {}
    for variant in model.price_variants or []:
        if variant.constraint is None or variant.constraint.active(AT):
            if variant.when == {"processing": "batch"}:
                yield "batch", variant.when
            elif variant.when == {"speed": "fast"}:
                yield "fast", variant.when
            elif variant.when.keys() == {"service_tier"} and variant.when["service_tier"] != "default":
                yield variant.when["service_tier"], variant.when


def models() -> Iterator[tuple[Provider, ModelInfo]]:
    """Of each provider those with most units of their own."""
    for provider in providers:
        if provider.id in PROVIDERS:
            listed = [model for model in provider.models if found_as_itself(provider, model) and prices_of(model, {})]
            listed.sort(key=lambda model: (-len(prices_of(model, {})), -len(model.price_variants or []), model.id))
            yield from ((provider, model) for model in listed[:MODELS_OF_EACH])


def found_as_itself(provider: Provider, model: ModelInfo) -> bool:
    return provider.find_model(model.id) is model


MODELS = list(models())


def test_there_are_40_models_of_8_providers():
    assert len(MODELS) == 40
    assert {provider.id for provider, _ in MODELS} == set(PROVIDERS)


def is_inside(inner: str, outer: str) -> bool:
    return dict(unit_data[outer]["dimensions"]).items() <= dict(unit_data[inner]["dimensions"]).items()


def price_at(price: Decimal | TieredPrices, context: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    return next((tier.price for tier in reversed(price.tiers) if context > tier.start), price.base)


@pytest.mark.parametrize(("provider", "model"), MODELS, ids=[f"{owner.id}/{model.id}" for owner, model in MODELS])
def test_a_call_with_every_priced_unit_costs_what_the_figures_say(provider: Provider, model: ModelInfo):
    random = Random(model.id)
    for tier, context in tiers_of(model):
        prices = prices_of(model, context)
        for _ in range(CALLS_OF_EACH):
            shares = {key: random.choice((1, 15, 999, 40_000, 300_000)) for key in prices if key != "requests"}
            counts = {key: sum(n for inner, n in shares.items() if is_inside(inner, key)) for key in shares}
            size = counts.get("input_tokens", 0)
            cost = sum(
                (Fraction(price_at(prices[key], size)) * n / unit_data[key]["per"] for key, n in shares.items()),
                start=Fraction(price_at(prices.get("requests", Decimal(0)), size)) / 1000,
            )
            data: dict[str, Any] = {"model": model.id, "provider": provider.id, "service_tier": tier, "units": {}}
            for key, count in counts.items():
                if key in FIELD_OF:
                    data[FIELD_OF[key]] = count
                else:
                    data["units"][key] = count
            if counts.get("audio_seconds", 10) < 10:
                continue  # Groq's least
            call = READER.read(data)
            assert call.errors == []
            found = RULES.of("llm_call", call.data, AT, "USD")
            assert found.amount == rounded(cost), (tier, data, found)


def rounded(cost: Fraction) -> Decimal:
    places = Decimal(1).scaleb(-12)
    exact = Decimal(cost.numerator) / Decimal(cost.denominator)
    return exact.quantize(places, rounding=ROUND_HALF_UP)


def test_our_plans_agree_with_the_package_for_every_model_of_the_list():
    """Random calls of tokens, of which most lack some of the units that a model prices."""
    random = Random(15)
    compared = 0
    for provider in providers:
        for model in provider.models:
            priced = PackageModel(f"{provider.id}/{model.id}", provider, model)
            if not model.prices:
                continue
            for tier, _ in tiers_of(model):
                input_ = random.randrange(1, 400_000)
                cached, written = random.randrange(input_), 0
                if random.random() < 0.5:
                    written = random.randrange(input_ - cached)
                output = random.randrange(100_000)
                counts = {
                    "input_tokens": input_,
                    "cache_read_tokens": cached,
                    "cache_write_tokens": written,
                    "output_tokens": output,
                    "output_reasoning_tokens": random.randrange(output + 1),
                }
                counts = {key: count for key, count in counts.items() if count}
                ours = priced.cost(counts, tier, AT)
                if not isinstance(ours, Decimal):
                    continue
                prices = prices_of(model, dict(price_context(provider.id, tier)) if tier != "standard" else {})
                theirs = ModelPrice(**{str(unit_data[key]["price_key"]): price for key, price in prices.items()})
                expected = theirs.calc_price(Usage(**counts))["total_price"]
                assert ours == expected.quantize(Decimal(1).scaleb(-12), rounding=ROUND_HALF_UP), (priced.name, counts)
                compared += 1
    assert compared > 2000
