"""How much of what a call or sum says is its own, and how much is said by the calls inside it."""

from dataclasses import dataclass, field

from shared.domain.ingestion.grouping import Groups
from shared.domain.ingestion.memory import Remembered
from shared.domain.ingestion.models import same_provider
from shared.domain.ingestion.tree import Tree
from shared.domain.ingestion.units import NOTHING, Units

TOLERANCE = 10_000
"""Microseconds by which a span may stick out of the one that it lies in: clocks of libraries differ."""


@dataclass
class Shares:
    """The shares in one trace, as its spans are known now."""

    spans: dict[str, Remembered]
    tree: Tree
    groups: Groups
    said: dict[str, Units] = field(default_factory=dict)
    """Of a call: the greater of its own counts and those of its own calls together."""

    def __post_init__(self) -> None:
        calls = [span_id for span_id, remembered in self.spans.items() if remembered.facts.is_counted_call]
        calls.sort(key=lambda span_id: -self.tree.places[span_id].depth)
        for span_id in calls:
            units = self.spans[span_id].facts.units or NOTHING
            self.said[span_id] = units.greatest(self.inside(span_id))

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
        """What calls say that seem to be inside, although spans between did not come.

        They are those within its time whose chain of parents breaks. Of a call, only where one of them has the same
        response id and less counts: then the call is a sum under the id of its last call.
        """
        facts = self.spans[span_id].facts
        if facts.is_counted_call:
            answers = self.groups.by_response.get(facts.response or "", ())
            last = {call for call in answers if self._is_last_of(span_id, call)}
            if not last or last.isdisjoint(self._loose(span_id)):
                return NOTHING
        calls = self._loose(span_id)
        together = NOTHING
        for units in {self.groups.of(call): self.said.get(call, NOTHING) for call in calls}.values():
            together = together.plus(units)
        return together

    def sum_around(self, span_id: str) -> str | None:
        """The counted sum that a call seems to be the last part of, although spans between did not come."""
        facts = self.spans[span_id].facts
        if facts.response is None or self.tree.places[span_id].is_complete:
            return None
        for other in self.groups.by_response.get(facts.response, ()):
            if self.spans[other].slack is not None and self._is_last_of(other, span_id):
                around = self.spans[other].facts
                if _lies_in(facts.start, facts.end, around.start, around.end):
                    return other
        return None

    def take_up(self, span_id: str, units: Units) -> tuple[Units, dict[str, Remembered]]:
        """What is left of `units` after the slack of what was counted around a span before it came.

        With the spans whose slack becomes less, as they are then.
        """
        remembered = self.spans[span_id]
        around = [*self.tree.enclosing(span_id)]
        if (loose := self.sum_around(span_id)) is not None:
            around.append(loose)
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

    def _loose(self, span_id: str) -> list[str]:
        outer = self.spans[span_id].facts
        loose = []
        for call in self.said:
            place, inner = self.tree.places[call], self.spans[call].facts
            if place.is_complete or self.groups.of(call) == self.groups.of(span_id):
                continue
            if self.tree.places[span_id].missing == place.missing or next(self.tree.enclosing(call), None) is not None:
                continue
            if not _lies_in(inner.start, inner.end, outer.start, outer.end):
                continue
            if not outer.is_counted_call or outer.same_model(inner):
                loose.append(call)
        return loose

    def _is_last_of(self, span_id: str, call: str) -> bool:
        outer, inner = self.spans[span_id].facts, self.spans[call].facts
        if outer.response is None or outer.response != inner.response or outer.units is None or inner.units is None:
            return False
        is_less = outer.units.covers(inner.units) and not inner.units.covers(outer.units)
        return is_less and same_provider(outer.provider, inner.provider)


def _with_slack(remembered: Remembered, slack: Units) -> Remembered:
    return Remembered(
        remembered.facts, remembered.came, event=remembered.event, slack=None if slack.is_nothing else slack
    )


def _lies_in(start: int, end: int, outer_start: int, outer_end: int) -> bool:
    return start >= outer_start - TOLERANCE and end <= outer_end + TOLERANCE
