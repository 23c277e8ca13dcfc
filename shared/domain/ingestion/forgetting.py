"""What is forgotten of a trace that has more spans than may be remembered.

First the links that nothing is known to lie below: calls of services, steps, tools. Then calls that are decided, the
oldest first: those below the same span become one entry that stands for them, with their counts together. So what lies
above them is still judged by all of its calls.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.kinds import Kind
from shared.domain.ingestion.memory import Remembered
from shared.domain.ingestion.units import NOTHING, Units

MAXIMUM_SPANS = 2000
"""Spans of one trace that are remembered."""

MAXIMUM_BYTES = 700_000
"""About how large a memory gets as JSON. One item of the store takes more, and its calls are stored beside it."""

_KEPT_SHARE = 0.75
"""Of both, after something was forgotten: so it is not done for every request."""

_ALWAYS_FIT = 64
"""So many spans fit, however long their texts are."""

_BYTES_OF_SPAN = 125
"""The names and numbers of a remembered span, without its texts and units."""
_BYTES_OF_UNITS = 55
_BYTES_OF_NAME = 7
"""The name of a field with a text, and its quotes."""

_MAXIMUM_STEPS = 64
"""How many links are followed from a call to what it lies below."""

_MAXIMUM_COUNT = 10**17
"""From which on nothing is added to the counts of an entry."""

_Alike = tuple[str | None, str | None, str]
"""Models and library of calls that one entry may stand for."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What may be remembered."""

    spans: tuple[Remembered, ...]
    forgotten: tuple[SpanFacts, ...] = ()
    """Decided calls that no later span will be compared with one by one."""
    excess: tuple[str, ...] = ()
    """Spans that find no room, the newest ones: they have to be decided at once."""


def within_bounds(spans: Mapping[str, Remembered]) -> Kept:
    """All of them where they fit, else without what matters least."""
    if len(spans) <= _ALWAYS_FIT:
        return Kept(tuple(spans.values()))
    size = sum(map(_size_of, spans.values()))
    if len(spans) <= MAXIMUM_SPANS and size <= MAXIMUM_BYTES:
        return Kept(tuple(spans.values()))
    forgetting = _Forgetting(dict(spans), size)
    forgetting.drop_links()
    forgetting.join_calls()
    forgetting.drop_calls()
    kept: list[Remembered] = []
    excess: list[str] = []
    size = 0
    for span_id, remembered in forgetting.spans.items():
        size += _size_of(remembered)
        if len(kept) == MAXIMUM_SPANS or size > MAXIMUM_BYTES:
            excess.append(span_id)
        else:
            kept.append(remembered)
    return Kept(tuple(kept), tuple(forgetting.forgotten), tuple(excess))


