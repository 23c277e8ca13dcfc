"""An organization whose credits another one pays: from a period on, with its keys, holds and limits."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest

from shared.adapters.credits.wallet_items import partition_of
from shared.bootstrap import Application
from shared.containers import TENANTS
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.accounts import CONSUMED, balance
from shared.domain.credits.budgets import EACH, Budget
from shared.domain.credits.commands import Use
from shared.domain.credits.counters import Context, counter_id
from shared.domain.credits.grants import Terms
from shared.domain.credits.members import PayerChangedError
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.credits.windows import ONCE
from shared.domain.kernel.errors import ConflictError, IdempotencyConflictError, UnavailableError, ValidationError
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import to_text
from shared.ports.store import Item, Operation, Store
from shared.ports.wallets import Wanted
from shared.services.agents.agents import AgentDraft
from shared.services.credits.budgets import BudgetDraft
from shared.services.credits.spending import ActionDone, Caller, RequestedUse, SpentFor
from shared.services.tenancy.departments import DepartmentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.invoiced_organization import COMMANDS, Scene, agent, model, reported

CHILD, PARENT, OTHER, NEW = (named_id("org", name) for name in ("child", "parent", "other", "new"))
NEW_MODEL = named_id("bm", "new")
DEPARTMENT = named_id("dep", "paying")
PRINCIPAL = Principal("usr_1", CHILD, frozenset(Permission))
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


class Paid:
    """A child with 50 credits of its own, and a parent with 1,000."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.hosts = [scene.host(), scene.host()]

    @property
    def host(self) -> Application:
        return self.hosts[0]

    @property
    def clock(self) -> SettableClock:
        return self.scene.clock

    def caller(self, key: str, organization_id: str = CHILD) -> Caller:
        return Caller(organization_id, PRINCIPAL, key, key)

    async def use(self, key: str, amount: int, host: int = 0, **context: str) -> Transfer:
        uses = [RequestedUse(SpentFor(**context), Decimal(amount))]
        return await self.hosts[host].credits.spending.use(self.caller(key), uses, "default", is_list=False)

    async def available(self) -> tuple[Decimal, Decimal]:
        """Of the wallets of child and parent."""
        balances = self.host.credits.balances
        parent = (await balances.of(PARENT, "default")).available
        child = await balances.of(CHILD, "default")
        return child.granted - child.consumed - child.reserved, parent

    async def change(self, payer: str | None) -> datetime:
        organization = await self.host.payer_changes.put(CHILD, payer)
        return organization.payers.entries[-1].effective_from


@pytest.fixture
async def paid() -> Paid:
    paid = Paid(Scene(SettableClock(datetime(2026, 3, 3, 12, tzinfo=UTC)), (await Scene.prepared()).store))
    for organization_id, name in ((CHILD, "Child"), (PARENT, "Parent"), (OTHER, "Other")):
        draft = OrganizationDraft(name=name, currency="USD", timezone="UTC")
        await paid.host.organizations.create(organization_id, draft)
    spending = paid.host.credits.spending
    await spending.give(paid.caller("grant"), Decimal(50), Terms("bonus"), "default", None)
    await spending.give(paid.caller("grant", PARENT), Decimal(1000), Terms("purchase"), "default", None)
    await paid.use("first", 5)
    return paid


async def test_the_payer_pays_from_the_first_period_that_is_not_created(paid: Paid) -> None:
    assert await paid.change(PARENT) == APRIL
    await paid.use("still its own", 5)
    assert await paid.available() == (40, 1000)
    paid.clock.set(APRIL)
    assert (await paid.use("the parent's", 100)).answer["available"] == "900"
    assert await paid.available() == (40, 900)
    balance = await paid.host.credits.balances.of(CHILD, "default")
    assert (balance.available, balance.payer_id, balance.granted) == (900, PARENT, 50)


