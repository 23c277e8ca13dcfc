"""Archives of wallets in a document store."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from shared import json
from shared.adapters.credits.wallet_items import (
    ARCHIVE_ID,
    TRANSFER,
    archive_document,
    archive_partition_of,
    cut_document,
    partition_of,
    pointer_document,
    record_in,
    transfer_document,
)
from shared.containers import LEDGERS
from shared.domain.credits.archives import Archive
from shared.domain.credits.head import Cut
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.times import to_text
from shared.ports.credit_archives import StoredArchive
from shared.ports.store import MAXIMUM_BATCH_OPERATIONS, Between, Document, Replace, Store, Upsert

_BATCH_BYTES = 900_000


class ItemCreditArchives:
    """Implements `CreditArchives`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, payer: str) -> StoredArchive:
        item = await self._store.get(LEDGERS.name, partition_of(payer), ARCHIVE_ID)
        if item is None:
            return StoredArchive(Archive(), None)
        return StoredArchive(record_in(item.document, Archive), item.etag)

    async def mark(self, payer: str, before: StoredArchive, archive: Archive) -> None:
        document = archive_document(archive)
        if before.etag is None:
            await self._store.create(LEDGERS.name, partition_of(payer), document)
        else:
            await self._store.replace(LEDGERS.name, partition_of(payer), document, before.etag)

    async def last_copied(self, payer: str, number: int) -> Transfer | None:
        page = await self._store.query(
            LEDGERS.name, archive_partition_of(payer, number), TRANSFER, order_by="time", descending=True, limit=1
        )
        return record_in(page.items[0].document, Transfer) if page.items else None

    async def copy(self, payer: str, number: int, transfers: Sequence[Transfer]) -> None:
        for documents in _batches([transfer_document(transfer) for transfer in transfers]):
            operations = [Upsert(document) for document in documents]
            await self._store.batch(LEDGERS.name, archive_partition_of(payer, number), operations)

    async def leave_pointers(self, payer: str, number: int, start: datetime, end: datetime) -> int:
        page = await self._store.query(
            LEDGERS.name,
            partition_of(payer),
            TRANSFER,
            between=Between("time", to_text(start), to_text(end)),
            order_by="time",
            limit=MAXIMUM_BATCH_OPERATIONS,
        )
        ids = [item.document["id"] for item in page.items]
        copies = await self._store.get_many(LEDGERS.name, archive_partition_of(payer, number), ids)
        for item in page.items:
            copy = copies.get(item.document["id"])
            if copy is None or copy.document["record"] != item.document["record"]:
                raise UnavailableError(f"The archive does not have the transfer {item.document['id']} as it is")
        pointers = [Replace(pointer_document(item.document, number), item.etag) for item in page.items]
        if pointers:
            await self._store.batch(LEDGERS.name, partition_of(payer), pointers)
        return len(pointers)

    async def set_due(self, payer: str, cut: Cut, at: datetime | None) -> None:
        await self._store.upsert(LEDGERS.name, partition_of(payer), cut_document(cut, payer, at))


def _batches(documents: Sequence[Document]) -> Iterator[list[Document]]:
    """As many as one batch takes, by number and by bytes."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        added = len(json.encode(document))
        if batch and (len(batch) == MAXIMUM_BATCH_OPERATIONS or size + added > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += added
    if batch:
        yield batch
