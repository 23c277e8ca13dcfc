"""Credits that are given, used, reserved, captured, released, expire and are refunded."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.bootstrap import Application
from shared.containers import LEDGERS
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.grants import Terms
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import NotFoundError, RateLimitedError, UnavailableError, XyraError
from shared.domain.kernel.ids import named_id
from shared.domain.tenancy.organization_settings import SettingsChanger
from shared.services.credits.archiving import DueCut
from shared.services.credits.budgets import BudgetDraft
from shared.services.credits.spending import ActionDone, Caller, RequestedUse, SpentFor
from shared.services.credits.top_ups import DueTopUp
from shared.services.runs.runs import BudgetDraft as RunBudgetDraft
from shared.services.runs.runs import RunDraft
from shared.services.storage import Stored
from shared.services.tenancy.departments import DepartmentDraft
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.worlds.invoiced_organization import AGENT, ORGANIZATION, Scene, delivered, reported
from tests.faults.in_turn.path import Path, Result

PRINCIPAL = Principal("usr_1", ORGANIZATION, frozenset(Permission))
SPENT_FOR = SpentFor(agent=AGENT, run="run")
KIND = "default"
DEPARTMENT = named_id("dep", "faults")
RUN = named_id("run", "faults")
APRIL = datetime(2026, 4, 2, tzinfo=UTC)
OF_DEPARTMENT = SpentFor(department_id=DEPARTMENT, run="run")


@dataclass(frozen=True)
class Wallet:
    """What a client does with its credits. It repeats what it has no answer to, with the same key."""

    host: Application
    spent_for: SpentFor = SPENT_FOR

    async def give(self, key: str, amount: int) -> Transfer:
        return await self._answered(
            self.host.credits.spending.give(self._caller(key), Decimal(amount), Terms("bonus"), KIND, None)
        )

    async def use(self, key: str, amount: int) -> Transfer:
        uses = [RequestedUse(self.spent_for, Decimal(amount))]
        return await self._answered(self.host.credits.spending.use(self._caller(key), uses, KIND, is_list=False))

    async def reserve(self, key: str, amount: int, expires_in: timedelta = timedelta(hours=1)) -> Transfer:
        return await self._answered(
            self.host.credits.spending.reserve(self._caller(key), Decimal(amount), SPENT_FOR, KIND, expires_in)
        )

    async def capture(self, key: str, hold_id: str, amount: int) -> Transfer:
        return await self._answered(
            self.host.credits.spending.capture(self._caller(key), hold_id, Decimal(amount), ActionDone())
        )

    async def release(self, key: str, hold_id: str) -> Transfer:
        return await self._answered(self.host.credits.spending.release(self._caller(key), hold_id))

    async def refund(self, key: str, transaction_id: str, amount: int) -> Transfer:
        return await self._answered(
            self.host.credits.spending.refund(self._caller(key), transaction_id, Decimal(amount), "a test")
        )

    async def lease(self, key: str, amount: int) -> Transfer:
        leases, expires_in = self.host.credits.leases, timedelta(minutes=5)
        return await self._answered(leases.take(self._caller(key), Decimal(amount), SPENT_FOR, KIND, expires_in))

    async def extend(self, key: str, lease_id: str, amount: int) -> Transfer:
        leases, expires_in = self.host.credits.leases, timedelta(minutes=5)
        return await self._answered(leases.extend(self._caller(key), lease_id, Decimal(amount), expires_in))

    async def settle(self, key: str, lease_id: str, total: int, *, final: bool = False) -> Transfer:
        leases = self.host.credits.leases
        return await self._answered(leases.settle(self._caller(key), lease_id, Decimal(total), [], final=final))

    async def write_off(self, key: str, lease_id: str) -> Transfer:
        return await self._answered(self.host.credits.leases.write_off(self._caller(key), lease_id, "a test"))

    def _caller(self, key: str) -> Caller:
        return Caller(ORGANIZATION, PRINCIPAL, key, key)

    async def _answered(self, command: Any) -> Transfer:
        try:
            transfer: Transfer = await command
        except RateLimitedError as error:
            raise UnavailableError("The client repeats it") from error
        return transfer


class CreditPath(Path):
    """Every repetition has the first answer, and afterwards the ledger proves itself."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.answers: dict[str, str] = {}

    async def prepare(self) -> None:
        await Wallet(self.scene.host()).give("before", 100)

    async def do_other(self, host: Application) -> None:
        await Wallet(host).use("other", 5)

    def note(self, transfer: Transfer) -> None:
        """Raises `AssertionError` for another answer than the first."""
        answer = repr((transfer.sequence, transfer.answer, transfer.refusal))
        assert self.answers.setdefault(transfer.id, answer) == answer

    async def result(self) -> Result:
        await self.scene.drain()
        host = self.scene.host()
        await self.do_other(host)
        balance = await host.credits.balances.of(ORGANIZATION, KIND)
        verification = await host.credits.verifications.request("ver_1", ORGANIZATION, from_beginning=True)
        assert verification.ok, verification.problems
        done = [transfer for transfer in await self._transfers(host) if transfer.refusal is None]
        kinds = sorted((transfer.type, str(transfer.amount)) for transfer in done)
        counters = {
            document["record"]["reference"]: document["record"]["windows"]
            for document in await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:wallet", "credit_counter")
        }
        once = {name: windows[KIND]["once"] for name, windows in counters.items()}
        amounts = (balance.available, balance.granted, balance.consumed, balance.reserved, balance.debt)
        return Result((amounts, kinds, {name: _plain(values) for name, values in once.items()}), None)

    async def _transfers(self, host: Application) -> list[Transfer]:
        return list((await host.credits.statements.page(ORGANIZATION, 200, None))[0])


