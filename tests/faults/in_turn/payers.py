"""An organization that goes to another payer."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.bootstrap import Application
from shared.domain.credits.counters import counter_id
from shared.domain.credits.grants import Terms
from shared.domain.credits.windows import ONCE
from shared.domain.kernel.ids import named_id
from shared.ports.wallets import Wanted
from shared.services.credits.budgets import BudgetDraft
from shared.services.credits.spending import Caller
from shared.services.tenancy.departments import DepartmentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.worlds.invoiced_organization import AGENT, ORGANIZATION, delivered, reported
from tests.faults.in_turn.credits import DEPARTMENT, KIND, OF_DEPARTMENT, PRINCIPAL, CreditPath, Wallet
from tests.faults.in_turn.path import Result

PARENT = named_id("org", "parent")
APRIL, IN_APRIL, IN_MAY = (datetime(2026, *day, tzinfo=UTC) for day in ((4, 1), (4, 2), (5, 2)))


class ChangePayer(CreditPath):
    """The operator names another payer; each is told on its own record."""

    async def prepare(self) -> None:
        await super().prepare()
        draft = OrganizationDraft(name="Parent", currency="USD", timezone="UTC")
        await self.scene.host().organizations.create(PARENT, draft)
        caller = Caller(PARENT, PRINCIPAL, "before", "before")
        await self.scene.host().credits.spending.give(caller, Decimal(1000), Terms("purchase"), KIND, None)

    async def walk(self, host: Application) -> None:
        await host.payer_changes.put(ORGANIZATION, PARENT)

    async def result(self) -> Result:
        result = await super().result()
        host = self.scene.host()
        organization = await host.organizations.get(ORGANIZATION)
        parent = await host.credits.balances.of(PARENT, KIND)
        verified = await host.credits.verifications.request("ver_2", PARENT, from_beginning=True)
        assert verified.ok, verified.problems
        is_payer = (await host.organizations.get(PARENT)).is_payer
        return Result((result.exact, organization.payers.entries, is_payer, parent.consumed), None)


class MoveToPayer(ChangePayer):
    """The first use after the change moves the organization, and its department's limit with it."""

    async def prepare(self) -> None:
        await super().prepare()
        host = self.scene.host()
        await host.departments.create(DEPARTMENT, ORGANIZATION, DepartmentDraft(name="Support"))
        await host.credits.department_limits.put(ORGANIZATION, DEPARTMENT, Decimal(40), None, None)
        await host.payer_changes.put(ORGANIZATION, PARENT)
        self.scene.clock.set(IN_APRIL)

    async def walk(self, host: Application) -> None:
        self.note(await Wallet(host, OF_DEPARTMENT).use("moves it", 30))

    async def result(self) -> Result:
        refused = await Wallet(self.scene.host(), OF_DEPARTMENT).use("refused", 11)
        assert refused.refusal is not None
        assert refused.refusal.code == "limit_exceeded"
        return await super().result()


class CaptureAfterTheChange(ChangePayer):
    """A hold is captured in the wallet that was left; the payer's counters have what it comes to."""

    hold = named_id("hold", "caller", ORGANIZATION, "reserve")

    async def prepare(self) -> None:
        await super().prepare()
        host = self.scene.host()
        await host.payer_changes.put(ORGANIZATION, PARENT)
        self.scene.clock.set(APRIL - timedelta(hours=4))
        assert (await Wallet(host).reserve("reserve", 10, timedelta(hours=24))).answer["hold_id"] == self.hold
        self.scene.clock.set(APRIL + timedelta(hours=4))
        await Wallet(host).use("moves it", 30)

    async def walk(self, host: Application) -> None:
        self.note(await Wallet(host).capture("capture", self.hold, 4))

    async def result(self) -> Result:
        result = await super().result()
        counter = counter_id("run", ORGANIZATION, "run")
        host = self.scene.host()
        _, wallet = await host.credits.paying.read(ORGANIZATION, Wanted(counters=frozenset({counter})))
        assert wallet.payer == PARENT
        counted = wallet.counters[counter].spending(KIND, ONCE)
        assert (counted.spent, counted.held) == (30 + 4 + 5, 0)
        return result


class CountUsageAfterTheChange(ChangePayer):
    """Usage of before was counted in the wallet that was left; what comes later counts in the payer's, each once."""

    async def prepare(self) -> None:
        await super().prepare()
        host = self.scene.host()
        for organization_id in (ORGANIZATION, PARENT):
            await host.organizations.update(organization_id, {"credit_value": Decimal("0.5")}, None)
        self.scene.clock.set(IN_APRIL)  # the value holds from the first period on that there is not yet
        draft = BudgetDraft("agent", AGENT, "once", Decimal(30), "credits", KIND, "hard", ())
        await self.scene.host().credits.budgets.put(ORGANIZATION, "budget", draft, None)
        await self.meter(self.scene.host(), "before", 1)
        await self.scene.host().payer_changes.put(ORGANIZATION, PARENT)
        self.scene.clock.set(IN_MAY)

    async def meter(self, host: Application, name: str, number: int) -> None:
        queue = MemoryQueue()
        events = [reported(f"{name} {index}", 4, self.scene.clock.now()) for index in range(number)]
        await self.scene.host_with(self.scene.store, queue).events.accept(events, partial=False)
        for message in queue.waiting["usage"]:
            await host.metering.meter(delivered([message]))
            self.scene.clock.move(timedelta(seconds=11))
        await host.outbox.sweep()

    async def walk(self, host: Application) -> None:
        await self.meter(host, "after", 2)

    async def result(self) -> Result:
        await self.scene.drain()
        status = await self.scene.host().credits.budgets.status(ORGANIZATION, "budget", None, None)
        assert status.figures.metered == 3 * 4 / Decimal("0.5")
        return await super().result()