@dataclass
class _Forgetting:
    spans: dict[str, Remembered]
    size: int
    forgotten: list[SpanFacts] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._children = Counter(remembered.facts.parent for remembered in self.spans.values())
        self._joined: dict[str, dict[_Alike, str]] = {}
        for span_id, remembered in self.spans.items():
            if remembered.stands_for:
                self._joined.setdefault(remembered.facts.parent, {})[_alike(remembered.facts)] = span_id

    @property
    def is_enough(self) -> bool:
        return len(self.spans) <= MAXIMUM_SPANS * _KEPT_SHARE and self.size <= MAXIMUM_BYTES * _KEPT_SHARE

    def drop_links(self) -> None:
        """Drop what only links, where nothing that is known lies below it."""
        for bare in list(self.spans):
            span_id = bare
            while not self.is_enough and self._is_bare(span_id):
                span_id = self._drop(span_id).parent  # which may be bare now

    def join_calls(self) -> None:
        """Let one entry stand for decided calls below the same span, and for what lies inside them."""
        for span_id in list(self.spans):
            if self.is_enough:
                return
            if self._is_done(span_id):
                self._join(span_id)

    def drop_calls(self) -> None:
        """Drop the oldest decided calls, where hardly any lie below the same span."""
        for span_id in list(self.spans):
            if self.is_enough:
                return
            if self.spans[span_id].stands_for:
                self._drop(span_id)
            elif self._is_done(span_id):
                self.forgotten.append(self._drop(span_id))

    def _is_bare(self, span_id: str) -> bool:
        remembered = self.spans.get(span_id)
        if remembered is None or self._children[span_id] or remembered.is_open or remembered.event is not None:
            return False
        return not remembered.facts.is_named and remembered.facts.kind not in {Kind.CALL, Kind.AGENT}

    def _is_done(self, span_id: str) -> bool:
        """True of a decided call without spans below it, but for entries that stand for others."""
        remembered = self.spans.get(span_id)
        if remembered is None or remembered.is_open or remembered.stands_for:
            return False
        has_others_below = self._children[span_id] > len(self._joined.get(span_id, ()))
        return remembered.facts.kind is Kind.CALL and not has_others_below

    def _join(self, span_id: str) -> None:
        inside = [self._drop(below).units for below in self._joined.pop(span_id, {}).values()]
        came = self.spans[span_id].came
        links = self._links_above(span_id)
        facts = self._drop(span_id)
        self.forgotten.append(facts)
        units = (facts.units or NOTHING).greatest(_sum(*inside))
        if not facts.is_doubled and not units.is_nothing:
            parent = self.spans[links[-1]].facts.parent if links else facts.parent
            self._stand_for(msgspec.structs.replace(facts, parent=parent, units=units), came)
        for link in links:
            if self._is_bare(link):
                self._drop(link)

    def _links_above(self, span_id: str) -> list[str]:
        """Spans between a call and what it lies below, the nearest first."""
        links: list[str] = []
        parent = self.spans[span_id].facts.parent
        while len(links) < _MAXIMUM_STEPS and (above := self.spans.get(parent)) is not None and _only_links(above):
            links.append(parent)
            parent = above.facts.parent
        return links

    def _stand_for(self, facts: SpanFacts, came: int) -> None:
        alike = self._joined.setdefault(facts.parent, {})
        joined = alike.get(_alike(facts))
        if joined is not None:
            before = self.spans[joined]
            self.size -= _size_of(before)
            self.spans[joined] = _together(before, facts)
            self.size += _size_of(self.spans[joined])
            return
        entry = Remembered(_without_its_own(facts), came, stands_for=1)
        alike[_alike(facts)] = entry.facts.id
        self.spans[entry.facts.id] = entry
        self.size += _size_of(entry)
        self._children[facts.parent] += 1

    def _drop(self, span_id: str) -> SpanFacts:
        remembered = self.spans.pop(span_id)
        self.size -= _size_of(remembered)
        self._children[remembered.facts.parent] -= 1
        return remembered.facts


def _only_links(remembered: Remembered) -> bool:
    facts = remembered.facts
    return facts.kind in {Kind.OTHER, Kind.CONTAINER} and not facts.is_sum and not facts.is_named


def _alike(facts: SpanFacts) -> _Alike:
    return (facts.asked, facts.answered, facts.library)


def _without_its_own(facts: SpanFacts) -> SpanFacts:
    """What an entry that stands for calls says: nothing that only one of them can say."""
    return msgspec.structs.replace(
        facts, id=f"{facts.id}+", response=None, agent=None, conversation=None, tier=None, is_estimate=False
    )


def _together(entry: Remembered, call: SpanFacts) -> Remembered:
    units = _sum(entry.facts.units, call.units)
    facts = msgspec.structs.replace(
        entry.facts, start=min(entry.facts.start, call.start), end=max(entry.facts.end, call.end), units=units
    )
    return msgspec.structs.replace(entry, facts=facts, stands_for=entry.stands_for + 1)


def _sum(*units: Units | None) -> Units:
    """No count becomes larger than a stored number may be."""
    together = NOTHING
    for one in units:
        if one is not None and max(together.input, together.output, *together.other.values()) < _MAXIMUM_COUNT:
            together = together.plus(one)
    return together


def _size_of(remembered: Remembered) -> int:
    facts = remembered.facts
    units = (facts.units is not None) + (remembered.slack is not None)
    texts: Iterable[str | None] = (
        *(facts.id, facts.parent, facts.agent, facts.conversation, facts.response, facts.provider, facts.asked),
        *(facts.answered, facts.tier, facts.library, facts.service, remembered.event, *remembered.apart_from),
    )
    return _BYTES_OF_SPAN + sum(_bytes_of(text) for text in texts if text) + units * _BYTES_OF_UNITS


def _bytes_of(text: str) -> int:
    return _BYTES_OF_NAME + (len(text) if text.isascii() else len(text.encode()))
