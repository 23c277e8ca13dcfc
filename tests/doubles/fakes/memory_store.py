"""The store in dictionaries: without thread and file, so that a run can be repeated exactly.

It enforces no limits and lets nothing expire; the contract tests hold the real stores to that.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.containers import ALWAYS_INDEXED, CONTAINERS
from shared.domain.kernel.errors import MalformedError
from shared.ports.store import (
    AlreadyExistsError,
    Between,
    Create,
    Delete,
    Item,
    ItemPage,
    Operation,
    Position,
    Replace,
    StaleEtagError,
    Upsert,
)
from tests.doubles.fakes.batched_writes import BatchedWrites


@dataclass(frozen=True, slots=True)
class _Kept:
    text: str
    etag: str
    fields: Mapping[str, Any]

    def item(self) -> Item:
        return Item(msgspec.json.decode(self.text), self.etag)


class MemoryStore(BatchedWrites):
    def __init__(self) -> None:
        self._partitions: dict[tuple[str, str], dict[str, _Kept]] = {}
        self._writes = 0

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        kept = self._partition(container, pk).get(id)
        return None if kept is None else kept.item()

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        partition = self._partition(container, pk)
        return {id_: partition[id_].item() for id_ in ids if id_ in partition}

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        partition = self._partition(container, pk)
        draft = dict(partition)
        etags = [self._apply(draft, operation, index) for index, operation in enumerate(operations)]
        partition.clear()
        partition.update(draft)
        return etags

    def _apply(self, partition: dict[str, _Kept], operation: Operation, index: int) -> str:
        id_ = operation.id if isinstance(operation, Delete) else operation.document["id"]
        there = partition.get(id_)
        match operation:
            case Create() if there is not None:
                raise AlreadyExistsError(f"{id_} exists already", index=index)
            case Replace(etag=etag) | Delete(etag=str(etag)) if there is None or there.etag != etag:
                raise StaleEtagError(f"{id_} has changed", index=index)
            case Delete():
                partition.pop(id_, None)
                return ""
            case Create() | Replace() | Upsert():
                self._writes += 1
                partition[id_] = _Kept(json.dumps(operation.document), str(self._writes), operation.document)
                return str(self._writes)

    async def query(  # noqa: PLR0913  the parts of a query
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
        paths = {*(equals or {}), order_by, *([between.path] if between else [])} - {"id"}
        if not paths <= {*CONTAINERS[container].indexed, *ALWAYS_INDEXED}:
            raise AssertionError(f"{sorted(paths)} are not all indexed in {container}")
        wanted = [*(equals or {}).items()]
        of_kind = [kept for kept in self._partition(container, pk).values() if kept.fields.get("kind") == kind]
        found = [
            kept
            for kept in of_kind
            if all(kept.fields.get(path) == value for path, value in wanted) and _lies(kept, between)
        ]
        found.sort(key=lambda kept: _place(kept, order_by), reverse=descending)
        if cursor is not None:
            after = _read(cursor)
            found = [
                kept
                for kept in found
                if (_place(kept, order_by) < after if descending else _place(kept, order_by) > after)
            ]
        page = found[:limit]
        more = json.dumps(_place(page[-1], order_by)) if len(found) > limit else None
        return ItemPage([kept.item() for kept in page], more)

    async def due(self, container: str, before: str, *, limit: int = 100) -> list[tuple[str, Item]]:
        found = [
            (kept.fields["due_at"], pk, kept)
            for (name, pk), partition in self._partitions.items()
            if name == container
            for kept in partition.values()
            if "due_at" in kept.fields and kept.fields["due_at"] < before
        ]
        found.sort(key=lambda entry: entry[:2])
        return [(pk, kept.item()) for _, pk, kept in found[:limit]]

    def _partition(self, container: str, pk: str) -> dict[str, _Kept]:
        return self._partitions.setdefault((container, pk), {})


def _read(cursor: str | Position) -> tuple[str, str]:
    if isinstance(cursor, Position):
        return cursor.value, cursor.id
    try:
        value, id_ = json.loads(cursor)
    except ValueError:
        raise MalformedError("The cursor is not one of ours") from None
    return value, id_


def _place(kept: _Kept, order_by: str) -> tuple[str, str]:
    return str(kept.fields.get(order_by, "")), kept.fields["id"]


def _lies(kept: _Kept, between: Between | None) -> bool:
    if between is None:
        return True
    value = kept.fields.get(between.path, "")
    return (between.at_least is None or value >= between.at_least) and (between.below is None or value < between.below)
