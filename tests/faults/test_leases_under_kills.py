"""64 spenders with leases on one cap, over 4 hosts; spenders and hosts are killed with -9 at random.

`XYRA_LEASE_ATTEMPTS` is how often they try to spend (20,000; `make lease-kills`: 1,000,000). Real spending, over all
journals, never passes the cap; what the dead did not report stays in it although its credits return; written off, the
cap is free of it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import SystemRandom
from typing import Any

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.places import ROOT

Json = dict[str, Any]
MakeProcess = Callable[..., XyraProcess]

ATTEMPTS = int(os.environ.get("XYRA_LEASE_ATTEMPTS", "20000"))
CAP = 2 * ATTEMPTS // 3
SPENDERS, PROCESSES = 64, 8
HOSTS = 4
IS_LONG = ATTEMPTS > 100_000
PACE = (400, 0.02) if IS_LONG else (40, 0.06)
"""What a lease has, and seconds between two acts at most."""
BETWEEN_KILLS = (2.0, 5.0) if IS_LONG else (0.3, 1.0)
"""Seconds."""
_LONGEST_SECONDS = 300 + ATTEMPTS // 100


@dataclass
class Journals:
    """What is really spent, by lease."""

    folder: Path
    names: str = "*.txt"
    acts: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    refused: int = 0
    slices: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    known: dict[Path, int] = field(default_factory=dict)
    """How many bytes of each were read."""

    def read(self) -> "Journals":
        """What has come since the last time, too. A line that is not whole yet was not written."""
        for path in self.folder.glob(self.names):
            begin = self.known.get(path, 0)
            with path.open("rb") as journal:
                journal.seek(begin)
                whole, newline, _ = journal.read().rpartition(b"\n")
            self.known[path] = begin + len(whole) + len(newline)
            for line in whole.decode().splitlines():
                self._take(line)
        return self

    def _take(self, line: str) -> None:
        match line.split():
            case ["act", lease]:
                self.acts[lease] += 1
                self.attempts += 1
            case ["denied"]:
                self.attempts += 1
            case ["refused", _]:
                self.refused += 1
            case ["lease", lease, amount]:
                self.slices[lease] = int(amount)
            case ["ended", lease, total]:
                self.ended[lease] = int(total)

    def unspent(self) -> set[str]:
        """The leases that have something left. None of them is being ended: spenders spend all of a lease first."""
        return {lease for lease, amount in self.slices.items() if lease not in self.ended and self.acts[lease] < amount}


@dataclass
class Crowd:
    """The processes of the spenders, and of the hosts."""

    hosts: list[XyraProcess]
    addresses: Path
    journals: Path
    key: str
    random: SystemRandom = field(default_factory=SystemRandom)
    spending: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    """Leases that had something left when their spender was killed."""
    seen: dict[int, Journals] = field(default_factory=dict)
    """By process."""

    def tell(self) -> None:
        """The spenders, where hosts are."""
        text = "[" + ", ".join(f'"{host.base}"' for host in self.hosts if host.base) + "]"
        fresh = self.addresses.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self.addresses)

    def spend(self) -> None:
        """One more process of spenders."""
        module = "tests.doubles.clients.lease_spender"
        arguments = [str(self.addresses), str(self.journals), str(SPENDERS // PROCESSES), *map(str, PACE)]
        environment = {**os.environ, "XYRA_SPENDER_KEY": self.key}
        self.spending.append(
            subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment)  # noqa: S603
        )

    def kill_spenders(self) -> None:
        """Any of them, but not before some have died of whom the journals show that they had something to spend."""
        for victim in self.random.sample(self.spending, len(self.spending)):
            assert victim.poll() is None, "a spender found something wrong"
            lost = self._left_to(victim)
            if not lost and not self.lost:
                victim.send_signal(signal.SIGCONT)
                continue
            self.lost |= lost
            self.spending.remove(victim)
            victim.kill()
            victim.wait()
            self.kills["spenders"] += SPENDERS // PROCESSES
            self.spend()
            return

    def _left_to(self, spenders: "subprocess.Popen[bytes]") -> set[str]:
        """What they have left to spend. They are stopped for it, so that it stays so."""
        spenders.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, spenders.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        journals = self.seen.setdefault(spenders.pid, Journals(self.journals, f"{spenders.pid}-*.txt"))
        return journals.read().unspent()

    async def kill_host(self) -> None:
        host = self.random.choice(self.hosts)
        host.kill()
        self.kills["hosts"] += 1
        self.tell()
        await asyncio.to_thread(host.start)
        self.tell()

    async def until_tried(self) -> None:
        journals, deadline = Journals(self.journals), time.monotonic() + _LONGEST_SECONDS
        while journals.read().attempts < ATTEMPTS:
            assert time.monotonic() < deadline, f"only {journals.attempts} attempts"
            await asyncio.sleep(self.random.uniform(*BETWEEN_KILLS))
            self.kill_spenders()
            if self.lost and (not self.kills["hosts"] or self.random.random() < 0.3):
                await self.kill_host()

    def stop(self) -> None:
        """Who lives ends its leases. Who has hardly begun dies of the signal."""
        for process in self.spending:
            process.send_signal(signal.SIGTERM)
        codes = {process.wait(120) for process in self.spending}
        assert 0 in codes, codes
        assert codes <= {0, -signal.SIGTERM}, codes


async def capped(xyra: Xyra) -> Organization:
    organization = await xyra.organization()
    grant = {"organization_id": organization.id, "amount": str(10 * ATTEMPTS), "source": "purchase"}
    await xyra.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})
    body = {"scope": "organization", "window": "once", "limit": str(CAP), "alert_at": ["50", "100"]}
    (await organization.key.send("PUT", "budgets/cap", body)).expect(201)
    return organization


async def leases_of(organization: Organization) -> dict[str, Json]:
    found: dict[str, Json] = {}
    cursor: dict[str, str] = {}
    while True:
        page = await organization.key.get("credits/leases", limit=200, **cursor)
        found |= {lease["lease_id"]: lease for lease in page["data"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def test_real_spending_passes_no_cap_whoever_dies(new_process: MakeProcess, tmp_path: Path) -> None:
    hosts = [new_process() for _ in range(HOSTS)]
    served = await Served.by(hosts[0])
    for host in hosts[1:]:
        await asyncio.to_thread(host.start)
    async with served.clients() as xyra:
        organization = await capped(xyra)
    (tmp_path / "journals").mkdir()
    key = organization.key.headers["Authorization"].removeprefix("Bearer ")
    crowd = Crowd(hosts, tmp_path / "hosts.json", tmp_path / "journals", key)
    crowd.tell()
    for _ in range(PROCESSES):
        crowd.spend()
    try:
        await crowd.until_tried()
        crowd.stop()
    finally:
        for process in crowd.spending:
            process.kill()
    again = Served(hosts[0], served.description, served.operator_key)
    async with again.clients() as xyra:
        await assert_the_cap_held(xyra, xyra.again(organization), hosts, Journals(tmp_path / "journals").read(), crowd)


async def assert_the_cap_held(
    xyra: Xyra, organization: Organization, hosts: list[XyraProcess], journals: Journals, crowd: Crowd
) -> None:
    real = journals.acts.total()
    assert real <= CAP, "real spending passes no cap"
    assert journals.refused, "the cap was reached, and refuses"
    for host in hosts:
        host.set_clock(host.now() + timedelta(hours=2))  # what the dead have taken expires
    await xyra.idle()
    leases = await leases_of(organization)
    shown = await organization.key.get("budgets/cap")
    spent, unreported = int(shown["spent"]), int(shown["unreported"])
    assert (shown["held"], shown["over"]) == ("0", "0")
    assert real >= CAP - unreported - int(shown["left"]), "nothing is held against nobody"
    for lease_id, total in journals.ended.items():
        assert (leases[lease_id]["state"], int(leases[lease_id]["reported"])) == ("ended", total)
        assert journals.acts[lease_id] == total, "for survivors, the journal is what was settled"
    for lease_id, lease in leases.items():
        reported, amount = int(lease["reported"]), int(lease["amount"])
        assert reported <= journals.acts[lease_id] <= amount
        assert int(lease["unreported"]) == (amount - reported if lease["state"] == "expired" else 0)
    assert spent + unreported <= CAP
    balance = await organization.key.get("credits/balance")
    assert (balance["leased"], int(balance["available"])) == ("0", 10 * ATTEMPTS - spent), (
        "credits return to the wallet"
    )
    dead = [lease_id for lease_id, lease in leases.items() if lease["unreported"] != "0"]
    assert dead, "kills hit spenders that had something to spend"
    assert crowd.lost <= set(dead), "what the dead had left is unreported"
    query = {"organization_id": organization.id}
    for lease_id in dead:
        headers = {"Idempotency-Key": f"write off {lease_id}"}
        path = f"credits/leases/{lease_id}/write-off"
        (await organization.operator.send("POST", path, {}, headers=headers, **query)).expect(200)
    freed = await organization.key.get("budgets/cap")
    assert (freed["unreported"], int(freed["left"])) == ("0", CAP - spent), "written off, the cap is free of it"
    proof = await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)
    assert proof["ok"] in (True, None), proof
    alerts = (await organization.key.get("credits/alerts", limit=200))["data"]
    shares = Counter(alert["share"] for alert in alerts if alert["type"] == "budget_share")
    assert set(shares) >= {"50"}, "alerts come through kills"
    assert shares["50"] == 1, "each crossing is told once"
    print(  # noqa: T201  figures
        f"{journals.attempts} attempts, {real} of {CAP} really spent, {spent} reported, {unreported} unreported of "
        f"{len(dead)} leases of the dead; {len(leases)} leases, {journals.refused} refused; killed: {dict(crowd.kills)}"
    )