async def test_a_key_of_before_has_its_first_answer(paid: Paid) -> None:
    await paid.change(PARENT)
    paid.clock.set(APRIL - timedelta(seconds=1))
    before = await paid.use("k", 7)
    paid.clock.set(APRIL + timedelta(hours=1))
    assert await paid.use("k", 7, host=1) == before
    assert await paid.available() == (38, 1000)
    uses, caller = [RequestedUse(SpentFor(), Decimal(7))], Caller(CHILD, PRINCIPAL, "k", "another request")
    with pytest.raises(IdempotencyConflictError):
        await paid.host.credits.spending.use(caller, uses, "default", is_list=False)


async def test_nothing_is_admitted_in_a_wallet_that_was_left(paid: Paid) -> None:
    await paid.change(PARENT)
    paid.clock.set(APRIL)
    await paid.use("moves it", 1)
    organization = await paid.host.organizations.get(CHILD)
    entries = (UseEntry(Decimal(1), Context(CHILD)),)
    late = Use(organization_id=CHILD, key="late", entries=entries, calendars=organization.calendars)
    with pytest.raises(PayerChangedError):
        await paid.hosts[1].credits.ledger.run(CHILD, late)
    with pytest.raises(PayerChangedError):  # nor in one that it never joined
        await paid.hosts[1].credits.ledger.run(OTHER, late)


async def test_a_host_whose_clock_is_behind_follows(paid: Paid) -> None:
    await paid.change(PARENT)
    paid.clock.set(APRIL)
    await paid.use("moves it", 1)
    paid.clock.set(APRIL - timedelta(seconds=20))
    assert (await paid.use("behind", 1, host=1)).answer["available"] == "998"


async def test_holds_and_refunds_go_on_where_they_were_made(paid: Paid) -> None:
    await paid.change(PARENT)
    spending = paid.host.credits.spending
    paid.clock.set(APRIL - timedelta(minutes=5))
    hold = await spending.reserve(paid.caller("hold"), Decimal(10), SpentFor(), "default", timedelta(hours=1))
    used = await paid.use("used", 4)
    paid.clock.set(APRIL + timedelta(minutes=5))
    await paid.use("moves it", 1)
    captured = await spending.capture(paid.caller("capture"), hold.answer["hold_id"], Decimal(6), ActionDone())
    assert captured.answer["returned"] == "4"
    assert await spending.capture(paid.caller("capture"), hold.answer["hold_id"], Decimal(6), ActionDone()) == captured
    await spending.refund(paid.caller("refund"), used.id, Decimal(3), "a test")
    assert await paid.available() == (50 - 5 - 6 - 4 + 3, 999)
    for organization_id in (CHILD, PARENT):
        verified = await paid.host.credits.verifications.request(
            named_id("ver", organization_id), organization_id, from_beginning=True
        )
        assert verified.ok


async def test_limits_of_departments_move_along(paid: Paid) -> None:
    host = paid.host
    await host.departments.create(DEPARTMENT, CHILD, DepartmentDraft(name="Support"))
    await host.credits.department_limits.put(CHILD, DEPARTMENT, Decimal(10), None, None)
    await paid.change(PARENT)
    paid.clock.set(APRIL)
    assert (await paid.use("fits", 10, department_id=DEPARTMENT)).refusal is None
    refused = await paid.use("too much", 1, department_id=DEPARTMENT)
    assert refused.refusal is not None
    assert refused.refusal.code == "limit_exceeded"
    limits = await paid.hosts[1].credits.department_limits.put(CHILD, DEPARTMENT, Decimal(11), None, None)
    assert limits.daily.spent == 10
    assert (await paid.use("fits again", 1, department_id=DEPARTMENT)).refusal is None


