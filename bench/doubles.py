"""Protocol doubles of Azure's services, for a host wired as on Azure."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit
from uuid import uuid4

from shared.adapters.cosmos import CosmosAccount
from shared.adapters.cosmos.provisioning import create_containers
from tests.doubles.servers.amqp_broker.broker import AmqpBroker
from tests.doubles.servers.cosmos_server import KEY, cosmos_server, is_installed
from tests.doubles.servers.tcp_proxy import Fault, TcpProxy

__all__ = ["AzureDoubles", "azure_doubles", "is_installed"]


@dataclass(frozen=True, slots=True)
class AzureDoubles:
    settings: dict[str, str]
    """For the host."""
    broker: AmqpBroker
    way_to_store: TcpProxy

    def is_idle(self) -> bool:
        """Whether no usage waits and none is being metered."""
        return not self.broker.bodies("usage") and not self.broker.has_lock("usage")

    async def lose_store(self) -> None:
        await self.way_to_store.fail(Fault.REFUSES)

    async def restore_store(self) -> None:
        await self.way_to_store.recover()


@asynccontextmanager
async def azure_doubles() -> AsyncIterator[AzureDoubles]:
    """With an empty database, and the locks and deliveries that `infra/` gives the queues."""
    database = f"xyra-bench-{uuid4().hex}"
    broker = AmqpBroker(("usage", "invoices"), lock_seconds=300, max_delivery_count=100)
    try:
        with cosmos_server() as endpoint:
            account = CosmosAccount(endpoint, database, key=KEY)
            await create_containers(await account.client(), database)
            await account.close()
            way = TcpProxy("127.0.0.1", urlsplit(endpoint).port or 0, Random(0))  # noqa: S311  it has one fault only
            await way.start()
            settings = {
                "XYRA_STORE": "cosmos",
                "XYRA_COSMOS_ENDPOINT": f"https://127.0.0.1:{way.port}",
                "XYRA_COSMOS_KEY": KEY,
                "XYRA_COSMOS_DATABASE": database,
                "XYRA_QUEUE": "service_bus",
                "XYRA_SERVICE_BUS_CONNECTION_STRING": broker.connection_string,
            }
            try:
                yield AzureDoubles(settings, broker, way)
            finally:
                way.stop()
    finally:
        broker.stop()
