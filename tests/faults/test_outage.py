"""Under load the store, or the broker, cannot be reached for a while: nothing that was acknowledged is lost, nothing is
parked, and all of it is metered by itself afterwards.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from time import monotonic
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest

from shared.adapters.cosmos import CosmosAccount
from shared.adapters.cosmos.provisioning import create_containers
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.servers import cosmos_account
from tests.doubles.servers.amqp_broker.broker import AmqpBroker
from tests.doubles.servers.amqp_broker.session_queue import DEAD_LETTER_SUFFIX
from tests.doubles.servers.tcp_proxy import Fault, TcpProxy
from tests.doubles.worlds.numbered_usage import assert_counted_once, event, organization_with_agents

MakeProcess = Callable[..., XyraProcess]

OUTAGE_SECONDS = float(os.environ.get("XYRA_OUTAGE_SECONDS", "5"))
"""`make outage` takes 60."""
STAGES: list[tuple[Fault, ...]] = [(Fault.REFUSES,), (Fault.HANGS,), (Fault.LOSES_ANSWERS,), tuple(Fault)]
"""Each takes as long as the others; in the last one each connection meets another."""
WARM_UP_SECONDS = 1.0
TAIL_SECONDS = 1.0
SENDERS = 4
BATCH = 10
PAUSE_SECONDS = 0.2
"""Between two requests of a sender."""
ANSWER_SECONDS = 30.0
PATIENCE_SECONDS = 180.0
QUEUES = ("usage", "invoices", "payments")


@pytest.fixture
def broker() -> Iterator[AmqpBroker]:
    """With the lock and the deliveries that `infra/` gives the queues."""
    broker = AmqpBroker(QUEUES, lock_seconds=300, max_delivery_count=100)
    yield broker
    broker.stop()


@asynccontextmanager
async def way_to(host: str, port: int) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(host, port, Random(1))
    await proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


@asynccontextmanager
async def cosmos_database(endpoint: cosmos_account.Endpoint) -> AsyncIterator[str]:
    database = f"xyra-outage-{uuid4().hex}"
    account = CosmosAccount(endpoint.url, database, key=endpoint.key)
    try:
        await create_containers(await account.client(), database)
        await account.close()  # the test takes longer than a connection lives idle
        yield database
    finally:
        await (await account.client()).delete_database(database)
        await account.close()


@dataclass
class Load:
    """Senders that repeat each batch, as its answer asks them to, until it is acknowledged."""

    url: str
    headers: dict[str, str]
    time: str
    """Of all events."""
    acknowledged: list[tuple[float, int]] = field(default_factory=list)
    """When, and which event."""
    answers: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=count)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(headers=self.headers, timeout=timeout) as session:
            await asyncio.gather(*(self._send_batches(session) for _ in range(SENDERS)))

    def stop(self) -> None:
        """What was begun is repeated until it is acknowledged."""
        self._stopping.set()

    async def _send_batches(self, session: aiohttp.ClientSession) -> None:
        while not self._stopping.is_set():
            numbers = [next(self._numbers) for _ in range(BATCH)]
            while (pause := await self._send(session, numbers)) is not None:  # noqa: ASYNC110  it was asked to wait
                await asyncio.sleep(pause)
            self.acknowledged += [(monotonic(), number) for number in numbers]
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), PAUSE_SECONDS)

    async def _send(self, session: aiohttp.ClientSession, numbers: list[int]) -> int | None:
        """After how many seconds to send again; None when it was acknowledged."""
        async with session.post(self.url, json=[event(number, self.time) for number in numbers]) as response:
            text = await response.text()
        assert response.status in (202, 503), text
        self.answers[str(response.status)] += 1
        if response.status == 202:
            return None
        retry_after = int(response.headers["Retry-After"])
        assert retry_after >= 1
        return retry_after

    def acknowledged_between(self, start: float, end: float) -> int:
        return sum(start <= at < end for at, _ in self.acknowledged)


@dataclass(frozen=True)
class Outage:
    start: float
    end: float
    load: Load
    reads: Counter[str]
    """How requests were answered that need both the store and the broker."""
    caught_up: float
    """When the last message that waited at its end had been handled."""

    def report(self, what: str) -> None:
        load, far = self.load, float("inf")
        print(  # noqa: T201  figures
            f"{what}: {self.end - self.start:.1f} s; acknowledged before {load.acknowledged_between(0, self.start)}, "
            f"during {load.acknowledged_between(self.start, self.end)}, after "
            f"{load.acknowledged_between(self.end, far)}; answers {dict(load.answers)}; reads {dict(self.reads)}; "
            f"caught up after {self.caught_up - self.end:.1f} s; dead letters 0, parked 0"
        )


async def live_through_an_outage(proxy: TcpProxy, broker: AmqpBroker, xyra: Xyra, process: XyraProcess) -> Outage:
    """The load goes on from before the outage until after it.

    What came of it is exact.
    """
    at = datetime.now(UTC) - timedelta(minutes=1)
    start_of_prices = (at - timedelta(days=1)).isoformat()
    organization = await organization_with_agents(xyra, start=start_of_prices, shard_count=4)
    load = Load(f"{process.base}/api/v1/events", dict(organization.key.headers), at.isoformat())
    sending = asyncio.create_task(load.run())
    await asyncio.wait([sending], timeout=WARM_UP_SECONDS)
    reading = asyncio.create_task(read_again_and_again(organization))
    start = monotonic()
    for faults in STAGES:
        await proxy.fail(*faults)
        await asyncio.wait([sending], timeout=OUTAGE_SECONDS / len(STAGES))
    await proxy.recover()
    end = monotonic()
    caught_up = asyncio.create_task(when_handled(broker, set(broker.bodies("usage"))))
    await asyncio.wait([sending], timeout=TAIL_SECONDS)
    load.stop()
    await asyncio.wait_for(sending, PATIENCE_SECONDS)
    reads = await asyncio.wait_for(reading, PATIENCE_SECONDS)
    outage = Outage(start, end, load, reads, await asyncio.wait_for(caught_up, PATIENCE_SECONDS))
    await until_rated(organization)
    await assert_counted_once(organization, [number for _, number in load.acknowledged], f"{at:%Y-%m}")
    await assert_nothing_given_up(organization, xyra, broker)
    return outage


async def read_again_and_again(organization: Organization) -> Counter[str]:
    """Read what needs store and broker until it is answered after it was not.

    Returns how it was answered.
    """
    answers: Counter[str] = Counter()
    status = 0
    while status != 200 or not answers["503"]:
        status = (await organization.key.send("GET", "usage")).status
        assert status in (200, 503)
        answers[str(status)] += 1
        await asyncio.sleep(PAUSE_SECONDS)
    return answers


async def when_handled(broker: AmqpBroker, bodies: set[str]) -> float:
    while bodies & set(broker.bodies("usage")):  # noqa: ASYNC110  the host moves it
        await asyncio.sleep(0.05)
    return monotonic()


async def until_rated(organization: Organization) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while True:
        answer = await organization.key.send("GET", "usage")
        if answer.status == 200 and answer.json()["pending"] == 0:
            return
        assert answer.status in (200, 503), answer
        assert monotonic() < deadline, answer
        await asyncio.sleep(0.1)


async def assert_nothing_given_up(organization: Organization, xyra: Xyra, broker: AmqpBroker) -> None:
    for status in ("parked", "rated", "discarded"):
        assert (await organization.key.get("events/parked", status=status))["data"] == []
    assert (await xyra.operator.get("events/parked"))["data"] == []
    assert not any(broker.bodies(queue + DEAD_LETTER_SUFFIX) for queue in QUEUES)


@pytest.mark.cosmos
async def test_while_cosmos_db_cannot_be_reached_nothing_is_given_up_and_all_is_rated_after_it(
    broker: AmqpBroker, new_process: MakeProcess
) -> None:
    with cosmos_account.endpoint() as endpoint:
        if endpoint.is_real:
            pytest.skip("the certificate of a real account is not one of loopback")
        address = urlsplit(endpoint.url)
        assert address.hostname is not None
        assert address.port is not None
        async with cosmos_database(endpoint) as database, way_to(address.hostname, address.port) as proxy:
            process = new_process(
                present=True,
                XYRA_STORE="cosmos",
                XYRA_COSMOS_ENDPOINT=f"https://127.0.0.1:{proxy.port}",
                XYRA_COSMOS_DATABASE=database,
                XYRA_COSMOS_KEY=endpoint.key or "",
                XYRA_QUEUE="service_bus",
                XYRA_SERVICE_BUS_CONNECTION_STRING=broker.connection_string,
            )
            async with (await Served.by(process)).clients() as xyra:
                outage = await live_through_an_outage(proxy, broker, xyra, process)
    outage.report("outage of the store")
    assert outage.load.acknowledged_between(outage.start, outage.end) > 0


async def test_while_the_broker_cannot_be_reached_senders_are_told_to_come_again_and_nothing_is_lost(
    broker: AmqpBroker, new_process: MakeProcess
) -> None:
    async with way_to("127.0.0.1", broker.port) as proxy:
        connection_string = broker.connection_string.replace(f":{broker.port};", f":{proxy.port};")
        process = new_process(
            present=True, XYRA_QUEUE="service_bus", XYRA_SERVICE_BUS_CONNECTION_STRING=connection_string
        )
        async with (await Served.by(process)).clients() as xyra:
            outage = await live_through_an_outage(proxy, broker, xyra, process)
    outage.report("outage of the broker")
    assert outage.load.answers["503"] > 0
    assert outage.load.acknowledged_between(outage.end, float("inf")) > 0
