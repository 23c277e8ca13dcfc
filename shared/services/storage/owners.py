"""Which organization an entity belongs to, for operators, whose paths name only the entity."""

from typing import ClassVar

from shared.containers import DIRECTORY
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.ids import is_id
from shared.ports.store import Store

OPERATOR = "operator"
"""Stands for an organization's id where something is the operator's own."""


class Owner(Entity):
    """Its id is that of what is owned."""

    kind: ClassVar[str] = "owner"
    audit: ClassVar[Audit] = BOOKKEEPING
    organization_id: str


class Owners:
    """An owner is noted before its entity is created, so no entity lacks one. A note without an entity leads to 404."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def note(self, entity_id: str, organization_id: str) -> None:
        """Safe to repeat."""
        owner = Owner(id=entity_id, organization_id=organization_id)
        await self._store.upsert(DIRECTORY.name, _partition(entity_id), owner.document())

    async def of(self, entity_id: str) -> str:
        """The id of the organization. Raises `NotFoundError`."""
        is_one_of_ours = is_id(entity_id, "[a-z]+")
        item = await self._store.get(DIRECTORY.name, _partition(entity_id), entity_id) if is_one_of_ours else None
        if item is None:
            raise NotFoundError("There is no such thing")
        return Owner.read(item.document).organization_id


def _partition(entity_id: str) -> str:
    return f"owner:{entity_id}"
