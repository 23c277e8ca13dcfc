"""What leaves ingestion: LLM calls to meter, and warnings to the people who send traces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.domain.metering.event_types import TRACE_SOURCE

SOURCE = TRACE_SOURCE
"""The `source` of every event that comes from a trace."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds_of(instant: datetime) -> int:
    return microseconds_in(instant - _EPOCH)


def microseconds_in(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class LlmCall:
    """One call of a model, to be metered as an `llm_call` event.

    `SOURCE` and `id` are the event's identity. The same call leads to the same identity from whichever process, request
    or trace, so sending it again is safe. An answer that a cache gave again in another trace has the same identity too,
    with another run, agent or time: the event that came first stands, and the later one is a duplicate, no conflict.
    """

    id: str
    """By provider, response id and counts; else, and for a part of a sum, by span."""
    agent: str
    """The name of an agent, maybe one that nobody made yet."""
    is_agent_named: bool
    """False when no span named one, and the default agent or the service stands in."""
    run: str
    """The conversation or session, else the trace."""
    time: datetime
    """The end of the span."""
    data: dict[str, Any]
    """Counts, model, provider and tier in the names of `llm_call` events, as far as known."""
    trace_id: str
    span_id: str
    is_sum: bool = False
    """A container that says what its calls used together: how many they were is not known."""
    response: str | None = None
    """The provider's id of the answer: of a sum, and of a call that no agent's run is around. One of these may be a
    part of the other, in another trace."""

    @property
    def is_counted(self) -> bool:
        return "input_tokens" in self.data


@dataclass(frozen=True, slots=True)
class CountedSum:
    """A sum that was counted in another trace of the organization, under the id of its last call."""

    trace: str
    provider: str | None
    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What other traces of an organization have under providers' ids of answers."""

    calls: frozenset[str] = frozenset()
    """Ids of calls: a sum under one of them is never another call."""
    sums: Mapping[str, CountedSum] = field(default_factory=dict)
    """By id: a call under it lies inside the sum, up to its counts."""


NOWHERE = Elsewhere()


class WarningCode(StrEnum):
    SUM_WITHOUT_CALLS = "sum_without_calls"
    """A sum came without its calls. It counts as one call if it has a model and a response id, else not at all.

    Also: a call came later that seems to lie inside such a sum. It does not count, unless its links tell otherwise."""
    SUM_EXCEEDS_CALLS = "sum_exceeds_calls"
    """A container says more than the calls below it: calls were lost, or are not instrumented."""
    DOUBLED = "doubled"
    """Two libraries seem to report the same calls; both are counted."""
    ID_REUSED = "id_reused"
    """Two calls have one response id and different counts; both are counted."""
    NO_COUNT = "no_count"
    """A call has no counts, so it has no price."""
    ESTIMATE = "estimate"
    """The library may have estimated the counts of streamed calls."""
    CACHE_NOT_TOLD = "cache_not_told"
    """The sender does not say which tokens were cached: a call with such tokens costs too much."""
    ATTRIBUTES_DROPPED = "attributes_dropped"
    """A span lost attributes to its sender's limit, maybe counts."""
    AGENT_NOT_NAMED = "agent_not_named"
    """No span named the agent in time; the call went to the service's name."""
    LATE_UNITS = "late_units"
    """A later span of a metered call knew more; it was not counted."""
    TRACE_TOO_LARGE = "trace_too_large"
    """A trace has more spans than are remembered: its oldest calls are forgotten, all but their counts together."""


@dataclass(frozen=True, slots=True)
class TraceWarning:
    """A reason to look at how traces are sent. `library` is the instrumentation scope's name, or `one + another`."""

    code: WarningCode
    library: str
    service: str
