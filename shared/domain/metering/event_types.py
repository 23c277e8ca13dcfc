"""The types of usage events: `llm_call`, or a name that the sender chose."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.domain.kernel.validation_messages import Expected

EVENT_TYPE_PATTERN = r"^[A-Za-z0-9_.:/-]{1,200}$"
LLM_CALL = "llm_call"
TRACE_SOURCE = "otlp"
"""The `source` of calls in traces, and of the same calls by the SDK: whichever comes first stands."""
_EXPECTED = "1 to 200 letters, digits and _ . : / -, such as llm_call or outcome.resolved"
_PREFIXES = ("cost.", "outcome.", "workflow.")


def _with_name(event_type: str) -> str:
    if event_type in _PREFIXES:
        raise ValueError(f"needs a name after {event_type}")
    return event_type


EventType = Annotated[str, Field(pattern=EVENT_TYPE_PATTERN), Expected(_EXPECTED), AfterValidator(_with_name)]
