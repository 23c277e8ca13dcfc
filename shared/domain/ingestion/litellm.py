"""LiteLLM's standard logging payload: which of them are calls, and what each says.

https://docs.litellm.ai/docs/proxy/logging_spec. Prompts and answers are skipped unread.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.ingestion.calls import instant_of
from shared.domain.ingestion.reported_calls import LITELLM_CURRENCY, ReportedCall, identity_of, label_of
from shared.domain.ingestion.spans import count_of
from shared.domain.ingestion.units import Reading, units_of
from shared.domain.ingestion.usage_objects import part, reading_of

MAXIMUM_TAGS = 50

_WITHOUT_PREFIX = frozenset(
    {
        "completion",
        "text_completion",
        "embedding",
        "image_generation",
        "image_edit",
        "image_variation",
        "transcription",
        "speech",
        "rerank",
        "responses",
        "anthropic_messages",
        "generate_content",
        "generate_content_stream",
        "ocr",
    }
)
_CALLS = _WITHOUT_PREFIX | {f"a{name}" for name in _WITHOUT_PREFIX}
"""Types of requests that are calls of a model also where they say no count. Others look something up or wait."""
_BATCHES = ("retrieve_batch", "aretrieve_batch")
_CACHE_HIT = "_cache_hit"
"""LiteLLM puts it into the ids of answers from its cache."""
_UNITS = (
    ("prompt_tokens_details.character_count", "input_characters"),
    ("prompt_tokens_details.audio_length_seconds", "input_audio_seconds"),
    ("seconds", "input_audio_seconds"),
    ("server_tool_use.web_search_requests", "web_searches"),
    ("prompt_tokens_details.web_search_requests", "web_searches"),
    ("pages_processed", "input_document_pages"),
    ("search_units", "rerank_searches"),
)
"""Where LiteLLM's usage says what is not in tokens; the first one counts."""
_LABELS = (
    ("user", "user_api_key_user_id"),
    ("end_user", "user_api_key_end_user_id"),
    ("team", "user_api_key_team_id"),
    ("team_alias", "user_api_key_team_alias"),
    ("key", "user_api_key_hash"),
    ("key_alias", "user_api_key_alias"),
    ("litellm_organization", "user_api_key_org_id"),
    ("litellm_project", "user_api_key_project_id"),
)
"""Names in the data of events, and in the payload's metadata."""


class _Breakdown(msgspec.Struct):
    service_tier: Any = None


class Payload(msgspec.Struct):
    """What is read of a payload."""

    id: Any = None
    call_type: Any = None
    status: Any = None
    cache_hit: Any = None
    custom_llm_provider: Any = None
    model: Any = None
    model_group: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    response_cost: Any = None
    end_time: Any = msgspec.field(default=None, name="endTime")
    session_id: Any = None
    trace_id: Any = None
    end_user: Any = None
    request_tags: Any = None
    metadata: dict[str, Any] | None = None
    cost_breakdown: _Breakdown | None = None
    response: msgspec.Raw = msgspec.Raw()


class _Answer(msgspec.Struct):
    """What is read of the answer, where LiteLLM sends it along."""

    service_tier: Any = None
    background: Any = None
    usage: dict[str, Any] | None = None


def call_of(payload: Payload) -> ReportedCall | None:
    """The call that a payload tells of; None where it is none.

    That is what LiteLLM answered from its cache, what failed without using anything, and what only looks something up.
    Raises `ValueError`, in words for the sender, where the call cannot be told from others.
    """
    id_ = identity_of(payload.id)
    if id_ is None:
        raise ValueError("has no id, which tells one call from another")
    if payload.cache_hit is True or _CACHE_HIT in id_:
        return None
    answer = _answer_in(payload.response)
    usage = _usage_of(payload, answer)
    units = units_of(_reading(payload, usage))
    other = _other_units(usage)
    is_nothing = (units is None or units.is_nothing) and not other
    if is_nothing and (payload.status == "failure" or payload.call_type not in _CALLS or answer.background is True):
        return None
    counts = units.data() if units is not None and not units.is_nothing else {}
    if other:
        counts["units"] = {**other, **counts.get("units", {})}
    metadata = payload.metadata or {}
    return ReportedCall(
        id=id_,
        time=_time_of(payload.end_time),
        run=label_of(payload.session_id) or label_of(payload.trace_id),
        user=label_of(metadata.get("user_api_key_user_id")),
        data={**dict(_labels(payload, metadata)), **dict(_terms(payload, answer, usage)), **counts},
    )


