"""Usage that a wallet pays: drawn, closed, and lowered after the close."""

from datetime import UTC, datetime
from decimal import Decimal

from msgspec import structs

from shared.bootstrap import Application
from shared.containers import LEDGERS
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import to_text
from shared.services.billing.invoice_runs import Task
from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.worlds.invoiced_organization import (
    ORGANIZATION,
    agent,
    billed,
    delivered,
    issued,
    model,
    reported,
)
from tests.faults.in_turn.credits import Wallet
from tests.faults.in_turn.path import Path, Result

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
IN_APRIL, IN_MAY, IN_JUNE = (datetime(2026, month, 3, 12, tzinfo=UTC) for month in (4, 5, 6))
VALUE = Decimal("0.5")
PREPAID = {"billing_mode": "prepaid", "credit_value": VALUE}
OTHERS = 5
"""Credits that another host spends."""
LEVEL = {
    "key": "level",
    "type": "activity",
    "meter": {"event_type": "level", "aggregation": "last", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}


def april(id_: str, quantity: int) -> ReportedEvent:
    return reported(id_, quantity, datetime(2026, 4, 2, tzinfo=UTC))


def level(id_: str, quantity: int, day: int) -> ReportedEvent:
    return structs.replace(reported(id_, quantity, datetime(2026, 4, day, tzinfo=UTC)), agent="level", type="level")


class PrepaidUsage(Path):
    """April is prepaid, with 100 credits of 0.50; 7 units of 1.00 are drawn.

    What a stale read hides from the close is invoiced, so how much is paid by which side may differ, but not the sum.
    """

    drawn = Decimal(14)

    async def prepare(self) -> None:
        host = self.scene.host()
        await host.organizations.update(ORGANIZATION, PREPAID, None)
        await Wallet(host).give("before", 100)
        self.scene.clock.set(IN_APRIL)
        await self.accept(april("a1", 3), april("a2", 4))

    async def accept(self, *events: ReportedEvent) -> None:
        await self.scene.host().events.accept(list(events), partial=False)
        self.scene.redelivered = self.scene.taken("usage")

    async def meter(self, host: Application) -> None:
        await host.metering.meter(delivered(self.scene.redelivered))

    async def close(self) -> None:
        self.scene.clock.set(IN_MAY)
        await self.scene.host().invoice_runs.run(Task(organization_id=ORGANIZATION))
        await self.scene.drain()

    async def do_other(self, host: Application) -> None:
        """What a wallet pays does not depend on what others spend."""
        await Wallet(host).use("other", OTHERS)

    async def result(self) -> Result:
        await self.scene.drain()
        await self.do_other(self.scene.host())
        if self.scene.clock.now() < IN_MAY:
            await self.close()
        self.scene.clock.set(IN_JUNE)
        await self.scene.host().invoice_runs.run(Task(organization_id=ORGANIZATION))
        await self.scene.drain()
        host = self.scene.host()
        balance = await host.credits.balances.of(ORGANIZATION, "default")
        verification = await host.credits.verifications.request("ver_1", ORGANIZATION, from_beginning=True)
        assert verification.ok, verification.problems
        item, _ = await host.periods.item(ORGANIZATION, APRIL)
        assert item.settled
        place = (LEDGERS.name, f"{ORGANIZATION}:wallet", "drawn_period")
        drawn = {each["record"]["period"]: each["record"]["drawn"] for each in await self.scene.documents(*place)}
        consumed = Decimal(drawn[to_text(APRIL)])
        assert balance.consumed == consumed + OTHERS
        billed_in_april = billed(await issued(self.scene)).get("2026-04", Decimal(0))
        assert consumed * VALUE + billed_in_april == self.drawn * VALUE
        return Result(self.drawn, (drawn, billed_in_april))


class DrawUsage(PrepaidUsage):
    async def walk(self, host: Application) -> None:
        await self.meter(host)


class CloseDraws(PrepaidUsage):
    """The run after the period's end draws the rest, closes the period in the wallet, and tells the period."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.meter(self.scene.host())
        await self.accept(april("a3", 2))
        self.scene.clock.set(IN_MAY)
        await self.meter(self.scene.host())

    drawn = Decimal(18)

    async def walk(self, host: Application) -> None:
        await host.invoice_runs.run(Task(organization_id=ORGANIZATION))


class LowerDraws(PrepaidUsage):
    """Less is due for a closed period than was drawn: credits return."""

    drawn = Decimal(20)

    async def prepare(self) -> None:
        await super().prepare()
        await self.meter(self.scene.host())
        host, agent_id, model_id = self.scene.host(), named_id("agt", "level"), named_id("bm", "level")
        await host.billing_models.create(model_id, ORGANIZATION, model(LEVEL))
        await host.agents.create(agent_id, ORGANIZATION, agent("level", model_id))
        await self.accept(level("l1", 5, 2))
        await self.meter(self.scene.host())
        await self.close()
        await self.accept(level("l2", 3, 20))
        await self.meter(self.scene.host())
        await self.scene.drain()

    async def walk(self, host: Application) -> None:
        await host.invoice_runs.run(Task(organization_id=ORGANIZATION))
