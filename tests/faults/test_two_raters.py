"""Two hosts that meter one session at once.

That happens after a lock that expired while its holder still worked.
"""

import asyncio
import random
from collections.abc import Sequence

from shared.ports.store import Operation, Store, StoreError
from shared.services.storage.retrying import retry_while_unavailable
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.faulty_store import Faults, FaultyStore
from tests.doubles.worlds.invoiced_organization import Scene, counted, delivered, january, march


class ContestedStore(FaultyStore):
    """Counts the batches that lost against another."""

    lost = 0

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        try:
            return await super().batch(container, pk, operations)
        except StoreError:
            self.lost += 1
            raise


def test_two_raters_of_one_session_count_each_event_once() -> None:
    lost = sum(virtual_time.run(rated_by_two(seed)) for seed in range(20))
    print(f"two hosts: {lost} batches lost against the other's, in 20 rounds")  # noqa: T201  figures
    assert lost > 20


async def rated_by_two(seed: int) -> int:
    """How many batches lost against the other host's."""
    random.seed(seed)  # jitter
    scene = await Scene.prepared()
    await scene.host().events.accept([march(f"m{number}", number) for number in range(1, 151)], partial=False)
    await scene.host().events.accept([january("j3", 4)], partial=False)
    messages = delivered([*scene.redelivered, *scene.taken("usage")])
    stores = [
        ContestedStore(scene.store, scene.clock, random.Random(2 * seed + number), Faults(pauses=4))
        for number in range(2)
    ]

    async def meter(store: Store) -> None:
        host = scene.host_with(store, scene.queue)
        await retry_while_unavailable(lambda: host.metering.meter(messages))

    await asyncio.gather(*(meter(store) for store in stores))
    found = await counted(scene)
    assert found["months"] == {"2026-01": (3, 12), "2026-02": (2, 6), "2026-03": (150, sum(range(1, 151)))}
    assert found["events"] == sorted(["f1", "f2", "j1", "j2", "j3", *(f"m{number}" for number in range(1, 151))])
    assert found["parked"] == []
    return sum(store.lost for store in stores)
