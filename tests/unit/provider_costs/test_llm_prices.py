"""What an LLM call costs: by the list, by the operator's prices, by the rates of currencies."""

import csv
import gzip
import socket
import tracemalloc
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.domain.kernel.histories import Entry, History
from shared.domain.metering.gauges import UnmeterableError
from shared.domain.metering.readings import CountAndSum
from shared.domain.provider_costs.costs import NO_COST, CostRules, EventCost
from shared.domain.provider_costs.exchange_rates import (
    ExchangeRate,
    ExchangeRates,
    NoExchangeRateError,
    exchange_rate_id,
)
from shared.domain.provider_costs.llm_prices import (
    ModelPrices,
    PriceOverride,
    Prices,
    override_id,
)
from shared.domain.provider_costs.model_names import ModelName
from shared.domain.provider_costs.price_lookup import LlmPrices
from shared.domain.usage.totals import MAXIMUM_SYSTEM_TOTALS, Contribution, Totals
from tests.places import DEMO_DATA

CALLS = DEMO_DATA / "agent_llm_calls.csv.gz"
COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")

NOVEMBER = datetime(2025, 11, 18, 22, tzinfo=UTC)
LATER = datetime(2026, 10, 5, tzinfo=UTC)
LISTED = PackagedPriceList()
TEN_EACH = ModelPrices(input=Decimal(10), output=Decimal(10))


def rules(overrides: Sequence[PriceOverride] = (), rates: Sequence[ExchangeRate] = ()) -> CostRules:
    return CostRules(LlmPrices(LISTED, overrides), ExchangeRates(tuple(rates)))


def test_only_names_that_can_be_listed_are_remembered() -> None:
    asked: list[ModelName] = []

    class Asked(PackagedPriceList):
        def find(self, name: ModelName) -> None:
            asked.append(name)

    prices = LlmPrices(Asked())
    tracemalloc.start()
    for number in range(1000):
        for provider, model in ((None, f"{number}" + "x" * 30_000), ("x" * 30_000, f"{number}"), (None, "")):
            assert prices.of(provider, model).at(LATER) is None
    assert tracemalloc.get_traced_memory()[0] < 1_000_000
    tracemalloc.stop()
    assert asked == []
    assert prices.of("acme", "m") is prices.of("acme", "m")
    assert asked == [ModelName("acme", "m")]


def call(model: str = "google/gemini-3-pro-preview", **data: Any) -> dict[str, Any]:
    return {"model": model, "input_tokens": 1_000_000, **data}


def cost_of(data: Mapping[str, Any], at: datetime = LATER, currency: str = "USD", **known: Any) -> EventCost:
    return rules(**known).of("llm_call", data, at, currency)


def override(provider: str | None, model: str, *prices: tuple[datetime, Prices | None]) -> PriceOverride:
    entries = tuple(Entry(effective_from=start, value=value) for start, value in prices)
    name = ModelName(provider, model)
    return PriceOverride(
        id=override_id(name), provider=provider, model=model, prices=History[Prices | None](entries=entries)
    )


def rate(source: str, target: str, *rates: tuple[datetime, str]) -> ExchangeRate:
    entries = tuple(Entry(effective_from=start, value=Decimal(value)) for start, value in rates)
    return ExchangeRate(
        id=exchange_rate_id(source, target), from_currency=source, to_currency=target, rates=History(entries=entries)
    )


def test_every_recorded_call_costs_what_its_provider_charged():
    with gzip.open(CALLS, "rt", encoding="utf-8", newline="") as file:
        charged = [row for row in csv.DictReader(file) if row["billed_usd"]]
    assert len(charged) == 13_180
    known = rules()
    for row in charged:
        data = {"model": row["model"], **{name: int(row[name]) for name in COUNTS}}
        cost = known.of("llm_call", data, datetime.fromisoformat(row["time"]), "USD")
        assert cost.amount == Decimal(row["billed_usd"]), row
    total = sum((Decimal(row["billed_usd"]) for row in charged), Decimal(0))
    assert total == Decimal("150.8642142")


