"""The Cosmos DB store on a stub of its account."""

from collections.abc import AsyncIterator

import pytest

from shared.adapters.cosmos import CosmosAccount, CosmosStore
from tests.contract.cosmos.calls import CONTAINER, KEY, PK, RETRIED_FOR, event
from tests.doubles.servers.cosmos_stub import CosmosStub, cosmos_stub


@pytest.fixture
async def stub() -> AsyncIterator[CosmosStub]:
    async with cosmos_stub() as stub:
        yield stub


@pytest.fixture
async def store(stub: CosmosStub) -> AsyncIterator[CosmosStore]:
    store = CosmosStore(CosmosAccount(stub.endpoint, "xyra", key=KEY, read_timeout=0.5), limits=RETRIED_FOR)
    yield store
    await store.close()


@pytest.fixture
async def total(store: CosmosStore, stub: CosmosStub) -> str:
    """The etag of a document that is there before the faults begin."""
    etag = await store.create(CONTAINER, PK, event("total", n=0))
    stub.seen.clear()
    return etag
