"""Decisions about outcomes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import structs

from shared.bootstrap import Application
from shared.containers import LEDGERS
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.domain.usage.events import event_key
from shared.domain.usage.outcomes import Verification, outcome_id
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

RESOLVED = {
    "key": "resolved",
    "type": "outcome",
    "meter": {"event_type": "outcome.resolved"},
    "pricing": {"type": "percentage", "rate": "10", "free_events": 1, "minimum_per_event": "2"},
}
OUTCOMES = {"j-first": JANUARY, "j-second": JANUARY, "f-first": FEBRUARY, "m-first": MARCH, "m-second": MARCH}


class DecideOutcomes(Path):
    """Outcomes of three months, two of which have ended. Where a stale read makes a host refuse a decision, the client
    tries again.
    """

    by = Principal("usr_1", None, frozenset(Permission))
    statuses: ClassVar[dict[str, str]]
    amounts: ClassVar[dict[str, Decimal]]
    """The units, the fee, and the outcomes but for the first of each month, which is free."""

    async def prepare(self) -> None:
        host = self.scene.host()
        model_id = named_id("bm", "outcomes")
        await host.billing_models.create(model_id, ORGANIZATION, model(RESOLVED))
        await host.agents.create(named_id("agt", "outcomes"), ORGANIZATION, agent("r", model_id))
        await self._report(host, OUTCOMES)

    async def _report(self, host: Application, outcomes: Mapping[str, datetime]) -> None:
        queue = MemoryQueue()
        events = [
            structs.replace(
                reported(name, 0, month + timedelta(days=1 + number % 2)),
                type="outcome.resolved",
                agent="r",
                data={"value": Decimal(50)},
            )
            for number, (name, month) in enumerate(outcomes.items())
        ]
        await self.scene.host_with(self.scene.store, queue).events.accept(events, partial=False)
        await host.metering.meter(delivered(queue.waiting["usage"]))

    async def do_other(self, host: Application) -> None:
        """More outcomes of the agent are metered in these months.

        One of them is verified.
        """
        await super().do_other(host)
        await self._report(host, {"j-more": JANUARY, "m-more": MARCH})
        await self.decide(host, "verify", "m-more")

    async def decide(self, host: Application, decision: str, *names: str) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        ids = [outcome_id(event_key(ORGANIZATION, "test", name)) for name in names]
        match decision:
            case "verify":
                results = list(
                    (await host.outcome_decisions.verify(organization, ids, Verification(), self.by)).values()
                )
            case "reject":
                results = [await host.outcome_decisions.reject(organization, id_, "Refunded", self.by) for id_ in ids]
            case _:
                results = [await host.outcome_decisions.reverse(organization, id_, "Refunded", self.by) for id_ in ids]
        for result in results:
            if isinstance(result, ConflictError | NotFoundError) and "outcome" in result.detail:
                raise UnavailableError("The client knows better") from result
            assert not isinstance(result, Exception), result

    async def result(self) -> Result:
        months = await super().result()
        shards = [
            await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:usage:{shard}", "outcome") for shard in (0, 1)
        ]
        statuses = {outcome["event_id"]: outcome["status"] for outcomes in shards for outcome in outcomes}
        assert statuses == self.statuses | {"j-more": "pending", "m-more": "verified"}
        _, amounts = months.exact
        assert amounts == self.amounts
        return Result((months.exact, await self._totals()), months.undisturbed)

    async def _totals(self) -> dict[str, Any]:
        """By month and agent: `repair` would have to come to the same."""
        return {
            f"{month:%Y-%m} {stored.key.agent_id}": stored.totals.document()["meters"]
            for month in (JANUARY, FEBRUARY, MARCH)
            for stored in await self.scene.host().usage.totals(ORGANIZATION, 2, month)
        }


class VerifyOutcomes(DecideOutcomes):
    """An operator verifies all of them in bulk."""

    statuses = dict.fromkeys(OUTCOMES, "verified")
    amounts: ClassVar = {"2026-01": Decimal("42.00"), "2026-02": Decimal("21.00"), "2026-03": Decimal("15.00")}

    async def walk(self, host: Application) -> None:
        await self.decide(host, "verify", *OUTCOMES)


class RejectOutcomes(DecideOutcomes):
    """An operator rejects one of each month; nothing is billed for them."""

    statuses: ClassVar = dict.fromkeys(OUTCOMES, "pending") | dict.fromkeys(("j-second", "m-first"), "rejected")
    amounts: ClassVar = {"2026-01": Decimal("37.00"), "2026-02": Decimal("21.00"), "2026-03": Decimal("5.00")}

    async def walk(self, host: Application) -> None:
        await self.decide(host, "reject", "j-second", "m-first")


class ReverseOutcomes(DecideOutcomes):
    """An operator reverses a billed outcome and the free one of its month.

    No other one is free instead.
    """

    statuses: ClassVar = {
        "j-first": "verified",
        "j-second": "reversed",
        "f-first": "verified",
        "m-first": "verified",
        "m-second": "reversed",
    }
    amounts: ClassVar = {"2026-01": Decimal("37.00"), "2026-02": Decimal("21.00"), "2026-03": Decimal("15.00")}

    async def prepare(self) -> None:
        await super().prepare()
        await self.decide(self.scene.host(), "verify", *OUTCOMES)

    async def walk(self, host: Application) -> None:
        await self.decide(host, "reverse", "j-second", "m-second")