def test_reasoning_beside_the_output_is_priced_as_output():
    """Of the calls that the provider did not charge, 15 report more reasoning than output."""
    with gzip.open(CALLS, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["reasoning_tokens"]) > int(row["output_tokens"])]
    known, total, of_output = rules(), Decimal(0), Decimal(0)
    for row in rows:
        data = {"model": row["model"], **{name: int(row[name]) for name in COUNTS}}
        call = known.priced(data, datetime.fromisoformat(row["time"]))
        assert call.prices is not None
        assert isinstance(call.cost, Decimal)
        steps = call.prices.model.steps(call.counts.counts, call.tier, datetime.fromisoformat(row["time"]))
        total += call.cost
        of_output += sum(step.amount for step in steps if step.unit == "output_tokens")
    assert (len(rows), of_output, total) == (15, Decimal("0.042876"), Decimal("0.091534"))


def test_cached_tokens_cost_less_and_reasoning_ones_are_output():
    data = call(input_tokens=1860, cached_input_tokens=1000, output_tokens=168, reasoning_tokens=126)
    assert cost_of(data).amount == Decimal("0.003936")  # 860 x 2.00, 1,000 x 0.20, 168 x 12.00 per million


def test_the_size_of_the_context_chooses_the_tier_of_all_tokens():
    at_bound, above = (call(input_tokens=tokens, output_tokens=1000) for tokens in (200_000, 200_001))
    assert cost_of(at_bound).amount == Decimal("0.412")
    assert cost_of(above).amount == Decimal("0.818004")


def at_prices(prices: ModelPrices, **data: Any) -> EventCost:
    return cost_of({"model": "m", **data}, overrides=[override(None, "m", (NOVEMBER, prices))])


@pytest.mark.parametrize(
    ("reasoning", "cost"), [(0, "10"), (4, "26"), (10, "50"), (12, "70")], ids=["none", "some", "all", "beside"]
)
def test_reasoning_is_priced_apart_where_it_has_a_price(reasoning: int, cost: str):
    prices = ModelPrices(input=Decimal(1), output=Decimal(1_000_000), reasoning=Decimal(5_000_000))
    assert at_prices(prices, output_tokens=10, reasoning_tokens=reasoning).amount == Decimal(cost)


def test_cached_tokens_without_a_price_cost_as_the_others():
    prices = ModelPrices(input=Decimal(3), output=Decimal(1))
    assert at_prices(prices, input_tokens=1_000_000, cached_input_tokens=400_000).amount == 3


def test_a_call_with_tokens_of_a_kind_without_a_price_is_unpriced():
    embedding = {"model": "text-embedding-3-small", "provider": "openai", "input_tokens": 1_000_000}
    assert cost_of(embedding).amount == Decimal("0.02")
    unpriced = cost_of({**embedding, "output_tokens": 1})
    assert (unpriced.amount, unpriced.reason) == (None, "the model has no price for output_tokens")


def test_what_is_smaller_than_twelve_places_is_rounded_half_up():
    for price, cost in (("0.0000005", "0.000000000001"), ("0.0000004", "0")):
        prices = ModelPrices(input=Decimal(price), output=Decimal(0))
        assert at_prices(prices, input_tokens=1).amount == Decimal(cost)


@pytest.mark.parametrize(
    ("data", "priced_by"),
    [
        ({"model": "google/gemini-3-pro-preview"}, "google/gemini-3-pro-preview"),
        ({"model": "gemini-3-pro-preview"}, "google/gemini-3-pro-preview"),
        ({"model": "Google/Gemini-3-Pro-Preview"}, "google/gemini-3-pro-preview"),
        ({"model": "openai/gpt-5"}, "openai/gpt-5"),
        ({"model": "gpt-5", "provider": "azure"}, "azure/gpt-5"),
        ({"model": "openai/gpt-5", "provider": "openrouter"}, "openrouter/openai/gpt-5"),
        ({"model": "vendor/gpt-5", "provider": "openai"}, "openai/gpt-5"),
        ({"model": "acme/gpt-5"}, None),
        ({"model": "acme/gemini-2.0-flash"}, None),
        ({"model": "accounts/fireworks/models/deepseek-v3p2"}, "fireworks/deepseek-v3p2"),
        ({"model": "gpt-5", "provider": "acme"}, None),
        ({"model": "of-our-own"}, None),
        ({"model": "x" * 5000}, None),
        ({"model": 5}, None),
        ({}, None),
    ],
)
def test_a_vendors_prefix_is_the_provider_unless_another_is_named(data: dict[str, Any], priced_by: str | None):
    cost = cost_of({**data, "input_tokens": 10})
    assert cost.priced_by == priced_by
    assert (cost.amount is None) == (priced_by is None)


