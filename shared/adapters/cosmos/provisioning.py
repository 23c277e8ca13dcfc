"""Makes the containers, for emulators and tests. In Azure `infra/` makes them."""

from typing import Any

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from shared.containers import ALWAYS_INDEXED, CONTAINERS, PARTITION_KEY_PATH, Container

_EXPIRES_BY_ITS_OWN_TTL = -1


def indexing_policy(container: Container) -> dict[str, Any]:
    """Index what queries use and nothing else: every indexed path makes every write dearer."""
    fields = (PARTITION_KEY_PATH.removeprefix("/"), *ALWAYS_INDEXED, *container.indexed)
    return {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": f"/{field}/?"} for field in fields],
        "excludedPaths": [{"path": "/*"}],
        # A composite index serves both directions.
        "compositeIndexes": [
            [{"path": f"/{field}", "order": "ascending"}, {"path": "/id", "order": "ascending"}]
            for field in container.ordered
        ],
    }


async def create_containers(client: CosmosClient, database: str) -> None:
    """Make the database and the containers that are missing; existing ones are not changed."""
    created = await client.create_database_if_not_exists(database)
    for container in CONTAINERS.values():
        await created.create_container_if_not_exists(
            container.name,
            PartitionKey(PARTITION_KEY_PATH),
            indexing_policy=indexing_policy(container),
            default_ttl=_EXPIRES_BY_ITS_OWN_TTL,
        )
