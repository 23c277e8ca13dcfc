"""Events that were accepted and could not be rated: kept with the reason until they are rated or discarded."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from shared import json
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.times import from_text, to_text
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import AcceptedEvent
from shared.ports.clock import Clock
from shared.ports.store import Document, Item, StaleEtagError
from shared.ports.usage import ParkedStatus, ShardCountChangedError, Usage
from shared.services.usage.events import Events

MAXIMUM_REPLAYED = 200
_MARGIN = timedelta(days=1)
"""Of the time of a replayed event, for its way through the queue."""


@dataclass(frozen=True, slots=True)
class Replay:
    """When, by whom and for the how many-th time an entry was last sent again."""

    attempt: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Discard:
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """`subject` is the event, or the message that could not be read, as JSON text."""

    id: str
    status: ParkedStatus
    reason: str
    parked_at: datetime
    subject: str
    replay: Replay | None
    discard: Discard | None


@dataclass(frozen=True, slots=True)
class NotReplayed:
    """An entry that was not sent again, and why."""

    id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Replayed:
    sent: int
    rated: int
    """Had been rated already; their entries are closed."""
    refused: list[NotReplayed]


@dataclass(frozen=True, slots=True)
class _Again:
    event: AcceptedEvent
    attempt: int


class _Rated:
    """An event that was found rated."""


class ParkedEvents:
    def __init__(self, usage: Usage, clock: Clock, events: Events, retention: timedelta) -> None:
        self._usage = usage
        self._clock = clock
        self._events = events
        self._retention = retention

    async def page(
        self, organization_id: str, status: ParkedStatus, limit: int, cursor: str | None
    ) -> tuple[list[ParkedEvent], str | None]:
        """Newest first."""
        page = await self._usage.parked(organization_id, limit, cursor, status)
        return [_read(item.document) for item in page.items], page.cursor

    async def replay(self, organization: Organization, ids: Sequence[str], by: str) -> Replayed:
        """Send these events again. An entry stays open until its event is found rated.

        Raises `UnavailableError` when the broker does not accept: replay again then.
        """
        entries = await self._entries(organization.id, ids)
        outcomes = await asyncio.gather(
            *(self._prepare(organization, id_, entries.get(id_), by) for id_ in dict.fromkeys(ids))
        )
        again = [(each.event, each.attempt) for each in outcomes if isinstance(each, _Again)]
        await self._events.send_again(organization, again)
        return Replayed(
            sent=len(again),
            rated=sum(isinstance(each, _Rated) for each in outcomes),
            refused=[each for each in outcomes if isinstance(each, NotReplayed)],
        )

    async def _prepare(
        self, organization: Organization, id_: str, item: Item | None, by: str
    ) -> _Again | _Rated | NotReplayed:
        if item is None:
            return NotReplayed(id_, "there is no such entry")
        if (status := _read(item.document).status) != "parked":
            return NotReplayed(id_, f"it is {status} already")
        event = _event(item.document)
        recorded = await self._recorded(organization, event)
        if recorded is not None and recorded["content"] == event.content:
            await self._usage.close_parked(organization.id, [id_])
            return _Rated()
        if recorded is not None:
            return NotReplayed(id_, "its identity was used for an event with other content; it can only be discarded")
        return await self._mark(organization.id, item, event, by)

    async def _mark(self, organization_id: str, item: Item, event: AcceptedEvent, by: str) -> _Again | NotReplayed:
        """Count the attempt before anything is sent: what is repeated after a fault is another attempt, which the
        broker does not drop.
        """
        id_ = item.document["id"]
        now = self._clock.now()
        if self._forgotten(event, now):
            return NotReplayed(id_, "it is older than raw events are kept; it can only be discarded")
        attempt = item.document.get("attempt", 0) + 1
        changes = {"attempt": attempt, "replayed_at": to_text(now), "replayed_by": by}
        try:
            await self._usage.change_parked(organization_id, item.document | changes, item.etag)
        except StaleEtagError:
            return NotReplayed(id_, "it is being changed by someone else")
        return _Again(event, attempt)

    def _forgotten(self, event: AcceptedEvent, now: datetime) -> bool:
        """Whether it may have been rated so long ago that a repeat would look new."""
        try:
            return from_text(event.time) + self._retention - _MARGIN <= now
        except ValueError:  # it has never been rated then; the rater says why
            return False

    async def discard(self, owner: Organization | str, id_: str, reason: str, by: str) -> ParkedEvent:
        """Close an entry without rating it; it is kept with who did so, when and why. `owner` is the name of a
        partition for messages that belong to nobody. Repeating it changes nothing.

        What decides is whether the event is recorded or given up first, so a replay that is on its way finds nothing
        left to do. Raises `NotFoundError`, `ConflictError` where the event has been rated.
        """
        organization_id = owner if isinstance(owner, str) else owner.id
        item = (await self._entries(organization_id, [id_])).get(id_)
        if item is None:
            raise NotFoundError("There is no such parked event")
        found = _read(item.document)
        if found.discard is not None and found.discard.reason == reason and found.status == "discarded":
            return found
        if found.status != "parked":
            raise ConflictError(f"The parked event is {found.status} already")
        if isinstance(owner, Organization):
            await self._give_up(owner, id_, _event(item.document))
        changes = {
            "kind": "discarded",
            "discarded_at": to_text(self._clock.now()),
            "discarded_by": by,
            "discard_reason": reason,
        }
        try:
            await self._usage.change_parked(organization_id, item.document | changes, item.etag)
        except StaleEtagError as error:
            raise ConflictError("The parked event is being changed by someone else; read it again") from error
        return _read(item.document | changes)

    async def _entries(self, organization_id: str, ids: Sequence[str]) -> dict[str, Item]:
        return await self._usage.parked_entries(organization_id, {id_ for id_ in ids if is_id(id_, "park")})

    async def _give_up(self, organization: Organization, id_: str, event: AcceptedEvent) -> None:
        try:
            given_up = await self._usage.discard(organization.id, organization.counts_until(self._clock.now()), event)
        except ShardCountChangedError as error:
            raise UnavailableError("The shard history of the organization is not current yet") from error
        if not given_up:
            await self._usage.close_parked(organization.id, [id_])
            raise ConflictError("The event has been rated meanwhile")

    async def _recorded(self, organization: Organization, event: AcceptedEvent) -> Document | None:
        """What is recorded stays recorded with its content, so however old the read is, a find is final."""
        return await self._usage.find(organization.id, organization.counts_until(self._clock.now()), event.key)


def _event(entry: Document) -> AcceptedEvent:
    return msgspec.convert(json.decode(entry["subject"]), AcceptedEvent)


def _shown(subject: str) -> str:
    """Who reported an outcome is for nobody's eyes."""
    fields = json.decode(subject)
    return json.encode_verbatim({name: value for name, value in fields.items() if name != "reporter"}).decode()


def _read(entry: Document) -> ParkedEvent:
    replay = discard = None
    if "attempt" in entry:
        replay = Replay(entry["attempt"], from_text(entry["replayed_at"]), entry["replayed_by"])
    if "discarded_at" in entry:
        discard = Discard(from_text(entry["discarded_at"]), entry["discarded_by"], entry["discard_reason"])
    return ParkedEvent(
        id=entry["id"],
        status=entry["kind"],
        reason=entry["reason"],
        parked_at=from_text(entry["time"]),
        subject=_shown(entry["subject"]),
        replay=replay,
        discard=discard,
    )
