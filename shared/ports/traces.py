"""Reading the traces that a request brings, in the encodings of OTLP."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shared.domain.ingestion.spans import Span


class TraceEncoding(StrEnum):
    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


class MalformedTraces(ValueError):  # noqa: N818  the message says what to send instead
    """The body is no export of traces, or has more than a request may."""


@dataclass(frozen=True, slots=True)
class DecodedTraces:
    """The spans of a request."""

    spans: Sequence[Span]
    """In their order, with those attributes only that are read."""
    rejected: Sequence[str]
    """Why others are no spans, one reason each."""


class TraceDecoder(Protocol):
    def decode(self, body: bytes, encoding: TraceEncoding) -> DecodedTraces:
        """The spans in an `ExportTraceServiceRequest`.

        Work grows with the body only, whose size callers bound. It may take a second for the largest: callers do it
        off the event loop. Raises `MalformedTraces`.
        """
        ...
