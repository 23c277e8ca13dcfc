"""Usage that is reported, metered, or delivered no more by the broker."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import structs

from shared.bootstrap import Application
from shared.domain.kernel.errors import UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.worlds.distinct_values import stored_totals, values_in
from tests.doubles.worlds.invoiced_organization import (
    COMMANDS,
    MARCH,
    ORGANIZATION,
    agent,
    delivered,
    january,
    march,
    model,
    reported,
)
from tests.faults.in_turn.path import Path, Result

USERS = {
    "key": "users",
    "type": "activity",
    "scope": "organization",
    "meter": {"event_type": "command", "aggregation": "unique", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}
AGENTS = ("first", "second")

LATE_AND_NEW = (january("j3", 4), march("m1", 1), march("m2", 2), march("m3", 3))
"""4 units of January, which was invoiced, and 6 of March."""


class KnownUsage(Path):
    """Paths that end with `LATE_AND_NEW` counted and billed, beside earlier usage.

    That is 4 units of March, metered before.
    """

    totals: ClassVar[dict[str, Any]] = {"2026-01": (4, 13), "2026-02": (3, 7), "2026-03": (8, 15)}
    amounts: ClassVar[dict[str, Any]] = {
        "2026-01": Decimal("41.00"),
        "2026-02": Decimal("21.00"),
        "2026-03": Decimal("15.00"),
    }
    """The units, and the fee: the whole for January, half for February."""

    async def prepare(self) -> None:
        """Both shards have totals of March, so young that a stale read misses them."""
        host = self.scene.host()
        await host.events.accept([march(f"m-early{number}", 1) for number in range(4)], partial=False)
        messages = self.scene.taken("usage")
        assert len(messages) == 2
        await host.metering.meter(delivered(messages))

    async def accept(self) -> None:
        await self.scene.host().events.accept(list(LATE_AND_NEW), partial=False)

    async def result(self) -> Result:
        result = await super().result()
        totals, amounts = result.exact
        assert (totals["months"], amounts) == (self.totals, self.amounts)
        return result


class Accept(KnownUsage):
    """A client reports usage of two months; one event has no time of its own."""

    async def walk(self, host: Application) -> None:
        self.scene.clock.move(timedelta(seconds=1))
        await host.events.accept([*LATE_AND_NEW[:-1], reported("m3", 3, None)], partial=False)


class Meter(KnownUsage):
    """A batch with late usage, old usage, and one identity with other content.

    The old usage was metered long ago under fewer shards.
    """

    async def prepare(self) -> None:
        await super().prepare()
        await self.accept()
        await self.scene.host().events.accept([march("m1", 9)], partial=False)
        self.scene.redelivered += self.scene.taken("usage")

    async def walk(self, host: Application) -> None:
        await host.metering.meter(delivered(self.scene.redelivered))


class AcceptForNewAgent(Path):
    """A client reports usage of an agent that was created just now.

    Its billing model was, too.
    """

    async def prepare(self) -> None:
        host = self.scene.host()
        model_id = named_id("bm", "new")
        await host.billing_models.create(model_id, ORGANIZATION, model(COMMANDS))
        await host.agents.create(named_id("agt", "new"), ORGANIZATION, agent("new", model_id))

    async def walk(self, host: Application) -> None:
        try:
            await self.accept(host)
        except ValidationError as error:
            raise UnavailableError("The client knows that there is such an agent") from error

    async def accept(self, host: Application) -> None:
        await host.events.accept([self._of_new_agent(event) for event in LATE_AND_NEW[:-1]], partial=False)

    def _of_new_agent(self, event: ReportedEvent) -> ReportedEvent:
        return structs.replace(event, agent="new")


class MeterForNewAgent(AcceptForNewAgent):
    """A host that knows neither the agent nor its model meters what another one accepted."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.accept(self.scene.host())
        self.scene.redelivered += self.scene.taken("usage")

    async def walk(self, host: Application) -> None:
        await host.metering.meter(delivered(self.scene.redelivered))


class MeterDistinctValues(Path):
    """A host meters two agents whose values a pooled line counts once, in both shards; some were there before."""

    async def prepare(self) -> None:
        host = self.scene.host()
        model_id = named_id("bm", "unique")
        await host.billing_models.create(model_id, ORGANIZATION, model(USERS))
        for name in AGENTS:
            await host.agents.create(named_id("agt", name), ORGANIZATION, agent(name, model_id))
        await self._accept(host, "before", range(4))
        await host.metering.meter(delivered(self.scene.taken("usage")))
        await self._accept(host, "now", range(2, 7))
        self.scene.redelivered += self.scene.taken("usage")

    async def _accept(self, host: Application, when: str, users: range) -> None:
        events = [
            structs.replace(march(f"{when}-{name}-{user}", user), agent=name)
            for number, name in enumerate(AGENTS)
            for user in (*users, users.stop + number)
        ]
        await host.events.accept(events, partial=False)

    async def walk(self, host: Application) -> None:
        await host.metering.meter(delivered(self.scene.redelivered))

    async def result(self) -> Result:
        """Each agent has 0 to 6 and one of 7 and 8; the line has all 9, beside the 5 units of another host's usage."""
        result = await super().result()
        stored = await stored_totals(self.scene.store, ORGANIZATION, 2, [MARCH])
        values = [values_in(stored[key])["users"] for key in stored if values_in(stored[key])]
        assert [len(each) for each in values] == [8, 8]
        assert len(values[0] | values[1]) == 9
        _, amounts = result.exact
        assert amounts["2026-03"] == Decimal("14.00")
        return result