async def test_counters_go_on_with_the_payer_in_their_windows(paid: Paid) -> None:
    """What is captured, released and refunded where it was made moves them there, and counts once."""
    spending, host = paid.host.credits.spending, paid.host
    stored = await host.credits.wallets.read(CHILD, Wanted())
    wallet = stored.wallet.copy()
    wallet.put_budgets((Budget("bud_once", CHILD, "run", "each", "once", Decimal(10)),))
    wallet.finish()
    await host.credits.wallets.commit(stored, wallet)
    await paid.change(PARENT)
    paid.clock.set(APRIL - timedelta(minutes=5))
    used = await paid.use("used", 4, run="r")
    hold = await spending.reserve(paid.caller("hold"), Decimal(4), SpentFor(run="r"), "default", timedelta(hours=1))
    paid.clock.set(APRIL)
    assert (await paid.use("moves it", 1, run="r")).refusal is None
    assert (await paid.use("too much", 2, host=1, run="r")).refusal is not None
    await spending.capture(paid.caller("capture"), hold.answer["hold_id"], Decimal(1), ActionDone())
    await spending.refund(paid.caller("refund"), used.id, Decimal(2), "a test")
    await spending.refund(paid.caller("refund"), used.id, Decimal(2), "a test")
    assert (await paid.use("what came back", 6, run="r")).refusal is None
    assert (await paid.use("too much again", 1, run="r")).refusal is not None
    assert (await paid.use("another run", 10, run="other")).refusal is None
    assert await paid.change(None) == datetime(2026, 5, 1, tzinfo=UTC)
    paid.clock.set(datetime(2026, 5, 3, tzinfo=UTC))
    assert (await paid.use("its own", 1, run="r")).refusal is not None
    assert (await paid.use("its own again", 1, run="third")).refusal is None
    id_ = counter_id("run", CHILD, "r")
    _, present = await host.credits.paying.read(CHILD, Wanted(counters=frozenset({id_})))
    assert present.counters[id_].spending("default", ONCE).total == 10


async def test_a_budget_and_its_alerts_go_on_with_the_payer(paid: Paid) -> None:
    """Also before anything is spent there for the thing, and after answers of the wallet that was left."""
    host, spending, budgets = paid.host, paid.host.credits.spending, paid.host.credits.budgets
    shares = (Decimal(40), Decimal(80))
    draft = BudgetDraft("run", EACH, "once", Decimal(50), "credits", "default", "hard", shares)
    await budgets.put(CHILD, "runs", draft, None)
    await paid.change(PARENT)
    paid.clock.set(APRIL - timedelta(minutes=5))
    for number in range(20):
        used = await paid.use(f"own {number}", 1, run="r")
    hold = await spending.reserve(paid.caller("hold"), Decimal(10), SpentFor(run="r"), "default", timedelta(hours=1))
    before = await budgets.status(CHILD, "runs", "r", hold.answer["revision"])
    paid.clock.set(APRIL)
    await paid.use("moves it", 1)
    moved = await budgets.status(CHILD, "runs", "r", before.revision)
    assert (moved.figures.spent, moved.figures.held, moved.figures.left) == (20, 10, 20)
    assert moved.revision > before.revision
    assert (await paid.use("reaches 80 %", 10, run="r")).refusal is None
    captured = await spending.capture(paid.caller("capture"), hold.answer["hold_id"], Decimal(10), ActionDone())
    refunded = await spending.refund(paid.caller("refund"), used.id, Decimal(1), "a test")
    for answer in (captured.answer, refunded.answer):
        shown = await budgets.status(CHILD, "runs", "r", answer["revision"])
    assert (shown.figures.spent, shown.figures.held) == (39, 0)
    assert (await paid.use("still at 80 %", 1, run="r")).refusal is None
    paid.clock.move(timedelta(minutes=1))
    await host.outbox.sweep()
    alerts = (await host.credits.alerts.page(CHILD, 200, None)).entities
    told = [(alert.share, alert.used) for alert in alerts if alert.type == "budget_share"]
    assert sorted(told) == [(40, 20), (80, 40)], "each once, in whichever wallet it was counted"


