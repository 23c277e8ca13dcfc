"""`kill -9` at random moments under load, round after round on one data directory: no acknowledged event is lost, none
counts twice, and what they come to is billed once.

`XYRA_KILL_ROUNDS` is how many rounds are played (3; `make kill-rounds` plays 200). `XYRA_KILL_SEED` draws the same
rounds again; what a kill meets at its moment is up to the machine.
"""

import asyncio
import os
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random, SystemRandom
from typing import Any

import aiohttp

from shared.domain.usage.events import event_key
from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.worlds.mixed_load import MixedLoad, Step
from tests.doubles.worlds.numbered_usage import (
    SOURCE,
    agent_names,
    assert_counted_once,
    event_id,
    organization_with_agents,
    totals,
)

Json = dict[str, Any]
MakeProcess = Callable[..., XyraProcess]

ROUNDS = int(os.environ.get("XYRA_KILL_ROUNDS", "3"))
PREPAID = {"billing_mode": "prepaid", "credit_value": "0.01"}
ORGANIZATIONS: tuple[Json, ...] = (
    {"shard_count": 1},
    {"shard_count": 2},
    {"shard_count": 4},
    {"shard_count": 4} | PREPAID,
)
"""The fields of each organization."""
SETTINGS = {"XYRA_QUEUE_LOCK_SECONDS": "1", "XYRA_LOG_LEVEL": "INFO"}
FEE = {"key": "platform", "type": "flat_fee", "amount": "100.00"}
START = "2026-11-01T00:00:00Z"
UNIT_PRICES = {"counted": Decimal(1), "summed": Decimal("0.001")}
"""Of the charges of `numbered_usage`."""

LONGEST_LOAD = 0.6
LONGEST_DRAIN = 0.1
LONGEST_RUN = 0.5
SECOND_HOST = 0.4
KILLED_AGAIN = 0.3
"""How often the host that starts after a kill is killed before it is ready."""


