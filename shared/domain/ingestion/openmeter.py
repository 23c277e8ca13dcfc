"""Events as OpenMeter's clients send them. LiteLLM's become LLM calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.ingestion.litellm import cost_of
from shared.domain.ingestion.reported_calls import COMPARED, LITELLM, SHORTEST_CACHED
from shared.domain.metering.event_types import LLM_CALL

LITELLM_TOKENS = "litellm_tokens"
"""The type of the events of LiteLLM's callback for OpenMeter, unless OPENMETER_EVENT_TYPE names another."""


@dataclass(frozen=True, slots=True)
class Usage:
    """An event of OpenMeter's as it becomes one here."""

    source: str
    type: str
    data: Mapping[str, Any]
    compared: tuple[str, ...]
    """Names in the data in which a repetition must be like the first, or be warned of."""
    hides_cache: bool = False
    """Whether some of a call's input may have been cached: LiteLLM's callback does not tell it."""


def usage_of(event_type: str, source: str, subject: str, data: Mapping[str, Any]) -> Usage:
    """LiteLLM's other callback reports the same calls, so these have its source.

    The counts of a call are read under LiteLLM's names, which others use, too.
    """
    if event_type != LITELLM_TOKENS:
        return Usage(source, event_type, data, tuple(data))
    said = {name: value for name, value in data.items() if value is not None and name not in ("cost", "currency")}
    tokens = said.get("prompt_tokens")
    may_be_cached = type(tokens) is int and tokens >= SHORTEST_CACHED
    return Usage(LITELLM, LLM_CALL, {"user": subject, **said, **cost_of(data.get("cost"))}, COMPARED, may_be_cached)
