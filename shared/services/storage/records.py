"""Entities of one kind as they are stored: read, created once, and changed under their ETag."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Generic, NamedTuple, TypeVar

from shared.containers import Container
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import (
    ConflictError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
    XyraError,
)
from shared.domain.kernel.ids import is_id
from shared.ports.store import (
    MAXIMUM_PAGE,
    AlreadyExistsError,
    Between,
    Create,
    Delete,
    Document,
    Item,
    Operation,
    Place,
    Replace,
    Store,
    Upsert,
    every_item,
)
from shared.services.storage.claims import Unique
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match
from shared.services.storage.retrying import retry_lost_races

E = TypeVar("E", bound=Entity)


class Stored(NamedTuple, Generic[E]):
    """An entity with the version (`etag`) that a guarded write names."""

    entity: E
    etag: str


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """A part of a list; `cursor` is where the next part starts, None at the end."""

    stored: Sequence[Stored[E]]
    cursor: str | None

    @property
    def entities(self) -> list[E]:
        return [entity for entity, _ in self.stored]


Decide = Callable[[E], E | Awaitable[E]]
"""What an entity becomes. May be called again with a newer version of it. Raises what refuses the change."""


def _nothing(_before: Entity, _after: Entity) -> Sequence[Operation]:
    return ()


class Records(Generic[E]):
    """The entities of one kind in a container.

    Lost races have one rule: `PreconditionFailedError` (412) where the caller sent `If-Match`; else the change is
    decided again on what is there now; where that keeps losing, `ConflictError` (409).
    """

    def __init__(  # noqa: PLR0913  what distinguishes one kind from another
        self,
        store: Store,
        container: Container,
        model: type[E],
        *,
        prefix: str | None = None,
        called: str | None = None,
        unique: Unique[E] | None = None,
        owners: Owners | None = None,
    ) -> None:
        """`prefix` is that of the ids, `called` names the kind in errors, `owners` notes who owns what is created."""
        self._store = store
        self._container = container.name
        self._model = model
        self._prefix = prefix
        self._called = called or model.kind.replace("_", " ")
        self._unique = unique
        self._owners = owners

    # Reading

    async def find(self, partition: str, entity_id: str) -> Stored[E] | None:
        """None where there is none of this kind with this id."""
        if self._prefix is not None and not is_id(entity_id, self._prefix):
            return None
        item = await self._store.get(self._container, partition, entity_id)
        return self._read(item) if item is not None and self._is_ours(item) else None

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
            stored |= {entity_id: self._read(item) for entity_id, item in items.items() if self._is_ours(item)}
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
        cursor: str | Place | None = None,
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
        return Page([self._read(item) for item in page.items], page.cursor)

    async def all(self, partition: str) -> AsyncIterator[Stored[E]]:
        """Every one in the partition, read page by page."""
        async for item in every_item(self._store, self._container, partition, self._model.kind):
            yield self._read(item)

    # Writing

    async def create(self, partition: str, entity: E, *beside: Operation) -> Stored[E]:
        """Store it in one batch with its claim and what else belongs to it. Repeating it gives what was created.

        Raises `ConflictError` for a taken value, `UnavailableError` where what was created cannot be read yet.
        """
        operations: list[Operation] = [Create(entity.document())]
        if self._unique is not None:
            await self._refuse_taken(self._unique, partition, entity)
            operations.append(Create(_claim(self._unique, entity)))
        if self._owners is not None:
            await self._owners.note(entity.id, partition)
        try:
            etags = await self._store.batch(self._container, partition, [*operations, *beside])
        except AlreadyExistsError as error:
            existing = await self.find(partition, entity.id)
            if existing is not None:
                return existing
            if self._unique is not None and error.index == 1:
                raise self._unique.taken() from error
            raise self._unreadable() from error
        return Stored(entity, etags[0])

    async def change(
        self,
        partition: str,
        entity_id: str,
        decide: Decide[E],
        if_match: str | None = None,
        *,
        beside: Callable[[E, E], Sequence[Operation]] = _nothing,
    ) -> Stored[E]:
        """Store what `decide` makes of it, in one batch with what belongs to that; nothing where it stays as it is.

        Raises `NotFoundError`, `ConflictError` for a taken value, and after lost races as the class says.
        """

        async def attempt() -> Stored[E]:
            current = await self.get(partition, entity_id, if_match)
            decided = decide(current.entity)
            changed = await decided if isawaitable(decided) else decided
            if changed == current.entity:
                return current
            return await self.replace(partition, current, changed, *beside(current.entity, changed))

        return await retry_lost_races(attempt, self._outrun(if_match))

    async def delete(self, partition: str, entity_id: str, if_match: str | None = None) -> None:
        """With its claim. Raises `NotFoundError`, and after lost races as the class says."""

        async def attempt() -> None:
            current = await self.get(partition, entity_id, if_match)
            await self._store.batch(self._container, partition, self._deleting(current))

        await retry_lost_races(attempt, self._outrun(if_match))

    async def replace(self, partition: str, current: Stored[E], changed: E, *beside: Operation) -> Stored[E]:
        """One attempt, for `retry_lost_races`.

        Raises `StaleEtagError`, `AlreadyExistsError` for something beside it, `ConflictError` for a taken value.
        """
        claims = self._moving_claim(current.entity, changed)
        operations = [Replace(changed.document(), current.etag), *claims, *beside]
        try:
            etags = await self._store.batch(self._container, partition, operations)
        except AlreadyExistsError as error:
            if self._unique is not None and 1 <= error.index <= len(claims):
                raise self._unique.taken() from error
            raise
        return Stored(changed, etags[0])

    def _moving_claim(self, before: E, after: E) -> list[Operation]:
        """The claim expires with its entity, so it is written again where that changes."""
        if self._unique is None:
            return []
        old, new = _claim(self._unique, before), _claim(self._unique, after)
        if old["id"] != new["id"]:
            return [Create(new), Delete(old["id"])]
        return [] if old == new else [Upsert(new)]

    def _deleting(self, current: Stored[E]) -> list[Operation]:
        operations: list[Operation] = [Delete(current.entity.id, current.etag)]
        if self._unique is not None:
            operations.append(Delete(self._unique.claim_of(current.entity).id))
        return operations

    async def _refuse_taken(self, unique: Unique[E], partition: str, entity: E) -> None:
        """Before anything is written. A claim made at this very moment is found by the batch."""
        claim = unique.claim_of(entity)
        item = await self._store.get(self._container, partition, claim.id)
        if item is not None and type(claim).read(item.document).holder_id != entity.id:
            raise unique.taken()

    def _is_ours(self, item: Item) -> bool:
        return bool(item.document["kind"] == self._model.kind)

    def _read(self, item: Item) -> Stored[E]:
        return Stored(self._model.read(item.document), item.etag)

    def _outrun(self, if_match: str | None) -> XyraError:
        if if_match is not None:
            return PreconditionFailedError(f"The {self._called} has changed meanwhile; read it again")
        return ConflictError(f"The {self._called} is being changed by many at once; try again")

    def _unreadable(self) -> UnavailableError:
        return UnavailableError(f"The {self._called} was made a moment ago and cannot be read yet")


def _claim(unique: Unique[E], entity: E) -> Document:
    document, claim = entity.document(), unique.claim_of(entity).document()
    return claim | {"ttl": document["ttl"]} if "ttl" in document else claim
