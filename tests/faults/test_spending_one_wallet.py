"""One wallet of 1,000 credits spent by 64 connections at once: on one host, on two, and under `kill -9`.

`XYRA_CREDIT_KILLS` is how many kills are tried (5). Only kills with calls in flight count.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any

import aiohttp

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

Json = dict[str, Any]
MakeProcess = Callable[..., XyraProcess]

CONNECTIONS = 64
USES = 400
AMOUNT = 3
FITTING = 333
"""Uses of 3 credits in a wallet of 1,000."""
KILLS = int(os.environ.get("XYRA_CREDIT_KILLS", "5"))
MANY = 50
"""With as many kills, some lost answers had committed and some had not."""
LONGEST_LOAD = 0.8
"""Seconds until a kill at most."""


async def wallet(xyra: Xyra, amount: str) -> Organization:
    organization = await xyra.organization()
    body = {"organization_id": organization.id, "amount": amount, "source": "purchase"}
    await xyra.operator.post("credits/grants", body, headers={"Idempotency-Key": "grant"})
    return organization


async def use(client: Client, number: int) -> Answer:
    """A 429 is repeated with the same key."""
    while True:
        answer = await client.send(
            "POST", "credits/use", {"amount": str(AMOUNT)}, headers={"Idempotency-Key": f"use {number}"}
        )
        if answer.status != 429:
            return answer


async def spend(clients: Sequence[Client]) -> dict[int, Answer]:
    """All uses, each by one of the connections, which take turns on the hosts."""
    numbers = iter(range(USES))
    answers: dict[int, Answer] = {}

    async def connection(client: Client) -> None:
        for number in numbers:
            answers[number] = await use(client, number)

    await asyncio.gather(*(connection(clients[index % len(clients)]) for index in range(CONNECTIONS)))
    return answers


async def assert_spent_to_the_credit(organization: Organization, answers: dict[int, Answer]) -> None:
    assert Counter(answer.status for answer in answers.values()) == {200: FITTING, 402: USES - FITTING}
    balance = await organization.key.get("credits/balance")
    assert (balance["available"], balance["consumed"]) == ("1", "999")
    proof = await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)
    assert proof["ok"] is True, proof


async def test_one_host(new_process: MakeProcess) -> None:
    served = await Served.by(new_process())
    async with served.clients() as xyra:
        organization = await wallet(xyra, "1000")
        await assert_spent_to_the_credit(organization, await spend([organization.key]))


async def test_two_hosts_on_one_file(new_process: MakeProcess) -> None:
    first, second = new_process(), new_process()
    served = await Served.by(first)
    await asyncio.to_thread(second.start)
    other = Served(second, served.description, served.operator_key)
    async with served.clients() as xyra, other.clients() as there:
        organization = await wallet(xyra, "1000")
        elsewhere = there.again(organization)
        answers = await spend([organization.key, elsewhere.key])
        await assert_spent_to_the_credit(organization, answers)
        again = {number: await use(elsewhere.key, number) for number in range(0, USES, 40)}
        assert all(answers[number].body == answer.body for number, answer in again.items() if answer.status == 200)
        both = await asyncio.gather(*(use(client.key, USES) for client in (organization, elsewhere) for _ in range(5)))
        assert {answer.status for answer in both} == {402}


@dataclass
class Killed:
    """What clients know of a wallet whose host is killed while they spend it."""

    answered: dict[int, Json] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    """Sent, and never answered."""
    sent: int = 0
    lost_answers: int = 0
    """How many were lost in all."""
    committed: int = 0
    """How many of the lost ones had been done."""

    async def spend_until_killed(self, client: Client) -> None:
        while True:
            self.sent += 1
            number = self.sent
            try:
                answer = await use(client, number)
            except aiohttp.ClientError:
                self.lost.add(number)
                self.lost_answers += 1
                return
            self.answered[number] = answer.expect(200)


async def test_kills(new_process: MakeProcess) -> None:
    random = SystemRandom()
    process = new_process()
    served = await Served.by(process)
    async with served.clients() as xyra:
        organization = await wallet(xyra, "1000000")
    killed = Killed()
    kills = 0
    while kills < KILLS:
        async with served.clients() as xyra:
            key = xyra.again(organization).key
            spending = [asyncio.create_task(killed.spend_until_killed(key)) for _ in range(CONNECTIONS)]
            await asyncio.sleep(random.uniform(0.05, LONGEST_LOAD))
            in_flight = killed.sent - len(killed.answered) - len(killed.lost)
            process.kill()
            await asyncio.gather(*spending)
        kills += in_flight > 0
        await asyncio.to_thread(process.start)
        served = Served(process, served.description, served.operator_key)
        async with served.clients() as xyra:
            await assert_nothing_is_lost(xyra.again(organization), killed)
    print(  # noqa: T201  figures
        f"{kills} kills with calls in flight, {len(killed.answered)} uses; "
        f"of {killed.lost_answers} lost answers {killed.committed} were of uses that had been done"
    )
    if kills >= MANY:
        assert 0 < killed.committed < killed.lost_answers


async def assert_nothing_is_lost(organization: Organization, killed: Killed) -> None:
    """Every answered use is in the ledger, every one that is repeated has its first answer."""
    before = await organization.key.get("credits/balance")
    done = int(before["consumed"]) // AMOUNT
    assert done >= len(killed.answered)
    killed.committed += done - len(killed.answered)
    for number in sorted(killed.lost):
        killed.answered[number] = (await use(organization.key, number)).expect(200)
    killed.lost.clear()
    for number in sorted(killed.answered)[-20:]:
        assert (await use(organization.key, number)).expect(200) == killed.answered[number]
    balance = await organization.key.get("credits/balance")
    assert int(balance["consumed"]) == AMOUNT * len(killed.answered)
    left = sorted(int(answer["available"]) for answer in killed.answered.values())
    assert left == [1_000_000 - AMOUNT * number for number in range(len(left), 0, -1)]
    proof = await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)
    while proof["ok"] is None:
        await asyncio.sleep(0.1)
        proof = await organization.key.get(f"credits/verifications/{proof['id']}")
    assert proof["ok"], proof
