"""What the routes of other products have in common: identities, names and the fallback for an agent."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

LITELLM = "litellm"
"""The `source` of LiteLLM's calls, by whichever of its callbacks; and the agent of those that name none."""
LITELLM_CURRENCY = "USD"
"""Of every cost that LiteLLM computes."""
COMPARED = ("input_tokens", "output_tokens")
"""The data that both of LiteLLM's callbacks carry: a repetition that differs in them is warned of."""

SHORTEST_CACHED = 1024
"""Input tokens from which on OpenAI and most others cache: https://platform.openai.com/docs/guides/prompt-caching."""

MAXIMUM_ID = 256
_DIGEST = 64
_CONTROL = {*range(0x20), 0x7F}


@dataclass(frozen=True, slots=True)
class ReportedCall:
    """One call of a model as LiteLLM tells it."""

    id: str
    time: datetime | None
    run: str | None
    user: str | None
    """Whom LiteLLM's own key belongs to."""
    data: dict[str, Any] = field(default_factory=dict)
    """As in `llm_call` events."""


def identity_of(text: object) -> str | None:
    """An id that an event can have. Long ones keep their beginning and get a digest; None for what is no id."""
    if not isinstance(text, str) or not text or not _CONTROL.isdisjoint(map(ord, text)):
        return None
    if len(text) <= MAXIMUM_ID:
        return text
    return f"{text[: MAXIMUM_ID - _DIGEST - 1]}:{hashlib.sha256(text.encode()).hexdigest()}"


def label_of(value: object) -> str | None:
    """A short text without control characters, as names and labels are kept; None for anything else."""
    if not isinstance(value, str):
        return None
    return "".join(character for character in value if ord(character) not in _CONTROL).strip()[:MAXIMUM_ID] or None


def agent_in_project(name: str, project_id: str) -> str:
    """The external id of the agent that acts for one of that name in a project."""
    return identity_of(f"{name}@{project_id}") or project_id
