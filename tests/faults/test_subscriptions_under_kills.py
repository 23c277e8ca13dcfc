"""Subscriptions that go through `kill -9` at random moments, and a timer that fires ten times at once, have the
documents that they have on a host that is left alone.

`XYRA_KILLED_SUBSCRIBERS` is how many organizations there are (3; `make subscription-kills` has 50), and
`XYRA_KILLED_MONTHS` for how many months (2; 14). `XYRA_KILL_SEED` draws the same again; what a kill meets at its moment
is up to the machine.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random, SystemRandom
from typing import Any

import aiohttp

from local.host import KEY_HEADER
from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.xyra_client import Answer, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.worlds.told_subscriptions import (
    FIRST_MONTH,
    OK,
    Players,
    Told,
    close_of,
    command_by_chance,
    moments,
)

Json = dict[str, Any]
MakeProcess = Callable[..., XyraProcess]

ORGANIZATIONS = int(os.environ.get("XYRA_KILLED_SUBSCRIBERS", "3"))
MONTHS = int(os.environ.get("XYRA_KILLED_MONTHS", "2"))
SETTINGS = {"XYRA_QUEUE_LOCK_SECONDS": "1", "XYRA_LOG_LEVEL": "INFO"}
FIRED = 10
"""How often the timer fires at once."""
LONGEST_MOMENT = 0.8
KILLED = 0.3
"""How often each host is, whenever time passes or something happens."""
SWEPT_AFTER = timedelta(minutes=10)
"""What a kill has interrupted is done by then."""
TRIES = 600
BETWEEN_TRIES = 0.1


class Undisturbed:
    """A host that is left alone. What happens on it is told."""

    def __init__(self, chance: Random, machine: TimeMachine) -> None:
        self._chance = chance
        self._machine = machine
        self._players = Players()
        self.told: list[Told] = []

    async def play(self) -> list[list[Json]]:
        await self._machine.at(FIRST_MONTH.isoformat())
        await self._players.set_up(self._machine.xyra, ORGANIZATIONS)
        for step, moment in enumerate(moments(MONTHS, self._chance)):
            await self._machine.at(moment.isoformat())
            self.told.append(await self._happening(step, moment))
            await self._machine.at((moment + SWEPT_AFTER).isoformat())
            if step % 2:
                await self._machine.at(close_of(moment).isoformat())
        return await self._players.documents(self._machine.xyra)

    async def _happening(self, step: int, moment: datetime) -> Told:
        """Only what is accepted is told."""
        commands = {}
        units = {number: self._chance.randrange(1, 60) for number in range(ORGANIZATIONS)}
        for number, organization in enumerate(self._players.organizations):
            listed = (await organization.key.get("subscriptions"))["data"]
            ids = self._players.subscriptions[number]
            subscriptions = {place: each for each in listed for place, id_ in ids.items() if each["id"] == id_}
            command = command_by_chance(self._chance, subscriptions, moment)
            if (await self._players.perform(number, command, step, self._send)).status < OK:
                commands[number] = command
        told = Told(moment, commands, units)
        for number in range(ORGANIZATIONS):
            await self._players.use(number, told, step, self._send)
        return told

    async def _send(self, number: int, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        organization = self._players.organizations[number]
        headers = {"Idempotency-Key": f"{key} of {organization.id}"} if key is not None else None
        client = organization.operator if key is not None else organization.key
        return await client.send(method, path, body, headers=headers)


class Killed:
    """Two hosts on one data directory, to which the same happens while they are killed and their timer fires."""

    def __init__(self, chance: Random, hosts: Sequence[XyraProcess]) -> None:
        self.kills = 0
        self._chance = chance
        self._hosts = hosts
        self._players = Players()
        self._served: dict[XyraProcess, Served] = {}

    async def play(self, told: Sequence[Told]) -> list[list[Json]]:
        first, second = self._hosts
        first.set_clock(FIRST_MONTH)
        served = await Served.by(first)
        await asyncio.to_thread(second.start)
        self._served = {host: Served(host, served.description, served.operator_key) for host in self._hosts}
        async with served.clients() as xyra:
            await self._players.set_up(xyra, ORGANIZATIONS)
        for step, happening in enumerate(told):
            await self._move_to(happening.moment)
            await self._killing(self._happen(step, happening))
            await self._move_to(happening.moment + SWEPT_AFTER)
            if step % 2:
                await self._move_to(close_of(happening.moment))
        async with self._clients() as xyra:
            return await self._players.documents(xyra)

    async def _happen(self, step: int, told: Told) -> None:
        await asyncio.gather(*(self._act(number, step, told) for number in range(ORGANIZATIONS)))

    async def _act(self, number: int, step: int, told: Told) -> None:
        if number in told.commands:
            answer = await self._players.perform(number, told.commands[number], step, self._send)
            assert answer.status < OK, answer
        await self._players.use(number, told, step, self._send)

    async def _move_to(self, moment: datetime) -> None:
        """Time passes, and the timer fires ten times at once, here and there, while hosts are killed."""
        self._hosts[0].set_clock(moment)
        await self._killing(self._fire())
        for host in (*self._hosts, *self._hosts):  # one may have sent the other something meanwhile
            async with self._served[host].clients() as xyra:
                await xyra.idle()

    async def _fire(self) -> None:
        serving = [host for host in self._hosts if host.base]
        await asyncio.gather(*(_fired(self._chance.choice(serving)) for _ in range(FIRED)), return_exceptions=True)

    async def _killing(self, work: Any) -> None:
        """Do it while one host or both are killed at some moment and come back."""
        working = asyncio.ensure_future(work)
        await asyncio.sleep(self._chance.uniform(0, LONGEST_MOMENT))
        killed = [host for host in self._hosts if self._chance.random() < KILLED]
        for host in killed:
            host.kill()
            self.kills += 1
        await asyncio.gather(*(asyncio.to_thread(host.start) for host in killed))
        await working

    async def _send(self, number: int, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """Again and again until it is accepted, as it was by the host that is left alone."""
        answer: Answer | None = None
        for _ in range(TRIES):
            try:
                async with self._clients() as xyra:
                    organization = xyra.again(self._players.organizations[number])
                    headers = {"Idempotency-Key": f"{key} of {organization.id}"} if key is not None else None
                    client = organization.operator if key is not None else organization.key
                    answer = await client.send(method, path, body, headers=headers)
            except aiohttp.ClientError:
                answer = None
            if answer is not None and answer.status < OK:
                return answer
            await asyncio.sleep(BETWEEN_TRIES)
        raise AssertionError(f"{method} {path} is never accepted: {answer}")

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[Xyra]:
        """Of a host that serves. Raises `aiohttp.ClientError` where none does."""
        serving = [host for host in self._hosts if host.base]
        if not serving:
            raise aiohttp.ClientConnectionError("No host serves")
        async with self._served[self._chance.choice(serving)].clients() as xyra:
            yield xyra


async def _fired(host: XyraProcess) -> None:
    key = (host.data_dir / "admin.key").read_text(encoding="ascii").strip()
    async with (
        aiohttp.ClientSession(host.base) as session,
        session.post("/admin/functions/start_invoice_runs", headers={KEY_HEADER: key}, json={}) as answer,
    ):
        assert answer.status == 202, answer


async def test_killed_hosts_issue_the_same_documents(time_machine: TimeMachine, new_process: MakeProcess) -> None:
    seed = int(os.environ.get("XYRA_KILL_SEED") or SystemRandom().getrandbits(32))
    print(f"XYRA_KILL_SEED={seed}")  # noqa: T201  to play it again
    began = time.monotonic()
    undisturbed = Undisturbed(Random(seed), time_machine)
    documents = await undisturbed.play()
    alone = time.monotonic() - began
    killed = Killed(Random(seed + 1), [new_process(**SETTINGS), new_process(**SETTINGS)])
    again = await killed.play(undisturbed.told)
    for expected, found in zip(documents, again, strict=True):
        assert found == expected
    number = sum(map(len, documents))
    commands = sum(len(each.commands) for each in undisturbed.told)
    seconds = time.monotonic() - began
    print(  # noqa: T201  figures
        f"{ORGANIZATIONS} organizations, {MONTHS} months, {commands} commands, {number} documents, "
        f"{killed.kills} kills, seed {seed}, {alone:.0f} s alone and {seconds - alone:.0f} s with kills"
    )
    assert number
