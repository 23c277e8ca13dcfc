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

from shared.containers import INBOX
from shared.domain.ingestion.calls import LlmCall, TraceWarning
from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.memory import TraceMemory
from shared.domain.ingestion.taking import Taken, TakeSettings, take
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.ids import fingerprint
from shared.one_at_a_time import OneAtATime
from shared.ports.clock import Clock
from shared.services.ingestion.answers import Answers
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
    Records,
    StaleEtagError,
    Store,
    Stored,
    creating,
)

CALLS_DECIDED = "calls_decided"
"""The effect of spans that complete calls: these are sent to metering."""

SPANS_AT_ONCE = 500
"""Of one batch. Their calls are stored beside the memories."""
TRACES_AT_ONCE = 25
"""Of one batch: so many memories are read together."""
_DECIDED_AT_ONCE = 5
"""Traces that are decided before other requests get their turn."""
_BATCH_BYTES = 1_000_000
"""Of several memories and their calls. One alone may have more: about 1.5 MB."""

_BYTES_OF_CALL = 500

_LARGE_MEMORY = 50_000
_MANY_SPANS = 100
"""Characters of a stored memory and spans of a request from which a trace is decided in a thread."""

Portion = Mapping[str, Sequence[SpanFacts]]
"""Spans by trace, all of one slot."""


@dataclass(slots=True)
class Decided:
    """What is to be sent now, and what changed."""

    calls: list[LlmCall] = field(default_factory=list)
    entries: list[tuple[str, OutboxEntry]] = field(default_factory=list)
    """Each with its partition."""
    warnings: Counter[TraceWarning] = field(default_factory=Counter)
    changes: list[tuple[TraceMemory, TraceMemory]] = field(default_factory=list)
    """Memories, before and after."""
    sender: TraceCredential | None = None
    """Whose calls they are, where a trace was decided without a request."""

    def add(self, other: "Decided") -> None:
        self.calls += other.calls
        self.entries += other.entries
        self.warnings += other.warnings
        self.changes += other.changes


@dataclass(frozen=True, slots=True)
class _Turn:
    """What spans make of a trace, with its memory in JSON."""

    before: TraceMemory
    taken: Taken
    encoded: str

    @property
    def size(self) -> int:
        """About how many bytes are stored."""
        return len(self.encoded) + len(self.taken.calls) * _BYTES_OF_CALL


@dataclass(frozen=True, slots=True)
class _Change:
    """A trace as it is to be stored."""

    stored: Stored[TraceRecord] | None
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
    def __init__(self, store: Store, clock: Clock, outbox: Outbox, answers: Answers) -> None:
        self._clock = clock
        self._answers = answers
        self._entries = outbox.sender(CALLS_DECIDED)
        self._records = Records(store, INBOX, TraceRecord, outbox=outbox)
        self._thread = OneAtATime("trace-decisions")
        self._turns = WeakValueDictionary[str, asyncio.Lock]()

    async def add(
        self, organization_id: str, portion: Portion, settings: TakeSettings, credential: TraceCredential
    ) -> Decided:
        """Add spans to their traces. Raises `UnavailableError`, also where too many change a trace at once."""
        partition = partition_of(organization_id, slot_of(next(iter(portion))))
        async with self._turn_at(partition):
            return await self._add(organization_id, partition, portion, settings, credential)

    async def _add(
        self,
        organization_id: str,
        partition: str,
        portion: Portion,
        settings: TakeSettings,
        credential: TraceCredential,
    ) -> Decided:
        decided = Decided()
        stored = await self._records.get_many(partition, portion.keys())
        batch: list[_Change] = []
        size = 0
        for number, (trace, facts) in enumerate(portion.items()):
            if number % _DECIDED_AT_ONCE == _DECIDED_AT_ONCE - 1:
                await asyncio.sleep(0)
            change = await self._change(organization_id, trace, stored.get(trace), facts, settings, credential)
            if change is None:
                continue
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
        async with self._turn_at(partition_of(organization_id, slot_of(trace))):
            return await self._decide(organization_id, trace, (), settings, None)

    def close(self) -> None:
        """Decide nothing more."""
        self._thread.close()

    def _turn_at(self, partition: str) -> asyncio.Lock:
        """One after the other in this process: of those who change a trace at once, only one does not lose its race."""
        return self._turns.setdefault(partition, asyncio.Lock())

    async def _decide(
        self,
        organization_id: str,
        trace: str,
        facts: Sequence[SpanFacts],
        settings: TakeSettings,
        credential: TraceCredential | None,
    ) -> Decided:
        """Add spans to one trace, as often as other processes change it meanwhile."""
        partition = partition_of(organization_id, slot_of(trace))

        async def attempt() -> Decided:
            stored = await self._records.find(partition, trace)
            change = await self._change(organization_id, trace, stored, facts, settings, credential)
            return Decided() if change is None else await self._store(organization_id, [change])

        try:
            return await self._records.retry(attempt)
        except ConflictError as error:  # which exporters would take for final
            raise UnavailableError("Too many requests change this trace at once; send it again") from error

    async def _change(  # noqa: PLR0913  a trace, and what comes to it
        self,
        organization_id: str,
        trace: str,
        stored: Stored[TraceRecord] | None,
        facts: Sequence[SpanFacts],
        settings: TakeSettings,
        credential: TraceCredential | None,
    ) -> _Change | None:
        """None where nothing changes."""
        sender = credential or (stored.entity.credential if stored is not None else None)
        if sender is None:
            return None
        encoded = stored.entity.memory if stored is not None else ""
        turn = await self._turn(trace, encoded, facts, settings)
        if sums := [call for call in turn.taken.calls if call.is_sum]:
            calls = await self._answers.of_calls(organization_id, sums)
            if calls:
                knowing = replace(settings, elsewhere=replace(settings.elsewhere, calls=calls))
                turn = await self._turn(trace, encoded, facts, knowing)
        if turn.taken.memory is turn.before:
            return None
        return _Change(stored, TraceRecord.of(organization_id, turn.taken.memory, turn.encoded, sender), turn)

    async def _turn(self, trace: str, encoded: str, facts: Sequence[SpanFacts], settings: TakeSettings) -> _Turn:
        now = self._clock.now()
        if len(encoded) > _LARGE_MEMORY or len(facts) > _MANY_SPANS:
            return await self._thread.run(lambda: _turn(trace, encoded, facts, now, settings))
        return _turn(trace, encoded, facts, now, settings)

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
        calls = [call for change in batch for call in change.turn.taken.calls]
        entries = [self._entry(organization_id, sender, calls)] if calls else []
        changes = [(change.stored, change.record) for change in batch]
        await self._records.write_all(partition, changes, *map(creating, entries))
        warnings = Counter(warning for change in batch for warning in change.turn.taken.warnings)
        turns = [(change.turn.before, change.turn.taken.memory) for change in batch]
        return Decided(calls, [(partition, entry) for entry in entries], warnings, turns, sender)

    def _entry(self, organization_id: str, sender: TraceCredential, calls: Sequence[LlmCall]) -> OutboxEntry:
        encoded = encode_calls(calls)
        return self._entries.entry(
            f"calls:{fingerprint(encoded)[:32]}",
            organization_id=organization_id,
            credential=sender.model_dump_json(),
            calls=encoded,
        )


def _turn(trace: str, encoded: str, facts: Sequence[SpanFacts], now: datetime, settings: TakeSettings) -> _Turn:
    memory = TraceMemory.decoded(encoded) if encoded else TraceMemory(trace)
    taken = take(memory, facts, now, settings)
    return _Turn(memory, taken, encoded if taken.memory is memory else taken.memory.encoded())
