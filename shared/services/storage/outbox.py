"""Effects in another partition: stored beside their cause, tried at once, swept later."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from shared import correlation
from shared.containers import CATALOG, DIRECTORY, INBOX, INVOICES, LEDGERS, TENANTS
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.times import BEGINNING, Instant, to_text
from shared.ports.clock import Clock
from shared.ports.store import Item, StaleEtagError, Store
from shared.services.storage.stored import Stored

_GRACE = timedelta(seconds=5)
"""Until then an entry is left to whoever wrote it."""
_PUT_OFF = timedelta(minutes=5)
_SWEPT_AT_ONCE = 200
_ROUNDS = 50

Receiver = Callable[..., Awaitable[None]]
"""Takes the payload of an entry as arguments, all of them texts. Has to be safe to repeat."""
Completion = Callable[[Stored[Any]], Awaitable[None]]
"""Finishes an entity that was created with a `due_at`, and stores it without one. Has to be safe to repeat."""

_log = logging.getLogger(__name__)


class OutboxEntry(Entity):
    """An effect that is still to happen; deleted once it has."""

    kind: ClassVar[str] = "outbox"
    audit: ClassVar[Audit] = BOOKKEEPING
    effect: str
    payload: dict[str, str]
    correlation_id: str | None = None
    due_at: Instant


@dataclass(frozen=True, slots=True)
class Sender:
    """Makes the entries of one effect."""

    effect: str
    clock: Clock

    def entry(self, entry_id: str, *, not_before: datetime | None = None, **payload: str) -> OutboxEntry:
        """To be stored in one batch with its cause. It is not tried before `not_before`."""
        return OutboxEntry(
            id=f"{OutboxEntry.kind}:{entry_id}",
            effect=self.effect,
            payload=payload,
            correlation_id=correlation.current(),
            due_at=max(self.clock.now() + _GRACE, not_before or BEGINNING),
        )


class Outbox:
    """An effect happens at least once, and again where its entry was written again meanwhile."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._sent: set[str] = set()
        self._due: dict[str, type[Entity]] = {}
        self._receivers: Mapping[str, Receiver] = {}
        self._completions: Mapping[type[Entity], Completion] = {}

    def sender(self, effect: str) -> Sender:
        """The sender of an effect, for a service to ask for when it is built.

        So `connect` knows of the effect.
        """
        self._sent.add(effect)
        return Sender(effect, self._clock)

    def expect(self, model: type[Entity]) -> None:
        """Entities of this kind are created with a `due_at`."""
        self._due[model.kind] = model

    def connect(self, receivers: Mapping[str, Receiver], completions: Mapping[type[Entity], Completion]) -> None:
        """Name what happens for each effect and each kind that is due. Raises `LookupError` where one is missing."""
        missing = [
            *(self._sent - receivers.keys()),
            *(model.kind for model in set(self._due.values()) - {*completions}),
        ]
        if missing:
            raise LookupError(f"Nothing receives {', '.join(sorted(missing))}")
        self._receivers = receivers
        self._completions = completions

    async def attempt(self, container: str, pk: str, entry_id: str) -> None:
        """Let it happen now if possible; an entity that is due is completed. What fails is left for the sweep."""
        try:
            item = await self._store.get(container, pk, entry_id)
            if item is None or "due_at" not in item.document:
                return
            if item.document["kind"] != OutboxEntry.kind:
                await self._complete(item)
            elif item.document["due_at"] <= to_text(self._clock.now() + _GRACE):
                await self._act(container, pk, item)
        except XyraError:
            _log.warning("an outbox effect is left for the sweep", extra={"entry": entry_id}, exc_info=True)

    async def forget(self, container: str, pk: str, entry: OutboxEntry) -> None:
        """Delete an entry whose effect has happened. One that cannot be deleted is left for the sweep."""
        try:
            await self._store.delete(container, pk, entry.id)
        except XyraError:
            _log.warning("an outbox effect is left for the sweep", extra={"entry": entry.id}, exc_info=True)

    async def sweep(self) -> int:
        """Let everything happen that is due in any container; how much that was.

        The directory comes last: its mails wait for a mail server, and nothing else should.
        """
        done = 0
        for container in (TENANTS.name, LEDGERS.name, INVOICES.name, INBOX.name, CATALOG.name, DIRECTORY.name):
            for _ in range(_ROUNDS):
                due = await self._store.due(container, to_text(self._clock.now()), limit=_SWEPT_AT_ONCE)
                results = [await self._sweep_one(container, pk, item) for pk, item in due]
                done += sum(results)
                if len(due) < _SWEPT_AT_ONCE or not any(results):
                    break
        return done

    async def _sweep_one(self, container: str, pk: str, item: Item) -> bool:
        with correlation.correlated(item.document.get("correlation_id") or correlation.accept(None)):
            try:
                if item.document["kind"] == OutboxEntry.kind:
                    await self._act(container, pk, item)
                else:
                    await self._complete(item)
            except Exception:  # noqa: BLE001  one that fails must not stop the others
                _log.exception("an effect failed and is put off", extra={"pk": pk, "item": item.document["id"]})
                await self._put_off(container, pk, item)
                return False
        return True

    async def _put_off(self, container: str, pk: str, item: Item) -> None:
        """What fails every time must not stand in the way of the rest."""
        later = {**item.document, "due_at": to_text(self._clock.now() + _PUT_OFF)}
        with suppress(XyraError):
            await self._store.replace(container, pk, later, item.etag)

    async def _act(self, container: str, pk: str, item: Item) -> None:
        entry = OutboxEntry.read(item.document)
        await self._receivers[entry.effect](**entry.payload)
        try:
            await self._store.delete(container, pk, entry.id, item.etag)
        except StaleEtagError:
            _log.info("an outbox entry was written again meanwhile and stays due", extra={"item": entry.id})

    async def _complete(self, item: Item) -> None:
        model = self._due[item.document["kind"]]
        await self._completions[model](Stored(model.read(item.document), item.etag))
