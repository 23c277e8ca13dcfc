"""Credits of plans: a cycle brings what its days at each plan are due, once, whatever is repeated or interrupted.

Every figure is worked out by hand. November has 30 days; the tests begin on the 21st, so ten of them are left.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from shared.bootstrap import Application, Ports
from shared.containers import TENANTS
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import to_text
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.plans import PlanDraft
from shared.services.billing.cycle_grants import CycleGrants
from shared.services.billing.goodwill import GoodwillDraft
from shared.services.billing.invoice_payments import PaymentByHand
from shared.services.billing.subscription_commands import (
    Cancel,
    Change,
    Command,
    Pause,
    Resume,
    Subscribe,
    Withdraw,
)
from shared.services.credits.spending import Caller, RequestedUse, SpentFor
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
ORGANIZATION = named_id("org", "acme")
SUBSCRIPTION = named_id("sub", "base")
SPENDER = Principal("usr_1", ORGANIZATION, frozenset({Permission.CREDITS_USE, Permission.CREDITS_USE_AMOUNT}))
Json = dict[str, Any]


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = SettableClock(NOW)
        self.host, self.other = self.new_host(), self.new_host()
        self._commands = 0

    def new_host(self) -> Application:
        return Application(Ports(self.store, MemoryQueue(), self.clock, NoSecrets()), Settings())

    async def plan(self, key: str, amount: str | None = None, **fields: Any) -> None:
        interval = fields.pop("interval", "month")
        timing, price = fields.pop("timing", "advance"), fields.pop("fee", "10.00")
        fee = {"key": "fee", "type": "flat_fee", "amount": price, "timing": timing, "interval": interval}
        model_id = named_id("bm", key)
        model = BillingModelDraft.model_validate({"name": key, "currency": "USD", "charges": [fee]})
        await self.host.billing_models.create(model_id, None, model)
        trial, kind = fields.pop("trial", None), fields.pop("at", "base")
        grants = [] if amount is None else [{"key": "included", "amount": amount} | fields]
        draft = {
            "key": key,
            "name": key,
            "kind": kind,
            "interval": interval,
            "prices": {"USD": named_id("bmv", model_id, 1)},
        }
        await self.host.plans.create(
            named_id("plan", key), PlanDraft.model_validate(draft | {"grants": grants, "trial": trial})
        )

    async def command(
        self, command: Command, host: Application | None = None, subscription: str = "base"
    ) -> str | None:
        """The id of the interim invoice that it issued."""
        self._commands += 1
        self.clock.move(timedelta(seconds=1))
        id_ = named_id("sub", subscription)
        name = id_ if isinstance(command, Subscribe) else f"command {self._commands}"
        return (await (host or self.host).subscriptions.command(ORGANIZATION, id_, command, name)).invoice_id

    async def invoice(self, inside: datetime) -> str:
        """The id of the invoice of the period around an instant, which is finalized now."""
        organization = await self.host.organizations.get(ORGANIZATION)
        period = await self.host.periods.containing(organization, inside)
        draft = await self.host.issuing.draft(organization, period)
        assert draft is not None
        issued = await self.host.issuing.finalize(organization, draft.id)
        assert issued.invoice is not None
        return issued.invoice.id

    async def pay(self, invoice_id: str | None, amount: str | None = None) -> None:
        """What is due of an invoice, or so much."""
        assert invoice_id is not None
        self._commands += 1
        by_hand = PaymentByHand("bank_transfer", None if amount is None else Decimal(amount))
        payment_id = named_id("pay", self._commands)
        await self.host.account.payments.pay(ORGANIZATION, payment_id, invoice_id, by_hand)

    async def at(self, now: datetime) -> None:
        """A moment later, when what was due then is swept."""
        self.clock.set(now + timedelta(seconds=1))
        await self.host.outbox.sweep()

    async def use(self, amount: str) -> None:
        self._commands += 1
        caller = Caller(ORGANIZATION, SPENDER, f"use {self._commands}", "hash")
        used = RequestedUse(SpentFor(), amount=Decimal(amount))
        transfer = await self.host.credits.spending.use(caller, [used], DEFAULT_KIND, is_list=False)
        assert transfer.refusal is None

    async def available(self, kind: str = DEFAULT_KIND) -> str:
        return f"{(await self.host.credits.balances.of(ORGANIZATION, kind)).available.normalize():f}"

    async def grants(self) -> list[tuple[str, str]]:
        """Amount and what was taken back of each, oldest first."""
        states, _ = await self.host.credits.balances.grants(ORGANIZATION, 100, None)
        return [
            (f"{state.record.amount.normalize():f}", f"{state.record.clawed_back.normalize():f}") for state in states
        ][::-1]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.host.organizations.create(
        ORGANIZATION, OrganizationDraft(name="Acme", slug="acme", currency="USD", timezone="UTC")
    )
    yield made
    await made.host.close()
    await made.other.close()


async def test_a_cycle_brings_its_days_and_the_next_one_all_of_them(world: World):
    await world.plan("team", "3000")
    await world.command(Subscribe("team"))
    assert await world.grants() == [("1000", "0")]
    await world.at(DECEMBER)
    assert await world.grants() == [("1000", "0"), ("3000", "0")]
    assert await world.available() == "3000"
    await world.at(datetime(2027, 1, 1, tzinfo=UTC))
    assert await world.available() == "3000"
    assert len(await world.grants()) == 3


async def test_repeating_the_work_of_a_cycle_brings_nothing_more(world: World):
    await world.plan("team", "3000")
    await world.command(Subscribe("team"))
    for _ in range(5):
        entry = {"organization_id": ORGANIZATION, "moment": to_text(NOW), "revision": "1"}
        for host in (world.host, world.other):
            receive = host.receivers()["grants_due"]
            await asyncio.gather(*(receive(**entry) for _ in range(4)))
        await world.host.outbox.sweep()
    assert await world.grants() == [("1000", "0")]


async def test_credits_on_payment_are_there_once_each_cycle_is_paid(world: World):
    await world.plan("team", "3000", on="paid")
    interim = await world.command(Subscribe("team"))
    assert await world.available() == "0"
    await world.pay(interim, "3.00")
    assert await world.available() == "0"
    await world.pay(interim)
    assert await world.grants() == [("1000", "0")]
    await world.at(datetime(2026, 12, 2, 1, tzinfo=UTC))
    assert await world.available() == "0"
    invoice = await world.invoice(NOW)
    assert await world.available() == "0"
    await world.pay(invoice)
    assert await world.grants() == [("1000", "0"), ("3000", "0")]
    assert await world.available() == "3000"


async def test_credits_on_payment_rise_with_the_payment_and_fall_at_once(world: World):
    await world.plan("small", "3000", on="paid")
    await world.plan("large", "6000", on="paid", fee="20.00")
    await world.pay(await world.command(Subscribe("small")))
    world.clock.set(datetime(2026, 11, 26, 9, tzinfo=UTC))
    interim = await world.command(Change("large"))
    assert await world.available() == "1000"
    await world.pay(interim)
    assert await world.available() == "1500"
    await world.command(Change("small"))
    assert await world.available() == "1000"


async def test_credits_on_payment_come_with_a_balance_that_covers_the_fees(world: World):
    await world.plan("team", "3000", on="paid")
    await world.pay(await world.command(Subscribe("team")), "100.00")
    await world.at(datetime(2026, 12, 2, 1, tzinfo=UTC))
    await world.invoice(NOW)
    assert await world.available() == "3000"


async def test_credits_on_payment_come_where_goodwill_or_a_waiver_leaves_nothing_owed(world: World):
    await world.plan("team", "3000", on="paid")
    interim = await world.command(Subscribe("team"))
    assert interim is not None
    await world.host.account.cancelling.cancel(ORGANIZATION, interim, None)
    assert await world.available() == "0"
    again = await world.command(Change(seats=1))
    assert again is not None
    organization = await world.host.organizations.get(ORGANIZATION)
    draft = GoodwillDraft("A gift", Decimal("3.33"), [], "open")
    await world.host.account.goodwill.give(organization, named_id("cn", "gift"), again, draft)
    assert await world.available() == "1000"


async def test_a_cancelled_invoice_whose_fees_are_waived_leaves_nothing_owed(world: World):
    await world.plan("team", "3000", on="paid")
    interim = await world.command(Subscribe("team"))
    assert interim is not None
    await world.host.account.cancelling.cancel(ORGANIZATION, interim, None, waive=True)
    assert await world.available() == "1000"


async def test_credits_on_payment_need_a_fee_in_advance(world: World):
    with pytest.raises(ValidationError) as refused:
        await world.plan("team", "3000", on="paid", timing="arrears")
    assert [error.pointer for error in refused.value.errors] == ["/grants/0/on"]


async def test_an_upgrade_brings_the_difference_and_one_undone_the_same_day_leaves_nothing(world: World):
    await world.plan("small", "3000")
    await world.plan("large", "6000")
    await world.command(Subscribe("small"))
    world.clock.set(datetime(2026, 11, 26, 9, tzinfo=UTC))
    await world.command(Change("large"))
    # 5 days of 100 and 5 of 200
    assert await world.grants() == [("1000", "0"), ("500", "0")]
    await world.command(Change("small"))
    assert await world.grants() == [("1000", "0"), ("500", "500")]
    assert await world.available() == "1000"
    await world.command(Change("large"))
    assert await world.grants() == [("1000", "0"), ("500", "0")]
    assert await world.available() == "1500"


async def test_without_taking_back_an_upgrade_that_is_undone_would_leave_credits(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    async def not_at_all(*_: Any) -> None:
        return

    monkeypatch.setattr(CycleGrants, "_take_back", not_at_all)
    await world.plan("small", "3000")
    await world.plan("large", "6000")
    await world.command(Subscribe("small"))
    await world.command(Change("large"))
    await world.command(Change("small"))
    assert await world.available() == "2000"


async def test_what_exceeds_the_days_is_taken_from_what_is_free_then_is_debt(world: World):
    await world.plan("large", "6000")
    await world.plan("none")
    await world.command(Subscribe("large"))
    assert await world.available() == "2000"
    await world.use("1700")
    world.clock.set(datetime(2026, 11, 26, 9, tzinfo=UTC))
    await world.command(Change("none"))
    # 5 days of 200 are due: of the other 1,000 there are 300 left
    assert await world.grants() == [("2000", "1000")]
    balance = await world.host.credits.balances.of(ORGANIZATION, DEFAULT_KIND)
    assert (balance.available, balance.debt) == (-700, 700)


async def test_a_cancellation_now_and_a_pause_take_back_the_days_that_are_left(world: World):
    await world.plan("team", "3000")
    await world.command(Subscribe("team"))
    world.clock.set(datetime(2026, 11, 23, 9, tzinfo=UTC))
    await world.command(Pause())
    assert await world.available() == "300"  # the 21st, 22nd and 23rd
    world.clock.set(datetime(2026, 11, 25, 9, tzinfo=UTC))
    await world.command(Resume())
    assert await world.available() == "900"  # and the 25th to the 30th
    await world.command(Cancel("now"))
    assert await world.available() == "400"
    await world.at(DECEMBER)
    assert await world.available() == "0"
    assert await world.grants() == [("1000", "600")]


async def test_a_cancellation_at_the_end_leaves_the_cycle_its_credits_and_the_next_one_none(world: World):
    await world.plan("team", "3000")
    await world.command(Subscribe("team"))
    await world.command(Cancel())
    assert await world.available() == "1000"
    await world.at(DECEMBER)
    assert await world.available() == "0"
    assert await world.grants() == [("1000", "0")]


async def test_a_change_that_lies_ahead_counts_when_it_begins_and_not_when_it_is_withdrawn(world: World):
    await world.plan("small", "3000")
    await world.plan("large", "6000")
    await world.command(Subscribe("small"))
    await world.command(Change("large", at=datetime(2026, 11, 26, tzinfo=UTC)))
    assert await world.available() == "1000"
    await world.command(Withdraw())
    await world.at(datetime(2026, 11, 26, tzinfo=UTC))
    assert await world.grants() == [("1000", "0")]
    await world.command(Change("large", at=datetime(2026, 11, 28, tzinfo=UTC)))
    await world.at(datetime(2026, 11, 28, tzinfo=UTC))
    assert await world.available() == "1300"  # 7 days of 100 and 3 of 200


async def test_a_cycle_that_begins_with_a_change_to_come_brings_the_days_until_then(world: World):
    await world.plan("small", "3000")
    await world.plan("large", "6000")
    await world.command(Subscribe("small"))
    await world.command(Change("large", at=datetime(2026, 12, 11, tzinfo=UTC)))
    await world.at(DECEMBER)
    assert await world.available() == "967.741935"  # 10 of 31 days
    await world.at(datetime(2026, 12, 11, tzinfo=UTC))
    assert await world.available() == "5032.258065"  # and 21 of 6,000


async def test_a_trial_brings_none_and_what_follows_it_does(world: World):
    await world.plan("team", "3000", trial={"days": 4})
    await world.command(Subscribe("team"))
    assert await world.grants() == []
    await world.at(NOW + timedelta(days=4, seconds=1))
    assert await world.grants() == [("600", "0")]  # the 25th to the 30th


async def test_what_rolls_over_is_an_amount_for_one_more_cycle(world: World):
    await world.plan("team", "3000", rollover="400")
    await world.command(Subscribe("team"))
    await world.at(DECEMBER)
    assert await world.available() == "3400"
    await world.use("300")  # what expires first burns first: both end with December
    await world.at(datetime(2027, 1, 1, tzinfo=UTC))
    assert await world.available() == "3400"
    await world.at(datetime(2027, 2, 1, tzinfo=UTC))
    assert await world.available() == "3400"


async def test_more_grants_in_a_cycle_roll_over_no_more_than_the_largest_plan_says(world: World):
    await world.plan("small", "3000", rollover="400")
    await world.plan("large", "6000", rollover="600")
    await world.command(Subscribe("small"))
    await world.command(Change("large"))
    await world.command(Cancel())
    assert await world.available() == "2000"
    await world.at(DECEMBER)
    assert await world.available() == "600"


async def test_credits_that_never_expire_and_those_of_other_kinds_stay_apart(world: World):
    await world.plan("team", "3000", expires="never")
    await world.plan("images", "10", kind="images", at="addon")
    await world.command(Subscribe("team"))
    await world.command(Subscribe("images"), subscription="images")
    assert (await world.available(), await world.available("images")) == ("1000", "3.333333")
    await world.at(DECEMBER)
    assert (await world.available(), await world.available("images")) == ("4000", "10")


async def test_what_comes_late_brings_the_cycles_that_it_missed_as_far_as_they_last(world: World):
    await world.plan("team", "3000", expires="never")
    await world.plan("short", "300", at="addon")
    await world.command(Subscribe("team"))
    await world.command(Subscribe("short"), subscription="short")
    await world.at(datetime(2027, 3, 15, tzinfo=UTC))
    # 1,000 and four months of 3,000 that stay, and the present month's 300
    assert await world.available() == "13300"


async def test_a_year_brings_its_credits_once_and_the_next_one_from_its_anniversary_on(world: World):
    await world.plan("yearly", "36500", interval="year")
    await world.command(Subscribe("yearly"))
    assert await world.grants() == [("36500", "0")]
    await world.at(DECEMBER)
    await world.at(datetime(2027, 6, 1, tzinfo=UTC))
    assert await world.grants() == [("36500", "0")]
    await world.use("500")
    await world.at(datetime(2027, 11, 21, tzinfo=UTC))  # what was left is gone
    assert await world.available() == "36500"
    assert len(await world.grants()) == 2


async def test_a_change_from_a_year_to_months_takes_back_its_days_and_brings_those_of_the_month(world: World):
    await world.plan("yearly", "36500", interval="year")
    await world.plan("monthly", "3100")
    await world.command(Subscribe("yearly"))
    await world.at(datetime(2026, 12, 22, 9, tzinfo=UTC))
    await world.command(Change("monthly"))
    # 31 of 365 days, and 10 of December's 31
    assert await world.grants() == [("36500", "33400"), ("1000", "0")]
    assert await world.available() == "4100"
    await world.command(Change("yearly"))
    assert await world.available() == "36500"


async def test_an_add_on_brings_its_credits_as_often_as_it_is_had(world: World):
    await world.plan("packs", "300", at="addon")
    await world.command(Subscribe("packs", quantity=3), subscription="packs")
    assert await world.grants() == [("300", "0")]  # three times 100
    await world.command(Change(quantity=5), subscription="packs")
    assert await world.available() == "500"
    await world.command(Change(quantity=2), subscription="packs")
    assert await world.available() == "200"


async def test_random_histories_leave_in_each_cycle_what_a_second_computation_says(world: World):
    random = Random(7)
    amounts = {"none": 0, "small": 3000, "large": 6000, "huge": 30000}
    for key, amount in amounts.items():
        await world.plan(key, str(amount) if amount else None, expires="never")
    await world.command(Subscribe("small"))
    plan_of_day = {21: 3000}
    day, now = 21, "small"
    for _ in range(40):
        day = min(30, day + random.choice((0, 0, 1)))
        hour = world.clock.now().hour if world.clock.now().day == day else 0
        world.clock.set(max(world.clock.now(), datetime(2026, 11, day, hour, tzinfo=UTC)))
        now = random.choice(list(amounts))
        for missed in range(max(plan_of_day), day):
            plan_of_day[missed + 1] = plan_of_day[missed]
        plan_of_day[day] = amounts[now]
        await world.command(Change(now), random.choice((world.host, world.other)))
        if random.random() < 0.3:
            await world.host.outbox.sweep()
    due = sum(plan_of_day.get(each, plan_of_day[day]) for each in range(21, 31))
    balance = await world.host.credits.balances.of(ORGANIZATION, DEFAULT_KIND)
    assert balance.available == Decimal(due) / 30
    item = await world.store.get(
        TENANTS.name, ORGANIZATION, f"granted_cycle:base:{to_text(datetime(2026, 11, 1, tzinfo=UTC))}"
    )
    assert item is not None
    assert item.document["applied"] == item.document["version"]
