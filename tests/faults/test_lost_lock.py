"""A session lock that is lost while its holder still works: two invocations on one session, and every total exact."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import azure.functions as func

from shared.adapters.sqlite import Database
from shared.adapters.sqlite.queue import LocalQueue
from shared.bootstrap import Application, Ports
from shared.containers import LEDGERS
from shared.ports.broker import QueueCounts
from shared.ports.store import Operation
from shared.services.usage.messages import QUEUE
from shared.services.usage.metering import Delivered
from shared.settings import Settings
from tests.doubles.clients.running_host import Options, hosted, until
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.rated_organization import Scene, gauges

EVENTS = 300
RENEWED_NEVER = Options({"maxAutoLockRenewalDuration": "00:00:00", "sessionIdleTimeout": "00:00:00.05"})


class GatedStore(MemoryStore):
    """Another one's documents; it writes usage only after the gate was opened."""

    def __init__(self, inner: MemoryStore, gate: asyncio.Event) -> None:
        self._partitions = inner._partitions
        self._writes = 1_000_000  # ETags of its own
        self._gate = gate

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        if container == LEDGERS.name:
            await self._gate.wait()
        return await super().batch(container, pk, operations)


async def reported(scene: Scene) -> None:
    await scene.set_up()
    for number in range(EVENTS):
        await scene.report("step", level=number * 7 % 11, user=f"u{number % 40}")


async def test_two_invocations_at_work_on_one_session_count_each_event_once(tmp_path: Path) -> None:
    store, gate = MemoryStore(), asyncio.Event()
    scene, expected = Scene(store), Scene()
    for each in (scene, expected):
        await reported(each)
    await expected.rated()

    late = Application(Ports(GatedStore(store, gate), scene.queue, scene.clock, NoSecrets()), Settings())
    working: Counter[str] = Counter()
    together: Counter[str] = Counter()
    ended: list[int] = []
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(
        arg_name="message", queue_name=QUEUE, connection="ServiceBus", is_sessions_enabled=True
    )
    async def meter(message: func.ServiceBusMessage) -> None:
        session_id = str(message.session_id)
        working[session_id] += 1
        together[session_id] = max(together[session_id], working[session_id])
        host = late if message.delivery_count == 1 and working[session_id] == 1 else scene.host
        await host.metering.meter([Delivered(message.get_body(), str(message.message_id), "")])
        working[session_id] -= 1
        ended.append(int(message.delivery_count or 0))

    database = Database(":memory:")
    queue = LocalQueue(database, lock_seconds=0.3)
    messages = scene.queue.waiting[QUEUE]
    await queue.send(QUEUE, messages)
    async with hosted(app, tmp_path, RENEWED_NEVER, broker=queue) as running:
        await until(lambda: len(ended) >= len(messages))
        gate.set()
        await running.idle()
    counts = await queue.counts(QUEUE)
    database.close()

    assert set(together.values()) == {2}
    assert len(ended) > len(messages)
    assert counts == QueueCounts(active=0, locked=0, dead_letter=0)
    assert await usage(scene) == await usage(expected)
    assert gauges(await scene.repaired()) == []


async def usage(scene: Scene) -> list[object]:
    organization, period = await scene.organization(), await scene.period()
    everything = {"agent": None, "charge": None, "project": None, "department": None}
    rows = await scene.host.usage_reports.rows(organization, period, **everything)
    return [(row.agent_id, row.charge, row.quantity) for row in rows]
