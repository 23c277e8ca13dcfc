"""Entities of one kind as they are stored: read, created once, and changed under their ETag."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from shared.containers import Container
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import (
    ConflictError,
    LimitExceededError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
)
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.times import to_text
from shared.ports.clock import Clock
from shared.ports.store import (
    MAXIMUM_BATCH_OPERATIONS,
    MAXIMUM_PAGE,
    AlreadyExistsError,
    Between,
    Create,
    Delete,
    Document,
    Item,
    Operation,
    Position,
    Store,
    Upsert,
    every_item,
)
from shared.services.storage.claims import UniqueField
from shared.services.storage.decisions import DOUBTFUL, Attempt, decide_twice, decided
from shared.services.storage.operations import creating, deleting, putting, replacing
from shared.services.storage.outbox import Outbox
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match
from shared.services.storage.quotas import CountedBatches
from shared.services.storage.retrying import look_twice, retry_lost_races
from shared.services.storage.stored import Page, Stored

E = TypeVar("E", bound=Entity)
T = TypeVar("T")


def _nothing(_before: Entity, _after: Entity) -> Sequence[Operation]:
    return ()


class Records(Generic[E]):
    """The entities of one kind in a container.

    Lost races have one rule: `PreconditionFailedError` (412) where the caller sent `If-Match`; else the change is
    decided again on what is there now; where that keeps losing, `ConflictError` (409). What would end without a write,
    as the entity is not found or is so already, rests on a read that may be stale: it is decided twice.
    """

    def __init__(  # noqa: PLR0913  what distinguishes one kind from another
        self,
        store: Store,
        container: Container,
        model: type[E],
        *,
        prefix: str | None = None,
        called: str | None = None,
        unique: UniqueField[E] | None = None,
        owners: Owners | None = None,
        outbox: Outbox | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Records of one kind in a container.

        `prefix` is that of the ids, `called` names the kind in errors, `owners` notes who owns what is created. With an
        `outbox`, entities may be created with a `due_at`, and it has to know how to complete them. With a `clock`, the
        hard limits of an organization's plans hold for what is created.
        """
        self._store = store
        self._container = container.name
        self._model = model
        self._prefix = prefix
        self._called = called or model.kind.replace("_", " ")
        self._unique = unique
        self._owners = owners
        self._batches = CountedBatches(store, container, clock)
        if outbox is not None:
            outbox.expect(model)

    # Reading

    async def find(self, partition: str, entity_id: str) -> Stored[E] | None:
        """None where there is none of this kind with this id."""
        if self._prefix is not None and not is_id(entity_id, self._prefix):
            return None
        item = await self._store.get(self._container, partition, entity_id)
        return self._read(partition, item) if item is not None and self._is_ours(item) else None

    async def get(self, partition: str, entity_id: str, if_match: str | None = None) -> Stored[E]:
        """Raises `NotFoundError`, and `PreconditionFailedError` for another version than the one named."""
        stored = await self.find(partition, entity_id)
        if stored is None:
            raise NotFoundError(f"There is no such {self._called}")
        check_if_match(if_match, stored.etag)
        return stored

    async def get_created(self, partition: str, entity_id: str) -> Stored[E]:
        """One that is known to exist. Raises `UnavailableError` where a read does not show it yet."""
        stored = await self.find(partition, entity_id)
        if stored is None:
            raise self._unreadable()
        return stored

    async def get_many(self, partition: str, entity_ids: Collection[str]) -> dict[str, Stored[E]]:
        """Those that exist, by id; one request for each thousand."""
        wanted = list(entity_ids)
        stored: dict[str, Stored[E]] = {}
        for start in range(0, len(wanted), MAXIMUM_PAGE):
            items = await self._store.get_many(self._container, partition, wanted[start : start + MAXIMUM_PAGE])
            stored |= {id_: self._read(partition, item) for id_, item in items.items() if self._is_ours(item)}
        return stored

    async def page(  # noqa: PLR0913  the parts of a query
        self,
        partition: str,
        *,
        equals: Mapping[str, str] | None = None,
        between: Between | None = None,
        order_by: str = "id",
        descending: bool = False,
        limit: int = 100,
        cursor: str | Position | None = None,
    ) -> Page[E]:
        """As `Store.query`. Raises `MalformedError` for a cursor of another query."""
        page = await self._store.query(
            self._container,
            partition,
            self._model.kind,
            equals=equals,
            between=between,
            order_by=order_by,
            descending=descending,
            limit=limit,
            cursor=cursor,
        )
        return Page([self._read(partition, item) for item in page.items], page.cursor)

    async def all(self, partition: str, *, equals: Mapping[str, str] | None = None) -> AsyncIterator[Stored[E]]:
        """Every one in the partition, read page by page."""
        async for item in every_item(self._store, self._container, partition, self._model.kind, equals=equals):
            yield self._read(partition, item)

    # Writing

    async def create(
        self,
        partition: str,
        entity: E,
        *beside: Operation,
        expires_in: timedelta | None = None,
        due_at: datetime | None = None,
    ) -> Stored[E]:
        """Store it in one batch with its claim and what else belongs to it. Repeating it gives what was created.

        `due_at` is when the outbox completes it. Raises `ConflictError` for a taken value, `LimitExceededError` where
        the organization's quota is used up, `UnavailableError` where what was created cannot be read yet.
        """
        if self._unique is not None:
            await self._refuse_taken(self._unique, partition, entity)
        document = entity.document()
        if expires_in is not None:
            document["ttl"] = int(expires_in.total_seconds())
        if due_at is not None:
            document["due_at"] = to_text(due_at)
        try:
            return await self._insert(partition, entity, document, beside)
        except (AlreadyExistsError, LimitExceededError) as error:
            existing = await self.find(partition, entity.id)
            if existing is not None:
                return existing
            if isinstance(error, LimitExceededError):
                raise
            raise self._unreadable() from error

    async def ensure(self, partition: str, entity: E) -> bool:
        """Create it unless it is there, whatever it looks like then. Whether it was created now."""
        try:
            await self._insert(partition, entity, entity.document(), ())
        except AlreadyExistsError:
            return False
        return True

    async def change(
        self,
        partition: str,
        entity_id: str,
        decide: Callable[[E], E | Awaitable[E]],
        if_match: str | None = None,
        *,
        beside: Callable[[E, E], Sequence[Operation]] = _nothing,
    ) -> Stored[E]:
        """Store what `decide` makes of it, in one batch with what belongs to that.

        Nothing is stored where it stays as it is. `decide` may be called again with a newer version. Raises
        `NotFoundError`, `ConflictError` for a taken value, and after lost races as the class says.
        """

        async def attempt() -> Attempt[E]:
            current = await self.get(partition, entity_id, if_match)
            changed = await decided(decide(current.entity))
            if changed == current.entity:
                return Attempt(current, is_written=False)
            written = await self.write(partition, current, changed, *beside(current.entity, changed))
            return Attempt(written, is_written=True)

        return (await self.retry(lambda: decide_twice(attempt), if_match)).stored

    async def change_or_create(
        self,
        partition: str,
        entity_id: str,
        decide: Callable[[E | None], E | Awaitable[E]],
        if_match: str | None = None,
    ) -> Stored[E]:
        """As `change`, also where there is none yet: then `decide` gets None."""

        async def attempt() -> Attempt[E]:
            current = await self.find(partition, entity_id)
            if if_match is not None:
                check_if_match(if_match, current.etag if current is not None else "")
            changed = await decided(decide(current.entity if current is not None else None))
            if current is not None and changed == current.entity:
                return Attempt(current, is_written=False)
            return Attempt(await self.write(partition, current, changed), is_written=True)

        return (await self.retry(lambda: decide_twice(attempt), if_match)).stored

    async def delete(self, partition: str, entity_id: str, if_match: str | None = None) -> None:
        """With its claim. Raises `NotFoundError`, and after lost races as the class says."""

        async def attempt() -> None:
            current = await look_twice(lambda: self.get(partition, entity_id, if_match), errors=DOUBTFUL)
            await self.erase(partition, current)

        await self.retry(attempt, if_match)

    async def retry(self, attempt: Callable[[], Awaitable[T]], if_match: str | None = None) -> T:
        """Repeat what reads, decides and writes after lost races, as the class says."""
        if if_match is not None:
            return await retry_lost_races(
                attempt, PreconditionFailedError(f"The {self._called} has changed meanwhile; read it again")
            )
        return await retry_lost_races(
            attempt, ConflictError(f"The {self._called} is being changed by many at once; try again")
        )

    # Single guarded writes, for `retry`

    async def write(self, partition: str, current: Stored[E] | None, changed: E, *beside: Operation) -> Stored[E]:
        """Replace the current version, or create the entity where there is none.

        Raises `StaleEtagError` or `AlreadyExistsError` for a lost race, `ConflictError` for a taken value.
        """
        if current is None:
            return await self._insert(partition, changed, changed.document(), beside)
        operations = [replacing(current, changed), *self._moving_claim(current.entity, changed)]
        return await self._commit(partition, current.entity, changed, operations, beside)

    async def write_all(
        self, partition: str, changes: Sequence[tuple[Stored[E] | None, E]], *beside: Operation
    ) -> None:
        """Replace or create several in one batch, without claims. Raises as `write`, and then none is written."""
        writes = [creating(new) if current is None else replacing(current, new) for current, new in changes]
        await self._store.batch(self._container, partition, [*writes, *beside])

    async def erase(self, partition: str, current: Stored[E], *beside: Operation) -> None:
        """Delete the current version with its claim, in one batch with more. Raises `StaleEtagError`."""
        operations = [deleting(current)]
        if self._unique is not None:
            operations.append(Delete(self._unique.claim_of(current.entity).id))
        await self._batches.write(partition, current.entity, [*operations, *beside])

    # Without a guard

    async def put(self, partition: str, *entities: E) -> None:
        """Store them whatever is there, in batches of a hundred: the last write wins."""
        for start in range(0, len(entities), MAXIMUM_BATCH_OPERATIONS):
            some = entities[start : start + MAXIMUM_BATCH_OPERATIONS]
            await self._store.batch(self._container, partition, [putting(entity) for entity in some])

    async def remove(self, partition: str, entity_id: str) -> None:
        """Delete whatever is there, also where that is nothing."""
        await self._store.delete(self._container, partition, entity_id)

    async def _insert(self, partition: str, entity: E, document: Document, beside: Sequence[Operation]) -> Stored[E]:
        operations: list[Operation] = [creating(entity, document)]
        if self._unique is not None:
            operations.append(Create(_claim(self._unique, entity)))
        if self._owners is not None:
            await self._owners.note(entity.id, partition)
        return await self._commit(partition, None, entity, operations, beside)

    async def _commit(
        self,
        partition: str,
        before: E | None,
        entity: E,
        operations: Sequence[Operation],
        beside: Sequence[Operation],
    ) -> Stored[E]:
        """The entity first, then its claims, then what is beside it."""
        try:
            etags = await self._batches.write(partition, before, [*operations, *beside])
        except AlreadyExistsError as error:
            if self._unique is not None and 1 <= error.index < len(operations):
                raise self._unique.taken() from error
            raise
        return Stored(entity, etags[0])

    def _moving_claim(self, before: E, after: E) -> list[Operation]:
        """The claim expires with its entity, so it is written again where that changes."""
        if self._unique is None:
            return []
        old, new = _claim(self._unique, before), _claim(self._unique, after)
        if old["id"] != new["id"]:
            return [Create(new), Delete(old["id"])]
        return [] if old == new else [Upsert(new)]

    async def _refuse_taken(self, unique: UniqueField[E], partition: str, entity: E) -> None:
        """Before anything is written. A claim made at this very moment is found by the batch."""
        claim = unique.claim_of(entity)
        item = await self._store.get(self._container, partition, claim.id)
        if item is not None and type(claim).read(item.document).holder_id != entity.id:
            raise unique.taken()

    def _is_ours(self, item: Item) -> bool:
        return bool(item.document["kind"] == self._model.kind)

    def _read(self, partition: str, item: Item) -> Stored[E]:  # noqa: ARG002  those that keep what was read need it
        return Stored(self._model.read(item.document), item.etag)

    def _unreadable(self) -> UnavailableError:
        return UnavailableError(f"The {self._called} was made a moment ago and cannot be read yet")


def _claim(unique: UniqueField[E], entity: E) -> Document:
    document, claim = entity.document(), unique.claim_of(entity).document()
    return claim | {"ttl": document["ttl"]} if "ttl" in document else claim