def test_prices_are_those_of_the_time_of_the_call():
    before, after = (cost_of(call("openai/o3"), at) for at in (datetime(2025, 5, 1, tzinfo=UTC), LATER))
    assert (before.amount, after.amount) == (Decimal(10), Decimal(2))


def test_the_operators_prices_hold_while_there_are_any():
    changes = [(datetime(2026, 10, day, tzinfo=UTC), prices) for day, prices in ((2, TEN_EACH), (8, None))]
    known = [override("google", "gemini-3-pro-preview", *changes)]
    costs = [
        cost_of(call(input_tokens=100_000), datetime(2026, 10, day, tzinfo=UTC), overrides=known).amount
        for day in (1, 2, 7, 8)
    ]
    assert costs == [Decimal("0.2"), Decimal(1), Decimal(1), Decimal("0.2")]


@pytest.mark.parametrize(
    "data", [{"model": "gpt-5"}, {"model": "openai/gpt-5"}, {"model": "gpt-5", "provider": "OpenAI"}]
)
def test_the_operators_price_of_a_listed_model_holds_by_whatever_name_it_is_called(data: dict[str, Any]):
    cost = cost_of({**data, "input_tokens": 1_000_000}, overrides=[override("openai", "gpt-5", (NOVEMBER, TEN_EACH))])
    assert (cost.amount, cost.priced_by) == (Decimal(10), "openai/gpt-5")


def test_the_operator_prices_a_model_that_no_list_knows():
    named = override("acme", "large", (NOVEMBER, TEN_EACH))
    nameless = override(None, "of-our-own", (NOVEMBER, TEN_EACH))
    for data in ({"model": "acme/large"}, {"model": "Large", "provider": "ACME"}, {"model": "of-our-own"}):
        assert cost_of({**data, "input_tokens": 100_000}, overrides=[named, nameless]).amount == 1
    assert cost_of({"model": "large", "input_tokens": 1}, overrides=[named, nameless]).amount is None


def test_an_operators_price_survives_its_document():
    known = override("acme", "large", (NOVEMBER, TEN_EACH), (LATER, None))
    assert PriceOverride.read(known.document()) == known
    prices = known.document()["prices"]["entries"][0]["value"]
    assert (prices["input"], prices["output"], prices["cached_input"]) == ("10", "10", None)


def test_a_rate_survives_its_document():
    known = rate("EUR", "KWD", (NOVEMBER, "0.35671"), (LATER, "0.36"))
    assert known.document()["rates"]["entries"][0]["value"] == "0.35671"
    assert ExchangeRate.read(known.document()) == known


@pytest.mark.parametrize(
    ("currency", "value", "converted"),
    [("JPY", "155.25", "310.5"), ("KWD", "0.30675", "0.6135"), ("EUR", "0.333333333333", "0.666666666666")],
)
def test_a_cost_is_in_the_organizations_currency_and_never_rounded_to_its_minor_unit(
    currency: str, value: str, converted: str
):
    cost = cost_of(
        call(input_tokens=1_000_000, cached_input_tokens=0) | {"model": "openai/o3"},
        LATER,
        currency,
        rates=[rate("USD", currency, (NOVEMBER, value))],
    )
    assert cost.amount == Decimal(converted)


def test_a_conversion_is_rounded_half_up_to_twelve_places():
    known = rules(rates=[rate("EUR", "USD", (NOVEMBER, "1.000000000001"))])
    amounts = {"0.5": "0.500000000001", "0.4": "0.4", "0.000000000001": "0.000000000001"}
    for amount, converted in amounts.items():
        cost = known.of("cost.api", {"amount": amount, "currency": "EUR"}, LATER, "USD")
        assert cost.amount == Decimal(converted)


