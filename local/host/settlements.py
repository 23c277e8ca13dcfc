"""Settlements of one session's messages: begun one after the other, each beside what follows it."""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any

from local.host.broker import Broker, Session

_log = logging.getLogger("local.host")


class Settlements:
    def __init__(self, broker: Broker[Any], session: Session, function_name: str, settled: Callable[[], None]) -> None:
        """`settled` is called after each of them."""
        self._broker = broker
        self._session = session
        self._function_name = function_name
        self._settled = settled
        self._latest: asyncio.Task[None] | None = None

    def begin(self, completed: Collection[int], abandoned: Collection[int]) -> None:
        """Settle messages by their sequence numbers, once those before are."""
        self._latest = asyncio.create_task(self._settle(self._latest, completed, abandoned))

    async def finish(self) -> None:
        """Wait for what was begun."""
        if self._latest is not None:
            await self._latest

    async def _settle(
        self, before: asyncio.Task[None] | None, completed: Collection[int], abandoned: Collection[int]
    ) -> None:
        if before is not None and not before.done():
            await before
        try:
            if not await self._broker.settle(self._session, completed=completed, abandoned=abandoned):
                _log.warning("function %s was slower than its lock; its messages come again", self._function_name)
        except Exception:  # noqa: BLE001  the lock ends by itself
            _log.exception(
                "messages of function %s cannot be settled; they come again when their lock ends", self._function_name
            )
        self._settled()
