"""Reads of two entities of different kinds in one partition by one request."""

from typing import TypeVar

from shared.containers import Container
from shared.domain.kernel.entity import Entity
from shared.ports.store import Item, Store
from shared.services.storage.stored import Stored

A = TypeVar("A", bound=Entity)
B = TypeVar("B", bound=Entity)


async def get_two(
    store: Store, container: Container, partition: str, first: tuple[type[A], str], second: tuple[type[B], str]
) -> tuple[Stored[A] | None, Stored[B] | None]:
    """The two that have these kinds and ids; None for one that is not there."""
    (model, id_), (other_model, other_id) = first, second
    items = await store.get_many(container.name, partition, {id_, other_id})
    return _read(model, items.get(id_)), _read(other_model, items.get(other_id))


def _read(model: type[A], item: Item | None) -> Stored[A] | None:
    if item is None or item.document["kind"] != model.kind:
        return None
    return Stored(model.read(item.document), item.etag)
