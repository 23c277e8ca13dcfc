"""Writes of entities, to be joined in one batch of a partition.

Each knows the entity before and after it, for the audit trail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.domain.kernel.audit import Target
from shared.domain.kernel.entity import Entity
from shared.ports.store import Create, Delete, Document, Operation, Replace, Upsert
from shared.services.storage.stored import Stored

E = TypeVar("E", bound=Entity)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityCreate(Create):
    after: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityReplace(Replace):
    before: Entity
    after: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityDelete(Delete):
    before: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityUpsert(Upsert):
    after: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Upsert):
    """Something for the trail that changes no entity, such as a lock-out. The audited store writes no item for it."""

    action: str
    target: Target
    trails: Sequence[str]
    actor_id: str | None
    details: dict[str, Any] | None
    is_deferred: bool


def creating(entity: Entity, document: Document | None = None) -> Operation:
    """Fails with `AlreadyExistsError` where there is one with this id. `document` is its form, if not the usual one."""
    return EntityCreate(entity.document() if document is None else document, after=entity)


def replacing(current: Stored[E], changed: E) -> Operation:
    """Fails with `StaleEtagError` where it is no longer the current version."""
    return EntityReplace(changed.document(), current.etag, before=current.entity, after=changed)


def deleting(current: Stored[E]) -> Operation:
    """Fails with `StaleEtagError` where it is no longer the current version."""
    return EntityDelete(current.entity.id, current.etag, before=current.entity)


def putting(entity: Entity) -> Operation:
    """Whatever is there: the last write wins. Not for kinds whose changes are audited."""
    return EntityUpsert(entity.document(), after=entity)


def noting(  # noqa: PLR0913  the parts of an entry
    action: str,
    target: Target,
    trails: Sequence[str],
    *,
    actor_id: str | None = None,
    details: dict[str, Any] | None = None,
    is_deferred: bool = False,
) -> Operation:
    """An entry on the trails, in the batch that it joins.

    `actor_id` is the user who did it where nobody had to show a credential. A deferred one is left to the sweep: so the
    time of the call does not tell on how many trails it is.
    """
    return Note(
        _NO_ITEM,
        action=action,
        target=target,
        trails=trails,
        actor_id=actor_id,
        details=details,
        is_deferred=is_deferred,
    )


_NO_ITEM: Document = {"id": "note", "kind": "note"}