def _plain(values: list[Any]) -> list[Decimal]:
    return [Decimal(value) for value in values]


class GiveCredits(CreditPath):
    async def walk(self, host: Application) -> None:
        self.note(await Wallet(host).give("grant", 50))


class UseCredits(CreditPath):
    """One use, and one that is too much: its refusal is as final."""

    async def walk(self, host: Application) -> None:
        self.note(await Wallet(host).use("use", 30))
        self.note(await Wallet(host).use("too much", 1000))


class CaptureCredits(CreditPath):
    async def walk(self, host: Application) -> None:
        wallet = Wallet(host)
        hold = await wallet.reserve("reserve", 40)
        self.note(hold)
        self.note(await wallet.capture("capture", hold.answer["hold_id"], 25))


class ReleaseCredits(CreditPath):
    async def walk(self, host: Application) -> None:
        wallet = Wallet(host)
        hold = await wallet.reserve("reserve", 40)
        self.note(hold)
        self.note(await wallet.release("release", hold.answer["hold_id"]))


class ExpireHolds(CreditPath):
    """A hold's time is over. A use that needs its credits resolves it, and so does the timer."""

    async def prepare(self) -> None:
        await super().prepare()
        await Wallet(self.scene.host()).reserve("before reserve", 90, timedelta(minutes=1))
        self.scene.clock.move(timedelta(minutes=2))

    async def walk(self, host: Application) -> None:
        self.note(await Wallet(host).use("use", 50))
        await host.outbox.sweep()


class AskForTopUp(CreditPath):
    """The balance falls below a threshold. The top-up that it opens fails once, as nothing can be paid."""

    async def prepare(self) -> None:
        await super().prepare()
        top_up = {"threshold": "50", "package": "small", "monthly_maximum": "100", "cool_down_seconds": 86_400}
        changer = SettingsChanger(is_operator=False, may_require_factors=False)
        await self.scene.host().organizations.replace_settings(ORGANIZATION, {"top_up": top_up}, {}, changer, None)
        self.scene.clock.move(timedelta(minutes=5))  # every host has the setting by then

    async def walk(self, host: Application) -> None:
        self.note(await Wallet(host).use("use", 60))
        for document in await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:wallet", "credit_top_up"):
            if "due_at" in document:
                await host.credits.top_ups.complete_due(Stored(DueTopUp.read(document), ""))