def cost_of(value: object) -> dict[str, Any]:
    """A cost of LiteLLM's, and its currency. It says 0 where it knows no price, so 0 says nothing."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not value > 0:
        return {}
    return {"cost": value, "currency": LITELLM_CURRENCY}


def _answer_in(response: msgspec.Raw) -> _Answer:
    try:
        return msgspec.json.decode(response, type=_Answer) if response else _Answer()
    except msgspec.DecodeError:  # LiteLLM may send a text, such as that it hides the answer
        return _Answer()


def _usage_of(payload: Payload, answer: _Answer) -> Mapping[str, Any]:
    usage = part(payload.metadata or {}, "usage_object")
    return usage or answer.usage or {}


def _reading(payload: Payload, usage: Mapping[str, Any]) -> Reading:
    lifetimes = part(usage, "prompt_tokens_details", "cache_creation_token_details")
    of_lifetimes = Reading(
        written_5m=count_of(lifetimes.get("ephemeral_5m_input_tokens")),
        written_1h=count_of(lifetimes.get("ephemeral_1h_input_tokens")),
    )
    of_payload = Reading(
        input=count_of(payload.prompt_tokens) or None,
        output=count_of(payload.completion_tokens) or None,
        total=count_of(payload.total_tokens) or None,
    )
    return reading_of(usage).completed_by(of_lifetimes).completed_by(of_payload)


def _other_units(usage: Mapping[str, Any]) -> dict[str, Any]:
    units: dict[str, Any] = {}
    for path, unit in _UNITS:
        *parts, name = path.split(".")
        count = part(usage, *parts).get(name)
        if isinstance(count, int | Decimal) and not isinstance(count, bool) and count > 0:
            units.setdefault(unit, count)
    return units


def _terms(payload: Payload, answer: _Answer, usage: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Who answered, at what terms, and what LiteLLM thinks that it costs."""
    provider, model = label_of(payload.custom_llm_provider), label_of(payload.model)
    if provider:
        yield "provider", provider
    if model:
        yield "model", model
    breakdown = payload.cost_breakdown or _Breakdown()
    tiers = (answer.service_tier, breakdown.service_tier, usage.get("service_tier"))
    tier = next((tier for tier in map(_tier, tiers) if tier), None)
    if payload.call_type in _BATCHES:
        tier = "batch"
    elif usage.get("speed") == "fast":
        tier = "fast"
    if tier:
        yield "service_tier", tier
    yield from cost_of(payload.response_cost).items()


def _tier(value: object) -> str | None:
    label = label_of(value)
    return label[:64] if label else None


def _labels(payload: Payload, metadata: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, key in _LABELS:
        if label := label_of(metadata.get(key)):
            yield name, label
    if (end_user := label_of(payload.end_user)) and not label_of(metadata.get("user_api_key_end_user_id")):
        yield "end_user", end_user
    for name, value in (("model_group", payload.model_group), ("call_type", payload.call_type)):
        if label := label_of(value):
            yield name, label
    tags = payload.request_tags if isinstance(payload.request_tags, list) else []
    if labels := [label for label in map(label_of, tags[:MAXIMUM_TAGS]) if label]:
        yield "tags", labels


def _time_of(seconds: object) -> datetime | None:
    """A time in seconds since 1970, cut to microseconds; None for what is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | Decimal):
        return None
    try:
        return instant_of(int(seconds * 1_000_000))
    except (OverflowError, ArithmeticError):
        return None
