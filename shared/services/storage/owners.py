"""Which organization a thing belongs to, where a path names only the thing and an operator no organization."""

from shared.containers import DIRECTORY
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.ids import is_id
from shared.ports.store import Store


class Owners:
    """An entry is written before its thing, so a thing is never without; an entry without a thing leads to a 404."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def note(self, thing_id: str, organization_id: str) -> None:
        await self._store.upsert(
            DIRECTORY.name, f"owner:{thing_id}", {"id": thing_id, "kind": "owner", "organization_id": organization_id}
        )

    async def of(self, thing_id: str) -> str:
        """Raises `NotFoundError`."""
        found = (
            await self._store.get(DIRECTORY.name, f"owner:{thing_id}", thing_id) if is_id(thing_id, "[a-z]+") else None
        )
        if found is None:
            raise NotFoundError("There is no such thing")
        return str(found.document["organization_id"])