class ArchiveCredits(CreditPath):
    """A month has ended: the timer copies its transfers, and an hour later it leaves pointers."""

    async def prepare(self) -> None:
        await super().prepare()
        wallet = Wallet(self.scene.host())
        await wallet.use("before use", 20)
        self.scene.clock.move(timedelta(days=31))
        await wallet.use("next month", 5)
        self.scene.clock.move(timedelta(days=2))

    async def walk(self, host: Application) -> None:
        cuts = await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:wallet", "credit_cut")
        while "due_at" in cuts[0]:
            await host.credits.archiving.complete_due(Stored(DueCut.read(cuts[0]), ""))
            self.scene.clock.move(timedelta(hours=1))
            cuts = await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:wallet", "credit_cut")
        self.note(await Wallet(host).use("before use", 20))

    async def result(self) -> Result:
        result = await super().result()
        archived = await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:wallet:1", "credit_transfer")
        assert [each["record"]["sequence"] for each in archived] == [1, 2]
        return result


class RefundCredits(CreditPath):
    async def prepare(self) -> None:
        await super().prepare()
        await Wallet(self.scene.host()).use("before use", 20)

    async def walk(self, host: Application) -> None:
        wallet = Wallet(host)
        used = await wallet.use("before use", 20)
        self.note(await wallet.refund("refund", used.id, 8))


class VerifyCredits(CreditPath):
    async def walk(self, host: Application) -> None:
        try:
            verification = await host.credits.verifications.request("ver_walk", ORGANIZATION, from_beginning=True)
        except XyraError as error:
            raise UnavailableError("The client repeats it") from error
        assert verification.status == "running" or verification.ok


class LimitDepartment(CreditPath):
    """A limit is set while credits are used; from then on it refuses."""

    async def prepare(self) -> None:
        await super().prepare()
        host = self.scene.host()
        await host.departments.create(DEPARTMENT, ORGANIZATION, DepartmentDraft(name="Support"))
        await Wallet(host, OF_DEPARTMENT).use("before use", 7)

    async def walk(self, host: Application) -> None:
        limits = await host.credits.department_limits.put(ORGANIZATION, DEPARTMENT, Decimal(15), None, None)
        assert limits.daily.limit == 15
        self.note(await Wallet(host, OF_DEPARTMENT).use("too much", 20))

    async def result(self) -> Result:
        refused = await Wallet(self.scene.host(), OF_DEPARTMENT).use("refused", 10)
        assert refused.refusal is not None
        assert refused.refusal.code == "limit_exceeded"
        return await super().result()


class SetBudget(CreditPath):
    """A budget is set while credits are used; from then on it refuses."""

    async def walk(self, host: Application) -> None:
        draft = BudgetDraft("agent", AGENT, "once", Decimal(12), "credits", KIND, "hard", ())
        await host.credits.budgets.put(ORGANIZATION, "budget", draft, None)
        self.note(await Wallet(host).use("too much", 13))

    async def result(self) -> Result:
        await self.scene.drain()
        status = await self.scene.host().credits.budgets.status(ORGANIZATION, "budget", None, None)
        assert status.budget.limit == 12
        return await super().result()


class DeleteBudget(CreditPath):
    async def prepare(self) -> None:
        await super().prepare()
        draft = BudgetDraft("agent", AGENT, "once", Decimal(12), "credits", KIND, "hard", ())
        await self.scene.host().credits.budgets.put(ORGANIZATION, "budget", draft, None)

    async def walk(self, host: Application) -> None:
        with suppress(NotFoundError):  # it was deleted before, and the answer was lost
            await host.credits.budgets.delete(ORGANIZATION, "budget", None)
        self.note(await Wallet(host).use("enough", 13))


