"""Calls that get a cost by an alias, after they were metered without one."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from msgspec import structs

from shared.bootstrap import Application
from shared.containers import LEDGERS
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import to_text
from shared.domain.provider_costs.model_aliases import alias_id
from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.worlds.invoiced_organization import (
    FEBRUARY,
    JANUARY,
    MARCH,
    ORGANIZATION,
    agent,
    delivered,
    model,
    reported,
)
from tests.faults.in_turn.path import Path, Result

PASSED_ON = {"key": "llm", "type": "cost", "categories": ["llm"]}
CALLS = {"j-call": JANUARY, "j-second": JANUARY, "f-call": FEBRUARY, "m-call": MARCH, "m-second": MARCH}
ALIAS = alias_id("azure", "helpdesk", JANUARY, None)
OTHERS = {"j-later": JANUARY, "m-later": MARCH}
"""Metered by another host meanwhile, which knows the alias."""


def call(name: str, number: int) -> ReportedEvent:
    """A call that costs 1.25 as gpt-5."""
    data = {"provider": "azure", "model": "helpdesk", "input_tokens": 1_000_000}
    day = timedelta(days=1 + number % 2)
    return structs.replace(reported(name, 0, (CALLS | OTHERS)[name] + day), type="llm_call", agent="c", data=data)


class PriceLate(Path):
    """Calls of three months, two of which have ended; January was invoiced without them."""

    amounts: ClassVar = {"2026-01": Decimal("40.75"), "2026-02": Decimal("22.25"), "2026-03": Decimal("8.75")}
    """The units, the fee, and 1.25 for each call."""

    async def prepare(self) -> None:
        host = self.scene.host()
        model_id = named_id("bm", "calls")
        await host.billing_models.create(model_id, ORGANIZATION, model(PASSED_ON))
        await host.agents.create(named_id("agt", "calls"), ORGANIZATION, agent("c", model_id))
        await self._report(host, CALLS)
        await host.model_aliases.create("azure", "helpdesk", "gpt-5", JANUARY, None)

    async def _report(self, host: Application, names: Iterable[str]) -> None:
        queue = MemoryQueue()
        events = [call(name, number) for number, name in enumerate(names)]
        await self.scene.host_with(self.scene.store, queue).events.accept(events, partial=False)
        await host.metering.meter(delivered(queue.waiting["usage"]))

    async def do_other(self, host: Application) -> None:
        await super().do_other(host)
        await self._report(self.scene.host(), OTHERS)

    async def walk(self, host: Application) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        alias = (await host.model_aliases.get(ALIAS, None)).entity
        await host.late_pricing.price(alias, organization, None, dry_run=False)

    async def result(self) -> Result:
        months = await super().result()
        _, amounts = months.exact
        assert amounts == self.amounts, amounts
        shards = [
            await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:usage:{shard}", "event") for shard in (0, 1)
        ]
        costs = {event["event_id"]: event["cost"] for events in shards for event in events if "cost" in event}
        assert costs == dict.fromkeys(CALLS | OTHERS, "1.25"), costs
        await self._check_totals()
        return months

    async def _check_totals(self) -> None:
        """Repair comes to the same."""
        host = self.scene.host()
        organization = await host.organizations.get(ORGANIZATION)
        for month in (JANUARY, FEBRUARY, MARCH):
            period = await host.periods.containing(organization, month)
            async for report in host.repair.run(organization, period, mend=False):
                assert not report.wrong, (to_text(month), report.wrong)
