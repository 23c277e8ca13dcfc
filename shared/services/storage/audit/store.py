"""The store as services have it: the batch of every change has its entries for the audit trail."""

from collections.abc import Collection, Mapping, Sequence

from shared.ports.clock import Clock
from shared.ports.secrets import Secrets
from shared.ports.store import (
    Between,
    Create,
    Delete,
    Document,
    Item,
    ItemPage,
    Operation,
    Position,
    Replace,
    Store,
    Upsert,
)
from shared.services.storage.audit.keys import AuditKeys
from shared.services.storage.audit.personal import PersonalKeys
from shared.services.storage.audit.trail import AUDITED, Trail, entries_text
from shared.services.storage.audit.writing import EntryWriter, changes_in, is_of_trail
from shared.services.storage.operations import Note
from shared.services.storage.outbox import Sender
from shared.services.storage.stored import Stored


class AuditedStore:
    """Reads and writes as the store that it is given.

    A batch that changes what is audited gets one operation more: an outbox entry with the finished entries. They arrive
    at their trails right after it. Nothing else writes a trail: what would is refused, whoever asks.
    """

    def __init__(self, store: Store, clock: Clock, secrets: Secrets) -> None:
        self._store = store
        self.keys = AuditKeys(secrets)
        self.personal = PersonalKeys(store, clock, self.keys)
        self.trail = Trail(store, self.keys)
        self._writer = EntryWriter(clock, self.keys, self.personal)
        self._sender = Sender(AUDITED, clock)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        """Raises also `UnavailableError` where the vault has no answer: no change goes without its entry."""
        _refuse_writes_of_trail(operations)
        changes = list(changes_in(container, pk, operations))
        if not changes:
            return await self._store.batch(container, pk, operations)
        entries = await self._writer.entries(changes)
        pending = self._sender.entry(f"{AUDITED}:{entries[0].id}", entries=entries_text(entries))
        plain = [operation for operation in operations if not isinstance(operation, Note)]
        etags = await self._store.batch(container, pk, [*plain, Create(pending.document())])
        stored = Stored(pending, etags.pop())
        if not all(change.is_deferred for change in changes):
            await self.trail.arrive(container, pk, stored)
        written = iter(etags)
        return ["" if isinstance(operation, Note) else next(written) for operation in operations]

    async def create(self, container: str, pk: str, document: Document) -> str:
        _refuse_writes_of_trail([Create(document)])
        return await self._store.create(container, pk, document)

    async def replace(self, container: str, pk: str, document: Document, etag: str) -> str:
        _refuse_writes_of_trail([Replace(document, etag)])
        return await self._store.replace(container, pk, document, etag)

    async def upsert(self, container: str, pk: str, document: Document) -> str:
        _refuse_writes_of_trail([Upsert(document)])
        return await self._store.upsert(container, pk, document)

    async def delete(self, container: str, pk: str, id: str, etag: str | None = None) -> None:  # noqa: A002  the port's name
        _refuse_writes_of_trail([Delete(id, etag)])
        await self._store.delete(container, pk, id, etag)

    # Reading

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the port's name
        return await self._store.get(container, pk, id)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        return await self._store.get_many(container, pk, ids)

    async def query(  # noqa: PLR0913  the port's arguments
        self,
        container: str,
        pk: str,
        kind: str,
        *,
        equals: Mapping[str, str] | None = None,
        between: Between | None = None,
        order_by: str = "id",
        descending: bool = False,
        limit: int = 100,
        cursor: str | Position | None = None,
    ) -> ItemPage:
        return await self._store.query(
            container,
            pk,
            kind,
            equals=equals,
            between=between,
            order_by=order_by,
            descending=descending,
            limit=limit,
            cursor=cursor,
        )

    async def due(self, container: str, before: str, *, limit: int = 100) -> list[tuple[str, Item]]:
        return await self._store.due(container, before, limit=limit)


def _refuse_writes_of_trail(operations: Sequence[Operation]) -> None:
    if any(is_of_trail(operation) for operation in operations):
        raise TypeError("The audit trail is only written by what chains it")
