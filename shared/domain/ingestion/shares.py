"""How much of a call's or sum's counts is its own, not its own calls'."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from shared.domain.ingestion.grouping import Groups
from shared.domain.ingestion.memory import Remembered
from shared.domain.ingestion.models import same_provider
from shared.domain.ingestion.tree import Tree
from shared.domain.ingestion.units import NOTHING, Units

_MAXIMUM_LOOKS = 64
"""How many sums are looked at, to find the one around a call whose links are lost."""

_MAXIMUM_COMPARED = 64_000
"""Pairs of a sum and a call whose links are lost that are compared in one turn over a trace."""


@dataclass
class Shares:
    """The shares in one trace, as its spans are known now."""

    spans: dict[str, Remembered]
    tree: Tree
    groups: Groups
    said: dict[str, Units] = field(default_factory=dict)
    """Of a call: the greater of its own counts and those of its own calls together."""

    def __post_init__(self) -> None:
        self._compared = 0
        self._counted_sums = [
            span_id for span_id, remembered in self.spans.items() if remembered.facts.is_sum and remembered.slack
        ]
        calls = [span_id for span_id, remembered in self.spans.items() if remembered.facts.is_counted_call]
        self._loose = [call for call in calls if self.is_loose(call)]
        calls.sort(key=lambda span_id: -self.tree.places[span_id].depth)
        for span_id in calls:
            units = self.spans[span_id].facts.units or NOTHING
            has_own = span_id in self.tree.own_calls
            self.said[span_id] = units.greatest(self.inside(span_id)) if has_own else units.consistent()

    def inside(self, *span_ids: str) -> Units:
        """What the own calls of a call or sum say together, each call once.

        Own calls of a call are those of the same model: an embedding below a chat is no part of it. `span_ids` are the
        spans of one call.
        """
        by_call: dict[str, Units] = {}
        for span_id in span_ids:
            outer = self.spans[span_id].facts
            for own in self.tree.own_calls.get(span_id, ()):
                inner = self.spans[own].facts
                call = self.groups.of(own)
                if call == self.groups.of(span_id) or (outer.is_counted_call and not outer.same_model(inner)):
                    continue
                said = self.said.get(own) or inner.units or NOTHING
                by_call[call] = said.greatest(by_call.get(call, NOTHING))
        together = NOTHING
        for units in by_call.values():
            together = together.plus(units)
        return together

    def loosely_inside(self, span_id: str) -> Units:
        """What calls say together that seem to be inside a call, although spans between did not come.

        Only where one of them has the same response id and less counts: then it is a sum under the id of its last call.
        """
        answers = self._same_answer(span_id)
        if not any(self._is_last_of(span_id, call) and self._seems_inside(span_id, call) for call in answers):
            return NOTHING
        together = NOTHING
        calls = {self.groups.of(call): self.said.get(call, NOTHING) for call in self._all_loosely_inside(span_id)}
        for units in calls.values():
            together = together.plus(units)
        return together

    def seems_to_have_calls(self, span_id: str) -> bool:
        """True when a call of the same library seems to be inside a sum, although spans between did not come."""
        return any(True for _ in self._all_loosely_inside(span_id))

    def is_loose(self, call: str) -> bool:
        """True when the chain of parents breaks before it reaches what the call is inside."""
        return not self.tree.places[call].is_complete and next(self.tree.enclosing(call), None) is None

    def loosely_around(self, span_id: str) -> str | None:
        """The counted sum that a call seems to be inside: the reverse of `loosely_inside`."""
        facts = self.spans[span_id].facts
        if self.tree.places[span_id].is_complete or next(self.tree.enclosing(span_id), None) is not None:
            return None
        alike = (other for other in self._counted_sums if self.spans[other].facts.library == facts.library)
        sums = list(islice(alike, _MAXIMUM_LOOKS))
        sums += [other for other in self._same_answer(span_id) if self._is_last_of(other, span_id)]
        around = [other for other in sums if self.spans[other].slack is not None and self._looks_around(other, span_id)]
        return max(around, key=lambda other: self.spans[other].facts.order, default=None)

    def _looks_around(self, span_id: str, call: str) -> bool:
        """An agent mostly uses one model: where nothing names its agent, a call of another one is another agent's."""
        if not self._may_hold(span_id, call):
            return False
        is_of_same_model = self.spans[span_id].facts.same_model(self.spans[call].facts)
        return is_of_same_model or self._is_of_same_agent(span_id, call) is True

    def _is_of_same_agent(self, span_id: str, call: str) -> bool | None:
        """None where one of them is not named."""
        agent, other = self.tree.places[span_id].agent, self.tree.places[call].agent
        return None if agent is None or other is None else agent == other

    def take_up(self, span_id: str, units: Units, around: Iterable[str]) -> tuple[Units, dict[str, Remembered]]:
        """What is left of `units` after the slack of what was counted `around` a span.

        With the spans whose slack becomes less, as they are then.
        """
        remembered = self.spans[span_id]
        changes: dict[str, Remembered] = {}
        for above in around:
            outer = self.spans[above]
            if outer.slack is None or above in remembered.apart_from:
                continue
            if outer.facts.is_counted_call and not outer.facts.same_model(remembered.facts):
                continue
            rest = units.beyond(outer.slack)
            if rest != units:
                changes[above] = _with_slack(outer, outer.slack.beyond(units))
                units = rest
        return units, changes

    def _same_answer(self, span_id: str) -> list[str]:
        """The other calls under a call's response id."""
        answers = self.groups.by_response.get(self.spans[span_id].facts.response or "", ())
        return [call for call in answers if call != span_id]

    def _all_loosely_inside(self, span_id: str) -> Iterator[str]:
        for call in self._loose:
            if self._compared == _MAXIMUM_COMPARED:
                return
            self._compared += 1
            if self._seems_inside(span_id, call):
                yield call

    def _seems_inside(self, span_id: str, call: str) -> bool:
        """True when nothing that is known says that a call is not inside a sum."""
        outer, inner = self.spans[span_id].facts, self.spans[call].facts
        if not self._may_hold(span_id, call) or self.groups.of(call) == self.groups.of(span_id):
            return False
        is_alike = outer.same_model(inner) if outer.is_counted_call else outer.library == inner.library
        return is_alike and self.is_loose(call)

    def _may_hold(self, span_id: str, call: str) -> bool:
        """True unless time, counts, known parents or agents say that a call is not inside."""
        outer, inner = self.spans[span_id].facts, self.spans[call].facts
        if not (outer.start <= inner.start and inner.end <= outer.end and outer.covers(inner)):
            return False
        if self.tree.places[span_id].missing == self.tree.places[call].missing:
            return False
        return self._is_of_same_agent(span_id, call) is not False

    def _is_last_of(self, span_id: str, call: str) -> bool:
        outer, inner = self.spans[span_id].facts, self.spans[call].facts
        is_less = outer.covers(inner) and not inner.covers(outer)
        is_named_alike = outer.response is not None and outer.response == inner.response
        return is_less and is_named_alike and same_provider(outer.provider, inner.provider)


def _with_slack(remembered: Remembered, slack: Units) -> Remembered:
    return msgspec.structs.replace(remembered, slack=None if slack.is_nothing else slack)
