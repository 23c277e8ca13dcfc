"""The store does not answer for a minute under load: every message is metered before the broker gives it up."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.bootstrap import Application, Ports
from shared.domain.kernel.errors import UnavailableError
from shared.ports.queue import Message
from shared.services.storage.retrying import retry_while_unavailable
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.faulty_store import FaultyStore
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.invoiced_organization import NOW, SETTINGS, Scene, counted, delivered, march

OUTAGE = (10.0, 70.0)
LOAD_SECONDS = 90
REQUESTS_PER_SECOND = 4
EVENTS_PER_REQUEST = 5
MAXIMUM_DELIVERIES = 100
ANSWER_SECONDS = 0.005
TIME_OUT_SECONDS = 2.0


class LoopClock:
    """The time of the event loop as the time of day."""

    def now(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())


class StoreWithOutage(FaultyStore):
    """Answers after a moment; during the outage not at all, until the caller gives up."""

    async def _before(self) -> None:
        if OUTAGE[0] <= asyncio.get_running_loop().time() < OUTAGE[1]:
            await asyncio.sleep(TIME_OUT_SECONDS)
            raise UnavailableError("The store does not answer")
        await asyncio.sleep(ANSWER_SECONDS)


@dataclass
class SessionBroker:
    """Delivers each session's messages in batches, one batch at a time.

    It delivers again at once where the receiver fails, counts deliveries as Service Bus does, and makes a dead
    letter of a message after the maximum.
    """

    receive: Callable[[list[Message]], Awaitable[None]]
    waiting: dict[str, list[tuple[Message, int]]] = field(default_factory=dict)
    """By session, each message with how often it was delivered in vain."""
    dead: list[Message] = field(default_factory=list)
    most_deliveries: int = 0
    _arrived: dict[str, asyncio.Event] = field(default_factory=dict)
    _receivers: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        assert queue == "usage"
        for message in messages:
            session = message.session_id
            if session not in self.waiting:
                self.waiting[session], self._arrived[session] = [], asyncio.Event()
                self._receivers.add(asyncio.create_task(self._deliver(session)))
            self.waiting[session].append((message, 0))
            self._arrived[session].set()

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:  # noqa: ARG002  the port's signature
        return sum(message.count for session in session_ids for message, _ in self.waiting.get(session, []))

    async def _deliver(self, session: str) -> None:
        while True:
            await self._arrived[session].wait()
            batch = self.waiting[session][:64]
            self.most_deliveries = max(self.most_deliveries, *(failures + 1 for _, failures in batch))
            again: list[tuple[Message, int]] = []
            try:
                await self.receive([message for message, _ in batch])
            except UnavailableError:
                failed = [(message, failures + 1) for message, failures in batch]
                self.dead += [message for message, failures in failed if failures >= MAXIMUM_DELIVERIES]
                again = [each for each in failed if each[1] < MAXIMUM_DELIVERIES]
            self.waiting[session][: len(batch)] = again
            if not self.waiting[session]:
                self._arrived[session].clear()

    async def until_empty(self) -> None:
        while any(self.waiting.values()):  # noqa: ASYNC110  of virtual time
            await asyncio.sleep(1)
        for receiver in self._receivers:
            receiver.cancel()


def test_an_outage_of_the_store_under_load_sends_nothing_to_the_dead_letters() -> None:
    virtual_time.run(through_an_outage())


async def through_an_outage() -> None:
    random.seed(1)  # jitter
    scene = await Scene.prepared()
    clock = LoopClock()
    store = StoreWithOutage(scene.store, clock, random.Random(1))
    host = Application(Ports(store, scene.queue, clock, NoSecrets()), SETTINGS)
    broker = SessionBroker(lambda messages: retry_while_unavailable(lambda: host.metering.meter(delivered(messages))))
    accepting = Application(Ports(store, broker, clock, NoSecrets()), SETTINGS)
    refused = 0

    async def report(request: int) -> None:
        nonlocal refused
        await asyncio.sleep(request / REQUESTS_PER_SECOND)
        first = request * EVENTS_PER_REQUEST
        events = [march(f"m{first + number}", 1) for number in range(EVENTS_PER_REQUEST)]
        while True:
            try:
                await accepting.events.accept(events, partial=False)
            except UnavailableError as error:
                refused += 1
                await asyncio.sleep(error.retry_after)
            else:
                return

    requests = LOAD_SECONDS * REQUESTS_PER_SECOND
    await asyncio.gather(*(report(request) for request in range(requests)))
    await broker.until_empty()
    count = requests * EVENTS_PER_REQUEST
    print(  # noqa: T201  figures for the report
        f"{count} events, {refused} requests refused and repeated, at most {broker.most_deliveries} deliveries, "
        f"all metered at {asyncio.get_running_loop().time():.1f} s"
    )
    assert broker.dead == []
    assert broker.most_deliveries > 1
    found = await counted(scene)
    assert found["months"]["2026-03"] == (count, count)
    assert found["events"] == sorted(["f1", "f2", "j1", "j2", *(f"m{number}" for number in range(count))])
    assert found["parked"] == []
