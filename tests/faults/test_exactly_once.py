"""Every acknowledged event counts once: whatever is repeated, and whatever is killed meanwhile."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from random import Random

import aiohttp
import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.worlds.numbered_usage import MONTH, assert_counted_once, event, organization_with_agents

EVENTS = int(os.environ.get("XYRA_KILL_EVENTS", "8000"))
"""In the tests that kill a host. `make kill` takes 50,000."""
BATCH = 250
SENDERS = 4
SHORT_LOCKS = {"XYRA_QUEUE_LOCK_SECONDS": "2"}


async def test_a_batch_sent_three_times_counts_once(xyra: Xyra) -> None:
    organization = await organization_with_agents(xyra, shard_count=4)
    events = [event(number) for number in range(1000)]
    random = Random(1)
    await organization.key.report(*events)
    await organization.key.report(*events)
    await organization.key.report(*random.sample(events, len(events)))
    await xyra.idle()
    await organization.key.report(*random.sample(events, len(events)))
    elsewhen = [event(number, time=f"2026-10-{1 + number % 28:02d}T00:00:00+05:00") for number in range(1000)]
    random.shuffle(elsewhen)
    while elsewhen:
        size = random.randint(1, 300)
        await organization.key.report(*elsewhen[:size])
        del elsewhen[:size]
    await xyra.idle()
    await assert_counted_once(organization, range(1000))
    assert (await organization.key.get("usage", period="2026-10"))["data"] == []


async def test_new_events_before_a_long_row_of_repeats_are_counted(xyra: Xyra) -> None:
    organization = await organization_with_agents(xyra)
    repeated = [event(3 * number) for number in range(700)]
    await organization.key.report(*repeated)
    await xyra.idle()
    new = [event(3 * number) for number in range(700, 1000)]
    await organization.key.report(*new[:95], *repeated, *new[95:])
    await xyra.idle()
    await assert_counted_once(organization, [3 * number for number in range(1000)])


async def test_other_sources_and_organizations_are_other_events(xyra: Xyra) -> None:
    first, second = await organization_with_agents(xyra), await organization_with_agents(xyra)
    await first.key.report(event(3), event(3) | {"source": "other"})
    await second.key.report(event(3))
    await xyra.idle()
    assert await first.usage(MONTH, "counted") == 2
    assert await second.usage(MONTH, "counted") == 1


async def test_the_same_identity_with_other_content_is_parked_and_the_first_counts(xyra: Xyra) -> None:
    organization = await organization_with_agents(xyra)
    await organization.key.report(event(3))
    await xyra.idle()
    await organization.key.report(event(3) | {"data": {"square": "1000000"}}, event(6))
    await xyra.idle()
    await assert_counted_once(organization, [3, 6])


@dataclass
class Senders:
    """Clients that repeat each batch, at the next host, until one has acknowledged it."""

    hosts: Sequence[XyraProcess]
    path: str
    headers: dict[str, str]
    acknowledged: set[int] = field(default_factory=set)
    repeats: int = 0

    async def send(self, numbers: Sequence[int]) -> None:
        waiting = iter(batched_numbers(numbers))
        async with aiohttp.ClientSession(headers=self.headers) as session:
            await asyncio.gather(*(self._send_some(session, waiting, start) for start in range(SENDERS)))

    async def _send_some(self, session: aiohttp.ClientSession, waiting: Iterator[Sequence[int]], start: int) -> None:
        hosts = cycle([*self.hosts[start % len(self.hosts) :], *self.hosts[: start % len(self.hosts)]])
        for numbers in waiting:
            while not await self._sent(session, next(hosts), numbers):
                self.repeats += 1
            self.acknowledged.update(numbers)

    async def _sent(self, session: aiohttp.ClientSession, host: XyraProcess, numbers: Sequence[int]) -> bool:
        try:
            async with session.post(host.base + self.path, json=[event(number) for number in numbers]) as response:
                await response.read()
        except (aiohttp.ClientError, ConnectionError):
            await asyncio.sleep(0.05)  # the pause of a well-behaved client
            return False
        assert response.status in (202, 503), await response.text()
        return response.status == 202

    async def until(self, share: float) -> None:
        while len(self.acknowledged) < EVENTS * share:  # noqa: ASYNC110  the senders move it
            await asyncio.sleep(0.005)


def batched_numbers(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]


MakeProcess = Callable[..., XyraProcess]


@pytest.fixture
def numbers() -> list[int]:
    return Random(EVENTS).sample(range(EVENTS), EVENTS)


async def test_after_kill_9_every_acknowledged_event_is_counted_once(
    new_process: MakeProcess, numbers: list[int]
) -> None:
    host = new_process(**SHORT_LOCKS)
    served = await Served.by(host)
    async with served.clients() as xyra:
        organization = await organization_with_agents(xyra, shard_count=4)
        senders = Senders([host], "/api/v1/events", dict(organization.key.headers))
        sending = asyncio.create_task(senders.send(numbers))
        for share in (0.2, 0.5, 0.8):
            await senders.until(share)
            host.kill()
            await asyncio.to_thread(host.start)
        await sending
        host.kill()
        await asyncio.to_thread(host.start)
    async with served.clients() as xyra:
        await xyra.idle()
        assert senders.acknowledged == set(numbers)
        assert senders.repeats
        await assert_counted_once(xyra.again(organization), numbers)


async def test_of_two_hosts_on_one_directory_one_is_killed(new_process: MakeProcess, numbers: list[int]) -> None:
    killed, survivor = new_process(**SHORT_LOCKS), new_process(**SHORT_LOCKS)
    served = await Served.by(survivor)
    await asyncio.to_thread(killed.start)
    async with served.clients() as xyra:
        organization = await organization_with_agents(xyra, shard_count=4)
        senders = Senders([killed, survivor], "/api/v1/events", dict(organization.key.headers))
        sending = asyncio.create_task(senders.send(numbers))
        await senders.until(0.5)
        killed.kill()
        await sending
        await xyra.idle()
        assert senders.acknowledged == set(numbers)
        assert senders.repeats
        await assert_counted_once(organization, numbers)
