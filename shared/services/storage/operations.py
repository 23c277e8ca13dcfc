"""Writes of entities, to be joined in one batch of a partition."""

from typing import TypeVar

from shared.domain.kernel.entity import Entity
from shared.ports.store import Create, Delete, Operation, Replace, Upsert
from shared.services.storage.stored import Stored

E = TypeVar("E", bound=Entity)


def creating(entity: Entity) -> Operation:
    """Fails with `AlreadyExistsError` where there is one with this id."""
    return Create(entity.document())


def replacing(current: Stored[E], changed: E) -> Operation:
    """Fails with `StaleEtagError` where it is no longer the current version."""
    return Replace(changed.document(), current.etag)


def deleting(current: Stored[E]) -> Operation:
    """Fails with `StaleEtagError` where it is no longer the current version."""
    return Delete(current.entity.id, current.etag)


def putting(entity: Entity) -> Operation:
    """Whatever is there: the last write wins."""
    return Upsert(entity.document())