class CreateLimitedRun(CreditPath):
    """A run is created with a limit, which is there before the run."""

    async def walk(self, host: Application) -> None:
        draft = RunDraft(key="run", agent=AGENT, budget=RunBudgetDraft(limit=Decimal(10), unit="credits"))
        run = (await host.runs.create(RUN, ORGANIZATION, draft)).entity
        assert run.budget is not None
        self.note(await Wallet(host).use("too much", 11))

    async def result(self) -> Result:
        await self.scene.drain()
        run = (await self.scene.host().runs.get(ORGANIZATION, RUN)).entity
        assert run.budget is not None
        status = await self.scene.host().credits.budgets.status(ORGANIZATION, run.budget.id, None, None)
        assert status.budget.limit == 10
        return await super().result()


class SettleLease(CreditPath):
    """A slice is taken, reported twice, extended, and ended."""

    async def walk(self, host: Application) -> None:
        wallet = Wallet(host)
        lease = await wallet.lease("lease", 40)
        self.note(lease)
        lease_id = lease.answer["lease_id"]
        self.note(await wallet.settle("settle", lease_id, 15))
        self.note(await wallet.extend("extend", lease_id, 10))
        self.note(await wallet.settle("again", lease_id, 12))
        self.note(await wallet.settle("end", lease_id, 20, final=True))


class ExpireLeases(CreditPath):
    """A lease returns its credits, by a use that needs them or by the timer; what comes after is late."""

    async def prepare(self) -> None:
        await super().prepare()
        await Wallet(self.scene.host()).lease("before lease", 90)
        self.scene.clock.move(timedelta(minutes=11))

    async def walk(self, host: Application) -> None:
        wallet = Wallet(host)
        self.note(await wallet.use("use", 50))
        await host.outbox.sweep()
        lease_id = (await wallet.lease("before lease", 90)).answer["lease_id"]
        self.note(await wallet.settle("late", lease_id, 10))
        self.note(await wallet.write_off("write off", lease_id))


class RaiseAlerts(CreditPath):
    """Uses reach a share of a budget and a low balance; each is told once, and again after it was armed."""

    async def prepare(self) -> None:
        await super().prepare()
        draft = BudgetDraft("agent", AGENT, "once", Decimal(100), "credits", KIND, "soft", (Decimal(80),))
        await self.scene.host().credits.budgets.put(ORGANIZATION, "budget", draft, None)

    async def walk(self, host: Application) -> None:
        wallet = Wallet(host)
        used = await wallet.use("use", 85)
        self.note(used)
        self.note(await wallet.refund("refund", used.id, 60))
        self.note(await wallet.use("again", 60))
        await host.outbox.sweep()

    async def result(self) -> Result:
        result = await super().result()
        alerts = (await self.scene.host().credits.alerts.page(ORGANIZATION, 200, None)).entities
        told = sorted((alert.type, str(alert.threshold)) for alert in alerts)
        assert told == [("budget_share", "100")] * 2 + [("low_balance", "50")] * 2, told
        return result


class CountUsage(CreditPath):
    """Usage is metered and counted in a budget, by whoever meters next or by the sweep."""

    async def prepare(self) -> None:
        await self.scene.host().organizations.update(ORGANIZATION, {"credit_value": Decimal("0.5")}, None)
        self.scene.clock.set(APRIL)  # the value holds from the first period on that there is not yet
        await super().prepare()
        draft = BudgetDraft("agent", AGENT, "once", Decimal(30), "credits", KIND, "hard", ())
        await self.scene.host().credits.budgets.put(ORGANIZATION, "budget", draft, None)

    async def walk(self, host: Application) -> None:
        queue = MemoryQueue()
        events = [reported(f"u{number}", 4, APRIL) for number in range(3)]
        await self.scene.host_with(self.scene.store, queue).events.accept(events, partial=False)
        for message in queue.waiting["usage"]:
            await host.metering.meter(delivered([message]))
            self.scene.clock.move(timedelta(seconds=11))
        await host.outbox.sweep()

    async def result(self) -> Result:
        await self.scene.drain()
        status = await self.scene.host().credits.budgets.status(ORGANIZATION, "budget", None, None)
        assert (status.figures.metered, status.counted_to) == (24, self.scene.clock.now())
        assert (await Wallet(self.scene.host()).use("refused", 10)).refusal is not None
        return await super().result()
