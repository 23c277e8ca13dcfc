"""What a trace has had: kept for a day, so that every later request is judged with the earlier ones in view."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import msgspec

from shared.domain.ingestion.calls import instant_of
from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.kinds import Kind
from shared.domain.ingestion.units import Units

MAXIMUM_SPANS = 2000
"""Spans of one trace that are remembered. Calls beyond them are metered at once."""

MAXIMUM_BYTES = 950_000
"""About how large a memory gets as JSON; one item of the store takes more."""

_BYTES_OF_SPAN = 125
"""The names and numbers of a remembered span, without its texts and units."""
_BYTES_OF_UNITS = 55
_BYTES_OF_NAME = 7
"""The name of a field with a text, and its quotes."""

_STORED = {"facts": "f", "came": "c", "is_open": "o", "until": "u", "event": "e", "slack": "s", "apart_from": "a"}
"""Short names in a stored memory, which has thousands of spans."""


class Remembered(msgspec.Struct, frozen=True, omit_defaults=True, rename=_STORED):
    """A span and what became of it."""

    facts: SpanFacts
    came: int
    """Microseconds since 1970."""
    is_open: bool = False
    """A call or sum that is not decided: it waits for its agent, or for calls below it."""
    until: int | None = None
    """When it is decided without what it waits for. None of an open sum: when spans tell what is inside it."""
    event: str | None = None
    """The id of the event by which its call was metered."""
    slack: Units | None = None
    """Of what its own event counted: what spans below it that came later have not taken up."""
    apart_from: tuple[str, ...] = ()
    """Spans above it that were counted without this open one: it is no part of their slack."""

    @property
    def is_waiting(self) -> bool:
        """An open call; open sums wait too, but mostly for nothing."""
        return self.is_open and self.facts.kind is Kind.CALL


class TraceMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """An immutable memory of one trace in one organization. An empty one is `TraceMemory(trace_id)`."""

    trace: str
    spans: tuple[Remembered, ...] = ()
    is_full: bool = False
    """Spans came that found no room."""

    @property
    def waiting(self) -> int:
        """How many calls wait for their agent."""
        return sum(remembered.is_waiting for remembered in self.spans)

    @property
    def waiting_since(self) -> datetime | None:
        """When the call that waits longest came."""
        came = [remembered.came for remembered in self.spans if remembered.is_waiting]
        return instant_of(min(came)) if came else None

    @property
    def wake(self) -> datetime | None:
        """When there is something to decide without further spans; None when nothing is open."""
        ends = [remembered.until for remembered in self.spans if remembered.is_open and remembered.until is not None]
        return instant_of(min(ends)) if ends else None

    def document(self) -> dict[str, Any]:
        """This memory as JSON values, for one item of the store."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> Self:
        """Read what `document` wrote."""
        return msgspec.convert(document, cls)


def decided(remembered: Remembered, event: str | None, slack: Units | None = None) -> Remembered:
    """The span after its decision, without what only an open one needs."""
    facts = msgspec.structs.replace(remembered.facts, service="")
    return Remembered(facts, remembered.came, event=event, slack=slack)


def with_room(remembered: Iterable[Remembered]) -> tuple[tuple[Remembered, ...], bool]:
    """As many as may be remembered, and whether some may not."""
    kept: list[Remembered] = []
    size = 0
    for one in remembered:
        size += _size_of(one)
        if len(kept) == MAXIMUM_SPANS or size > MAXIMUM_BYTES:
            return tuple(kept), True
        kept.append(one)
    return tuple(kept), False


def _size_of(remembered: Remembered) -> int:
    facts = remembered.facts
    units = (facts.units is not None) + (remembered.slack is not None)
    texts = (
        *(facts.id, facts.parent, facts.agent, facts.conversation, facts.response, facts.provider, facts.asked),
        *(facts.answered, facts.tier, facts.library, facts.service, remembered.event, *remembered.apart_from),
    )
    return _BYTES_OF_SPAN + sum(_bytes_of(text) for text in texts if text) + units * _BYTES_OF_UNITS


def _bytes_of(text: str) -> int:
    return _BYTES_OF_NAME + (len(text) if text.isascii() else len(text.encode()))
