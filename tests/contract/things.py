"""Documents with which the stores are tried."""

from typing import Any

from shared.ports.store import (
    Document,
    Item,
    StaleEtagError,
    Store,
)

CONTAINER = "invoices"
PK = "org_1"


def thing(id_: str, **fields: Any) -> Document:
    return {"id": id_, "kind": "thing", **fields}


async def get(store: Store, id_: str) -> Item:
    item = await store.get(CONTAINER, PK, id_)
    assert item is not None
    return item


async def ids_of_all_pages(store: Store, **query: Any) -> list[str]:
    ids: list[str] = []
    cursor = None
    while True:
        page = await store.query(CONTAINER, PK, "thing", cursor=cursor, **query)
        ids += [item.document["id"] for item in page.items]
        cursor = page.cursor
        if cursor is None:
            return ids


async def increment(store: Store, times: int) -> None:
    """Count up under the guard, reading again whenever another was first."""
    for _ in range(times):
        while True:
            item = await get(store, "total")
            try:
                await store.replace(CONTAINER, PK, thing("total", n=item.document["n"] + 1), item.etag)
            except StaleEtagError:
                continue
            break
