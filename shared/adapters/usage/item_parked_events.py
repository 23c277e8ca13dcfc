"""Parked events in a document store, one item each. The `kind` of an item is the status of its parked event."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from shared import json
from shared.adapters.usage.committing import pause_after_conflict
from shared.adapters.usage.stored_totals import read_items
from shared.containers import LEDGERS
from shared.domain.kernel.times import from_text, to_text
from shared.domain.usage.parked_events import Discard, ParkedEvent, ParkedStatus, Replay
from shared.ports.clock import Clock
from shared.ports.parked_events import ParkedEventPage, StoredParkedEvent
from shared.ports.store import AlreadyExistsError, Document, StaleEtagError, Store


class ItemParkedEvents:
    """Implements `ParkedEventStore`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def park(self, organization_id: str, parked_id: str, reason: str, subject: Mapping[str, Any]) -> None:
        parked = ParkedEvent(parked_id, "parked", reason, self._clock.now(), subject)
        try:
            await self._store.create(LEDGERS.name, _partition_of(organization_id), _document(parked))
        except AlreadyExistsError:
            await self._replace_reason(organization_id, parked_id, reason)

    async def _replace_reason(self, organization_id: str, parked_id: str, reason: str) -> None:
        """Without a retry: the reason is only for people."""
        stored = (await self.get_many(organization_id, [parked_id])).get(parked_id)
        if stored is not None and stored.parked.status == "parked" and stored.parked.reason != reason:
            with suppress(StaleEtagError):
                await self.change(organization_id, replace(stored.parked, reason=reason), stored.etag)

    async def page(self, organization_id: str, status: ParkedStatus, limit: int, cursor: str | None) -> ParkedEventPage:
        page = await self._store.query(
            LEDGERS.name,
            _partition_of(organization_id),
            status,
            order_by="time",
            descending=True,
            limit=limit,
            cursor=cursor,
        )
        return ParkedEventPage([_read(item.document) for item in page.items], page.cursor)

    async def get_many(self, organization_id: str, parked_ids: Collection[str]) -> dict[str, StoredParkedEvent]:
        items = await read_items(self._store, _partition_of(organization_id), parked_ids)
        return {id_: StoredParkedEvent(_read(item.document), item.etag) for id_, item in items.items()}

    async def change(self, organization_id: str, parked: ParkedEvent, etag: str) -> None:
        await self._store.replace(LEDGERS.name, _partition_of(organization_id), _document(parked), etag)

    async def close(self, organization_id: str, parked_ids: Collection[str]) -> None:
        attempt = 0
        while True:
            stored = await self.get_many(organization_id, parked_ids)
            open_ = [each for each in stored.values() if each.parked.status != "rated"]
            if not open_:
                return
            if attempt:
                await pause_after_conflict(attempt)
            attempt += 1
            for parked, etag in open_:
                with suppress(StaleEtagError):
                    await self.change(organization_id, replace(parked, status="rated"), etag)


def _partition_of(organization_id: str) -> str:
    return f"{organization_id}:parked:0"


def _document(parked: ParkedEvent) -> Document:
    document: Document = {
        "id": parked.id,
        "kind": parked.status,
        "reason": parked.reason,
        # As text, because numbers in a stored document would become doubles.
        "subject": json.encode_verbatim(parked.subject).decode(),
        "time": to_text(parked.parked_at),
    }
    if parked.replay is not None:
        document |= {
            "attempt": parked.replay.attempt,
            "replayed_at": to_text(parked.replay.at),
            "replayed_by": parked.replay.by,
        }
    if parked.discard is not None:
        document |= {
            "discarded_at": to_text(parked.discard.at),
            "discarded_by": parked.discard.by,
            "discard_reason": parked.discard.reason,
        }
    return document


def _read(document: Document) -> ParkedEvent:
    replay = discard = None
    if "attempt" in document:
        replay = Replay(document["attempt"], from_text(document["replayed_at"]), document["replayed_by"])
    if "discarded_at" in document:
        discard = Discard(from_text(document["discarded_at"]), document["discarded_by"], document["discard_reason"])
    return ParkedEvent(
        id=document["id"],
        status=document["kind"],
        reason=document["reason"],
        parked_at=from_text(document["time"]),
        subject=json.decode(document["subject"]),
        replay=replay,
        discard=discard,
    )