async def test_a_late_report_to_the_wallet_that_was_left_is_told_of(paid: Paid) -> None:
    """Nothing else is spent afterwards: the report alone reaches the share."""
    host = paid.host
    draft = BudgetDraft("run", EACH, "once", Decimal(50), "credits", "default", "hard", (Decimal(80),))
    await host.credits.budgets.put(CHILD, "runs", draft, None)
    await paid.change(PARENT)
    paid.clock.set(APRIL - timedelta(minutes=5))
    leased = timedelta(minutes=10)
    lease = await host.credits.leases.take(paid.caller("lease"), Decimal(10), SpentFor(run="r"), "default", leased)
    paid.clock.set(APRIL)
    await paid.use("moves it", 1)
    lease_id = lease.answer["lease_id"]
    await host.credits.leases.settle(paid.caller("late"), lease_id, Decimal(45), [], final=True)
    paid.clock.move(timedelta(minutes=1))
    await host.outbox.sweep()
    paid.clock.move(timedelta(minutes=1))
    await host.outbox.sweep()
    alerts = (await host.credits.alerts.page(CHILD, 200, None)).entities
    told = [(each.budget_id, each.share, each.used) for each in alerts if each.type == "budget_share"]
    assert told == [("runs", 80, 45)]


async def test_shares_are_replaced_by_revision_and_never_added(paid: Paid) -> None:
    await paid.change(PARENT)
    paid.clock.set(APRIL - timedelta(minutes=5))
    await paid.use("used", 4, run="r")
    paid.clock.set(APRIL)
    await paid.use("moves it", 1, run="r")
    id_ = counter_id("run", CHILD, "r")
    shares = paid.host.credits.ledger.shares
    left = (await paid.host.credits.wallets.read(CHILD, Wanted())).wallet
    for _ in range(3):
        await shares.send(CHILD, CHILD, id_, str(left.head.revision))
    with pytest.raises(UnavailableError):  # a read that is older than what moved
        await shares.send(CHILD, CHILD, id_, str(left.head.revision + 1))
    _, wallet = await paid.host.credits.paying.read(CHILD, Wanted(counters=frozenset({id_})))
    assert wallet.payer == PARENT
    assert wallet.counters[id_].spending("default", ONCE).total == 5


async def test_it_can_pay_for_itself_again(paid: Paid) -> None:
    await paid.change(PARENT)
    paid.clock.set(APRIL)
    await paid.use("the parent's", 1)
    assert await paid.change(None) == datetime(2026, 5, 1, tzinfo=UTC)
    paid.clock.set(datetime(2026, 5, 3, tzinfo=UTC))
    await paid.use("its own", 2)
    assert await paid.available() == (43, 999)
    assert (await paid.use("the parent's", 1)).answer["available"] == "42"  # known for 24 hours only


async def test_the_payers_overdraft_decides(paid: Paid) -> None:
    await paid.change(PARENT)
    await paid.host.organizations.update(CHILD, {"settings": {"overdraft": Decimal(5000)}}, None)
    paid.clock.set(APRIL)
    refused = await paid.use("too much", 1001)
    assert refused.refusal is not None
    assert refused.refusal.code == "insufficient_credits"


async def test_who_cannot_pay(paid: Paid) -> None:
    host = paid.host
    euros = named_id("org", "euros")
    await host.organizations.create(euros, OrganizationDraft(name="Euros", currency="EUR", timezone="UTC"))
    for payer in (CHILD, euros):
        with pytest.raises(ValidationError):
            await paid.change(payer)
    await paid.change(PARENT)
    with pytest.raises(ValidationError):  # one with children
        await host.payer_changes.put(PARENT, OTHER)
    with pytest.raises(ValidationError):  # one that has a payer itself
        await host.payer_changes.put(OTHER, CHILD)
    await paid.change(None)
    assert len((await host.organizations.get(CHILD)).payers.entries) == 1


async def test_two_children_use_one_key(paid: Paid) -> None:
    await paid.change(PARENT)
    await paid.host.payer_changes.put(OTHER, PARENT)
    paid.clock.set(APRIL)
    await paid.use("k", 1)
    uses = [RequestedUse(SpentFor(), Decimal(2))]
    other = await paid.host.credits.spending.use(paid.caller("k", OTHER), uses, "default", is_list=False)
    assert (other.amount, other.answer["available"]) == (2, "997")


