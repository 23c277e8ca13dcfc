"""The connection to one Service Bus namespace."""

import logging
from contextlib import suppress
from typing import Self

from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient

# At INFO the SDK logs every state of every link: dozens of lines for each session that is received.
logging.getLogger("azure.servicebus").setLevel(logging.WARNING)


class ServiceBusNamespace:
    """One client, opened at the first use, inside the event loop."""

    def __init__(self, *, host: str | None = None, connection_string: str | None = None) -> None:
        """Either `host` (`name.servicebus.windows.net`), with the managed identity, or a connection string.

        Connection strings are for the emulator (`UseDevelopmentEmulator=true`).
        """
        if (host is None) == (connection_string is None):
            raise ValueError("A Service Bus namespace has either a host or a connection string")
        self._host = host
        self._connection_string = connection_string
        self._client: ServiceBusClient | None = None
        self._credential: DefaultAzureCredential | None = None

    @property
    def client(self) -> ServiceBusClient:
        """A client that does not retry: callers know what may be repeated, and for how long."""
        if self._client is None:
            if self._connection_string is not None:
                self._client = ServiceBusClient.from_connection_string(self._connection_string, retry_total=0)
            elif self._host is not None:
                self._credential = DefaultAzureCredential()
                self._client = ServiceBusClient(self._host, self._credential, retry_total=0)
            else:
                raise AssertionError("checked at the beginning")
        return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        credential, self._credential = self._credential, None
        with suppress(AzureError, OSError):
            if client is not None:
                await client.close()
        if credential is not None:
            await credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