class Rounds:
    """`hosts`: the first serves between the rounds, the second comes and goes."""

    def __init__(self, seed: int, hosts: Sequence[XyraProcess]) -> None:
        self.kills = Counter[str]()
        """By the moment."""
        self.interrupted = Counter[str]()
        """Rounds whose kill left messages in a queue, by the queue."""
        self.uncertain = Counter[str]()
        """Events without an acknowledgement at the end of a round: whether they counted."""
        self._seed = seed
        self._random = Random(seed)
        self._first, self._second = hosts
        self._now = NOW
        self._startup_seconds = 1.0
        self._served: Served
        self._organizations: list[Organization]
        self.load: MixedLoad

    async def begin(self) -> None:
        """The very first start is killed, too."""
        await self._kill_while_starting(self._first)
        self._served = await Served.by(self._first)
        async with self._served.clients() as xyra:
            self._organizations = [
                await organization_with_agents(xyra, FEE, start=START, **fields) for fields in ORGANIZATIONS
            ]
        # Its draws come as the answers do, so they must not be among those of the rounds.
        self.load = MixedLoad(Random(self._seed), (self._first, self._second), self._organizations, self._now)

    async def play(self) -> None:
        (kill_at_a_moment,) = self._random.choices(
            [self._kill_under_load, self._kill_and_fall_silent, self._kill_while_draining, self._kill_while_invoicing],
            weights=[3, 3, 2, 2],
        )
        await kill_at_a_moment()

    async def end(self) -> None:
        """Two months without usage: the second bills what the first could only find."""
        await self.load.settle()
        await self._invoice(self._next_month())
        last = self._next_month()
        await self._invoice(last)
        async with self._served.clients() as xyra:
            for number, organization in enumerate(map(xyra.again, self._organizations)):
                for month in _months(START[:7], last):
                    await assert_counted_once(organization, self._numbers(number, month), month)
                await self._assert_everything_is_billed_once(organization, number, last)

    def report(self) -> str:
        load = self.load
        figures = {
            "rounds": ROUNDS,
            "kills": self.kills.total(),
            "by moment": _listed(self.kills),
            "rounds whose kill left messages in a queue": _listed(self.interrupted),
            "requests sent": load.requests,
            "requests acknowledged": load.acknowledged_requests,
            "events acknowledged, each counted once": load.acknowledged_events,
            "repeats of acknowledged events": load.repeated_events,
            "events left without an acknowledgement, and then": _listed(self.uncertain),
            "months invoiced": (self._now.year - NOW.year) * 12 + self._now.month - NOW.month,
            "organizations": len(self._organizations),
        }
        return "\n".join(f"{name}: {figure}" for name, figure in figures.items())

    # Moments

    async def _kill_under_load(self) -> None:
        async with self.load.running():
            await self._moment(LONGEST_LOAD)
            self._kill_some("under load")
            await self._restart()
            await self.load.until_acknowledged(5)
        await self._assert_counted_once()

    async def _kill_and_fall_silent(self) -> None:
        """Nobody sends again, until the next round, what was on its way."""
        async with self.load.running():
            await self._moment(LONGEST_LOAD)
            self._kill_some("with requests on their way")
        await self._restart()
        await self._assert_counted_once()

    async def _kill_while_draining(self) -> None:
        async with self.load.running():
            await self.load.until_acknowledged(40)
        await self._moment(LONGEST_DRAIN)
        self._kill_some("draining")
        await self._restart()
        await self._assert_counted_once()

    async def _kill_while_invoicing(self) -> None:
        """A month ends: the timer's run, and one on request, while events of both months come in."""
        await self.load.settle()
        month = self._next_month()
        async with self.load.running(), self._served.clients() as xyra:
            asking = asyncio.create_task(self._ask_for_invoices(xyra, month))
            await self._moment(LONGEST_RUN)
            self._kill_some("invoicing")
            await self._restart()
            with suppress(aiohttp.ClientError):
                await asking
            await self.load.until_acknowledged(5)
        await self._invoice(month)
        await self._assert_counted_once()

    async def _moment(self, longest: float) -> None:
        await asyncio.sleep(self._random.uniform(0, longest))

    def _kill_some(self, moment: str) -> None:
        """One of the hosts that serve, or all."""
        serving = [host for host in (self._first, self._second) if host.base]
        killed = [host for host in serving if self._random.random() < 0.5] or [self._random.choice(serving)]
        for host in killed:
            self._kill(host, moment)
        self.interrupted.update(_queues_with_messages(self._first))

    async def _restart(self) -> None:
        """The first host, if it was killed, and beside it the second, perhaps."""
        returning = [] if self._first.base else [self._first]
        if not self._second.base and self._random.random() < SECOND_HOST:
            returning.append(self._second)
        await asyncio.gather(*map(self._come_back, returning))

    async def _come_back(self, host: XyraProcess) -> None:
        if self._random.random() < KILLED_AGAIN:
            await self._kill_while_starting(host)
        began = time.monotonic()
        await asyncio.to_thread(host.start)
        self._startup_seconds = time.monotonic() - began

    async def _kill_while_starting(self, host: XyraProcess) -> None:
        host.spawn()
        await self._moment(self._startup_seconds)
        self._kill(host, "starting")

    def _kill(self, host: XyraProcess, moment: str) -> None:
        host.kill()
        self.kills[moment] += 1

    # Months

    def _next_month(self) -> str:
        """Set the hosts' clock to a day after the end of the grace time.

        Returns the month that has ended.
        """
        ended = f"{self._now:%Y-%m}"
        self._now = (self._now.replace(day=1) + timedelta(days=31)).replace(day=3)
        self._first.set_clock(self._now)
        self.load.move_to(self._now)
        return ended

    async def _ask_for_invoices(self, xyra: Xyra, month: str) -> Json:
        """However often it is repeated, it is one job."""
        body = {"organization_id": None, "period": month, "finalize": True}
        headers = {"Idempotency-Key": f"invoices of {month}"}
        return await xyra.operator.post("invoices/generate/monthly", body, expect=202, headers=headers)

    async def _invoice(self, month: str) -> None:
        async with self._served.clients() as xyra:
            job = await self._ask_for_invoices(xyra, month)
            await xyra.idle()
            job = await xyra.operator.get(f"invoices/jobs/{job['id']}")
            assert job["done"], job
            for organization in self._organizations:
                await _assert_documents_are_in_order(xyra.again(organization), month)

    # What holds

    async def _assert_counted_once(self) -> None:
        async with self._served.clients() as xyra:
            await xyra.idle()
            recorded = await self._recorded(xyra)
            months = {f"{self._now:%Y-%m}", f"{self._now.replace(day=1) - timedelta(days=1):%Y-%m}"}
            for number, organization in enumerate(self._organizations):
                for month in months:
                    counted = self._numbers(number, month) + recorded[number, month]
                    await assert_counted_once(xyra.again(organization), counted, month)

    async def _recorded(self, xyra: Xyra) -> dict[tuple[int, str], list[int]]:
        """Of the events without an acknowledgement those that count nevertheless."""
        doubtful = self.load.doubtful
        found = await asyncio.gather(*(self._is_recorded(xyra, step) for step in doubtful))
        recorded = defaultdict(list)
        for step, is_recorded in zip(doubtful, found, strict=True):
            self.uncertain["counted" if is_recorded else "not counted"] += 1
            if is_recorded:
                recorded[step.organization, step.month].append(step.number)
        return recorded

    async def _is_recorded(self, xyra: Xyra, step: Step) -> bool:
        organization = xyra.again(self._organizations[step.organization])
        key = event_key(organization.id, SOURCE, event_id(step.number))
        answer = await organization.key.send("GET", f"events/{key}")
        assert answer.status in (200, 404), answer
        return answer.status == 200

    def _numbers(self, organization: int, month: str) -> list[int]:
        return [step.number for step in self.load.acknowledged[organization, month]]

    async def _assert_everything_is_billed_once(self, organization: Organization, number: int, until: str) -> None:
        """Over all documents, whichever of them billed it: what each month is due."""
        names = await agent_names(organization)
        billed: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for invoice in await organization.invoices():
            for line in invoice["lines"]:
                agent = "-" if line["agent_id"] is None else names[line["agent_id"]]
                billed[line["period"]["start"][:7], agent, line["charge"]] += Decimal(line["amount"])
        due = {}
        for month in _months(START[:7], until):
            due[month, "-", FEE["key"]] = Decimal(FEE["amount"])
            for (agent, charge), quantity in totals(self._numbers(number, month)).items():
                amount = (quantity * UNIT_PRICES[charge]).quantize(Decimal("0.01"), ROUND_HALF_UP)
                if amount:
                    due[month, agent, charge] = amount
        balance = await organization.key.get("credits/balance")
        drawn = Decimal(balance["consumed"]) * Decimal(PREPAID["credit_value"])
        if "billing_mode" not in ORGANIZATIONS[number]:
            assert (billed, drawn) == (due, 0)
            return
        # The wallet paid what the invoices did not.
        assert sum(billed.values()) + drawn == sum(due.values())
        assert {key for key in billed if key[2] == FEE["key"]} == {key for key in due if key[2] == FEE["key"]}
        assert drawn > 0


