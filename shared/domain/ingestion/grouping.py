"""Which spans of a trace are one call.

Two spans are, when they have one response id and equal input and output; when one wraps only the other and both have
equal input and output; or when they led to one event already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.memory import Remembered
from shared.domain.ingestion.models import same_provider
from shared.domain.ingestion.tree import Tree

_MAXIMUM_ANSWERS = 64
"""How many calls under one response id are looked at one by one."""


@dataclass
class Groups:
    """Sets of spans that are one call each."""

    spans: Mapping[str, Remembered]
    tree: Tree
    by_response: dict[str, list[str]] = field(default_factory=dict)
    """Calls with counts, by the provider's id of the answer; of one that is used over and over, some."""
    members: dict[str, list[str]] = field(default_factory=dict)
    """By the set's representative; sets of one are left out."""
    _representative: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        calls = [
            span_id
            for span_id, remembered in self.spans.items()
            if remembered.facts.is_counted_call and not remembered.facts.is_doubled
        ]
        self._join_events(calls)
        self._join_responses(calls)
        self._join_wrappers(calls)
        for span_id in self._representative:
            self.members.setdefault(self.of(span_id), []).append(span_id)

    def of(self, span_id: str) -> str:
        """The representative of the set that a span is in."""
        path = []
        while (above := self._representative.get(span_id, span_id)) != span_id:
            path.append(span_id)
            span_id = above
        for below in path:
            self._representative[below] = span_id
        return span_id

    def all_of(self, representative: str) -> list[str]:
        return self.members.get(representative, [representative])

    def _join(self, first: str, second: str) -> None:
        if first == second:
            return
        one, other = self.of(first), self.of(second)
        self._representative[one] = one
        self._representative[other] = one

    def _join_events(self, calls: Iterable[str]) -> None:
        by_event: dict[str, str] = {}
        for span_id in calls:
            event = self.spans[span_id].event
            if event is not None:
                self._join(by_event.setdefault(event, span_id), span_id)

    def _join_responses(self, calls: Iterable[str]) -> None:
        same: dict[tuple[str, int, int], str] = {}
        for span_id in calls:
            facts = self._facts(span_id)
            if facts.response is None or facts.units is None:
                continue
            answers = self.by_response.setdefault(facts.response, [])
            if len(answers) < _MAXIMUM_ANSWERS:
                answers.append(span_id)
            first = same.setdefault((facts.response, facts.units.input, facts.units.output), span_id)
            if same_provider(facts.provider, self._facts(first).provider):
                self._join(first, span_id)

    def _join_wrappers(self, calls: Iterable[str]) -> None:
        for span_id in calls:
            own = [call for call in self.tree.own_calls.get(span_id, ()) if not self._facts(call).is_doubled]
            if not own or len({self.of(call) for call in own}) > 1:
                continue
            inner, outer = self._facts(own[0]).units, self._facts(span_id).units
            if inner is not None and outer is not None and inner.equals_in_tokens(outer):
                self._join(own[0], span_id)

    def _facts(self, span_id: str) -> SpanFacts:
        return self.spans[span_id].facts
