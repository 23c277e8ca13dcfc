"""What is the same event is metered the same, by every meter."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import json
from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.domain.metering.gauges import UnmeterableError
from shared.domain.metering.meters import Meter
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.provider_costs.llm_calls import LlmCall
from shared.domain.usage.events import content_hash, errors_in_data, with_derived_fields
from shared.services.provider_costs.llm_calls import LlmCallReader

TYPES = ("step", "workflow.email", "cost.api", "outcome.deal", "llm_call")
TIME = "2026-11-10T12:00:00.000000Z"

NUMBERS = ('"2.50"', "2.50", '"2.5"', "25e-1", '"7"', "7", '"007"', "7.0", '"0"', "0", "-0.0", "1e3", "1000", '"1e3"')
TIMES = ('"2026-11-10T10:00:00Z"', '"2026-11-10T11:00:00.0+01:00"', '"2026-11-10T10:00:00.0000009Z"', "null", '"7"')
CURRENCIES = ('"USD"', '"EUR"')
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "quantity": NUMBERS,
    "amount": NUMBERS,
    "value": NUMBERS,
    "cost": NUMBERS,
    "input_tokens": (*NUMBERS, "12345678901234567890", "12345678901234567890.0"),
    "score": (*NUMBERS, "true", "null", "1e300", "1.0e300", "[7]", "[7.0]"),
    "interaction_time": TIMES,
    "currency": CURRENCIES,
}
ACCEPTED = ("2.5", "2.50", "7", "007", "0", "1000", "USD", "2026-11-10T10:00:00Z", "2026-11-10T09:00:00-01:00", None)

same_fields = st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=1, max_size=3, unique=True)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A type, and data that may mean the same."""
    fields = draw(same_fields)
    return draw(st.sampled_from(TYPES)), _written(draw, fields), _written(draw, fields)


def _written(draw: st.DrawFn, fields: list[str]) -> dict[str, Any]:
    """Some of the fields, each in one of its spellings."""
    spelt = {field: draw(st.sampled_from((*SPELLINGS[field], ""))) for field in fields}
    members = ", ".join(f'"{field}": {text}' for field, text in spelt.items() if text)
    data = json.decode(f"{{{members}}}")
    assert isinstance(data, dict)
    return data


def meters_of(event_type: str) -> list[Meter]:
    """Every filter and every way to read each field."""
    bodies: list[dict[str, Any]] = []
    for path in (f"data.{field}" for field in (*SPELLINGS, "uncached_input_tokens")):
        bodies += [{"filter": {path: [value]}} for value in ACCEPTED]
        bodies += [{"aggregation": name, "value": path} for name in ("sum", "max", "last", "unique", "weighted_sum")]
    return [Meter.model_validate({"event_type": event_type} | body) for body in bodies]


METERS = {event_type: meters_of(event_type) for event_type in TYPES}


READER = LlmCallReader(PackagedPriceList())


def accepted(event_type: str, data: dict[str, Any]) -> dict[str, Any] | None:
    """As it is metered; None where it is refused."""
    call = READER.read(data) if event_type == "llm_call" else LlmCall(data)
    if call.errors or any(errors_in_data(event_type, call.data)):
        return None
    return with_derived_fields(event_type, call.data, "USD")


def hash_of(event_type: str, data: Mapping[str, Any]) -> str:
    return content_hash(event_type, "agt_1", None, data)


def seen_by(meter: Meter, event_type: str, data: Mapping[str, Any]) -> object:
    """The reading, or why there is none."""
    try:
        return meter.measure(CostedEvent(event_type, data, TIME, "evt_1"))
    except UnmeterableError as error:
        return error.detail


@given(pairs())
@settings(max_examples=2000)
def test_what_has_one_hash_is_metered_alike(pair: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    event_type, *both = pair
    one, other = (accepted(event_type, data) for data in both)
    if one is None or other is None or hash_of(event_type, one) != hash_of(event_type, other):
        return
    for meter in METERS[event_type]:
        assert seen_by(meter, event_type, one) == seen_by(meter, event_type, other)


OWN = [
    ("step", "quantity"),
    ("workflow.email", "quantity"),
    ("cost.api", "amount"),
    ("outcome.deal", "value"),
    ("llm_call", "cost"),
]


@pytest.mark.parametrize(("event_type", "field"), OWN)
def test_a_number_with_a_meaning_is_one_however_it_is_written(event_type: str, field: str) -> None:
    for written, again in permutations(("2.50", Decimal("2.50"), "2.5", "25e-1", Decimal("25e-1")), 2):
        assert hash_of(event_type, {field: written}) == hash_of(event_type, {field: again})
        meter = Meter.model_validate({"event_type": event_type, "filter": {f"data.{field}": [again]}})
        assert meter.matches(CostedEvent(event_type, {field: written}, TIME, "evt_1"))
        unique = Meter.model_validate({"event_type": event_type, "aggregation": "unique", "value": f"data.{field}"})
        assert seen_by(unique, event_type, {field: written}) == seen_by(unique, event_type, {field: again})


@pytest.mark.parametrize("event_type", TYPES)
def test_elsewhere_a_text_is_itself(event_type: str) -> None:
    fields = {"quantity", "amount", "value", "cost", "other"} - {field for each, field in OWN if each == event_type}
    for field in fields:
        assert hash_of(event_type, {field: "2.50"}) != hash_of(event_type, {field: "2.5"})
        meter = Meter.model_validate({"event_type": event_type, "filter": {f"data.{field}": ["2.5"]}})
        assert not meter.matches(CostedEvent(event_type, {field: "2.50"}, TIME, "evt_1"))


def test_an_interaction_is_at_one_time_in_every_zone() -> None:
    times = ("2026-11-10T10:00:00Z", "2026-11-10T15:30:00.000+05:30")
    for time, again in permutations(times):
        path = "data.interaction_time"
        meter = Meter.model_validate({"event_type": "outcome.deal", "filter": {path: [again]}})
        assert meter.matches(CostedEvent("outcome.deal", {"interaction_time": time}, TIME, "evt_1"))
        other = Meter.model_validate({"event_type": "step", "filter": {path: [again]}})
        assert not other.matches(CostedEvent("step", {"interaction_time": time}, TIME, "evt_1"))


def test_the_currency_of_what_an_event_is_about_is_said_when_it_is_accepted() -> None:
    for event_type, data, currency in (
        ("cost.api", {"amount": 5}, "USD"),
        ("cost.api", {"amount": 5, "currency": "EUR"}, "EUR"),
        ("outcome.deal", {}, "USD"),
        ("llm_call", {"cost": 5}, "USD"),
        ("llm_call", {"input_tokens": 5}, None),
        ("step", {"amount": 5}, None),
    ):
        assert with_derived_fields(event_type, data, "USD").get("currency") == currency
