"""What goes along when an organization moves to another wallet: counters, metered usage, limits, and what is due."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.adapters.credits.wallet_items import COUNTED_USAGE, partition_of
from shared.adapters.usage.metered_sums import METERED_SUMS
from shared.bootstrap import Application
from shared.containers import LEDGERS
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.counters import Context, counter_id
from shared.domain.credits.grants import Terms
from shared.domain.credits.members import PayerChangedError
from shared.domain.credits.metered_usage import MeteredSums, sums_id
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.windows import ONCE, windows_at
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import to_text
from shared.ports.store import Upsert
from shared.ports.wallets import Wanted
from shared.services.credits.budgets import BudgetDraft
from shared.services.credits.metered_counting import DueMeteredSums
from shared.services.credits.spending import ActionDone, Caller, RequestedUse, SpentFor
from shared.services.storage import Stored
from shared.services.tenancy.organizations import OrganizationDraft
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.invoiced_organization import Scene

CHILD, PARENT = (named_id("org", f"handover {name}") for name in ("child", "parent"))
PRINCIPAL = Principal("usr_1", CHILD, frozenset(Permission))
APRIL, MAY, JUNE = (datetime(2026, month, 1, tzinfo=UTC) for month in (4, 5, 6))
SHARD = f"{CHILD}:usage:0"
RUN = "run"


class Family:
    """A child with 50 credits of its own, and a parent with 1,000."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.host = scene.host()
        self.sums = MeteredSums(Context(CHILD, run=RUN))

    def caller(self, key: str, organization_id: str = CHILD) -> Caller:
        return Caller(organization_id, PRINCIPAL, key, key)

    async def prepare(self) -> None:
        for organization_id, name, amount in ((CHILD, "Child", 50), (PARENT, "Parent", 1000)):
            draft = OrganizationDraft(name=name, currency="USD", timezone="UTC")
            await self.host.organizations.create(organization_id, draft)
            caller = self.caller("grant", organization_id)
            await self.host.credits.spending.give(caller, Decimal(amount), Terms("purchase"), "default", None)
        await self.use("first", "1", run="another")

    async def use(self, key: str, amount: str | Decimal, host: Application | None = None, **context: str) -> Transfer:
        uses = [RequestedUse(SpentFor(**{"run": RUN} | context), Decimal(amount))]
        return await (host or self.host).credits.spending.use(self.caller(key), uses, "default", is_list=False)

    async def change(self, payer: str | None, begins: datetime) -> None:
        changed = await self.host.payer_changes.put(CHILD, payer)
        assert changed.payers.entries[-1].effective_from == begins

    async def limit(
        self, amount: int, scope: Any = "run", reference: str | None = "each", unit: Any = "credits"
    ) -> None:
        draft = BudgetDraft(scope, reference, "once", Decimal(amount), unit, "default", "hard", ())
        await self.host.credits.budgets.put(CHILD, "cap", draft, None)

    async def meter(self, amount: str) -> Stored[DueMeteredSums]:
        """Usage worth so many credits, as its shard has it before the wallet knows."""
        now = self.scene.clock.now()
        calendars = (await self.host.organizations.get(CHILD)).calendars
        self.sums = self.sums.plus(Decimal(amount), Decimal(1), windows_at(now, calendars), now).next_revision()
        id_ = sums_id(self.sums.context)
        document = {
            "id": id_,
            "kind": METERED_SUMS,
            "organization_id": CHILD,
            "partition": SHARD,
            "record": msgspec.to_builtins(self.sums),
            "due_at": to_text(now),
        }
        await self.scene.store.batch(LEDGERS.name, SHARD, [Upsert(document)])
        return Stored(DueMeteredSums.read(document), "")

    async def count(self, due: Stored[DueMeteredSums], host: Application | None = None) -> None:
        await (host or self.host).credits.metered_counting.complete_due(due)

    async def taken_by(self, wallet: str) -> Sequence[int]:
        documents = await self.scene.documents(LEDGERS.name, partition_of(wallet), COUNTED_USAGE)
        return [document["record"]["revision"] for document in documents]

    async def counted(self) -> Decimal:
        """What the run has counted in all wallets."""
        id_ = counter_id("run", CHILD, RUN)
        _, wallet = await self.host.credits.paying.read(CHILD, Wanted(counters=frozenset({id_})))
        return wallet.counters[id_].spending("default", ONCE).total

    def behind(self, seconds: int) -> Application:
        """A host whose clock is behind by so many seconds."""
        clock = SettableClock(self.scene.clock.now() - timedelta(seconds=seconds))
        scene = Scene(clock, self.scene.store, self.scene.queue, self.scene.secrets, self.scene.post)
        return scene.host()


@pytest.fixture
async def family() -> Family:
    prepared = await Scene.prepared()
    family = Family(Scene(SettableClock(datetime(2026, 3, 3, 12, tzinfo=UTC)), prepared.store))
    await family.prepare()
    return family


async def test_the_wallet_that_was_left_takes_no_metered_usage(family: Family) -> None:
    await family.change(PARENT, APRIL)
    family.scene.clock.set(APRIL - timedelta(minutes=5))
    await family.count(await family.meter("3"))
    assert await family.taken_by(CHILD) == [1]
    family.scene.clock.set(APRIL)
    late = await family.meter("4")
    await family.use("moves it", "1")
    with pytest.raises((PayerChangedError, UnavailableError)):  # its clock still says that the child pays
        await family.count(late, family.behind(20))
    assert (await family.taken_by(CHILD), await family.taken_by(PARENT)) == ([1], [])
    await family.count(late)
    assert (await family.taken_by(CHILD), await family.taken_by(PARENT)) == ([1], [2])
    assert await family.counted() == 3 + 4 + 1


