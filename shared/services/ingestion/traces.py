"""Takes traces: remembers their spans, and meters their calls once.

What a request adds to a trace, and the calls that this decides, are stored in one guarded batch before they are sent.
So a crash in between loses nothing: the outbox sends them, and their identity keeps them from counting twice.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from shared.containers import INBOX
from shared.domain.access.reporting import Reporting
from shared.domain.ingestion.calls import LlmCall, TraceWarning
from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.memory import TraceMemory
from shared.domain.ingestion.taking import TakeSettings, take
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.ids import fingerprint
from shared.ports.clock import Clock
from shared.ports.queue import Message, Queue
from shared.services.ingestion.calls import CallSender
from shared.services.ingestion.reading import SentTraces, TraceReader
from shared.services.ingestion.release_messages import Release, release_message
from shared.services.ingestion.trace_records import (
    TraceCredential,
    TraceRecord,
    encode_calls,
    partition_of,
)
from shared.services.ingestion.trace_warnings import TraceWarnings
from shared.services.ingestion.waiting_calls import WaitingCalls
from shared.services.storage import Outbox, OutboxEntry, Records, Store, Stored, creating
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.messages import QUEUE

CALLS_DECIDED = "calls_decided"
"""The effect of spans that complete calls: these are sent to metering."""
_SPANS_AT_ONCE = 500
"""Of one trace. Their calls are stored beside its memory, in one batch of at most 2 MiB."""
_TRACES_AT_ONCE = 16
_RELEASE = TakeSettings()
"""What waits was taken with the settings of its credential, which are in its memory."""


@dataclass(frozen=True, slots=True)
class TracesAnswer:
    """What became of a request."""

    rejected: Sequence[str]
    """Why spans were not taken, one reason each."""
    notices: Sequence[str]
    """What its sender should know besides."""


@dataclass(slots=True)
class _Decided:
    """What is to be sent now, of one or several traces."""

    calls: list[LlmCall] = field(default_factory=list)
    entries: list[tuple[str, OutboxEntry]] = field(default_factory=list)
    """Each with the partition of its trace."""
    warnings: Counter[TraceWarning] = field(default_factory=Counter)
    releases: list[Message] = field(default_factory=list)
    """To be sent for when a wait is over."""
    sender: TraceCredential | None = None
    """Whose calls they are, of one trace; None where nothing was decided."""

    def add(self, other: "_Decided") -> None:
        self.calls += other.calls
        self.entries += other.entries
        self.warnings += other.warnings
        self.releases += other.releases


class Traces:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        organizations: Organizations,
        reader: TraceReader,
        calls: CallSender,
        waiting: WaitingCalls,
        warnings: TraceWarnings,
        outbox: Outbox,
    ) -> None:
        self._queue = queue
        self._waiting = waiting
        self._clock = clock
        self._organizations = organizations
        self._reader = reader
        self._calls = calls
        self._warnings = warnings
        self._outbox = outbox
        self._entries = outbox.sender(CALLS_DECIDED)
        self._records = Records(store, INBOX, TraceRecord, outbox=outbox)

    async def take(
        self, organization_id: str, credential: TraceCredential, reporting: Reporting, sent: SentTraces
    ) -> TracesAnswer:
        """Take the spans of a request. Once it returns, nothing that they say can be lost.

        Raises what `TraceReader.read` raises, and `UnavailableError`, also where too many change a trace at once.
        Sending the request again is safe.
        """
        organization = await self._organizations.cached(organization_id)
        read = await self._reader.read(sent, organization, self._clock.now())
        self._warnings.refuse(organization_id, credential.id, len(read.rejected))
        settings = TakeSettings(
            default_agent=reporting.default_agent,
            agent_wait=timedelta(seconds=reporting.agent_wait_seconds),
            may_wait=reporting.default_agent is None and await self._waiting.has_room(organization_id),
        )
        decided = _Decided(warnings=read.warnings)
        places = asyncio.Semaphore(_TRACES_AT_ONCE)

        async def take_one(trace: str, facts: Sequence[SpanFacts]) -> _Decided:
            async with places:
                return await self._take_trace(organization_id, trace, facts, settings, credential)

        results = await asyncio.gather(*(take_one(*one) for one in read.traces.items()), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        for result in results:
            if isinstance(result, _Decided):
                decided.add(result)
        notices = await self._send(organization_id, credential, decided)
        if failures:
            raise failures[0]
        return TracesAnswer(read.rejected, notices)

    async def release(self, organization_id: str, trace: str) -> None:
        """Decide about what has waited long enough in a trace. Where another process was first, do nothing."""
        decided = await self._decide(organization_id, trace, (), _RELEASE, None)
        if decided.sender is not None:
            await self._send(organization_id, decided.sender, decided)

    async def complete_due(self, stored: Stored[TraceRecord]) -> None:
        """Release what the queue did not."""
        await self.release(stored.entity.organization_id, stored.entity.id)

    async def _take_trace(
        self,
        organization_id: str,
        trace: str,
        facts: Sequence[SpanFacts],
        settings: TakeSettings,
        credential: TraceCredential,
    ) -> _Decided:
        decided = _Decided()
        for start in range(0, len(facts), _SPANS_AT_ONCE):
            some = facts[start : start + _SPANS_AT_ONCE]
            decided.add(await self._decide(organization_id, trace, some, settings, credential))
        return decided

    async def _decide(
        self,
        organization_id: str,
        trace: str,
        facts: Sequence[SpanFacts],
        settings: TakeSettings,
        credential: TraceCredential | None,
    ) -> _Decided:
        """Add spans to the trace and store what that decides. Without a credential nothing new is stored."""
        partition = partition_of(organization_id, trace)

        async def attempt() -> _Decided:
            stored = await self._records.find(partition, trace)
            sender = credential or (stored.entity.credential if stored is not None else None)
            memory = stored.entity.read_memory() if stored is not None else TraceMemory(trace)
            taken = take(memory, facts, self._clock.now(), settings)
            if taken.memory is memory or sender is None:
                return _Decided()
            record = TraceRecord.of(organization_id, taken.memory, sender)
            entries = [self._entry(organization_id, sender, taken.calls)] if taken.calls else []
            await self._records.write(partition, stored, record, *map(creating, entries))
            await self._waiting.follow(organization_id, memory, taken.memory)
            return _Decided(
                list(taken.calls),
                [(partition, entry) for entry in entries],
                Counter(taken.warnings),
                _releases(organization_id, memory, taken.memory),
                sender,
            )

        try:
            return await self._records.retry(attempt)
        except ConflictError as error:  # which exporters would take for final
            raise UnavailableError("Too many requests change this trace at once; send it again") from error

    def _entry(self, organization_id: str, credential: TraceCredential, calls: tuple[LlmCall, ...]) -> OutboxEntry:
        encoded = encode_calls(calls)
        return self._entries.entry(
            f"calls:{fingerprint(encoded)[:32]}",
            organization_id=organization_id,
            credential=credential.model_dump_json(),
            calls=encoded,
        )

    async def _send(self, organization_id: str, credential: TraceCredential, decided: _Decided) -> list[str]:
        self._warnings.note(organization_id, decided.warnings)
        notices = await self._calls.send(organization_id, credential, decided.calls)
        if decided.releases:
            await self._queue.send(QUEUE, decided.releases)
        await asyncio.gather(*(self._outbox.forget(INBOX.name, *entry) for entry in decided.entries))
        return notices


def _releases(organization_id: str, before: TraceMemory, after: TraceMemory) -> list[Message]:
    """A message for when the next wait is over, unless there is one already."""
    if after.wake is None or after.wake == before.wake:
        return []
    return [release_message(Release(organization_id, after.trace), after.wake)]
