"""What is recorded with an event says again what it added to totals; events of before have less of it."""

from decimal import Decimal
from typing import Any

import pytest

from shared.adapters.usage.documents import event_document, read_event
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import from_text
from shared.domain.provider_costs.costs import EventCost
from shared.domain.provider_costs.llm_prices import ModelPrices, PriceOverride, Prices, UnitPrices
from shared.domain.usage.events import AcceptedEvent, TotalKey
from shared.domain.usage.recomputation import added_by
from shared.domain.usage.totals import Contribution
from shared.ports.usage import MeteredEvent

TIME = "2026-10-05T12:00:00.000000Z"
CALL: dict[str, Any] = {"model": "of-our-own", "input_tokens": 7, "output_tokens": 3, "reasoning_tokens": 20}
TWO, THREE = Decimal(2), Decimal(3)


def documented(cost: EventCost) -> dict[str, Any]:
    event = AcceptedEvent(
        key="evt_1", id="1", source="api", type="llm_call", agent="agt_1", time=TIME, data=CALL, content="c"
    )
    total, added = TotalKey(from_text(TIME), "agt_1", "-"), Contribution("llm_call", TIME, ())
    return event_document(MeteredEvent(event, total, added, None, cost), 60)


@pytest.mark.parametrize(
    "cost",
    [
        EventCost(TWO, "llm", None, "openai/gpt-5", source="list", list_version="0.2.3"),
        EventCost(TWO, "llm", THREE, "openai/gpt-5", source="override"),
        EventCost(THREE, "llm", THREE, source="reported", reason="the call names no model"),
        EventCost(Decimal(0), "llm", THREE, "openai/gpt-5", source="list", byok=True, byok_amount=TWO),
        EventCost(Decimal(0), "llm", byok=True, reason="the call names no model"),
        EventCost(None, "llm", THREE, unpriced="of-our-own", tokens=10, reason="is on no price list"),
    ],
    ids=["list", "override", "reported", "byok", "byok without a price", "unpriced"],
)
def test_a_recorded_cost_adds_what_it_added_at_first(cost: EventCost):
    event = read_event(documented(cost))
    assert added_by(event, None, "USD").system_totals == cost.readings()
    assert event.cost_difference == cost.difference


def test_events_of_before_add_what_they_added_then():
    document = documented(EventCost(TWO, "llm", THREE, "openai/gpt-5"))
    assert {"cost_source", "list_version", "byok"}.isdisjoint(document)
    event = read_event(document)
    assert [name for name, _ in added_by(event, None, "USD").system_totals] == ["$cost.llm", "$stated_cost"]
    assert event.cost_difference == -1


def test_prices_of_before_are_read_as_they_were_stored():
    value = {"currency": "USD", "input": "10", "cached_input": None, "output": "10", "reasoning": None}
    entries = [{"effective_from": TIME, "value": value}]
    stored = {"id": "llp_1", "kind": "llm_price", "provider": "acme", "model": "large", "prices": {"entries": entries}}
    override = PriceOverride.read(stored)
    assert override.prices.first == ModelPrices(input=Decimal(10), output=Decimal(10))
    assert override.document()["prices"]["entries"][0]["value"] == value


def test_prices_in_the_lists_notation_survive_their_document():
    rates: dict[str, Any] = {
        "input_mtok": {"base": "2.50", "tiers": [{"start": 272_000, "price": "5"}]},
        "web_searches_kcount": "10",
    }
    prices = UnitPrices.model_validate({"rates": rates, "service_tiers": {"batch": {"input_mtok": "1"}}})
    history = History[Prices | None].starting(prices)
    override = PriceOverride(id="llp_1", provider=None, model="m", prices=history)
    assert PriceOverride.read(override.document()) == override
    assert override.document()["prices"]["entries"][0]["value"]["rates"] == rates
