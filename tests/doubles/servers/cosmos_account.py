"""The Cosmos DB that tests use: the npm double by default, or an account or emulator that the environment names.

`XYRA_TEST_COSMOS_ENDPOINT` and `XYRA_TEST_COSMOS_KEY` name an account. `XYRA_REQUIRE_COSMOS=1` fails instead of
skipping where there is none. Every test makes a database of its own.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest

from shared.adapters.cosmos import CosmosAccount, CosmosStore
from shared.adapters.cosmos.provisioning import create_containers
from tests.doubles.servers.cosmos_server import KEY, cosmos_server, is_installed

OWN_CLOCK = "Cosmos DB counts a time to live by its own clock: see test_cosmos.py"
NOT_FOR_COSMOS_DB = {
    "test_an_expired_document_is_in_no_read": OWN_CLOCK,
    "test_an_expired_document_can_be_created_anew": OWN_CLOCK,
    "test_every_write_counts_anew": OWN_CLOCK,
}
NEEDS_A_REAL_ACCOUNT = {
    "test_a_document_expires_by_cosmos_dbs_clock": "@vercel/cosmosdb-server knows no time to live",
}
"""Tests that the npm double cannot pass, with the reason.

It has one physical partition, so a query over all of them merges nothing. Its batches neither roll back nor find their
partition; `cosmos_server.cjs` puts that right.
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    key: str | None
    is_real: bool


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    url = os.environ.get("XYRA_TEST_COSMOS_ENDPOINT")
    if url:
        yield Endpoint(url, os.environ.get("XYRA_TEST_COSMOS_KEY"), is_real=True)
    elif is_installed():
        with cosmos_server() as url:
            yield Endpoint(url, KEY, is_real=False)
    elif os.environ.get("XYRA_REQUIRE_COSMOS") == "1":
        pytest.fail("@vercel/cosmosdb-server is not installed: make npm-tools")
    else:
        pytest.skip("@vercel/cosmosdb-server is not installed: make npm-tools")


def skip_what_it_cannot(endpoint: Endpoint, test: str) -> None:
    reason = NOT_FOR_COSMOS_DB.get(test) or (None if endpoint.is_real else NEEDS_A_REAL_ACCOUNT.get(test))
    if reason is not None:
        pytest.skip(f"{test}: {reason}")


@asynccontextmanager
async def new_store(endpoint: Endpoint) -> AsyncIterator[CosmosStore]:
    """A store on a database of its own."""
    database = f"xyra-test-{uuid4().hex}"
    account = CosmosAccount(endpoint.url, database, key=endpoint.key)
    client = await account.client()
    try:
        await create_containers(client, database)
        yield CosmosStore(account)
    finally:
        await client.delete_database(database)
        await account.close()
