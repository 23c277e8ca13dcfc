"""LiteLLM's payloads: which are calls, and what each says."""

import json
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.ingestion.litellm import Payload, call_of
from shared.domain.ingestion.reported_calls import ReportedCall
from shared.json import decode_as
from tests.doubles.worlds.litellm_payloads import payload

Json = dict[str, Any]


def read(sent: Json) -> ReportedCall | None:
    return call_of(decode_as(json.dumps(sent).encode(), Payload))


def data_of(sent: Json) -> Json:
    call = read(sent)
    assert call is not None
    return call.data


def test_a_call_says_what_it_used_who_and_what_it_cost() -> None:
    metadata = {
        "user_api_key_team_id": "team-1",
        "user_api_key_hash": "a1b2",
        "user_api_key_alias": "production",
        "user_api_key_team_alias": None,
    }
    call = read(payload("chatcmpl-1", metadata=metadata, request_tags=["green", "blue"], model_group="fast"))
    assert call is not None
    assert (call.id, call.user, call.run) == ("chatcmpl-1", "coder", "trace-1")
    assert call.time is not None
    assert call.time.isoformat() == "2026-11-02T12:00:00.500000+00:00"
    assert call.data == {
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 1000,
        "output_tokens": 100,
        "cost": Decimal("0.00022500000000000002"),
        "currency": "USD",
        "user": "coder",
        "team": "team-1",
        "key": "a1b2",
        "key_alias": "production",
        "tags": ["green", "blue"],
        "model_group": "fast",
        "call_type": "acompletion",
    }


def test_cached_written_and_reasoning_tokens_are_inside() -> None:
    usage = {
        "prompt_tokens": 12000,
        "total_tokens": 12100,
        "prompt_tokens_details": {
            "cached_tokens": 8000,
            "cache_creation_tokens": 3000,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
        },
        "completion_tokens_details": {"reasoning_tokens": 60, "image_tokens": 5},
        "cache_creation_input_tokens": 3000,
        "cache_read_input_tokens": 8000,
        "server_tool_use": {"web_search_requests": 2},
    }
    data = data_of(payload("1", usage=usage))
    counts = {name: value for name, value in data.items() if name.endswith("tokens") or name == "units"}
    assert counts == {
        "input_tokens": 12000,
        "cached_input_tokens": 8000,
        "cache_write_tokens": 3000,
        "cache_write_1h_tokens": 2000,
        "output_tokens": 100,
        "reasoning_tokens": 60,
        "units": {"output_image_tokens": 5, "web_searches": 2},
    }


def test_images_and_video_are_units_of_their_own() -> None:
    usage = {
        "prompt_tokens_details": {"image_tokens": 258, "video_tokens": 520, "text_tokens": 222},
        "completion_tokens_details": {"image_tokens": 5, "video_tokens": 7},
    }
    assert data_of(payload("1", usage=usage))["units"] == {
        "input_image_tokens": 258,
        "input_video_tokens": 520,
        "output_image_tokens": 5,
        "output_video_tokens": 7,
    }


def test_the_total_says_whether_reasoning_came_beside() -> None:
    usage = {"total_tokens": 1160, "completion_tokens_details": {"reasoning_tokens": 60}}
    assert data_of(payload("1", usage=usage))["output_tokens"] == 160


@pytest.mark.parametrize(
    ("fields", "tier"),
    [
        ({"response": {"service_tier": "flex"}}, "flex"),
        ({"response": "redacted-by-litellm", "cost_breakdown": {"service_tier": "priority"}}, "priority"),
        ({"usage": {"service_tier": "batch"}}, "batch"),
        ({"usage": {"speed": "fast"}}, "fast"),
        ({"call_type": "aretrieve_batch"}, "batch"),
        ({}, None),
    ],
    ids=str,
)
def test_the_tier_is_what_the_provider_answered_at(fields: Json, tier: str | None) -> None:
    assert data_of(payload("1", **fields)).get("service_tier") == tier


NOTHING = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    "sent",
    [
        payload("1", cache_hit=True),
        payload("1_cache_hit1793620800.5"),
        payload("1", status="failure", usage=NOTHING),
        payload("1", call_type="alist_input_items", usage=NOTHING),
        payload("1", call_type="aretrieve_batch", usage=NOTHING),
        payload("1", call_type="aresponses", usage=NOTHING, response={"background": True}),
    ],
    ids=lambda sent: f"{sent['call_type']} {sent['status']} {sent['cache_hit']}",
)
def test_what_used_nothing_is_no_call(sent: Json) -> None:
    assert read(sent) is None


def test_a_failure_that_used_something_is_a_call() -> None:
    assert data_of(payload("1", status="failure"))["input_tokens"] == 1000


def test_a_completion_without_counts_is_a_call_without_counts() -> None:
    assert "input_tokens" not in data_of(payload("1", usage=NOTHING))


def test_other_units_are_counts() -> None:
    transcribed = payload("1", call_type="atranscription", usage=NOTHING | {"seconds": 12.5})
    assert data_of(transcribed)["units"] == {"input_audio_seconds": Decimal("12.5")}


def test_a_cost_of_nothing_says_nothing() -> None:
    assert "cost" not in data_of(payload("1", response_cost=0.0))


def test_a_long_id_keeps_its_beginning_and_stays_distinct() -> None:
    first, second = read(payload("resp_" + 300 * "a")), read(payload("resp_" + 301 * "a"))
    assert first is not None
    assert second is not None
    assert len(first.id) == 256
    assert first.id.startswith("resp_aaa")
    assert first.id != second.id


@pytest.mark.parametrize("bad", [None, "", 7, "a\nb"])
def test_a_payload_without_an_id_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="has no id"):
        read(payload("1") | {"id": bad})
