"""Leases: spent in memory, by slices, never more than Xyra gave; reported by totals, whatever fails."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xyra
from ledger_double import Ledger
from stub_server import StubServer
from xyra import leases, local_spending, sending
from xyra.slices import Moment

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_INTERVAL", 0.02)


@pytest.fixture
def ledger(server: StubServer) -> Ledger:
    server.answer = made = Ledger()
    return made


@pytest.fixture
def client(server: StubServer, ledger: Ledger, tmp_path: Path) -> Iterator[xyra.Client]:
    assert server.answer is ledger
    with xyra.Client("key", server.base, spool_path=tmp_path / "spool") as made:
        yield made


@pytest.fixture
def spender(server: StubServer, ledger: Ledger, tmp_path: Path) -> Iterator[xyra.Client]:
    """One that may spend 2 credits while Xyra is out of reach."""
    assert server.answer is ledger
    settings: Any = {"spool_path": tmp_path / "spool", "maximum_retries": 0}
    with xyra.Client("key", server.base, **settings, when_unreachable="spend", spend_limit="2") as made:
        yield made


def test_slices_are_spent_in_memory_and_settled_at_the_end(client: xyra.Client, ledger: Ledger) -> None:
    with client.credits.lease("2", agent="coder", run="run-7") as lease:
        for _ in range(50):
            lease.use("0.1")
        assert (lease.spent, lease.left) == (Decimal(5), Decimal(1))
    assert client.flush() == 0
    (given,) = ledger.leases.values()
    assert (given.amount, given.reported, given.is_ended) == (6, 5, True)
    assert len(ledger.requests("/leases")) == 1
    assert len(ledger.requests("/extend")) == 2
    body = ledger.requests("/leases")[0].json
    assert body == {"agent": "coder", "run": "run-7", "amount": "2.000000", "expires_in": 300}


def test_the_use_that_would_pass_the_cap_is_refused(client: xyra.Client, ledger: Ledger) -> None:
    with client.credits.lease("4") as lease:
        for _ in range(100):
            lease.use("0.1")
        with pytest.raises(xyra.BudgetExceeded, match="limit_exceeded") as raised:
            lease.use("0.1")
        assert isinstance(raised.value.__cause__, xyra.LimitExceeded)
        lease.use(0)
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (10, 0)


def test_a_smaller_slice_is_taken_where_the_cap_has_no_room_for_a_whole_one(
    client: xyra.Client, ledger: Ledger
) -> None:
    with client.credits.lease("8") as first, client.credits.lease("8") as second:
        second.use(2)
        with pytest.raises(xyra.BudgetExceeded):
            second.use("0.000001")
        first.use(8)
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (10, 0)


def test_refusals_of_the_first_slice_are_raised_as_they_are(client: xyra.Client, ledger: Ledger) -> None:
    ledger.cap = Decimal(0)
    with pytest.raises(xyra.LimitExceeded), client.credits.lease("1"):
        pytest.fail("nothing was given")
    with pytest.raises(ValueError, match="more than 0"):
        client.credits.lease(0)
    for wrong in ("-1", "NaN", "0.0000000000001"):
        with pytest.raises(ValueError, match="an amount to spend"):
            client.credits.lease(wrong)


def test_after_its_time_nothing_is_spent_of_a_slice(client: xyra.Client, ledger: Ledger) -> None:
    with client.credits.lease("4") as lease:
        assert lease._slice is not None
        lease._slice.until = Moment.now()
        assert lease.left == 0
        lease.use(3)
    assert client.flush() == 0
    assert [(given.reported, given.is_ended) for given in ledger.leases.values()] == [(0, True), (3, True)]


def test_time_counts_from_the_first_sending(client: xyra.Client, ledger: Ledger) -> None:
    ledger.loses = 1  # so it is sent again, after a pause
    began = time.monotonic()
    with client.credits.lease("1") as lease:
        assert lease._slice is not None
        assert began <= lease._slice.until.running - ledger.expires_in <= ledger.asked_at[0] < ledger.asked_at[1]


def test_a_slice_whose_answer_was_lost_is_asked_for_with_the_same_key(client: xyra.Client, ledger: Ledger) -> None:
    with client.credits.lease("2") as lease:
        lease.use(2)
        ledger.loses = 4
        with pytest.raises(xyra.BudgetExceeded) as raised:
            lease.use(1)
        assert isinstance(raised.value.__cause__, xyra.Unreachable)
        assert lease.spent == 2
        lease._away_until = 0
        lease.use(1)
    assert client.flush() == 0
    assert len({asked.headers["Idempotency-Key"] for asked in ledger.requests("/extend")}) == 1
    assert (ledger.spent, ledger.held) == (3, 0)


def test_a_lease_that_nobody_has_got_is_given_back(client: xyra.Client, ledger: Ledger) -> None:
    ledger.loses = 4
    with pytest.raises(xyra.Unreachable), client.credits.lease("2"):
        pytest.fail("nothing was given")
    assert ledger.held == 2
    assert client.flush() == 0
    assert client.flush() == 0  # what follows from it
    assert (ledger.spent, ledger.held) == (0, 0)


def test_out_of_reach_nothing_more_is_spent(client: xyra.Client, ledger: Ledger) -> None:
    with client.credits.lease("2") as lease:
        ledger.is_down = True
        lease.use(2)
        with pytest.raises(xyra.BudgetExceeded):
            lease.use("0.1")
        began = time.monotonic()
        with pytest.raises(xyra.BudgetExceeded, match="a moment ago"):
            lease.use("0.1")
        assert time.monotonic() - began < leases.AWAY_SECONDS
        assert lease.spent == 2
    ledger.is_down = False
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (2, 0)


def test_out_of_reach_debt_is_bounded_and_reported_later(spender: xyra.Client, ledger: Ledger) -> None:
    with spender.credits.lease("2") as lease:
        lease.use(1)
        ledger.is_down = True
        lease.use("1")
        for _ in range(4):
            lease.use("0.5")
        assert spender.credits.debt.amount == 2
        with pytest.raises(xyra.BudgetExceeded):
            lease.use("0.1")
        with pytest.raises(xyra.Unreachable):
            spender.credits.use("0.1")
        ledger.is_down = False
        assert spender.flush() == 0
        assert (ledger.spent, spender.credits.debt.amount) == (4, Decimal(0))
        lease._away_until = 0
        lease.use("2.5")
    assert spender.flush() == 0
    assert (ledger.spent, ledger.held) == (Decimal("6.5"), 0)


def test_what_a_call_out_of_reach_reserved_and_did_not_use_is_no_debt(spender: xyra.Client, ledger: Ledger) -> None:
    with spender.credits.lease("1") as lease:
        ledger.is_down = True
        lease.use(1)
        reserved = lease.reserve(2)
        with pytest.raises(xyra.BudgetExceeded):
            lease.reserve("0.1")
        reserved.spend(Decimal("0.5"))
        assert spender.credits.debt.amount == Decimal("0.5")
        lease.reserve("1.5").release()
        assert spender.credits.debt.amount == Decimal("0.5")
    ledger.is_down = False
    assert spender.flush() == 0
    assert ledger.spent == Decimal("1.5")


def test_a_report_waits_for_the_calls_that_are_under_way(client: xyra.Client, ledger: Ledger) -> None:
    with client.credits.lease("2") as lease:
        call = lease.reserve(1)
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (0, 2)
    call.spend(Decimal("0.5"))
    call.release()  # it is concluded once
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (Decimal("0.5"), 0)
    with pytest.raises(xyra.BudgetExceeded, match="ended"):
        lease.use(1)


def test_what_is_spent_is_reported_meanwhile(
    client: xyra.Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client.credits.lease("2") as lease:
        lease.use("0.5")
        assert client.flush() == 0
        assert ledger.spent == Decimal("0.5")
        monkeypatch.setattr(local_spending, "REPORT_SECONDS", 0)
        lease.use("0.5")
        deadline = time.monotonic() + 10
        while ledger.spent < 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_threads_spend_one_lease(client: xyra.Client, ledger: Ledger) -> None:
    counts: list[int] = []

    def spend(lease: xyra.Lease) -> None:
        count = 0
        try:
            while True:
                lease.use("0.01")
                count += 1
        except xyra.BudgetExceeded:
            counts.append(count)

    with client.credits.lease("1") as lease:
        threads = [threading.Thread(target=spend, args=(lease,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert client.flush() == 0
    assert sum(counts) == 1000
    assert (ledger.spent, ledger.held) == (10, 0)


async def test_tasks_spend_one_lease(server: StubServer, ledger: Ledger, tmp_path: Path) -> None:
    async with xyra.AsyncClient("key", server.base, spool_path=tmp_path / "spool") as client:

        async def spend(lease: xyra.Lease) -> int:
            count = 0
            try:
                while True:
                    await lease.use_async("0.05")
                    count += 1
            except xyra.BudgetExceeded:
                return count

        async with client.credits.lease("1") as lease:
            assert sum(await asyncio.gather(*(spend(lease) for _ in range(8)))) == 200
        assert await client.flush() == 0
    assert (ledger.spent, ledger.held) == (10, 0)


async def test_a_cancelled_task_leaves_nothing_set_apart(server: StubServer, ledger: Ledger, tmp_path: Path) -> None:
    async with xyra.AsyncClient("key", server.base, spool_path=tmp_path / "spool") as client:
        async with client.credits.lease("1") as lease:
            lease.use(1)
            with lease._asking:  # somebody else asks Xyra just now
                task = asyncio.create_task(lease.use_async(1))
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            while lease.left < 1:  # noqa: ASYNC110  a thread gives it back
                await asyncio.sleep(0.01)
        assert await client.flush() == 0
    assert (ledger.spent, ledger.held) == (1, 0)


def program(server: StubServer, spool: Path, text: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XYRA_URL": server.base, "XYRA_API_KEY": "key", "XYRA_SPOOL": str(spool)}
    command = [sys.executable, "-c", textwrap.dedent(text)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  our own program


def test_the_end_of_the_process_ends_leases(server: StubServer, ledger: Ledger, tmp_path: Path) -> None:
    text = """
        import xyra
        lease = xyra.client().credits.lease("2")
        lease.take()
        lease.use("0.5")
    """
    ended = program(server, tmp_path / "spool", text)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (ledger.spent, ledger.held) == (Decimal("0.5"), 0)


def test_what_a_killed_process_did_not_report_stays_counted(server: StubServer, ledger: Ledger, tmp_path: Path) -> None:
    text = """
        import os, signal, xyra
        lease = xyra.client().credits.lease("2")
        lease.take()
        lease.use("0.5")
        assert xyra.flush() == 0
        lease.use("0.25")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert program(server, tmp_path / "spool", text).returncode == -9
    (given,) = ledger.leases.values()
    assert (given.reported, given.counted, given.is_ended) == (Decimal("0.5"), 2, False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_spends_slices_of_its_own(server: StubServer, ledger: Ledger, tmp_path: Path) -> None:
    text = """
        import os, warnings, xyra
        warnings.simplefilter("ignore", DeprecationWarning)
        with xyra.client().credits.lease("2") as lease:
            lease.use("0.5")
            child = os.fork()
            if not child:
                lease.use("1.5")
                lease.end()
                os._exit(xyra.flush(20))
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            lease.use("1.5")
        print(xyra.flush(20))
    """
    ended = program(server, tmp_path / "spool", text)
    assert (ended.stdout, ended.stderr) == ("0\n0\n", "")
    assert [given.reported for given in ledger.leases.values()] == [2, Decimal("1.5")]
    assert ledger.held == 0