async def test_a_period_is_drawn_from_the_wallet_that_it_was_created_with(paid: Paid) -> None:
    """Also where one host learns of its payer only after that."""
    draft = OrganizationDraft(
        name="New", currency="USD", timezone="UTC", billing_mode="prepaid", credit_value=Decimal("0.01")
    )
    await paid.host.organizations.create(NEW, draft)
    await paid.host.billing_models.create(NEW_MODEL, NEW, model(COMMANDS))
    informed, late = paid.hosts
    await late.organizations.cached(NEW)
    await informed.payer_changes.put(NEW, PARENT)
    await late.agents.create(named_id("agt", "new"), NEW, agent("a", NEW_MODEL))
    usage = msgspec.structs.replace(reported("n", 4, paid.clock.now()), organization_id=NEW)
    await late.events.accept([usage], partial=False)
    await paid.scene.deliver_usage(late)
    await late.draws.draw(NEW, to_text(datetime(2026, 3, 1, tzinfo=UTC)))
    await paid.scene.drain()
    await informed.draws.draw(NEW, to_text(datetime(2026, 3, 1, tzinfo=UTC)))
    consumed = [(await late.credits.wallets.read(each, Wanted())).wallet.balances("default") for each in (NEW, PARENT)]
    assert sum(balance(balances, CONSUMED) for balances in consumed) == 400


async def test_a_fee_in_advance_is_not_drawn_before_its_first_day(paid: Paid) -> None:
    draft = OrganizationDraft(
        name="New", currency="USD", timezone="UTC", billing_mode="prepaid", credit_value=Decimal("0.01")
    )
    fee = {"key": "fee", "type": "flat_fee", "amount": "31.00", "timing": "advance", "settles": "wallet"}
    fee_model, host = named_id("bm", "new fee"), paid.host
    await host.organizations.create(NEW, draft)
    await host.billing_models.create(NEW_MODEL, NEW, model(COMMANDS))
    await host.billing_models.create(fee_model, NEW, model(fee))
    await host.agents.create(named_id("agt", "new"), NEW, agent("a", NEW_MODEL))
    later = AgentDraft(
        external_id="fee", name="fee", billing_model_id=fee_model, billing_model_from=APRIL - timedelta(days=11)
    )
    await host.agents.create(named_id("agt", "fee"), NEW, later)
    for id_, day, drawn in (("first", 3, 400), ("second", 21, 800 + 1100)):
        paid.clock.set(datetime(2026, 3, day, 12, tzinfo=UTC))
        usage = msgspec.structs.replace(reported(id_, 4, paid.clock.now()), organization_id=NEW)
        await host.events.accept([usage], partial=False)
        await paid.scene.drain()
        wallet = (await host.credits.wallets.read(NEW, Wanted())).wallet
        assert balance(wallet.balances("default"), CONSUMED) == drawn


async def test_a_key_of_before_is_not_missed_by_a_stale_read(paid: Paid) -> None:
    await paid.change(PARENT)
    paid.clock.set(APRIL - timedelta(seconds=1))
    stale: Any = StaleWallet(paid.scene.copy().store, paid.scene.store, partition_of(CHILD))
    await paid.use("k", 7)
    paid.clock.set(APRIL + timedelta(hours=1))
    await paid.use("moves it", 1)
    paid.hosts.append(paid.scene.host_with(stale, paid.scene.queue))
    with suppress(UnavailableError):
        await paid.use("k", 7, host=2)
    assert await paid.available() == (38, 999)


async def test_a_host_with_the_old_record_spends_no_key_again(paid: Paid) -> None:
    """The payer is set while there is no period, and the other host keeps the record of before for a minute."""
    informed, late = paid.hosts
    await informed.organizations.create(NEW, OrganizationDraft(name="New", currency="USD", timezone="UTC"))
    await informed.credits.spending.give(paid.caller("grant", NEW), Decimal(50), Terms("bonus"), "default", None)
    await late.organizations.cached(NEW)
    await informed.payer_changes.put(NEW, PARENT)
    uses = [RequestedUse(SpentFor(), Decimal(5))]
    first = await late.credits.spending.use(paid.caller("k", NEW), uses, "default", is_list=False)
    assert first.answer["available"] == "995"
    assert await informed.credits.spending.use(paid.caller("k", NEW), uses, "default", is_list=False) == first
    own = (await informed.credits.wallets.read(NEW, Wanted())).wallet
    assert own.available("default") == 50


