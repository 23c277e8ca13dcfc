"""Adds spans to the memories of traces, and stores what that decides.

The traces of one slot lie in one partition. Those of a request are read at once and stored in one guarded batch, with
one outbox entry for all calls that they decide. Where another process changed one of them meanwhile, each of the batch
is decided by itself, on what is stored then.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from weakref import WeakValueDictionary

from shared.domain.ingestion.calls import LlmCall, TraceWarning
from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.memory import TraceMemory, Waits
from shared.domain.ingestion.taking import TakeSettings, take
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.ids import fingerprint
from shared.one_at_a_time import OneAtATime
from shared.ports.clock import Clock
from shared.services.ingestion.answers import Answers
from shared.services.ingestion.stored_traces import KnownTrace, StoredTraces
from shared.services.ingestion.trace_records import (
    TraceCredential,
    TraceRecord,
    encode_calls,
    partition_of,
    slot_of,
)
from shared.services.storage import (
    AlreadyExistsError,
    Outbox,
    OutboxEntry,
    StaleEtagError,
    creating,
)
from shared.turns import Turns

CALLS_DECIDED = "calls_decided"
"""The effect of spans that complete calls: these are sent to metering."""

SPANS_AT_ONCE = 500
"""Of one batch. Their calls are stored beside the memories."""
TRACES_AT_ONCE = 25
"""Of one batch: so many memories are read together."""
_BATCH_BYTES = 1_000_000
"""Of several memories and their calls. One alone may have more: about 1.5 MB."""

_BYTES_OF_CALL = 500

_LARGE_MEMORIES = 20_000
_MANY_SPANS = 25
"""Characters of stored memories and spans of a request from which traces are decided in a thread."""
_FEW_TRACES = 4
"""Of one batch, that are stored without waiting for a turn."""
_MOST_WAITING = 256
"""For the thread: two slots of each request, of more than may be read at once."""

Portion = Mapping[str, Sequence[SpanFacts]]
"""Spans by trace, all of one slot."""


@dataclass(slots=True)
class Decided:
    """What is to be sent now, and what changed."""

    calls: list[LlmCall] = field(default_factory=list)
    entries: list[tuple[str, OutboxEntry]] = field(default_factory=list)
    """Each with its partition."""
    warnings: Counter[TraceWarning] = field(default_factory=Counter)
    changes: list[tuple[Waits, Waits]] = field(default_factory=list)
    """What waited in traces before, and what waits after."""
    sender: TraceCredential | None = None
    """Whose calls they are, where a trace was decided without a request."""

    def add(self, other: "Decided") -> None:
        self.calls += other.calls
        self.entries += other.entries
        self.warnings += other.warnings
        self.changes += other.changes


@dataclass(frozen=True, slots=True)
class _Turn:
    """What spans make of a trace. Its memory is only there in JSON: freeing thousands of spans would hold others up."""

    before: Waits
    after: Waits
    is_changed: bool
    calls: Sequence[LlmCall]
    warnings: Sequence[TraceWarning]
    encoded: str

    @property
    def size(self) -> int:
        """About how many bytes are stored."""
        return len(self.encoded) + len(self.calls) * _BYTES_OF_CALL


@dataclass(frozen=True, slots=True)
class _Change:
    """A trace as it is to be stored."""

    known: KnownTrace | None
    record: TraceRecord
    turn: _Turn


def portions_by_slot(traces: Portion) -> Iterable[Sequence[Portion]]:
    """The traces of each slot, cut into portions that are stored one after the other."""
    slots: dict[int, list[dict[str, Sequence[SpanFacts]]]] = {}
    for trace, facts in traces.items():
        cut = slots.setdefault(slot_of(trace), [{}])
        for start in range(0, len(facts), SPANS_AT_ONCE):
            some = facts[start : start + SPANS_AT_ONCE]
            last = cut[-1]
            spans = sum(map(len, last.values()))
            if trace in last or len(last) == TRACES_AT_ONCE or (last and spans + len(some) > SPANS_AT_ONCE):
                cut.append({})
            cut[-1][trace] = some
    return slots.values()


class TraceMemories:
    def __init__(self, stored: StoredTraces, clock: Clock, outbox: Outbox, answers: Answers, turns: Turns) -> None:
        self._clock = clock
        self._answers = answers
        self._entries = outbox.sender(CALLS_DECIDED)
        self._stored = stored
        self._thread = OneAtATime("trace-decisions", _MOST_WAITING)
        self._turns = turns
        self._being_changed = WeakValueDictionary[str, asyncio.Lock]()

    async def add(
        self, organization_id: str, portion: Portion, settings: TakeSettings, credential: TraceCredential
    ) -> Decided:
        """Add spans to their traces. Raises `UnavailableError`, also where too many change a trace at once."""
        async with self._alone_at(organization_id, next(iter(portion))):
            return await self._add(organization_id, portion, settings, credential)

    async def _add(
        self, organization_id: str, portion: Portion, settings: TakeSettings, credential: TraceCredential
    ) -> Decided:
        decided = Decided()
        batch: list[_Change] = []
        size = 0
        for change in await self._changes(organization_id, portion, settings, credential):
            if batch and size + change.turn.size > _BATCH_BYTES:
                decided.add(await self._store_batch(organization_id, batch, portion, settings, credential))
                batch, size = [], 0
            batch.append(change)
            size += change.turn.size
        if batch:
            decided.add(await self._store_batch(organization_id, batch, portion, settings, credential))
        return decided

    async def decide(self, organization_id: str, trace: str, settings: TakeSettings) -> Decided:
        """Decide what has waited long enough in a trace. Raises as `add`."""
        async with self._alone_at(organization_id, trace):
            return await self._decide(organization_id, trace, (), settings, None)

    async def forget_earlier(self, organization_id: str, trace: str) -> None:
        """After `decide`: what may be left in the trace's earlier partition has moved."""
        await self._stored.forget_earlier(organization_id, trace)

    def close(self) -> None:
        """Decide nothing more."""
        self._thread.close()

    def _alone_at(self, organization_id: str, trace: str) -> asyncio.Lock:
        """One after the other in this process: of those who change a trace at once, only one does not lose its race."""
        return self._being_changed.setdefault(partition_of(organization_id, slot_of(trace)), asyncio.Lock())

    async def _decide(
        self,
        organization_id: str,
        trace: str,
        facts: Sequence[SpanFacts],
        settings: TakeSettings,
        credential: TraceCredential | None,
    ) -> Decided:
        """Add spans to one trace, as often as other processes change it meanwhile."""

        async def attempt() -> Decided:
            changes = await self._changes(organization_id, {trace: facts}, settings, credential)
            return await self._store(organization_id, changes) if changes else Decided()

        try:
            return await self._stored.records.retry(attempt)
        except ConflictError as error:  # which exporters would take for final
            raise UnavailableError("Too many requests change this trace at once; send it again") from error

    async def _changes(
        self, organization_id: str, portion: Portion, settings: TakeSettings, credential: TraceCredential | None
    ) -> Sequence[_Change]:
        """Those traces of a portion that change."""
        continued = [trace for trace, facts in portion.items() if _may_continue(facts, settings)]
        known = await self._stored.of(organization_id, portion.keys(), continued)
        memories = {trace: known[trace].record.memory if trace in known else "" for trace in portion}
        changes: list[_Change] = []
        for trace, turn in (await self._turns_of(portion, memories, settings)).items():
            sender = credential or (known[trace].record.credential if trace in known else None)
            if sums := [call for call in turn.calls if call.is_sum]:
                calls = await self._answers.of_calls(organization_id, sums)
                knowing = replace(settings, elsewhere=replace(settings.elsewhere, calls=calls))
                one = {trace: portion[trace]}
                turn = (await self._turns_of(one, memories, knowing))[trace] if calls else turn  # noqa: PLW2901
            if turn.is_changed and sender is not None:
                record = TraceRecord.of(organization_id, turn.after, turn.encoded, sender)
                changes.append(_Change(known.get(trace), record, turn))
        return changes

    async def _turns_of(
        self, portion: Portion, memories: Mapping[str, str], settings: TakeSettings
    ) -> Mapping[str, _Turn]:
        """What spans make of their traces, of which `memories` are stored."""
        now = self._clock.now()

        def decide() -> Mapping[str, _Turn]:
            return {trace: _turn(trace, memories[trace], facts, now, settings) for trace, facts in portion.items()}

        spans = sum(map(len, portion.values()))
        size = sum(len(memories[trace]) for trace in portion)
        if spans <= _MANY_SPANS and size <= _LARGE_MEMORIES:
            return decide()
        turns = await self._thread.run(decide)
        await self._turns.one()
        return turns

    async def _store_batch(
        self,
        organization_id: str,
        batch: Sequence[_Change],
        portion: Portion,
        settings: TakeSettings,
        credential: TraceCredential,
    ) -> Decided:
        """Where another process changed one of the traces meanwhile, decide each by itself."""
        try:
            return await self._store(organization_id, batch)
        except (AlreadyExistsError, StaleEtagError):
            decided = Decided()
            for change in batch:
                trace = change.record.id
                decided.add(await self._decide(organization_id, trace, portion[trace], settings, credential))
            return decided

    async def _store(self, organization_id: str, batch: Sequence[_Change]) -> Decided:
        """Raises `AlreadyExistsError` or `StaleEtagError` for a lost race."""
        sender = batch[0].record.credential
        partition = partition_of(organization_id, slot_of(batch[0].record.id))
        calls = [call for change in batch for call in change.turn.calls]
        entries = [self._entry(organization_id, sender, calls)] if calls else []
        changes = [(change.known.stored if change.known is not None else None, change.record) for change in batch]
        if len(changes) > _FEW_TRACES:
            await self._turns.one()
        await self._stored.records.write_all(partition, changes, *map(creating, entries))
        for change in batch:
            if change.known is not None and change.known.stored is None:
                await self._stored.forget_earlier(organization_id, change.record.id)
        warnings = Counter(warning for change in batch for warning in change.turn.warnings)
        waits = [(change.turn.before, change.turn.after) for change in batch]
        return Decided(calls, [(partition, entry) for entry in entries], warnings, waits, sender)

    def _entry(self, organization_id: str, sender: TraceCredential, calls: Sequence[LlmCall]) -> OutboxEntry:
        encoded = encode_calls(calls)
        return self._entries.entry(
            f"calls:{fingerprint(encoded)[:32]}",
            organization_id=organization_id,
            credential=sender.model_dump_json(),
            calls=encoded,
        )


def _may_continue(facts: Sequence[SpanFacts], settings: TakeSettings) -> bool:
    """Whether calls of an earlier request may wait for these spans, or these are below spans of it."""
    if not facts:
        return True
    ids = {one.id for one in facts}
    is_linked = any(one.is_named or (one.parent and one.parent not in ids) for one in facts)
    return is_linked and settings.default_agent is None


def _turn(trace: str, encoded: str, facts: Sequence[SpanFacts], now: datetime, settings: TakeSettings) -> _Turn:
    memory = TraceMemory.decoded(encoded) if encoded else TraceMemory(trace)
    taken = take(memory, facts, now, settings)
    is_changed = taken.memory is not memory
    return _Turn(
        memory.waits,
        taken.memory.waits,
        is_changed,
        taken.calls,
        taken.warnings,
        taken.memory.encoded() if is_changed else encoded,
    )
