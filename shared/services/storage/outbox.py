"""Effects in another partition: committed as an item beside their cause, tried at once, swept later."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from shared import correlation
from shared.containers import DIRECTORY, INVOICES, LEDGERS, TENANTS
from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.times import BEGINNING, to_text
from shared.ports.clock import Clock
from shared.ports.store import Document, Item, StaleEtagError, Store

KIND = "outbox"
_GRACE = timedelta(seconds=5)
_PUT_OFF = timedelta(minutes=5)
_SWEPT_AT_ONCE = 200
_ROUNDS = 50

Effect = Callable[[Document], Awaitable[None]]
Completion = Callable[[Item], Awaitable[None]]

_log = logging.getLogger(__name__)


class Outbox:
    """An effect runs at least once, and again whenever its entry was written again meanwhile; so effects are
    repeatable.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._effects: dict[str, Effect] = {}
        self._completions: dict[str, Completion] = {}

    def on_effect(self, effect: str, act: Effect) -> None:
        self._effects[effect] = act

    def on_due(self, kind: str, complete: Completion) -> None:
        """For things that are their own outbox: documents of this kind with a `due_at`, which `complete` removes."""
        self._completions[kind] = complete

    def entry(self, effect: str, entry_id: str, *, not_before: datetime | None = None, **payload: str) -> Document:
        """`not_before`: when the effect may happen at the earliest; until then it is not attempted."""
        due_at = max(self._clock.now() + _GRACE, not_before or BEGINNING)
        return {
            "id": f"{KIND}:{entry_id}",
            "kind": KIND,
            "effect": effect,
            "payload": payload,
            "correlation_id": correlation.current(),
            "due_at": to_text(due_at),
        }

    async def attempt(self, container: str, pk: str, entry_id: str) -> None:
        """Do it now if possible. What fails is left for the sweep."""
        try:
            item = await self._store.get(container, pk, entry_id)
            if item is not None and item.document["due_at"] <= to_text(self._clock.now() + _GRACE):
                await self._act(container, pk, item)
        except XyraError:
            _log.warning("an outbox effect is left for the sweep", extra={"entry": entry_id}, exc_info=True)

    async def sweep(self) -> int:
        """Do what is due in all containers; how many were done."""
        done = 0
        for container in (DIRECTORY.name, TENANTS.name, LEDGERS.name, INVOICES.name):
            for _ in range(_ROUNDS):
                found = await self._store.due(container, to_text(self._clock.now()), limit=_SWEPT_AT_ONCE)
                results = [await self._sweep_one(container, pk, item) for pk, item in found]
                done += sum(results)
                if len(found) < _SWEPT_AT_ONCE or not any(results):
                    break
        return done

    async def _sweep_one(self, container: str, pk: str, item: Item) -> bool:
        with correlation.correlated(item.document.get("correlation_id") or correlation.accept(None)):
            try:
                if item.document["kind"] == KIND:
                    await self._act(container, pk, item)
                else:
                    await self._completions[item.document["kind"]](item)
            except Exception:  # noqa: BLE001  one that fails must not stop the others
                _log.exception("an effect failed and is put off", extra={"pk": pk, "item": item.document["id"]})
                await self._put_off(container, pk, item)
                return False
        return True

    async def _put_off(self, container: str, pk: str, item: Item) -> None:
        """Later, so that what fails every time does not stand in the way of the rest."""
        later = {**item.document, "due_at": to_text(self._clock.now() + _PUT_OFF)}
        with suppress(XyraError):
            await self._store.replace(container, pk, later, item.etag)

    async def _act(self, container: str, pk: str, item: Item) -> None:
        await self._effects[item.document["effect"]](item.document["payload"])
        try:
            await self._store.delete(container, pk, item.document["id"], item.etag)
        except StaleEtagError:
            _log.info("an outbox entry was written again meanwhile and stays due", extra={"item": item.document["id"]})
