"""Kept records: entities that are read again and again, of which the last versions stay as they were read."""

from typing import TypeVar

from cachetools import LRUCache

from shared.containers import Container
from shared.domain.kernel.entity import Entity
from shared.ports.store import Item, Store
from shared.services.storage.records import Records
from shared.services.storage.stored import Stored

E = TypeVar("E", bound=Entity)


class KeptRecords(Records[E]):
    """Records that the store is asked for each time, and that are validated once for each version.

    An ETag names one version, and entities never change, so what is kept is what the store has. For entities that hold
    long histories: validating these takes longer than anything that is asked of them.
    """

    def __init__(self, store: Store, container: Container, model: type[E], maximum: int) -> None:
        """`maximum` is how many versions are kept, of all partitions."""
        super().__init__(store, container, model)
        self._kept: LRUCache[tuple[str, str, str], Stored[E]] = LRUCache(maximum)

    def _read(self, partition: str, item: Item) -> Stored[E]:
        version = (partition, item.document["id"], item.etag)
        stored = self._kept.get(version)
        if stored is None:
            stored = self._kept[version] = super()._read(partition, item)
        return stored
