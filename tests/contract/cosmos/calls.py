"""Calls to the Cosmos DB store, and faults that its stub answers them with."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.adapters.cosmos import CosmosStore, RetryLimits
from shared.ports.store import (
    Create,
    Replace,
)
from tests.doubles.servers.cosmos_stub import Fault

CONTAINER = "ledgers"
PK = "org_1:usage:0"
KEY = "a2V5IHRoYXQgbXVzdCBub3QgYmUgbG9nZ2Vk"
RETRIED_FOR = RetryLimits(attempts=4, seconds=2)
DROPPED = Fault()
DROPPED_AFTER = Fault(takes_effect=True)
CUT_AFTER = Fault(takes_effect=True, is_cut=True)
THROTTLED = Fault(429, headers={"x-ms-retry-after-ms": "20"})
RETRY_WITH = Fault(449)
LAGGING = Fault(404, headers={"x-ms-substatus": "1002"})
"""A replica that has not come as far as the client's own writes."""


def event(id_: str, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "kind": "event", **fields}


Call = Callable[[CosmosStore, str], Awaitable[Any]]
WRITES: dict[str, Call] = {
    "create": lambda store, _: store.create(CONTAINER, PK, event("new")),
    "replace": lambda store, etag: store.replace(CONTAINER, PK, event("total", n=1), etag),
    "upsert": lambda store, _: store.upsert(CONTAINER, PK, event("total", n=1)),
    "delete": lambda store, etag: store.delete(CONTAINER, PK, "total", etag),
    "batch": lambda store, etag: store.batch(CONTAINER, PK, [Create(event("new")), Replace(event("total", n=1), etag)]),
}
READS: dict[str, Call] = {
    "get": lambda store, _: store.get(CONTAINER, PK, "total"),
    "get_many": lambda store, _: store.get_many(CONTAINER, PK, ["total", "other"]),
    "query": lambda store, _: store.query(CONTAINER, PK, "event"),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
every_read = pytest.mark.parametrize("read", READS.values(), ids=READS)
