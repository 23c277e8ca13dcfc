"""Credits: refusals are raised, holds are resolved once, and what is spent out of reach is bounded and settled."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xyra
from stub_server import Asked, StubServer, Told, problem
from xyra.spool import Item, Kind

pytestmark = pytest.mark.usefixtures("short_pauses")


class Wallet:
    """Xyra's credits, as far as one wallet needs them; each key is answered once."""

    def __init__(self, available: str) -> None:
        self.available = Decimal(available)
        self.holds: dict[str, Decimal] = {}
        self.answers: dict[str, Told] = {}
        self.is_down = False
        self.bodies: list[dict[str, Any]] = []
        self.captures: list[dict[str, Any]] = []

    def __call__(self, asked: Asked) -> Told:
        if self.is_down:
            return Told(None)
        key = asked.headers.get("Idempotency-Key", "")
        if not key or asked.method == "GET":
            return self._answer(asked)
        return self.answers.setdefault(key, self._answer(asked))

    def _answer(self, asked: Asked) -> Told:
        path = asked.path.removeprefix("/api/v1/credits/")
        body = asked.json if asked.body else {}
        if path == "balance":
            return Told(200, {"available": str(self.available)})
        if path == "costs":
            row = {"agent_type": "Researcher", "action": "research", "cost": "2.5"}
            return Told(200, {"data": [row], "default_cost": "1"})
        if path in {"use", "reserve"}:
            self.bodies.append(body)
            return self._spend(path, Decimal(body.get("amount", "1")))
        hold, what = path.removeprefix("holds/").split("/")
        if what == "capture":
            self.captures.append(body)
        held = self.holds.pop(hold)
        spent = Decimal(body.get("amount", held)) if what == "capture" else Decimal(0)
        self.available += held - spent
        return Told(200, {"hold_id": hold, "amount": str(spent), "available": str(self.available)})

    def _spend(self, what: str, amount: Decimal) -> Told:
        if amount > self.available:
            return problem(402, "insufficient_credits", available=str(self.available))
        self.available -= amount
        if what == "use":
            return Told(200, {"transaction_id": "t", "amount": str(amount), "available": str(self.available)})
        name = f"hold_{len(self.holds)}"
        self.holds[name] = amount
        return Told(201, {"hold_id": name, "amount": str(amount), "available": str(self.available)})


@pytest.fixture
def wallet(server: StubServer) -> Wallet:
    server.answer = made = Wallet("10")
    return made


@pytest.fixture
def client(server: StubServer, wallet: Wallet, tmp_path: Path) -> Iterator[xyra.Client]:
    assert server.answer is wallet
    yield xyra.init("key", server.base, spool_path=tmp_path / "spool", when_unreachable="spend", spend_limit="5")
    xyra.client().reporter._sender.end()


def test_uses_carry_their_scope_and_refusals_are_raised(client: xyra.Client, wallet: Wallet) -> None:
    with client.run("run-7", agent="coder"):
        assert client.credits.use("4", metadata={"a": 1})["available"] == "6"
    assert wallet.bodies == [{"agent": "coder", "run": "run-7", "amount": "4", "metadata": {"a": 1}}]
    with pytest.raises(xyra.InsufficientCredits) as raised:
        client.credits.use(Decimal("6.5"))
    assert raised.value.available == "6"
    for wrong in ({}, {"amount": 1, "agent_type": "a", "action": "b"}, {"agent_type": "a"}):
        with pytest.raises(ValueError, match="either"):
            client.credits.use(**wrong)
    with pytest.raises(TypeError, match="exact"):
        client.credits.use(0.5)  # type: ignore[arg-type]
    assert client.credits.balance()["available"] == "6"


def test_a_hold_captures_what_was_used_and_releases_after_an_error(client: xyra.Client, wallet: Wallet) -> None:
    with client.credits.reserve("5") as hold:
        assert wallet.available == 5
        hold.use("1.5")
        hold.use(1)
    assert wallet.available == Decimal("7.5")
    with client.credits.reserve("2"):
        pass
    assert wallet.available == Decimal("5.5")
    with pytest.raises(LookupError), client.credits.reserve("5"):
        raise LookupError
    with client.credits.reserve("5") as hold:
        hold.release()
    with client.credits.reserve("5") as hold:
        hold.used = Decimal(0)
    assert (wallet.available, wallet.holds) == (Decimal("5.5"), {})
    with pytest.raises(xyra.InsufficientCredits), client.credits.reserve("6"):
        pytest.fail("nothing was set aside")


async def test_holds_and_uses_of_the_async_client(server: StubServer, wallet: Wallet) -> None:
    async with xyra.AsyncClient("key", server.base) as client:
        async with client.credits.reserve("5") as hold:
            hold.use("2")
        with pytest.raises(LookupError):
            async with client.credits.reserve("5"):
                raise LookupError
        assert (await client.credits.use("1"))["available"] == "7"
        assert (await client.credits.balance())["available"] == "7"
    assert wallet.holds == {}


