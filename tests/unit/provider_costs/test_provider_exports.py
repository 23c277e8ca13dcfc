"""What is read of the exports of providers, in the forms in which they hand them out."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.kernel.errors import MalformedError, TooLargeError, ValidationError
from shared.domain.provider_costs import provider_exports
from shared.domain.provider_costs.provider_exports import ExportedUsage, Provider, read_export

DAY = date(2026, 11, 10)


def of_csv(provider: Provider, text: str, day: date | None = None) -> list[ExportedUsage]:
    return read_export(provider, is_csv=True, raw=text.encode("utf-8-sig"), day=day)


def of_json(provider: Provider, value: Any, day: date | None = None) -> list[ExportedUsage]:
    return read_export(provider, is_csv=False, raw=json.dumps(value).encode(), day=day)


def test_the_cost_export_of_openais_dashboard() -> None:
    names = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,line_item\n"
    rows = (
        "1794182400,1794268800,2026-11-09T00:00:00+00:00,2026-11-10T00:00:00+00:00,,,,\n"
        '1794268800,1794355200,2026-11-10T00:00:00+00:00,,0.003835980000000000000000000000,usd,,"gpt-5-mini, input"\n'
    )
    (row,) = of_csv("openai", names + rows)
    assert (row.day, row.model, row.cost) == (DAY, "gpt-5-mini", Decimal("0.00383598"))
    assert (row.requests, dict(row.units), row.call_id) == (None, {}, None)


def test_stored_completions_of_openai_have_ids() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    listed = {"object": "list", "data": [{"id": "chatcmpl-1", "created": 1794268800, "model": "gpt-5", "usage": usage}]}
    (row,) = of_json("openai", listed)
    assert (row.call_id, row.requests, row.day) == ("chatcmpl-1", 1, DAY)
    assert row.units == {"input_tokens": 10, "cache_read_tokens": 4, "output_tokens": 5}


def test_the_reports_of_anthropics_admin_api() -> None:
    used = {
        "uncached_input_tokens": 1500,
        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
        "cache_read_input_tokens": 200,
        "output_tokens": 500,
        "server_tool_use": {"web_search_requests": 10},
        "model": "claude-sonnet-4-5-20250929",
    }
    bucket = {"starting_at": "2026-11-10T00:00:00Z", "ending_at": "2026-11-11T00:00:00Z"}
    pages = [{"data": [{**bucket, "results": [used]}], "has_more": True}, {"data": [], "has_more": False}]
    (row,) = of_json("anthropic", pages)
    assert row.units == {
        "input_tokens": 3200,
        "cache_read_tokens": 200,
        "cache_write_tokens": 1500,
        "cache_write_1h_tokens": 1000,
        "output_tokens": 500,
        "web_searches": 10,
    }
    cost = {"amount": "123.45", "currency": "USD", "model": "claude-sonnet-4-5", "token_type": "output_tokens"}
    (row,) = of_json("anthropic", {"data": [{**bucket, "results": [cost]}]})
    assert (row.cost, row.rounded_by) == (Decimal("1.2345"), Decimal("0.00005")), "in cents"


def test_openrouters_activity_by_day() -> None:
    text = "Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens\n"
    (row,) = of_csv("openrouter", text + "2026-11-10,openai/gpt-5,0.015,0,5,50,125,25\n")
    assert (row.model, row.requests, row.cost, row.call_id) == ("openai/gpt-5", 5, Decimal("0.015"), None)
    assert row.units == {"input_tokens": 50, "output_tokens": 125, "output_reasoning_tokens": 25}
    item = {"date": "2026-11-10 00:00:00", "model": "a/b", "usage": 0.00010811999999999999, "requests": 1}
    (row,) = of_json("openrouter", {"data": [item]})
    assert (row.cost, row.day) == (Decimal("0.00010812"), DAY)


def test_days_are_those_of_utc_and_one_of_them_may_be_chosen() -> None:
    rows = [{"created_at": time, "usage": 1} for time in ("2026-11-10T23:30:00-02:00", "2026-11-10 23:59:59.9")]
    assert [row.day for row in of_json("openrouter", rows)] == [date(2026, 11, 11), DAY]
    assert [row.day for row in of_json("openrouter", rows, DAY)] == [DAY]
    assert [row.day for row in of_json("openrouter", [{"usage": 1}], DAY)] == [DAY]


@pytest.mark.parametrize(
    ("provider", "value", "where"),
    [
        ("openrouter", [{"date": "2026-11-10", "requests": "many"}], "/0/requests"),
        ("openrouter", [{"date": "2026-11-10", "requests": 1}, {"date": "x", "requests": 1}], "/1/created_at"),
        ("openrouter", ["row"], ""),
        ("openrouter", {"data": [["row"]]}, "/data"),
        ("openai", {"data": [{"start_time": 1794268800, "results": ["row"]}]}, "/data"),
        ("openai", [{"data": [], "has_more": False}, {"data": [], "has_more": True}], "/has_more"),
    ],
)
def test_rows_without_a_known_form_are_refused_by_name(provider: Provider, value: Any, where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        of_json(provider, value)
    assert [error.pointer for error in refused.value.errors] == [where]


def test_what_is_too_large_or_no_export_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("", 'a,"b\n1'):
        with pytest.raises(MalformedError):
            of_csv("openrouter", text)
    with pytest.raises(MalformedError):
        read_export("openrouter", is_csv=True, raw=b"\xff\xfe", day=None)
    monkeypatch.setattr(provider_exports, "MAXIMUM_ROWS", 2)
    with pytest.raises(TooLargeError):
        of_json("openrouter", [{"date": "2026-11-10", "requests": 1}] * 3)
    monkeypatch.setattr(provider_exports, "_MAXIMUM_CONTAINERS", 2)
    with pytest.raises(TooLargeError):
        of_json("openrouter", [{}, {}])
