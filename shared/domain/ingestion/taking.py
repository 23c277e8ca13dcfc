"""From the spans of a request to the calls to meter: the functions that services use.

A service does for every trace of a request, with `memory` as it is stored for the trace, else `TraceMemory(trace)`:

    request = without_known_doubles([facts_of(span) for span in spans])
    for trace, of_trace in by_trace(request.facts).items():
        taken = take(memory, of_trace, now, settings)

It stores `taken.memory` in place of `memory`, guarded, in one batch with an outbox entry for `taken.calls`; then it
sends these. Where the guard fails, another process was first: it reads again and takes again, and sends nothing of the
first try. When `taken.memory.wake` is reached, it takes no spans: that gives what waited long enough.

The result depends on the spans, not on how they were cut into requests: a span that is known already changes nothing.
What depends on the order are details that only a later span of a metered call knew, and whether a sum that came before
its calls stands for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.ingestion.calls import (
    NOWHERE,
    Elsewhere,
    LlmCall,
    TraceWarning,
    WarningCode,
    microseconds_in,
    microseconds_of,
)
from shared.domain.ingestion.deciding import SUM_WAIT, Decisions
from shared.domain.ingestion.facts import PlacedFacts, SpanFacts
from shared.domain.ingestion.forgetting import within_bounds
from shared.domain.ingestion.kinds import Kind
from shared.domain.ingestion.memory import Remembered, TraceMemory, decided, with_forgotten


@dataclass(frozen=True, slots=True)
class TakeSettings:
    """What the credential says about the traces that it sends."""

    default_agent: str | None = None
    """Gets the calls whose agent is not known when they come. With one, no call waits."""
    agent_wait: timedelta = timedelta(seconds=300)
    """`agent_wait_seconds`: how long a call may wait for the span that names its agent."""
    may_wait: bool = True
    """False when the organization has no room for waiting calls: they go on at once."""
    elsewhere: Elsewhere = NOWHERE


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a request's spans of one trace."""

    memory: TraceMemory
    calls: tuple[LlmCall, ...]
    """To meter now, in the order of their time."""
    warnings: tuple[TraceWarning, ...]


def by_trace(facts: Iterable[PlacedFacts]) -> Mapping[str, Sequence[SpanFacts]]:
    """The spans of each trace, without those that can never matter."""
    traces: dict[str, list[SpanFacts]] = {}
    for placed in facts:
        if placed.facts.kind is not Kind.LEAF:
            traces.setdefault(placed.trace, []).append(placed.facts)
    return traces


def take(memory: TraceMemory, facts: Iterable[SpanFacts], now: datetime, settings: TakeSettings) -> Taken:
    """Add spans to what is known of their trace, and decide what can be."""
    came = microseconds_of(now)
    known = memory.known
    fresh: dict[str, Remembered] = {}
    for one in facts:
        if one.id not in known and one.id not in fresh:
            fresh[one.id] = _come(one, came, settings)
    if not fresh and not (memory.wake is not None and memory.wake <= now):
        return Taken(memory, (), ())
    remembered = {one.facts.id: one for one in memory.spans}
    decisions = Decisions(
        memory.trace, remembered | fresh, fresh.keys(), came, settings.default_agent, settings.elsewhere
    )
    decisions.look_at_fresh()
    decisions.decide()
    kept = within_bounds(decisions.spans)
    if kept.excess:
        decisions.let_go(kept.excess)
        decisions.decide()
        kept = within_bounds(decisions.spans)
    warnings = [*decisions.warnings, *_too_large(kept.forgotten, fresh.values())]
    return Taken(
        TraceMemory(memory.trace, kept.spans, with_forgotten(memory, (facts.id for facts in kept.forgotten))),
        tuple(sorted(decisions.calls, key=lambda call: (call.time, call.span_id))),
        tuple(warnings),
    )


def _too_large(forgotten: Sequence[SpanFacts], fresh: Iterable[Remembered]) -> Iterable[TraceWarning]:
    """One warning for each call that is forgotten. Its service is taken from what came now: decided calls have none."""
    service = next((remembered.facts.service for remembered in fresh if remembered.facts.service), "")
    return (TraceWarning(WarningCode.TRACE_TOO_LARGE, facts.library, service) for facts in forgotten)


def _come(facts: SpanFacts, came: int, settings: TakeSettings) -> Remembered:
    if facts.is_doubled:
        return decided(Remembered(facts, came), None)
    if facts.is_sum:
        return Remembered(facts, came, is_open=True, until=came + microseconds_in(SUM_WAIT))
    if facts.kind is Kind.CALL:
        may_wait = settings.may_wait and settings.default_agent is None
        wait = settings.agent_wait if may_wait else timedelta()
        return Remembered(facts, came, is_open=True, until=came + microseconds_in(wait))
    return Remembered(facts, came)
