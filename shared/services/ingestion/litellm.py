"""Reads LiteLLM's batches off the event loop: JSON arrays, single payloads, or one a line."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from shared import json
from shared.domain.ingestion.litellm import Payload, call_of
from shared.domain.ingestion.reported_calls import ReportedCall
from shared.domain.kernel.errors import FieldError, MalformedError, Rejection, ValidationError
from shared.domain.kernel.pauses import pause_if_over
from shared.domain.usage.events import MAXIMUM_EVENTS_OF_REQUEST
from shared.one_at_a_time import OneAtATime
from shared.settings import Settings
from shared.unpacking import PackedBody


@dataclass(slots=True)
class ReadPayloads:
    """What a request says, each with its place in it."""

    calls: list[tuple[int, ReportedCall]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    skipped: int = 0
    """Payloads that tell of no call."""


class LiteLlmReader:
    def __init__(self, settings: Settings) -> None:
        self._thread = OneAtATime("litellm")
        self._most_sent = settings.maximum_trace_bytes
        self._most_unpacked = settings.maximum_unpacked_trace_bytes

    async def read(self, sent: PackedBody) -> ReadPayloads:
        """Raises `TooLargeError`, `MalformedError`, `ValidationError` for too many payloads.

        Raises `UnavailableError` where too many requests wait to be read.
        """
        sent.refuse_beyond(self._most_sent)
        return await self._thread.run(lambda: self._read(sent))

    def close(self) -> None:
        """Read nothing more."""
        self._thread.close()

    def _read(self, sent: PackedBody) -> ReadPayloads:
        payloads = _payloads_in(sent.content(self._most_unpacked))
        if not payloads:
            raise ValidationError.at("", "is empty")
        if len(payloads) > MAXIMUM_EVENTS_OF_REQUEST:
            raise ValidationError.at(
                "", f"has {len(payloads)} payloads, at most {MAXIMUM_EVENTS_OF_REQUEST} are allowed"
            )
        read = ReadPayloads()
        for index, raw in enumerate(payloads):
            pause_if_over()
            try:
                call = call_of(json.decode_as(raw, Payload))
            except ValueError as error:
                read.rejected.append(Rejection(index, (FieldError("", str(error)),)))
                continue
            if call is None:
                read.skipped += 1
            else:
                read.calls.append((index, call))
        return read


def _payloads_in(body: bytes) -> Sequence[bytes | msgspec.Raw]:
    """Each as JSON, not read yet. Raises `MalformedError`."""
    try:
        if body.lstrip()[:1] == b"[":
            return msgspec.json.decode(body, type=list[msgspec.Raw])
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) > 1 and lines[0].lstrip()[:1] == b"{":
            return lines
        raise MalformedError("The body is not JSON: send a list of payloads, a payload, or one a line") from error
    return [body]