async def test_usage_of_before_counts_once_in_whichever_wallet(family: Family) -> None:
    """Three handovers: the sums are cumulative, and each wallet adds only what no other has taken."""
    await family.change(PARENT, APRIL)
    first = await family.meter("3")
    await family.count(first)
    for begins, amount, payer, following in (
        (APRIL, "4", None, MAY),
        (MAY, "5", PARENT, JUNE),
        (JUNE, "6", None, None),
    ):
        family.scene.clock.set(begins)
        await family.count(first)
        await family.count(await family.meter(amount))
        if following is not None:
            await family.change(payer, following)
    assert await family.counted() == 3 + 4 + 5 + 6


async def test_what_was_counted_in_a_second_stay_goes_along_too(family: Family) -> None:
    await family.limit(10)
    await family.change(PARENT, APRIL)
    await family.use("own", "2")
    family.scene.clock.set(APRIL)
    await family.use("the parent's", "2")
    await family.change(None, MAY)
    family.scene.clock.set(MAY)
    await family.use("own again", "5")
    await family.change(PARENT, JUNE)
    family.scene.clock.set(JUNE)
    assert (await family.use("too much", "2")).refusal is not None
    assert (await family.use("what is left", "1")).refusal is None
    assert await family.counted() == 10


async def test_what_a_host_behind_has_moved_is_told(family: Family) -> None:
    """Its clock says that the wallet that was left still pays."""
    await family.change(PARENT, APRIL)
    family.scene.clock.set(APRIL - timedelta(minutes=5))
    hold = await family.host.credits.spending.reserve(
        family.caller("hold"), Decimal(8), SpentFor(run=RUN), "default", timedelta(hours=1)
    )
    family.scene.clock.set(APRIL)
    await family.use("moves it", "1")
    behind = family.behind(20)
    await behind.credits.spending.capture(family.caller("capture"), hold.answer["hold_id"], Decimal(3), ActionDone())
    assert await family.counted() == 1 + 3


async def test_a_hold_of_the_new_wallet_is_found_by_a_host_behind(family: Family) -> None:
    await family.change(PARENT, APRIL)
    family.scene.clock.set(APRIL)
    hold = await family.host.credits.spending.reserve(
        family.caller("hold"), Decimal(8), SpentFor(run=RUN), "default", timedelta(hours=1)
    )
    behind = family.behind(20)
    captured = await behind.credits.spending.capture(
        family.caller("capture"), hold.answer["hold_id"], None, ActionDone()
    )
    assert captured.amount == 8


async def test_what_is_due_in_the_wallet_that_was_left_refuses_nothing(family: Family) -> None:
    await family.limit(10)
    await family.change(PARENT, APRIL)
    family.scene.clock.set(APRIL - timedelta(minutes=5))
    await family.host.credits.spending.reserve(
        family.caller("hold"), Decimal(8), SpentFor(run=RUN), "default", timedelta(minutes=10)
    )
    family.scene.clock.set(APRIL)
    assert (await family.use("too much", "5")).refusal is not None
    family.scene.clock.move(timedelta(minutes=6))
    status = await family.host.credits.budgets.status(CHILD, "cap", RUN, None)
    assert (status.figures.held, status.figures.left) == (0, 10)
    assert (await family.use("fits", "5")).refusal is None


async def test_a_budget_shows_what_was_spent_before_the_first_use(family: Family) -> None:
    await family.limit(10)
    await family.change(PARENT, APRIL)
    await family.use("own", "7")
    family.scene.clock.set(APRIL)
    await family.use("moves it", "1", run="another")
    status = await family.host.credits.budgets.status(CHILD, "cap", RUN, None)
    assert (status.figures.spent, status.figures.left) == (7, 3)


async def test_the_limit_of_a_run_goes_along_and_can_be_withdrawn(family: Family) -> None:
    await family.host.credits.run_limits.set(CHILD, RUN, "run_1", Decimal(5), "credits")
    await family.host.credits.run_limits.set(CHILD, "other", "run_2", Decimal(5), "credits")
    await family.change(PARENT, APRIL)
    family.scene.clock.set(APRIL)
    await family.host.credits.run_limits.withdraw(CHILD, "other", "run_2")
    assert (await family.use("too much", "6")).refusal is not None
    assert (await family.use("withdrawn", "6", run="other")).refusal is None


@pytest.mark.parametrize(("unit", "limit", "left"), [("credits", 30, "28.99"), ("money", 3, "4.99")])
async def test_a_child_sees_what_its_own_budget_leaves(family: Family, unit: str, limit: int, left: str) -> None:
    """What it spent before had no value in money; 0.01 credits of its payer's are worth 0.006."""
    await family.host.organizations.update(PARENT, {"credit_value": Decimal("0.6")}, None)
    await family.change(PARENT, APRIL)
    family.scene.clock.set(APRIL)
    await family.use("the parent's", "0.01")
    assert (await family.host.credits.balances.of(CHILD, "default")).available == Decimal("999.99")
    await family.limit(limit, "organization", CHILD, unit)
    assert (await family.host.credits.balances.of(CHILD, "default")).available == Decimal(left)
    assert (await family.use("too much", Decimal(left) + Decimal("0.000001"))).refusal is not None
    assert (await family.use("all of it", left)).refusal is None
    assert (await family.host.credits.balances.of(CHILD, "default")).available == 0