async def _assert_documents_are_in_order(organization: Organization, until: str) -> None:
    """One invoice for each month; their numbers have no gap and no double."""
    invoices = await organization.invoices()
    assert {invoice["status"] for invoice in invoices} <= {"pending", "overdue"}
    assert [invoice["period"]["start"][:7] for invoice in invoices] == _months(START[:7], until)
    assert not [invoice["number"] for invoice in invoices if invoice["credit_notes"]]
    years = Counter(invoice["issued_at"][:4] for invoice in invoices)
    assert sorted(invoice["number"] for invoice in invoices) == [
        f"INV-{organization.slug.upper()}-{year}-{place:06d}"
        for year, count in sorted(years.items())
        for place in range(1, count + 1)
    ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _months(first: str, last: str) -> list[str]:
    """Both included."""
    start, end = (int(year) * 12 + int(month) - 1 for year, month in (each.split("-") for each in (first, last)))
    return [f"{number // 12}-{number % 12 + 1:02d}" for number in range(start, end + 1)]


def _queues_with_messages(host: XyraProcess) -> set[str]:
    with closing(sqlite3.connect(f"file:{host.data_dir / 'xyra.db'}?mode=ro", uri=True)) as database:
        return {queue for (queue,) in database.execute("SELECT DISTINCT queue FROM queue_messages")}


async def test_no_kill_9_loses_an_acknowledged_event_or_counts_one_twice(new_process: MakeProcess) -> None:
    seed = int(os.environ.get("XYRA_KILL_SEED") or SystemRandom().getrandbits(32))
    print(f"XYRA_KILL_SEED={seed}")  # noqa: T201  to play it again
    began = time.monotonic()
    rounds = Rounds(seed, [new_process(**SETTINGS), new_process(**SETTINGS)])
    await rounds.begin()
    for _ in range(ROUNDS):
        await rounds.play()
    await rounds.end()
    print(rounds.report(), f"seed {seed}, {time.monotonic() - began:.0f} s", sep="\n")  # noqa: T201  figures
    assert rounds.load.repeated_events