def test_what_is_spent_out_of_reach_is_bounded_and_settled_once(client: xyra.Client, wallet: Wallet) -> None:
    wallet.is_down = True
    assert client.credits.use("3")["transaction_id"] == ""
    assert client.credits.debt.amount == 3
    with pytest.raises(xyra.Unreachable):
        client.credits.use("2.5")
    with pytest.raises(xyra.Unreachable):
        client.credits.use(agent_type="a", action="b")
    assert client.credits.use("2")["amount"] == "2"
    assert client.stats()["waiting"] == 2
    wallet.is_down = False
    assert client.flush() == 0
    assert wallet.available == 5
    assert client.credits.debt.amount == 0


def test_debt_that_another_process_has_or_settles_is_seen(
    client: xyra.Client, wallet: Wallet, server: StubServer, tmp_path: Path
) -> None:
    wallet.is_down = True
    client.credits.use("1")
    settings: Any = {"spool_path": tmp_path / "spool", "when_unreachable": "spend", "spend_limit": "5"}
    with xyra.Client("key", server.base, **settings) as other:
        assert other.credits.debt.amount == 1
        other.credits.use("2")
        assert client.credits.debt.amount == 3
        with pytest.raises(xyra.Unreachable):
            client.credits.use("3")
        wallet.is_down = False
        assert client.flush() == 0
        wallet.is_down = True
        other.credits.use("0.5")
        assert (client.credits.debt.amount, other.credits.debt.amount) == (Decimal("0.5"), Decimal("0.5"))


def test_each_use_out_of_reach_is_read_once(
    client: xyra.Client, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    waiting = client.reporter.spool.waiting

    def counted(kind: Kind, after: int = 0) -> list[Item]:
        read.append(len(items := waiting(kind, after)))
        return items

    monkeypatch.setattr(client.reporter.spool, "waiting", counted)
    wallet.is_down = True
    for _ in range(20):
        client.credits.use("0.1")
    assert client.credits.debt.amount == 2
    assert sum(read) == 20


def test_debt_that_is_refused_is_told(client: xyra.Client, wallet: Wallet) -> None:
    wallet.is_down = True
    client.credits.use("3")
    wallet.available, wallet.is_down = Decimal(1), False
    assert client.flush() == 0
    (refused,) = client.refused()
    assert (refused.kind, json.loads(refused.body)["body"]["amount"]) == ("use", "3")


def test_without_leave_nothing_is_spent_out_of_reach(server: StubServer, wallet: Wallet, tmp_path: Path) -> None:
    wallet.is_down = True
    with xyra.Client("key", server.base, spool_path=tmp_path / "spool") as client, pytest.raises(xyra.Unreachable):
        client.credits.use("1")
    with pytest.raises(ValueError, match="spend_limit"):
        xyra.Client("key", server.base, when_unreachable="spend")


@pytest.mark.usefixtures("client")
def test_decorated_functions_pay_by_the_cost_table(wallet: Wallet) -> None:
    calls: list[str] = []

    @xyra.consume_credits("Researcher", "research", quantity=2, metadata={"team": "bees"})
    def research(topic: str) -> str:
        assert wallet.available == 5
        calls.append(topic)
        if topic == "nothing":
            raise LookupError(topic)
        return topic

    assert research("bees") == "bees"
    assert wallet.available == 5
    done = {"agent_type": "Researcher", "action": "research", "metadata": {"team": "bees"}}
    assert wallet.captures == [done]
    wallet.available = Decimal(10)
    with pytest.raises(LookupError):
        research("nothing")
    assert wallet.available == 10
    wallet.available = Decimal(4)
    with pytest.raises(xyra.InsufficientCredits):
        research("ants")
    assert calls == ["bees", "nothing"]


@pytest.mark.usefixtures("client")
async def test_decorated_coroutines(wallet: Wallet) -> None:
    @xyra.consume_credits("Researcher", "other")
    async def work(*, seconds: float = 0) -> int:
        await asyncio.sleep(seconds)
        return 1

    assert await work() == 1
    assert wallet.available == 9
    task = asyncio.create_task(work(seconds=60))
    while not wallet.holds:  # noqa: ASYNC110  the wallet's thread sets nothing off
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wallet.available == 9
    assert not wallet.holds


def test_required_credits_are_only_looked_at(client: xyra.Client, wallet: Wallet, server: StubServer) -> None:
    @xyra.require_credits("10")
    @xyra.track_usage("search", agent="coder", data={"quantity": 2})
    def work(*, fails: bool = False) -> None:
        if fails:
            raise LookupError

    work()
    with pytest.raises(LookupError):
        work(fails=True)
    assert wallet.available == 10
    assert [json.loads(item.body)["type"] for item in client.reporter.spool.waiting("event")] == ["search"]
    wallet.available = Decimal(9)
    with pytest.raises(xyra.InsufficientCredits, match="10 credits are required, 9 are available"):
        work()
    assert all(asked.method == "GET" for asked in server.asked if "credits" in asked.path)


def test_an_agent_of_its_own_class(client: xyra.Client, wallet: Wallet) -> None:
    class Researcher(xyra.Agent):
        pass

    researcher = Researcher("coder", client=client)
    assert researcher.check_credits_available("10")
    assert not researcher.check_credits_available("10.5")
    with researcher.run("run-7"):
        researcher.consume_credits_for_action("research", quantity=2, metadata={"topic": "bees"})
    (body,) = wallet.bodies
    assert body == {
        "agent": "coder",
        "run": "run-7",
        "agent_type": "Researcher",
        "action": "research",
        "quantity": "2",
        "metadata": {"topic": "bees"},
    }
