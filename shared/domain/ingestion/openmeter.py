"""Events as OpenMeter's clients send them. LiteLLM's become LLM calls."""

from collections.abc import Mapping
from typing import Any

from shared.domain.ingestion.litellm import cost_of
from shared.domain.ingestion.reported_calls import COMPARED, LITELLM
from shared.domain.metering.event_types import LLM_CALL

LITELLM_TOKENS = "litellm_tokens"
"""The type of the events of LiteLLM's callback for OpenMeter, unless OPENMETER_EVENT_TYPE names another."""


def is_litellm(event_type: str) -> bool:
    return event_type == LITELLM_TOKENS


def source_of(event_type: str, source: str) -> str:
    """The `source` of the event here: LiteLLM's other callback reports the same calls."""
    return LITELLM if is_litellm(event_type) else source


def type_of(event_type: str) -> str:
    return LLM_CALL if is_litellm(event_type) else event_type


def compared_in(event_type: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Names in the data in which a repetition must be like the first, or be warned of."""
    return COMPARED if is_litellm(event_type) else tuple(data)


def data_of(event_type: str, subject: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of the event here. Of a call, the counts are read under LiteLLM's names, which others use, too."""
    if not is_litellm(event_type):
        return dict(data)
    said = {name: value for name, value in data.items() if value is not None and name not in ("cost", "currency")}
    return {"user": subject, **said, **cost_of(data.get("cost"))}
