"""What a provider's answer says of a call of a model: its id, its model, its usage."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

Json = Mapping[str, Any]
Form = Literal["openai", "anthropic", "google"]

_PATHS: tuple[tuple[str, Form], ...] = (
    ("/chat/completions", "openai"),
    ("/completions", "openai"),
    ("/responses", "openai"),
    ("/embeddings", "openai"),
    ("/images/generations", "openai"),
    ("/images/edits", "openai"),
    ("/v1/messages", "anthropic"),
    (":generateContent", "google"),
    (":streamGenerateContent", "google"),
)
"""How the paths of requests end that are calls of models, and whose answers they have."""
_HOSTS: tuple[tuple[str, str], ...] = (
    ("api.openai.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "google"),
    ("openai.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("openrouter.ai", "openrouter"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x-ai"),
)

SOURCE = "otlp"
"""The source and the ids are those of the same call in a trace: reported in both ways, it counts once."""
_MAXIMUM_ID = 256


def form_of(method: str, path: str) -> Form | None:
    """The form of the answer; None where the request is no call of a model."""
    if method != "POST":
        return None
    path = path.rstrip("/")
    return next((form for end, form in _PATHS if path.endswith(end)), None)


def provider_of(host: str, form: Form) -> str:
    """By the host; behind any other, as a proxy, that of the form."""
    return next((name for known, name in _HOSTS if host == known or host.endswith(f".{known}")), form)


@dataclass(slots=True)
class ObservedCall:
    """One call, as far as its answer has been read."""

    form: Form
    provider: str
    model: str | None = None
    response_id: str | None = None
    usage: dict[str, Any] = field(default_factory=lambda: {})  # noqa: PIE807  typed
    service_tier: str | None = None
    is_complete: bool = False
    """Whether the usage is that of the whole call."""

    def read(self, answer: object) -> None:
        """Take an answer, or an event of a streamed one."""
        if not isinstance(answer, dict):
            return
        said = cast("dict[str, Any]", answer)
        if self.form == "google":
            self._take(said, "responseId", "modelVersion", "usageMetadata")
        elif said.get("type") == "message_start":
            self._take(_part(said, "message"))
            self.is_complete = False  # the output is still to come
        else:
            self._take(_part(said, "response") or said)

    def _take(self, said: Json, id_: str = "id", model: str = "model", usage: str = "usage") -> None:
        self.response_id = _text(said.get(id_)) or self.response_id
        self.model = _text(said.get(model)) or self.model
        self.service_tier = _text(said.get("service_tier")) or self.service_tier
        counted = {name: value for name, value in _part(said, usage).items() if value is not None}
        if counted:
            self.usage.update(counted)
            self.is_complete = True

    def event(self) -> tuple[str, dict[str, Any]]:
        """The id and the data of its `llm_call` event. Without its usage it has no counts, and is `incomplete`."""
        data: dict[str, Any] = {"provider": self.provider}
        if self.model:
            data["model"] = self.model
        if self.service_tier:
            data["service_tier"] = self.service_tier
        if self.is_complete:
            data["usage"] = self.usage
        else:
            data["incomplete"] = True
        if self.response_id is None:
            return uuid.uuid4().hex, data
        counts = "".join(f":{count}" for count in counts_of(self.usage)) if self.is_complete else ""
        return f"{self.provider}:{self.response_id}{counts}"[-_MAXIMUM_ID:], data


def counts_of(usage: Json) -> tuple[int, int]:
    """Tokens in and out, with what was read from and written to the cache inside the first."""
    if "promptTokenCount" in usage or "candidatesTokenCount" in usage:
        return (
            _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount"),
            _count(usage, "candidatesTokenCount") + _count(usage, "thoughtsTokenCount"),
        )
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    cached = _count(usage, "cache_read_input_tokens") + _count(usage, "cache_creation_input_tokens")
    return _count(usage, "input_tokens") + cached, _count(usage, "output_tokens")


class ServerSentEvents:
    """Reads a call from the lines of a stream. Only those that tell of usage, or who answers, are decoded."""

    def __init__(self, call: ObservedCall) -> None:
        self._call = call
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self.line(line)

    def line(self, line: bytes) -> None:
        if self._call.response_id is not None and (b'"usage' not in line or b'"usage":null' in line):
            return
        try:
            self._call.read(json.loads(line[len(b"data:") :]))
        except ValueError:  # as `[DONE]`
            return


def _part(said: Json, key: str) -> dict[str, Any]:
    value = said.get(key)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(usage: Json, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
