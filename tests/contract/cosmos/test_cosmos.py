"""What the Cosmos DB store and its containers are beyond the contract of all stores."""

import asyncio
import time

import pytest

from shared.adapters.cosmos import CosmosStore
from shared.adapters.cosmos.provisioning import create_containers, indexing_policy
from shared.containers import CONTAINERS, INVOICES
from shared.ports.store import MAXIMUM_PAGE, Create, Upsert

CONTAINER = "invoices"
PK = "org_1"


def test_only_what_is_queried_is_indexed() -> None:
    assert indexing_policy(INVOICES) == {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [
            {"path": "/pk/?"},
            {"path": "/kind/?"},
            {"path": "/due_at/?"},
            {"path": "/start/?"},
            {"path": "/status/?"},
            {"path": "/invoice_id/?"},
        ],
        "excludedPaths": [{"path": "/*"}],
        "compositeIndexes": [
            [{"path": "/start", "order": "ascending"}, {"path": "/id", "order": "ascending"}],
        ],
    }


def test_what_is_ordered_is_indexed() -> None:
    assert all(set(container.ordered) <= set(container.indexed) for container in CONTAINERS.values())


@pytest.mark.cosmos
async def test_creating_the_containers_again_changes_nothing(cosmos_store: CosmosStore) -> None:
    await cosmos_store.create(CONTAINER, PK, {"id": "a", "kind": "thing"})
    database = cosmos_store._account._database
    await create_containers(await cosmos_store._account.client(), database)
    assert await cosmos_store.get(CONTAINER, PK, "a") is not None


@pytest.mark.cosmos
async def test_equal_positions_are_in_order_of_their_ids(cosmos_store: CosmosStore) -> None:
    ids = [f"{number:03}" for number in range(30)]
    await cosmos_store.batch(
        CONTAINER, PK, [Create({"id": id_, "kind": "thing", "start": "same"}) for id_ in reversed(ids)]
    )
    for descending in (False, True):
        page = await cosmos_store.query(CONTAINER, PK, "thing", order_by="start", descending=descending)
        assert [item.document["id"] for item in page.items] == sorted(ids, reverse=descending)


@pytest.mark.cosmos
async def test_a_thousand_ids_are_one_request(cosmos_store: CosmosStore) -> None:
    for start in range(0, MAXIMUM_PAGE, 100):
        documents = [{"id": f"{start + number}", "kind": "thing"} for number in range(100)]
        await cosmos_store.batch(CONTAINER, PK, [Upsert(document) for document in documents])
    found = await cosmos_store.get_many(CONTAINER, PK, [f"{number}" for number in range(MAXIMUM_PAGE)])
    assert len(found) == MAXIMUM_PAGE
    assert cosmos_store.charges.of("get_many").requests == 1
    assert cosmos_store.charges.of("get_many").units > 0


@pytest.mark.cosmos
async def test_a_document_expires_by_cosmos_dbs_clock(cosmos_store: CosmosStore) -> None:
    await cosmos_store.create(CONTAINER, PK, {"id": "a", "kind": "thing", "ttl": 2, "due_at": "2026"})
    deadline = time.monotonic() + 60
    while await cosmos_store.get(CONTAINER, PK, "a") is not None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.5)
    assert (await cosmos_store.query(CONTAINER, PK, "thing")).items == []
    assert await cosmos_store.due(CONTAINER, "2027") == []
    await cosmos_store.create(CONTAINER, PK, {"id": "a", "kind": "thing"})


@pytest.mark.cosmos
async def test_due_documents_of_many_partitions_come_earliest_first(cosmos_store: CosmosStore) -> None:
    """There are more documents than one page holds.

    So a real account merges the streams of its partitions.
    """
    for number in range(150):
        due_at = f"2026-01-01T00:{number % 60:02}:{number // 60:02}"
        await cosmos_store.create(CONTAINER, f"org_{number}", {"id": "a", "kind": "outbox", "due_at": due_at})
    found = await cosmos_store.due(CONTAINER, "2027", limit=120)
    times = [item.document["due_at"] for _, item in found]
    assert len(found) == 120
    assert times == sorted(times)
    assert len({pk for pk, _ in found}) == 120
