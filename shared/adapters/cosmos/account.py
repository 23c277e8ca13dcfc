"""The account and its one client per process, made in the first call's event loop."""

import asyncio
import logging
from contextlib import AsyncExitStack

from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.identity.aio import DefaultAzureCredential

_NEVER = -1
"""The SDK takes a 0 for an option that was not given."""
_sdk_log = logging.getLogger(f"{__name__}.sdk")
_sdk_log.setLevel(logging.WARNING)  # below, it logs the headers of each request: partition keys hold e-mail addresses


class CosmosAccount:
    """`key` is for emulators; without it the client is known by its managed identity, a user-assigned one by
    `AZURE_CLIENT_ID`. `read_timeout` is in seconds.
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
        """One that is there: the SDK looks at it before its first request for a document, and a 404 then would look
        like a missing document.

        Raises what the SDK raises where the account does not answer; the next call tries again.
        """
        client = await self.client()
        if name not in self._containers:
            container = client.get_database_client(self._database).get_container_client(name)
            await container.read()
            self._containers[name] = container
        return self._containers[name]

    async def client(self) -> CosmosClient:
        """Of the running loop: connections do not work in another."""
        loop = asyncio.get_running_loop()
        if self._opening is None or self._loop is not loop or _has_failed(self._opening):
            self._loop = loop
            self._resources = AsyncExitStack()
            self._containers = {}
            self._opening = loop.create_task(self._open(self._resources))
            self._opening.add_done_callback(_has_failed)  # looked at, even where every caller was cancelled
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        """The next call opens it again."""
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
            resources.push_async_callback(client.close)  # entering it may fail half-way
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
            # Whatever the SDK repeats by itself it may repeat after the first attempt took place: it takes a connection
            # that was lost for one that was never made. So nothing is repeated but by `requests.py`.
            enable_endpoint_discovery=False,
            retry_throttle_total=_NEVER,
            retry_connect=0,
            retry_read=0,
            retry_status=0,
            # What was written is known; only its version is wanted back.
            no_response_on_write=True,
            # As it was measured against the limits, without six bytes for an umlaut.
            enable_compact_utf8_item_writes=True,
            logger=_sdk_log,
        )


def _has_failed(opening: asyncio.Task[CosmosClient]) -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)
