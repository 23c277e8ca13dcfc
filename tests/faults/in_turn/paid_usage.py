"""Events that credits have paid: metered, settled when their hold ends, and priced when the payment is taken off."""

from datetime import UTC, datetime
from decimal import Decimal

from msgspec import structs

from shared.bootstrap import Application
from shared.domain.kernel.ids import named_id
from shared.domain.usage.events import event_key
from shared.services.billing.invoice_runs import Task
from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, billed, delivered, issued, reported
from tests.faults.in_turn.credits import Wallet
from tests.faults.in_turn.path import Path, Result

IN_APRIL, IN_MAY, IN_JUNE = (datetime(2026, month, 3, 12, tzinfo=UTC) for month in (4, 5, 6))
CHANGES = {"credit_value": Decimal("0.5"), "settings": {"paid_usage": True}}


class PaidUsagePath(Path):
    """Credits are worth 0.50, a unit costs 1.00; of a hold of 20 credits 2 are captured.

    Which event costs how much depends on the order in which they are counted, but not the sum.
    """

    costs = Decimal(4 + 1 - 1)
    hold = named_id("hold", "caller", ORGANIZATION, "reserve")

    async def prepare(self) -> None:
        host = self.scene.host()
        await host.organizations.update(ORGANIZATION, CHANGES, None)
        await Wallet(host).give("before", 100)
        self.scene.clock.set(IN_APRIL)
        assert (await Wallet(host).reserve("reserve", 20)).answer["hold_id"] == self.hold

    def paid(self, id_: str, quantity: int) -> ReportedEvent:
        event = reported(id_, quantity, datetime(2026, 4, 2, tzinfo=UTC))
        return structs.replace(event, paid_with=self.hold, may_spend=True)

    async def meter(self, host: Application, event: ReportedEvent) -> None:
        queue = MemoryQueue()
        await self.scene.host_with(self.scene.store, queue).events.accept([event], partial=False)
        await host.metering.meter(delivered(queue.waiting["usage"]))

    async def capture(self, host: Application) -> None:
        await Wallet(host).capture("capture", self.hold, 2)

    async def do_other(self, host: Application) -> None:
        """Another event of the same hold."""
        await self.meter(host, self.paid("other", 1))

    async def result(self) -> Result:
        await self.scene.drain()
        await self.do_other(self.scene.host())
        await self.scene.drain()
        host = self.scene.host()
        organization = await host.organizations.get(ORGANIZATION)
        period = await host.periods.containing(organization, IN_APRIL)
        async for report in host.repair.run(organization, period, mend=False):
            assert not report.wrong, report.wrong
        for instant in (IN_MAY, IN_JUNE):
            self.scene.clock.set(max(instant, self.scene.clock.now()))
            await self.scene.host().invoice_runs.run(Task(organization_id=ORGANIZATION))
            await self.scene.drain()
        amount = billed(await issued(self.scene)).get("2026-04", Decimal(0))
        assert amount == self.costs, amount
        payments, _ = await host.paid_usage.passed(ORGANIZATION, 10, None)
        return Result((amount, [(payment.worth, payment.beyond) for payment in payments]), None)


class MeterPaidUsage(PaidUsagePath):
    """The hold has ended when its events are counted."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.capture(self.scene.host())

    async def walk(self, host: Application) -> None:
        await self.meter(host, self.paid("a", 4))


class EndPayment(PaidUsagePath):
    """The hold ends after its events were counted."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.meter(self.scene.host(), self.paid("a", 4))

    async def walk(self, host: Application) -> None:
        await self.capture(host)


class TakePaymentOff(PaidUsagePath):
    """The operator takes the payment off an event: it costs all that it is worth, and the other one is paid."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.meter(self.scene.host(), self.paid("a", 4))
        await self.capture(self.scene.host())

    costs = Decimal(4)

    async def walk(self, host: Application) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        await host.paid_usage.take_off(organization, event_key(ORGANIZATION, "test", "a"), "a test")