def test_the_rate_is_the_one_in_force_at_the_time_of_the_event():
    known = rules(rates=[rate("EUR", "USD", (NOVEMBER, "2"), (LATER, "3"))])
    data = {"amount": "1", "currency": "EUR"}
    just_before = LATER.replace(day=4, hour=23)
    assert [known.of("cost.api", data, at, "USD").amount for at in (NOVEMBER, just_before, LATER)] == [2, 2, 3]
    with pytest.raises(NoExchangeRateError, match="no exchange rate from EUR to USD"):
        known.of("cost.api", data, datetime(2025, 1, 1, tzinfo=UTC), "USD")


def test_the_way_back_has_a_rate_of_its_own():
    known = rules(rates=[rate("EUR", "USD", (NOVEMBER, "2"))])
    with pytest.raises(NoExchangeRateError):
        known.of("cost.api", {"amount": "1", "currency": "USD"}, LATER, "EUR")


def test_a_stated_cost_is_kept_and_never_trusted():
    cost = cost_of(call(input_tokens=100_000, cost="99.5"))
    assert (cost.amount, cost.reported) == (Decimal("0.2"), Decimal("99.5"))
    unknown = cost_of(call("of-our-own", cost="99.5"))
    assert (unknown.amount, unknown.reported) == (None, Decimal("99.5"))
    elsewhere = cost_of(call(cost="99.5", currency="EUR"))
    assert (elsewhere.amount, elsewhere.reported) == (Decimal(4), None)


def test_costs_move_the_standing_reading_of_their_category():
    known = rules()
    assert known.of("cost.tools", {"amount": "1.50"}, LATER, "USD").readings() == (
        ("$cost.tools", CountAndSum(1, Decimal("1.50"))),
    )
    assert dict(known.of("llm_call", call(input_tokens=1, cost="2"), LATER, "USD").readings()) == {
        "$cost.llm": CountAndSum(1, Decimal("0.000002")),
        "$stated_cost": CountAndSum(1, Decimal(2)),
        "$reported.google/gemini-3-pro-preview": CountAndSum(1, Decimal(2)),
        "$difference.google/gemini-3-pro-preview": CountAndSum(1, Decimal("-1.999998")),
    }
    tokens = CountAndSum(1, Decimal(10))
    assert dict(
        known.of("llm_call", {"model": "of-our-own", "input_tokens": 7, "output_tokens": 3}, LATER, "USD").readings()
    ) == {
        "$unpriced": tokens,
        "$unpriced.of-our-own": tokens,
    }
    assert known.of("command", {}, LATER, "USD") is NO_COST
    assert NO_COST.readings() == ()
    with pytest.raises(UnmeterableError):
        known.of("cost.tools", {}, LATER, "USD")


def test_models_that_senders_make_up_do_not_let_totals_grow():
    totals, known = Totals(), rules()
    for number in range(300):
        cost = known.of("llm_call", {"model": f"made-up-{number}" + "é\n" * 200, "input_tokens": 2}, LATER, "USD")
        totals.add(Contribution("llm_call", "2026-10-05T00:00:00.000000Z", (), system_totals=cost.readings()))
    names = [name for name in totals.meters() if name.startswith("$unpriced.")]
    assert len(names) == MAXIMUM_SYSTEM_TOTALS + 1
    assert all(name.isascii() and name.isprintable() and len(name) < 120 for name in names)
    assert totals.reading("$unpriced") == CountAndSum(300, Decimal(600))
    assert totals.reading("$unpriced.*") == CountAndSum(
        300 - MAXIMUM_SYSTEM_TOTALS, Decimal(600 - 2 * MAXIMUM_SYSTEM_TOTALS)
    )
    assert Totals.read(totals.document()) == totals.copy() == totals


def test_many_event_types_and_many_unpriced_models_do_not_crowd_each_other_out():
    totals = Totals()
    for number in range(150):
        totals.add(
            Contribution(
                "x", "", ((f"type-{number}", CountAndSum(1)),), system_totals=((f"$unpriced.{number}", CountAndSum(1)),)
            )
        )
    assert [name for name in totals.meters() if name == "*"] == []
    assert totals.reading("$unpriced.*") == CountAndSum(100)


def test_the_price_list_is_the_installed_one_and_asks_nobody(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network is not needed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    listed = PackagedPriceList().find(ModelName("openai", "gpt-5"))
    assert listed is not None
    assert listed.name == "openai/gpt-5"
