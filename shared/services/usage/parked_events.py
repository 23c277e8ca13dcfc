"""Parked events: listed, sent again, discarded."""

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.times import from_text
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import AcceptedEvent
from shared.domain.usage.parked_events import Discard, ParkedEvent, ParkedStatus, Replay
from shared.ports.clock import Clock
from shared.ports.parked_events import ParkedEventPage, ParkedEventStore, StoredParkedEvent
from shared.ports.usage import ShardCountChangedError, Usage
from shared.services.storage import StaleEtagError
from shared.services.usage.events import Events

MAXIMUM_REPLAYED = 200
"""Parked events that one call may send again."""
_QUEUE_TIME = timedelta(days=1)
"""More than an event spends in the queue."""


@dataclass(frozen=True, slots=True)
class NotReplayed:
    """A parked event that was not sent again, and why."""

    id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Replayed:
    sent: int
    rated: int
    """Found recorded already, so that they are parked no longer."""
    refused: list[NotReplayed]


@dataclass(frozen=True, slots=True)
class _ToSend:
    event: AcceptedEvent
    attempt: int


class _FoundRecorded:
    """An event that was recorded already."""


class ParkedEvents:
    def __init__(
        self, store: ParkedEventStore, usage: Usage, clock: Clock, events: Events, retention: timedelta
    ) -> None:
        """`retention` is the time until a recorded event expires."""
        self._store = store
        self._usage = usage
        self._clock = clock
        self._events = events
        self._retention = retention

    async def page(self, organization_id: str, status: ParkedStatus, limit: int, cursor: str | None) -> ParkedEventPage:
        """Newest first."""
        return await self._store.page(organization_id, status, limit, cursor)

    async def replay(self, organization: Organization, ids: Sequence[str], by: str) -> Replayed:
        """Send these events again. Each stays parked until it is found recorded.

        Raises `UnavailableError` when the broker does not accept: replay again then.
        """
        stored = await self._find(organization.id, ids)
        prepared = await asyncio.gather(
            *(self._prepare(organization, id_, stored.get(id_), by) for id_ in dict.fromkeys(ids))
        )
        to_send = [(each.event, each.attempt) for each in prepared if isinstance(each, _ToSend)]
        await self._events.send_again(organization, to_send)
        return Replayed(
            sent=len(to_send),
            rated=sum(isinstance(each, _FoundRecorded) for each in prepared),
            refused=[each for each in prepared if isinstance(each, NotReplayed)],
        )

    async def _prepare(
        self, organization: Organization, id_: str, stored: StoredParkedEvent | None, by: str
    ) -> _ToSend | _FoundRecorded | NotReplayed:
        if stored is None:
            return NotReplayed(id_, "there is no such entry")
        if stored.parked.status != "parked":
            return NotReplayed(id_, f"it is {stored.parked.status} already")
        event = stored.parked.event()
        # A stale read does no harm: what was recorded once stays recorded with its content.
        recorded = await self._usage.find(
            organization.id, organization.shard_counts_until(self._clock.now()), event.key
        )
        if recorded is None:
            return await self._count_attempt(organization.id, stored, event, by)
        if recorded.content != event.content and not event.first_stands:
            return NotReplayed(id_, "its identity was used for an event with other content; it can only be discarded")
        await self._store.close(organization.id, [id_])
        return _FoundRecorded()

    async def _count_attempt(
        self, organization_id: str, stored: StoredParkedEvent, event: AcceptedEvent, by: str
    ) -> _ToSend | NotReplayed:
        """Before sending, so that a repeat after a fault is another attempt for the broker."""
        parked, now = stored.parked, self._clock.now()
        if self._may_be_forgotten(event, now):
            return NotReplayed(parked.id, "it is older than raw events are kept; it can only be discarded")
        attempt = 1 if parked.replay is None else parked.replay.attempt + 1
        replayed = dataclasses.replace(parked, replay=Replay(attempt, now, by))
        try:
            await self._store.change(organization_id, replayed, stored.etag)
        except StaleEtagError:
            return NotReplayed(parked.id, "it is being changed by someone else")
        return _ToSend(event, attempt)

    def _may_be_forgotten(self, event: AcceptedEvent, now: datetime) -> bool:
        """Whether its record may have expired, so that a repeat would look new."""
        try:
            return from_text(event.time) + self._retention - _QUEUE_TIME <= now
        except ValueError:  # such an event was never recorded; metering says why
            return False

    async def discard(self, owner: Organization | str, id_: str, reason: str, by: str) -> ParkedEvent:
        """Give up a parked event for good, and keep who did so, when and why. Repeating it changes nothing.

        `owner` is a text for messages that belong to no organization. Recording and discarding use up the event's
        identity, and the first of them stands; so a replay that is still queued comes too late. Raises
        `NotFoundError`, `ConflictError` where the event has been recorded.
        """
        organization_id = owner if isinstance(owner, str) else owner.id
        stored = (await self._find(organization_id, [id_])).get(id_)
        if stored is None:
            raise NotFoundError("There is no such parked event")
        parked = stored.parked
        if parked.status == "discarded" and parked.discard is not None and parked.discard.reason == reason:
            return parked
        if parked.status != "parked":
            raise ConflictError(f"The parked event is {parked.status} already")
        if isinstance(owner, Organization):
            await self._use_up_identity(owner, parked)
        discarded = dataclasses.replace(parked, status="discarded", discard=Discard(self._clock.now(), by, reason))
        try:
            await self._store.change(organization_id, discarded, stored.etag)
        except StaleEtagError as error:
            raise ConflictError("The parked event is being changed by someone else; read it again") from error
        return discarded

    async def _use_up_identity(self, organization: Organization, parked: ParkedEvent) -> None:
        shard_counts = organization.shard_counts_until(self._clock.now())
        try:
            is_discarded = await self._usage.discard(organization.id, shard_counts, parked.event())
        except ShardCountChangedError as error:
            raise UnavailableError("The shard history of the organization is not current yet") from error
        if not is_discarded:
            await self._store.close(organization.id, [parked.id])
            raise ConflictError("The event has been rated meanwhile")

    async def _find(self, organization_id: str, ids: Sequence[str]) -> dict[str, StoredParkedEvent]:
        return await self._store.get_many(organization_id, {id_ for id_ in ids if is_id(id_, "park")})
