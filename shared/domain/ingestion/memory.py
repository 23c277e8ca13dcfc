"""What a trace has had: kept for a day, so that every later request is judged with the earlier ones in view."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Self

import msgspec

from shared.domain.ingestion.calls import instant_of
from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.kinds import Kind
from shared.domain.ingestion.units import Units

_LENGTH_OF_ID = 16
"""Hexadecimal digits of a span's id."""

_MAXIMUM_FORGOTTEN = 10_000
"""Calls whose ids are kept: the latest."""

_STORED = {
    "facts": "f",
    "came": "c",
    "is_open": "o",
    "until": "u",
    "event": "e",
    "slack": "s",
    "apart_from": "a",
    "held_by": "h",
    "stands_for": "n",
}
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
    """What spans below it that came later have not taken up: of what its own event counted, or of what is held."""
    apart_from: tuple[str, ...] = ()
    """Spans above it that were counted without this open one: it is no part of their slack."""
    held_by: str | None = None
    """The counted sum that a call seems to lie inside, although spans between did not come: so it is not counted."""
    stands_for: int = 0
    """How many decided calls this one stands for, which are forgotten; 0 for a span."""

    @property
    def is_waiting(self) -> bool:
        """An open call; open sums wait too, but mostly for nothing."""
        return self.is_open and self.facts.kind is Kind.CALL


class TraceMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """An immutable memory of one trace in one organization. An empty one is `TraceMemory(trace_id)`."""

    trace: str
    spans: tuple[Remembered, ...] = ()
    forgotten: str = ""
    """The ids of calls that are not remembered any more, one behind the other: sent again, they count no more."""

    @property
    def known(self) -> set[str]:
        """The ids of all spans that came, as far as they are known."""
        forgotten = range(0, len(self.forgotten), _LENGTH_OF_ID)
        ids = {self.forgotten[start : start + _LENGTH_OF_ID] for start in forgotten}
        return ids.union(remembered.facts.id for remembered in self.spans)

    @property
    def waits(self) -> "Waits":
        """What waits in the trace now."""
        came = [remembered.came for remembered in self.spans if remembered.is_waiting]
        return Waits(self.trace, len(came), instant_of(min(came)) if came else None, self.wake)

    @property
    def wake(self) -> datetime | None:
        """When there is something to decide without further spans; None when nothing is open."""
        ends = [remembered.until for remembered in self.spans if remembered.is_open and remembered.until is not None]
        return instant_of(min(ends)) if ends else None

    def encoded(self) -> str:
        """This memory in JSON, for one item of the store."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decoded(cls, text: str) -> Self:
        """Read what `encoded` wrote."""
        return msgspec.json.decode(text, type=cls)


class Waits(NamedTuple):
    """What waits in a trace, without what its spans say."""

    trace: str
    calls: int
    """That wait for their agent."""
    since: datetime | None
    """When the call that waits longest came."""
    wake: datetime | None
    """As that of the memory."""


def with_forgotten(memory: TraceMemory, span_ids: Iterable[str]) -> str:
    """The ids of forgotten calls, with further ones."""
    return (memory.forgotten + "".join(span_ids))[-_MAXIMUM_FORGOTTEN * _LENGTH_OF_ID :]


def decided(remembered: Remembered, event: str | None, slack: Units | None = None) -> Remembered:
    """The span after its decision, without what only an open one needs."""
    facts = msgspec.structs.replace(remembered.facts, service="")
    return Remembered(facts, remembered.came, event=event, slack=slack)
