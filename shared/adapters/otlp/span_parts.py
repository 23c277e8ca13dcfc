"""What both encodings of a span have in common: ids, times, bounds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.ingestion.spans import MAXIMUM_TEXT, AttributeValue, Span
from shared.domain.kernel.pauses import pause_if_over
from shared.ports.traces import DecodedTraces, MalformedTraces

MAXIMUM_SPANS = 10_000
"""Spans of a request; exporters send 512 by default."""
MAXIMUM_GROUPS = 100_000
"""Resources and scopes of a request, together."""
MAXIMUM_ATTRIBUTES = 1_000
"""Attributes of a span that are looked at; the rest counts as dropped."""

BYTES_OF_TRACE_ID = 16
BYTES_OF_SPAN_ID = 8

_NANOSECONDS = 1_000
"""In a microsecond."""
_LATEST = 2**63 - 1


class MalformedSpan(ValueError):  # noqa: N818  a reason, told to the sender
    """One span cannot be read; its neighbours can."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The resource and the scope of spans."""

    service: str
    scope: str


@dataclass
class Collected:
    """The spans read so far, and the reasons of those that could not be."""

    spans: list[Span] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    _groups: int = 0

    def count_group(self) -> None:
        """Count one more resource or scope."""
        self._groups += 1
        if self._groups > MAXIMUM_GROUPS:
            raise MalformedTraces(f"A request has at most {MAXIMUM_GROUPS} resources and scopes")

    def count_one_more(self) -> None:
        pause_if_over()
        if len(self.spans) + len(self.rejected) >= MAXIMUM_SPANS:
            raise MalformedTraces(f"A request has at most {MAXIMUM_SPANS} spans; send smaller batches")

    def reject(self, reason: str) -> None:
        self.rejected.append(f"span {len(self.spans) + len(self.rejected) + 1}: {reason}")

    def decoded(self) -> DecodedTraces:
        return DecodedTraces(tuple(self.spans), tuple(self.rejected))


@dataclass(frozen=True, slots=True)
class SpanParts:
    """A span with ids and times as they were read."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    start: int
    """Nanoseconds, as `end`."""
    end: int
    failed: bool
    attributes: Mapping[str, AttributeValue]
    dropped_attributes: int

    def span(self, origin: Origin) -> Span:
        """Raises `MalformedSpan`."""
        if len(self.trace_id) != BYTES_OF_TRACE_ID or not any(self.trace_id):
            raise MalformedSpan("its trace id has not 16 bytes, or only zeros")
        if len(self.span_id) != BYTES_OF_SPAN_ID or not any(self.span_id):
            raise MalformedSpan("its span id has not 8 bytes, or only zeros")
        if len(self.parent_id) not in {0, BYTES_OF_SPAN_ID}:
            raise MalformedSpan("its parent's span id has not 8 bytes")
        if not 0 < self.end <= _LATEST or not 0 <= self.start <= _LATEST:
            raise MalformedSpan("it has no start and end")
        end = self.end // _NANOSECONDS
        return Span(
            trace_id=self.trace_id.hex(),
            span_id=self.span_id.hex(),
            parent_id=self.parent_id.hex() if any(self.parent_id) else "",
            name=self.name[:MAXIMUM_TEXT],
            start=min(self.start // _NANOSECONDS, end),
            end=end,
            failed=self.failed,
            attributes=self.attributes,
            dropped_attributes=max(0, self.dropped_attributes),
            scope=origin.scope[:MAXIMUM_TEXT],
            service=origin.service[:MAXIMUM_TEXT],
        )


def kept(attributes: Iterator[tuple[str, AttributeValue | None]]) -> dict[str, AttributeValue]:
    """By name. Of a key that comes twice the last value holds; empty values are none."""
    return {name: value for name, value in attributes if value is not None}
