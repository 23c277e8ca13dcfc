"""Sums of metered usage in a document store: one item for each context in each shard."""

import asyncio
from contextlib import suppress
from datetime import datetime

import msgspec

from shared.adapters.usage.documents import partition_of
from shared.adapters.usage.metered_sums import METERED_SUMS, SENT_EVERY
from shared.containers import LEDGERS
from shared.domain.credits.metered_usage import MeteredSums
from shared.domain.kernel.times import from_text
from shared.ports.store import MAXIMUM_PAGE, Between, StaleEtagError, Store

_BEGINNING_OF_TIME, _END_OF_TIME = "0", "9999"
"""Only what has a time."""


class ItemMeteredSums:
    """Implements `MeteredSumsStore`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, partition: str, sums_id: str) -> tuple[MeteredSums, str] | None:
        item = await self._store.get(LEDGERS.name, partition, sums_id)
        return None if item is None else (msgspec.convert(item.document["record"], MeteredSums), item.etag)

    async def note_sent(self, partition: str, sums_id: str, etag: str) -> None:
        item = await self._store.get(LEDGERS.name, partition, sums_id)
        if item is not None and item.etag == etag:
            sent = {name: value for name, value in item.document.items() if name != "due_at"}
            with suppress(StaleEtagError):
                await self._store.replace(LEDGERS.name, partition, sent, etag)

    async def oldest_unsent(self, organization_id: str, shard_count: int) -> datetime | None:
        pages = await asyncio.gather(
            *(
                self._store.query(
                    LEDGERS.name,
                    partition_of(organization_id, shard),
                    METERED_SUMS,
                    between=Between("due_at", _BEGINNING_OF_TIME, _END_OF_TIME),
                    limit=MAXIMUM_PAGE,
                )
                for shard in range(shard_count)
            )
        )
        due = [item.document["due_at"] for page in pages for item in page.items]
        return from_text(min(due)) - SENT_EVERY if due else None
