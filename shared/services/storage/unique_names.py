"""An organization's things of one kind, each under a name that no other one has, however it is written."""

from typing import Generic, Protocol, Self, TypeVar

from shared.containers import TENANTS
from shared.domain.kernel.errors import (
    ConflictError,
    FieldError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
)
from shared.domain.kernel.ids import is_id, named_id
from shared.ports.store import (
    AlreadyExistsError,
    Create,
    Delete,
    Document,
    Operation,
    Replace,
    StaleEtagError,
    Store,
    Upsert,
)
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match


class Named(Protocol):
    """An entity with a name."""

    @property
    def id(self) -> str: ...
    @property
    def organization_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    def document(self) -> Document: ...
    @classmethod
    def read(cls, document: Document) -> Self: ...


Thing = TypeVar("Thing", bound=Named)


class UniqueNames(Generic[Thing]):
    """Each is written in one batch with a claim of its name, which expires with it."""

    def __init__(self, store: Store, owners: Owners, model: type[Thing], *, kind: str, prefix: str) -> None:
        """`kind` is that of the documents, `prefix` that of the ids."""
        self._store = store
        self._owners = owners
        self._model = model
        self._kind = kind
        self._prefix = prefix

    async def create(self, thing: Thing) -> tuple[Thing, str]:
        """Raises `ConflictError` for a taken name. Repeating it with the same id gives what was made."""
        partition = thing.organization_id
        holder = await self._store.get(TENANTS.name, partition, self._claim_id(thing))
        if holder is not None and holder.document["thing_id"] != thing.id:
            raise _taken()
        await self._owners.note(thing.id, partition)
        try:
            etags = await self._store.batch(
                TENANTS.name, partition, [Create(thing.document()), Create(self._claim(thing))]
            )
        except AlreadyExistsError as error:
            existing = await self._store.get(TENANTS.name, partition, thing.id)
            if existing is not None:
                return self._model.read(existing.document), existing.etag
            if error.index == 0:
                raise UnavailableError(f"The {self._kind} was made a moment ago and cannot be read yet") from error
            raise _taken() from error
        return thing, etags[0]

    async def get(self, organization_id: str, thing_id: str, if_match: str | None = None) -> tuple[Thing, str]:
        """Raises `NotFoundError`, `PreconditionFailedError`."""
        known = is_id(thing_id, self._prefix)
        item = await self._store.get(TENANTS.name, organization_id, thing_id) if known else None
        if item is None:
            raise NotFoundError(f"There is no such {self._kind}")
        check_if_match(if_match, item.etag)
        return self._model.read(item.document), item.etag

    async def replace(self, before: Thing, after: Thing, etag: str) -> str:
        """The new etag. Raises `ConflictError` for a taken name, `PreconditionFailedError` where someone is faster."""
        claim = self._claim(after)
        claims: list[Operation] = [Upsert(claim)]
        if claim["id"] != self._claim_id(before):
            claims = [Create(claim), Delete(self._claim_id(before))]
        return (await self._batch(after.organization_id, [Replace(after.document(), etag), *claims]))[0]

    async def delete(self, thing: Thing, etag: str) -> None:
        """Raises `PreconditionFailedError` where someone is faster."""
        await self._batch(thing.organization_id, [Delete(thing.id, etag), Delete(self._claim_id(thing))])

    async def _batch(self, partition: str, writes: list[Operation]) -> list[str]:
        try:
            return await self._store.batch(TENANTS.name, partition, writes)
        except AlreadyExistsError as error:
            raise _taken() from error
        except StaleEtagError as error:
            raise PreconditionFailedError(
                f"The {self._kind} is being changed by someone else; read it again"
            ) from error

    def _claim(self, thing: Thing) -> Document:
        claim = {"id": self._claim_id(thing), "kind": "name", "of": self._kind, "thing_id": thing.id}
        document = thing.document()
        return claim | {"ttl": document["ttl"]} if "ttl" in document else claim

    def _claim_id(self, thing: Thing) -> str:
        return named_id("name", self._kind, thing.name.casefold())


def _taken() -> ConflictError:
    return ConflictError("The name is taken", errors=(FieldError("/name", "is taken"),))
