"""The Cosmos DB account, with one client per process."""

import asyncio
import logging
from contextlib import AsyncExitStack

from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.identity.aio import DefaultAzureCredential

_NEVER = -1
"""Switches a retry off; the SDK ignores 0 as if the option were not given."""
_sdk_log = logging.getLogger(f"{__name__}.sdk")
_sdk_log.setLevel(logging.WARNING)  # at INFO it logs headers; partition keys contain e-mail addresses


class CosmosAccount:
    """Opens the client at the first call, in that call's event loop.

    `key` is for emulators. Without it the managed identity is used; `AZURE_CLIENT_ID` names a user-assigned one.
    `read_timeout` is in seconds.
    """

    def __init__(
        self,
        endpoint: str,
        database: str,
        *,
        key: str | None = None,
        read_timeout: float = 10.0,
    ) -> None:
        self._endpoint = endpoint
        self._database = database
        self._key = key
        self._read_timeout = read_timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resources = AsyncExitStack()
        self._containers: dict[str, ContainerProxy] = {}
        self._opening: asyncio.Task[CosmosClient] | None = None

    async def container(self, name: str) -> ContainerProxy:
        """A container that is known to exist.

        The SDK reads a container before its first request for a document; without this check a missing container
        would look like a missing document. Raises what the SDK raises where the account does not answer; the next
        call tries again.
        """
        client = await self.client()
        if name not in self._containers:
            container = client.get_database_client(self._database).get_container_client(name)
            await container.read()
            self._containers[name] = container
        return self._containers[name]

    async def client(self) -> CosmosClient:
        """The client of the running event loop; its connections work in no other."""
        loop = asyncio.get_running_loop()
        if self._opening is None or self._loop is not loop or _has_failed(self._opening):
            self._loop = loop
            self._resources = AsyncExitStack()
            self._containers = {}
            self._opening = loop.create_task(self._open(self._resources))
            self._opening.add_done_callback(_has_failed)  # reads the exception, also where every caller was cancelled
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        opening, self._opening = self._opening, None
        if opening is not None and self._loop is asyncio.get_running_loop():
            await asyncio.wait([opening])
            await self._resources.aclose()

    async def _open(self, resources: AsyncExitStack) -> CosmosClient:
        try:
            credential: str | DefaultAzureCredential
            if self._key is not None:
                credential = self._key
            else:
                credential = DefaultAzureCredential()
                await resources.enter_async_context(credential)
            client = self._client(credential)
            resources.push_async_callback(client.close)  # before entering: that may fail half-way
            return await client.__aenter__()
        except BaseException:
            await resources.aclose()
            raise

    def _client(self, credential: str | DefaultAzureCredential) -> CosmosClient:
        return CosmosClient(
            self._endpoint,
            credential,
            consistency_level="Session",
            connection_timeout=5,
            read_timeout=self._read_timeout,
            # The SDK may repeat a write that took effect: it takes a lost connection for one that was never made.
            # So its retries are off, and `requests.py` alone repeats.
            enable_endpoint_discovery=False,
            retry_throttle_total=_NEVER,
            retry_connect=0,
            retry_read=0,
            retry_status=0,
            # Only the ETag of a write is needed.
            no_response_on_write=True,
            # As the size limits are measured: UTF-8, not six bytes of escape for an umlaut.
            enable_compact_utf8_item_writes=True,
            logger=_sdk_log,
        )


def _has_failed(opening: asyncio.Task[CosmosClient]) -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)