async def test_a_change_that_was_cut_short_holds_as_the_period_says(paid: Paid) -> None:
    host = paid.host
    await host.organizations.create(NEW, OrganizationDraft(name="New", currency="USD", timezone="UTC"))
    organization = await host.organizations.get(NEW)
    cut_short = organization.changed(payers=History[str | None].starting(PARENT))
    await host.periods.containing(cut_short, paid.clock.now())
    uses = [RequestedUse(SpentFor(), Decimal(5))]
    used = await paid.hosts[1].credits.spending.use(paid.caller("k", NEW), uses, "default", is_list=False)
    assert used.answer["available"] == "995"


async def test_a_stale_read_of_the_periods_does_not_change_the_payer_of_the_past(paid: Paid) -> None:
    stale: Any = StaleIndex(paid.scene.store)
    host = paid.scene.host_with(stale, paid.scene.queue)
    organization = await host.payer_changes.put(CHILD, PARENT)
    assert stale.missed
    assert organization.payers.entries[-1].effective_from == APRIL


async def test_two_that_are_to_pay_for_each_other_at_once_are_no_payers(paid: Paid) -> None:
    barrier = asyncio.Barrier(2)
    hosts = [paid.scene.host_with(cast("Any", Meeting(paid.scene.store, barrier)), paid.scene.queue) for _ in range(2)]
    changes = (hosts[0].payer_changes.put(CHILD, OTHER), hosts[1].payer_changes.put(OTHER, CHILD))
    results = await asyncio.gather(*changes, return_exceptions=True)
    refused = [result for result in results if isinstance(result, ValidationError)]
    assert refused
    organizations = [await paid.host.organizations.get(each) for each in (CHILD, OTHER)]
    payers = {each.payers.last for each in organizations if each.payers.last is not None}
    assert {each.id for each in organizations if each.is_payer} == payers
    if not payers:
        await paid.host.payer_changes.put(PARENT, CHILD)


async def test_a_payer_does_not_get_more_budgets_than_fit(paid: Paid) -> None:
    host = paid.host
    await host.departments.create(DEPARTMENT, CHILD, DepartmentDraft(name="Support"))
    await host.credits.department_limits.put(CHILD, DEPARTMENT, Decimal(10), Decimal(20), None)
    stored = await host.credits.wallets.read(PARENT, Wanted())
    wallet = stored.wallet.copy()
    wallet.put_budgets(tuple(Budget(f"bud_{n}", PARENT, "agent", f"{n}", "day", Decimal(1)) for n in range(999)))
    wallet.finish()
    await host.credits.wallets.commit(stored, wallet)
    await paid.change(PARENT)
    paid.clock.set(APRIL)
    with pytest.raises(ConflictError, match="999 budgets"):
        await paid.use("too many", 1)


class StaleIndex:
    """The store, which misses the index of periods once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.missed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def get(self, container: str, pk: str, id_: str) -> Item | None:
        if id_ == "periods" and pk == CHILD and not self.missed:
            self.missed = True
            return None
        return await self._store.get(container, pk, id_)


class Meeting:
    """The store, where two hosts wait for each other before each changes its first organization."""

    def __init__(self, store: Store, barrier: asyncio.Barrier) -> None:
        self._store, self._barrier = store, barrier
        self._met = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> Sequence[str]:
        if not self._met and container == TENANTS.name:
            self._met = True
            await self._barrier.wait()
        return await self._store.batch(container, pk, operations)


class StaleWallet:
    """The store, with one partition as it once was."""

    def __init__(self, before: Store, store: Store, partition: str) -> None:
        self._before, self._store, self._partition = before, store, partition

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        store = self._before if pk == self._partition else self._store
        return await store.get_many(container, pk, ids)
