"""Calls that one request reports twice, by spans that no parent connects.

Libraries that instrument each other (LangChain's and OpenAI's, say) may begin a trace each, or stand side by side.
Where one span lies below the other, `taking.py` finds that they are one call.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from shared.domain.ingestion.calls import TraceWarning, WarningCode
from shared.domain.ingestion.facts import PlacedFacts, SpanFacts
from shared.domain.ingestion.libraries import DOUBLING
from shared.domain.ingestion.models import same_model, same_provider

TOLERANCE = 10_000
"""Microseconds by which a span may stick out of the one that it lies in: clocks of libraries differ."""

_MAXIMUM_MODELS = 16
"""How many models are told apart among calls of one service with equal tokens; calls of further ones are no pairs."""

_MAXIMUM_STEPS = 64
"""How many parents are followed from an inner span to the outer one."""


@dataclass(frozen=True, slots=True)
class WithoutDoubles:
    """The spans of a request, each doubled call in one of them only."""

    facts: tuple[PlacedFacts, ...]
    """In their order. One span of each call has what all of them say, the others are marked as doubled."""
    warnings: tuple[TraceWarning, ...]
    """Of response ids that are used again, and of unknown pairs of doubling libraries."""


def without_known_doubles(facts: Sequence[PlacedFacts]) -> WithoutDoubles:
    """Join the spans of a request that are one call.

    They have the same provider, response id and tokens; or they come from two libraries that are known to double, with
    the same service, model and tokens, one inside the other in time, each paired once.
    """
    joining = _Joining(list(facts))
    joining.join_answers()
    joining.drop_sums()
    for outer, inner in DOUBLING:
        joining.join_pairs(outer, inner)
    return WithoutDoubles(tuple(joining.facts), (*joining.reused_ids(), *joining.unknown_pairs()))


@dataclass
class _Joining:
    facts: list[PlacedFacts]

    def __post_init__(self) -> None:
        self._parents = {(placed.trace, placed.facts.id): placed.facts.parent for placed in self.facts}

    def join_answers(self) -> None:
        by_answer: dict[tuple[str, int, int], list[int]] = {}
        for index, facts in self._open_calls():
            if facts.response is not None and facts.units is not None:
                by_answer.setdefault((facts.response, facts.units.input, facts.units.output), []).append(index)
        for indexes in by_answer.values():
            indexes.sort(key=lambda index: self._facts(index).order)
            first, *others = indexes
            for other in others:
                are_one = same_provider(self._facts(first).provider, self._facts(other).provider)
                if are_one and self.facts[first].trace != self.facts[other].trace:
                    self._join(first, other)

    def drop_sums(self) -> None:
        """Mark sums under the response id of a call in another trace: they are never another call."""
        calls: dict[str, list[int]] = {}
        for index, facts in self._open_calls():
            if facts.response is not None:
                calls.setdefault(facts.response, []).append(index)
        for index, placed in enumerate(self.facts):
            sums = placed.facts
            known = calls.get(sums.response or "", ()) if sums.is_sum else ()
            if any(same_provider(self._facts(call).provider, sums.provider) for call in known) and all(
                self.facts[call].trace != placed.trace for call in known
            ):
                self.facts[index] = PlacedFacts(placed.trace, msgspec.structs.replace(sums, is_doubled=True))

    def join_pairs(self, outer: str, inner: str) -> None:
        """Join as many pairs as there are: each inner call with the outer one that ends first around it."""
        for outers, inners in self._alike(outer, inner):
            available: list[tuple[int, int]] = []
            coming = sorted(outers, key=lambda index: self._facts(index).order, reverse=True)
            for index in sorted(inners, key=lambda index: self._facts(index).order):
                facts = self._facts(index)
                while coming and self._facts(coming[-1]).start - TOLERANCE <= facts.start:
                    insort(available, (self._facts(coming[-1]).end, coming.pop()))
                at = bisect_left(available, (facts.end - TOLERANCE, -1))
                if at < len(available):
                    around = available.pop(at)[1]
                    if not self._is_below(index, around):
                        self._join(around, index)

    def reused_ids(self) -> Iterable[TraceWarning]:
        """One warning for each response id that calls of different traces have with different tokens."""
        first_of: dict[tuple[str | None, str], int] = {}
        warned: set[tuple[str | None, str]] = set()
        for index, facts in self._open_calls():
            if facts.response is None:
                continue
            key = (facts.provider, facts.response)
            first = first_of.setdefault(key, index)
            if key not in warned and self.facts[first].trace != self.facts[index].trace:
                warned.add(key)
                yield TraceWarning(WarningCode.ID_REUSED, facts.library, facts.service)

    def unknown_pairs(self) -> Iterable[TraceWarning]:
        """One warning for each two libraries and service whose equal calls lie inside each other."""
        calls: dict[tuple[str, int, int], list[int]] = {}
        for index, facts in self._open_calls():
            if facts.units is not None:
                calls.setdefault((facts.service, facts.units.input, facts.units.output), []).append(index)
        seen: set[tuple[str, str]] = set()
        for alike in calls.values():
            alike.sort(key=lambda index: (self._facts(index).start, -self._facts(index).end))
            for outer, inner in pairwise(alike):
                first, second = self._facts(outer), self._facts(inner)
                key = (f"{first.library} + {second.library}", first.service)
                if key not in seen and _look_doubled(first, second) and not self._is_below(inner, outer):
                    seen.add(key)
                    yield TraceWarning(WarningCode.DOUBLED, *key)

    def _alike(self, outer: str, inner: str) -> Iterable[tuple[list[int], list[int]]]:
        """The calls of two libraries that may be pairs: of one service, model and tokens, without an id each."""
        alike: dict[tuple[str, int, int], tuple[list[int], list[int]]] = {}
        for index, facts in self._open_calls():
            if facts.library in {outer, inner} and facts.units is not None:
                key = (facts.service, facts.units.input, facts.units.output)
                alike.setdefault(key, ([], []))[facts.library == inner].append(index)
        for outers, inners in alike.values():
            remaining = outers
            for _ in range(_MAXIMUM_MODELS):
                if not remaining:
                    break
                same_outers = self._of_same_model(remaining, remaining[0])
                same_inners = self._of_same_model(inners, remaining[0])
                yield [index for index in same_outers if self._facts(index).response is None], same_inners
                named = [index for index in same_outers if self._facts(index).response is not None]
                yield named, [index for index in same_inners if self._has_no_id(index)]
                done = set(same_outers)
                remaining = [index for index in remaining if index not in done]

    def _of_same_model(self, indexes: list[int], as_this: int) -> list[int]:
        return [index for index in indexes if self._facts(index).same_model(self._facts(as_this))]

    def _has_no_id(self, index: int) -> bool:
        facts = self._facts(index)
        return facts.response is None and not facts.is_doubled

    def _open_calls(self) -> Iterable[tuple[int, SpanFacts]]:
        for index, placed in enumerate(self.facts):
            if placed.facts.is_counted_call and not placed.facts.is_doubled:
                yield index, placed.facts

    def _is_below(self, inner: int, outer: int) -> bool:
        """True when parents tell that two spans are one call: then it is found with the rest of their trace."""
        trace, span_id = self.facts[inner].trace, self._facts(inner).parent
        for _ in range(_MAXIMUM_STEPS):
            if (trace, span_id) not in self._parents:
                return False
            if (trace, span_id) == (self.facts[outer].trace, self._facts(outer).id):
                return True
            span_id = self._parents[trace, span_id]
        return False

    def _join(self, keeping: int, doubled: int) -> None:
        """Let the span that lies in a tree of spans keep the call: its ancestors may name the agent."""
        kept, other = self._facts(keeping), self._facts(doubled)
        if not kept.parent and other.parent and kept.start <= other.end and other.start <= kept.end:
            keeping, doubled, kept, other = doubled, keeping, other, kept
        joined = msgspec.structs.replace(
            kept.with_knowledge_of(other),
            agent=kept.agent or (other.agent if not kept.parent else None),
            conversation=kept.conversation or other.conversation,
        )
        self.facts[keeping] = PlacedFacts(self.facts[keeping].trace, joined)
        marked = msgspec.structs.replace(other, is_doubled=True)
        self.facts[doubled] = PlacedFacts(self.facts[doubled].trace, marked)

    def _facts(self, index: int) -> SpanFacts:
        return self.facts[index].facts


def _look_doubled(first: SpanFacts, second: SpanFacts) -> bool:
    """True when the second call lies inside the first, by another library, without another id."""
    if first.library == second.library or (first.response and second.response):
        return False
    lies_inside = second.start >= first.start - TOLERANCE and second.end <= first.end + TOLERANCE
    return lies_inside and same_model(first.models, second.models)
