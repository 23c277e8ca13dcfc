"""Asks OpenAI's chat API for the usage of a stream, where its caller did not, and hides what that adds."""

from __future__ import annotations

import json
import re
from typing import Any, cast

_IS_STREAM = re.compile(rb'"stream"\s*:\s*true')
_STREAM_OPTIONS = b'"stream_options"'
_BEGIN = re.compile(rb"\s*\{")
_ADDED = b'{"stream_options":{"include_usage":true},'
_NO_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')
_END_OF_EVENT = re.compile(rb"\r?\n\r?\n")


def with_usage(path: str, body: bytes) -> bytes | None:
    """The body that asks for usage; None where it does already, or is no stream of chat completions.

    Quotes inside of JSON texts are escaped, so what is searched for is a key. A caller that sets other stream options
    is left alone.
    """
    if not path.endswith("/chat/completions") or not _IS_STREAM.search(body) or _STREAM_OPTIONS in body:
        return None
    begin = _BEGIN.match(body)
    return _ADDED + body[begin.end() :] if begin else None


class Hidden:
    """Takes out of a stream what it has only because usage was asked for."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """What of it, and of what came before, goes to the caller now: whole events."""
        self._rest += chunk
        passed: list[bytes] = []
        while end := _END_OF_EVENT.search(self._rest):
            event, self._rest = self._rest[: end.end()], self._rest[end.end() :]
            passed.append(_without_usage(event))
        return b"".join(passed)

    def end(self) -> bytes:
        """What is left where a stream ends within an event."""
        rest, self._rest = self._rest, b""
        return rest


def _without_usage(event: bytes) -> bytes:
    if b'"usage"' not in event:
        return event
    without = event.replace(b',"usage":null', b"")
    if b'"usage"' in without:
        without = _NO_USAGE.sub(b"", without)
    return b"" if without == event and _is_of_usage_alone(event) else without


def _is_of_usage_alone(event: bytes) -> bool:
    try:
        said: object = json.loads(event.strip().removeprefix(b"data:"))
    except ValueError:
        return False
    chunk = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    return chunk.get("choices") == [] and isinstance(chunk.get("usage"), dict)
