"""Which calls and sums of a trace are metered now, and to which agent."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce

import msgspec

from shared.domain.ingestion.calls import Elsewhere, LlmCall, TraceWarning, WarningCode, instant_of, microseconds_in
from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.grouping import Groups
from shared.domain.ingestion.kinds import Kind
from shared.domain.ingestion.memory import Remembered, decided
from shared.domain.ingestion.models import same_provider
from shared.domain.ingestion.shares import Shares
from shared.domain.ingestion.tree import Place, Tree
from shared.domain.ingestion.units import NOTHING, Units

SUM_WAIT = timedelta(seconds=300)
"""How long a sum waits for its calls, and a call for its links to a sum, whatever the credential."""


@dataclass
class Decisions:
    """One turn over the spans of a trace. Calls are decided from the innermost outwards, then sums likewise."""

    trace: str
    spans: dict[str, Remembered]
    fresh: Collection[str]
    """Ids of the spans that came now."""
    now: int
    default_agent: str | None
    elsewhere: Elsewhere
    calls: list[LlmCall] = field(default_factory=list)
    warnings: list[TraceWarning] = field(default_factory=list)
    _at_once: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        facts = {span_id: remembered.facts for span_id, remembered in self.spans.items()}
        self._tree = Tree(facts)
        self._groups = Groups(self.spans, self._tree)
        self._shares = Shares(self.spans, self._tree, self._groups)
        self._counted_now: set[str] = set()
        for sums in facts.values():
            if sums.is_sum and self.spans[sums.id].event is not None:
                self._tree.register(sums.id)

    def let_go(self, span_ids: Iterable[str]) -> None:
        """Decide these at once: they cannot be remembered."""
        self._at_once = frozenset(span_ids)

    def look_at_fresh(self) -> None:
        """Warn of spans that lack counts."""
        for span_id in self.fresh:
            self._look_at(self.spans[span_id].facts)

    def decide(self) -> None:
        self._let_out()
        opened = [span_id for span_id, remembered in self.spans.items() if remembered.is_open]
        opened.sort(key=lambda span_id: (-self._tree.places[span_id].depth, self.spans[span_id].facts.order))
        for span_id in opened:
            if self.spans[span_id].facts.is_counted_call:
                self._decide_call(span_id)
        for span_id in opened:
            if self.spans[span_id].facts.is_uncounted_call:
                self._decide_uncounted(span_id)
        for span_id in opened:
            if self.spans[span_id].facts.is_sum:
                self._decide_sum(span_id)
        self._keep_apart(opened)

    def _look_at(self, facts: SpanFacts) -> None:
        if facts.dropped and facts.units is None:
            self._warn(WarningCode.ATTRIBUTES_DROPPED, facts)
        if facts.is_unseen and facts.id not in self._tree.own_calls:
            self._warn(WarningCode.NO_COUNT, facts)

    def _decide_call(self, span_id: str) -> None:
        """Decide all spans of one call together; of spans that are decided already, nothing changes."""
        if not self.spans[span_id].is_open:
            return
        group = self._groups.all_of(self._groups.of(span_id))
        done = [one for one in group if not self.spans[one].is_open]
        if done:
            self._join_decided([one for one in group if self.spans[one].is_open], done)
            return
        head, *others = sorted(group, key=lambda one: self.spans[one].facts.order)
        facts = reduce(SpanFacts.with_knowledge_of, (self.spans[one].facts for one in others), self.spans[head].facts)
        units = facts.units or NOTHING
        rest = units.beyond(self._shares.inside(*group)).beyond(self._shares.loosely_inside(head))
        if rest.is_nothing:
            self._close(group, None)
            return
        if self._is_in_sum_elsewhere(facts, rest):
            self._warn(WarningCode.SUM_WITHOUT_CALLS, facts)
            self._close(group, None)
            return
        innermost = max(group, key=lambda one: self._tree.places[one].depth)
        around = [*self._tree.enclosing(innermost)]
        if (seeming := self._shares.loosely_around(innermost)) is not None:
            if self._may_be_linked(group):
                return
            around.append(seeming)
        left, changes = self._shares.take_up(innermost, rest, around)
        if left.is_nothing:
            self.spans.update(changes)
            if seeming is not None and group == [head]:
                self._hold(head, rest, seeming)
            else:
                self._close_inside(group, facts, next(reversed(changes)))
        elif not self._must_wait(group):
            self.spans.update(changes)
            call = self._call(facts, [head, *others], left, is_whole=left == facts.units)
            self._warn_about(facts, group)
            self._close(group, call.id)
            self._close([innermost], call.id, left)

    def _may_be_linked(self, group: list[str]) -> bool:
        """True while spans may come that tell whether a call lies inside the sum that seems to be around it."""
        if any(one in self._at_once for one in group):
            return False
        until = min(self.spans[one].came for one in group) + microseconds_in(SUM_WAIT)
        for one in group:
            longest = max(until, self.spans[one].until or 0)
            self.spans[one] = msgspec.structs.replace(self.spans[one], until=longest)
        return self.now < until

    def _hold(self, span_id: str, units: Units, seeming: str) -> None:
        """Do not count a call that seems to lie inside a counted sum, unless later spans tell that it does not."""
        remembered = self.spans[span_id]
        self._warn(WarningCode.SUM_WITHOUT_CALLS, remembered.facts)
        self.spans[span_id] = Remembered(remembered.facts, remembered.came, slack=units, held_by=seeming)

    def _let_out(self) -> None:
        """Open calls again that were held, where the spans above them are known now."""
        for span_id, remembered in list(self.spans.items()):
            held_by = remembered.held_by
            if held_by is None or self._shares.is_loose(span_id):
                continue
            if (around := self.spans.get(held_by)) is not None:
                slack = (around.slack or NOTHING).plus(remembered.slack or NOTHING)
                self.spans[held_by] = msgspec.structs.replace(around, slack=slack)
            self.spans[span_id] = Remembered(remembered.facts, remembered.came, is_open=True, until=self.now)

    def _close_inside(self, group: list[str], facts: SpanFacts, around: str) -> None:
        """Close a call that lies inside one that was counted: the same call, or a part of a sum."""
        outer = self.spans[around]
        if (facts.units or NOTHING).equals_in_tokens(outer.facts.units or NOTHING):
            self._warn_if_late(facts, [outer.facts])
            self._close(group, outer.event)
        else:
            self._close(group, None)

    def _join_decided(self, joining: list[str], done: list[str]) -> None:
        event = next((self.spans[one].event for one in done if self.spans[one].event is not None), None)
        known = [self.spans[one].facts for one in done]
        for span_id in joining:
            self._warn_if_late(self.spans[span_id].facts, known)
        self._close(joining, event)

    def _decide_uncounted(self, span_id: str) -> None:
        """Keep a call without counts once, unless it failed or another span counts it."""
        facts = self.spans[span_id].facts
        if facts.failed or self._is_known_otherwise(span_id):
            self._close([span_id], None)
        elif not self._must_wait([span_id]):
            call = self._call(facts, [span_id], None, is_whole=False)
            self._warn(WarningCode.NO_COUNT, facts)
            self._warn_about(facts, [span_id])
            self._close([span_id], call.id)

    def _is_known_otherwise(self, span_id: str) -> bool:
        facts = self.spans[span_id].facts
        if span_id in self._tree.own_calls:
            return True
        if any(self.spans[inner].event is not None for inner in self._tree.own_uncounted.get(span_id, ())):
            return True
        if any(self.spans[around].facts.kind is Kind.CALL for around in self._tree.enclosing(span_id)):
            return True
        twins = (self.spans[twin].facts for twin in self._groups.by_response.get(facts.response or "", ()))
        return any(twin.start <= facts.end and facts.start <= twin.end for twin in twins)

    def _decide_sum(self, span_id: str) -> None:
        """A sum with own calls never counts. One without counts after its wait, if it has a model and a response id.

        While calls only seem to be inside it, it stays open: spans that come later tell whether they are.
        """
        remembered = self.spans[span_id]
        facts, units = remembered.facts, remembered.facts.units or NOTHING
        has_own = span_id in self._tree.own_calls
        inside = self._shares.inside(span_id)
        if has_own and inside.covers(units):
            self._close([span_id], None)
            return
        if span_id in self._at_once:
            self._close([span_id], None)
            return
        if remembered.until is not None and self.now < remembered.until:
            return
        if has_own or self._is_answer_known(facts):
            self._warn(WarningCode.SUM_EXCEEDS_CALLS, facts)
            self._close([span_id], None)
            return
        if remembered.until is not None:
            self._warn(WarningCode.SUM_WITHOUT_CALLS, facts)
        has_model = facts.asked is not None or facts.answered is not None
        if not has_model or facts.response is None:
            self._close([span_id], None)
        elif self._shares.seems_to_have_calls(span_id):
            self.spans[span_id] = msgspec.structs.replace(remembered, until=None)
        else:
            self._count_sum(span_id, units)

    def _count_sum(self, span_id: str, units: Units) -> None:
        """Count a sum as one call, but not what a sum or call around it counted already."""
        left, changes = self._shares.take_up(span_id, units, self._tree.enclosing(span_id))
        self.spans.update(changes)
        if left.is_nothing:
            self._close([span_id], None)
            return
        call = self._call(self.spans[span_id].facts, [span_id], left, is_whole=left == units)
        self._close([span_id], call.id, left)
        self._tree.register(span_id)

    def _is_answer_known(self, facts: SpanFacts) -> bool:
        """True when a call has the sum's response id, in whichever trace: the sum is never another call."""
        if facts.response in self.elsewhere.calls:
            return True
        known = (self.spans[call].facts for call in self._groups.by_response.get(facts.response or "", ()))
        return any(same_provider(call.provider, facts.provider) for call in known)

    def _is_in_sum_elsewhere(self, facts: SpanFacts, units: Units) -> bool:
        counted = self.elsewhere.sums.get(facts.response or "")
        if counted is None or counted.trace == self.trace or not same_provider(counted.provider, facts.provider):
            return False
        return Units(counted.input, counted.output).covers(units)

    def _must_wait(self, group: list[str]) -> bool:
        """True while a span that may name the agent can still come."""
        if self.default_agent is not None or any(one in self._at_once for one in group):
            return False
        places = [self._tree.places[one] for one in group]
        if any(place.agent is not None or place.is_complete for place in places):
            return False
        ends = [until for one in group if (until := self.spans[one].until) is not None]
        return bool(ends) and self.now < min(ends)

    def _call(self, facts: SpanFacts, group: list[str], units: Units | None, *, is_whole: bool) -> LlmCall:
        places = [self._tree.places[one] for one in group]
        named = facts.agent or next((place.agent for place in places if place.agent is not None), None)
        if named is None and self.default_agent is None and not any(place.is_complete for place in places):
            self._warn(WarningCode.AGENT_NOT_NAMED, facts)
        conversation = facts.conversation or next((place.conversation for place in places if place.conversation), None)
        call = LlmCall(
            id=self._identity_of(facts, units if is_whole else None),
            agent=named or self.default_agent or facts.service,
            is_agent_named=named is not None,
            run=conversation or self.trace,
            time=instant_of(facts.end),
            data=facts.data_with(units),
            trace_id=self.trace,
            span_id=facts.id,
            is_sum=facts.is_sum,
            response=facts.response if facts.is_sum or self._is_alone(facts, places) else None,
        )
        self.calls.append(call)
        self._counted_now.update(group)
        return call

    def _is_alone(self, facts: SpanFacts, places: Collection[Place]) -> bool:
        """True when all that is around a call is known, and no agent or sum is."""
        is_known = any(place.is_complete for place in places) and all(place.agent is None for place in places)
        return is_known and next(self._tree.enclosing(facts.id), None) is None

    def _identity_of(self, facts: SpanFacts, units: Units | None) -> str:
        """By the provider's answer and all that it used, else by the span."""
        if facts.answer is None or units is None:
            return f"{self.trace}:{facts.id}"
        return f"{facts.answer}:{units.input}:{units.output}"

    def _close(self, group: Iterable[str], event: str | None, slack: Units | None = None) -> None:
        for span_id in group:
            self.spans[span_id] = decided(self.spans[span_id], event, slack)

    def _keep_apart(self, opened: Iterable[str]) -> None:
        """Note that open calls were left out of the counts of what is around them."""
        for span_id in opened:
            remembered = self.spans[span_id]
            if remembered.is_open and remembered.facts.kind is Kind.CALL:
                around = tuple(above for above in self._tree.enclosing(span_id) if above in self._counted_now)
                if around:
                    self.spans[span_id] = msgspec.structs.replace(
                        remembered, apart_from=(*remembered.apart_from, *around)
                    )

    def _warn_about(self, facts: SpanFacts, group: list[str]) -> None:
        if facts.is_estimate:
            self._warn(WarningCode.ESTIMATE, facts)
        if facts.hides_cache:
            self._warn(WarningCode.CACHE_NOT_TOLD, facts)
        if facts.dropped and facts.units is not None:
            self._warn(WarningCode.ATTRIBUTES_DROPPED, facts)
        if any(one in self._at_once for one in group):
            self._warn(WarningCode.TRACE_TOO_LARGE, facts)
        if facts.units is None or facts.response is None:
            return
        for other in self._groups.by_response.get(facts.response, ()):
            if other not in group and self._is_unrelated(other, group):
                self._warn(WarningCode.ID_REUSED, facts)
                return

    def _is_unrelated(self, other: str, group: list[str]) -> bool:
        if other in group or self.spans[other].is_open:
            return False
        around = {above for one in group for above in self._tree.enclosing(one)}
        return other not in around and not any(above in group for above in self._tree.enclosing(other))

    def _warn_if_late(self, facts: SpanFacts, known: Collection[SpanFacts]) -> None:
        if known and all(facts.knows_more_than(one) for one in known):
            self._warn(WarningCode.LATE_UNITS, facts)

    def _warn(self, code: WarningCode, facts: SpanFacts) -> None:
        self.warnings.append(TraceWarning(code, facts.library, facts.service))
