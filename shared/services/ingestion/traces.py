"""Takes traces: remembers their spans, and meters their calls once.

What a request adds to a trace, and the calls that this decides, are stored in one guarded batch before they are sent.
So a crash in between loses nothing: the outbox sends them, and their identity keeps them from counting twice.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.containers import INBOX
from shared.domain.access.reporting import Reporting
from shared.domain.ingestion.calls import Elsewhere
from shared.domain.ingestion.memory import Waits
from shared.domain.ingestion.taking import TakeSettings
from shared.ports.clock import Clock
from shared.ports.queue import Message, Queue
from shared.services.ingestion.answers import Answers
from shared.services.ingestion.calls import CallSender
from shared.services.ingestion.reading import SentTraces, TraceReader
from shared.services.ingestion.release_messages import Release, release_message
from shared.services.ingestion.trace_memories import Decided, Portion, TraceMemories, portions_by_slot
from shared.services.ingestion.trace_records import TraceCredential, TraceRecord
from shared.services.ingestion.trace_warnings import TraceWarnings
from shared.services.ingestion.waiting_calls import WaitingCalls
from shared.services.storage import Outbox, Stored
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.messages import QUEUE

_SLOTS_AT_ONCE = 2
"""Of a request: what it asks of the store stands before what others ask."""
_CHANGES_AT_ONCE = 100
"""Traces that are looked at before other requests get their turn."""
_RELEASE = TakeSettings()
"""What waits was taken with the settings of its credential, which are in its memory."""


@dataclass(frozen=True, slots=True)
class TracesAnswer:
    """What became of a request."""

    rejected: Sequence[str]
    """Why spans were not taken, one reason each."""
    notices: Sequence[str]
    """What its sender should know besides."""


class Traces:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        queue: Queue,
        clock: Clock,
        organizations: Organizations,
        reader: TraceReader,
        memories: TraceMemories,
        answers: Answers,
        calls: CallSender,
        waiting: WaitingCalls,
        warnings: TraceWarnings,
        outbox: Outbox,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._organizations = organizations
        self._reader = reader
        self._memories = memories
        self._answers = answers
        self._calls = calls
        self._waiting = waiting
        self._warnings = warnings
        self._outbox = outbox

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
            elsewhere=Elsewhere(sums=await self._answers.sums(organization_id)),
        )
        decided = Decided(warnings=read.warnings)
        places = asyncio.Semaphore(_SLOTS_AT_ONCE)

        async def take_slot(portions: Sequence[Portion]) -> None:
            async with places:
                for portion in portions:
                    decided.add(await self._memories.add(organization_id, portion, settings, credential))

        slots = (take_slot(portions) for portions in portions_by_slot(read.traces))
        results = await asyncio.gather(*slots, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        notices = await self._send(organization_id, credential, decided)
        if failures:
            raise failures[0]
        return TracesAnswer(read.rejected, notices)

    async def release(self, organization_id: str, trace: str) -> None:
        """Decide about what has waited long enough in a trace. Where another process was first, do nothing."""
        decided = await self._memories.decide(organization_id, trace, _RELEASE)
        if decided.sender is not None:
            await self._send(organization_id, decided.sender, decided)

    async def complete_due(self, stored: Stored[TraceRecord]) -> None:
        """Release what the queue did not."""
        organization_id, trace = stored.entity.organization_id, stored.entity.id
        await self.release(organization_id, trace)
        await self._memories.forget_earlier(organization_id, trace)

    async def _send(self, organization_id: str, credential: TraceCredential, decided: Decided) -> list[str]:
        self._warnings.note(organization_id, decided.warnings)
        await self._waiting.follow(organization_id, decided.changes)
        notices = await self._calls.send(organization_id, credential, decided.calls)
        for start in range(0, len(decided.changes), _CHANGES_AT_ONCE):
            some = decided.changes[start : start + _CHANGES_AT_ONCE]
            if releases := list(_releases(organization_id, some)):
                await self._queue.send(QUEUE, releases)
        await asyncio.gather(*(self._outbox.forget(INBOX.name, *entry) for entry in decided.entries))
        return notices


def _releases(organization_id: str, changes: Iterable[tuple[Waits, Waits]]) -> Iterable[Message]:
    """A message for each trace whose next wait ends at another time than before."""
    for before, after in changes:
        if after.wake is not None and after.wake != before.wake:
            yield release_message(Release(organization_id, after.trace), after.wake)
