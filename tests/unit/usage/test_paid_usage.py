"""Events that credits have paid cost only what goes beyond what their payment keeps, whatever comes when."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest

from shared.bootstrap import Application
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.counters import counter_id
from shared.domain.credits.grants import Terms
from shared.domain.credits.windows import ONCE, windows_at
from shared.domain.kernel.errors import NotFoundError, RejectedItemsError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.usage.events import event_key
from shared.domain.usage.recorded_events import RecordedEvent
from shared.ports.wallets import Wanted
from shared.services.billing.invoice_runs import Task
from shared.services.credits.spending import ActionDone, Caller, RequestedUse, SpentFor
from shared.services.tenancy.organizations import OrganizationDraft
from tests.doubles.worlds.invoiced_organization import (
    ORGANIZATION,
    Scene,
    billed,
    delivered,
    issued,
    reported,
)

IN_APRIL, IN_MAY, IN_JUNE = (datetime(2026, month, 3, 12, tzinfo=UTC) for month in (4, 5, 6))
VALUE = Decimal("0.5")
PRINCIPAL = Principal("usr_1", ORGANIZATION, frozenset(Permission))
OTHER = named_id("org", "other")


class Paying:
    """An organization with 1,000 credits of 0.50, whose events may name payments; a unit costs 1.00."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @property
    def host(self) -> Application:
        return self.scene.host()

    def caller(self, key: str, organization_id: str = ORGANIZATION) -> Caller:
        return Caller(organization_id, PRINCIPAL, key, key)

    async def use(self, key: str, amount: str, organization_id: str = ORGANIZATION) -> str:
        uses = [RequestedUse(SpentFor(), Decimal(amount))]
        spending = self.host.credits.spending
        return (await spending.use(self.caller(key, organization_id), uses, "default", is_list=False)).id

    async def reserve(self, key: str, amount: str) -> str:
        lifetime = timedelta(hours=1)
        reserved = self.host.credits.spending.reserve(
            self.caller(key), Decimal(amount), SpentFor(), "default", lifetime
        )
        return str((await reserved).answer["hold_id"])

    async def capture(self, hold_id: str, amount: str) -> str:
        capture = self.host.credits.spending.capture
        return (await capture(self.caller(f"c {hold_id}"), hold_id, Decimal(amount), ActionDone())).id

    async def release(self, hold_id: str) -> None:
        await self.host.credits.spending.release(self.caller(f"r {hold_id}"), hold_id)

    async def refund(self, key: str, transaction_id: str, amount: str) -> None:
        await self.host.credits.spending.refund(self.caller(key), transaction_id, Decimal(amount), "a test")

    async def report(self, id_: str, quantity: int, paid_with: str | None = None, **fields: Any) -> None:
        event = msgspec.structs.replace(
            reported(id_, quantity, IN_APRIL - timedelta(days=1)), paid_with=paid_with, may_spend=True, **fields
        )
        await self.host.events.accept([event], partial=False)
        await self.scene.deliver_usage(self.host)

    async def event(self, id_: str) -> RecordedEvent:
        organization = await self.host.organizations.get(ORGANIZATION)
        return (await self.host.recorded_events.get_by_identity(organization, "test", id_)).event

    async def beyond(self, *ids: str) -> list[Decimal]:
        return [(await self.event(id_)).beyond_payment for id_ in ids]

    async def listed(self) -> dict[str, tuple[Decimal, Decimal]]:
        payments, _ = await self.host.paid_usage.passed(ORGANIZATION, 100, None)
        return {payment.id: (payment.worth, payment.beyond) for payment in payments}

    async def take_off(self, id_: str) -> None:
        organization = await self.host.organizations.get(ORGANIZATION)
        await self.host.paid_usage.take_off(organization, event_key(ORGANIZATION, "test", id_), "a test")

    async def billed_in_april(self) -> Decimal:
        """After two invoices; repair finds nothing wrong."""
        await self.scene.drain()
        organization = await self.host.organizations.get(ORGANIZATION)
        period = await self.host.periods.containing(organization, IN_APRIL)
        async for report in self.host.repair.run(organization, period, mend=False):
            assert not report.wrong, report.wrong
        for instant in (IN_MAY, IN_JUNE):
            self.scene.clock.set(max(instant, self.scene.clock.now()))
            await self.host.invoice_runs.run(Task(organization_id=ORGANIZATION))
            await self.scene.drain()
        return billed(await issued(self.scene)).get("2026-04", Decimal(0))


@pytest.fixture
async def paying() -> Paying:
    scene = await Scene.prepared()
    host = scene.host()
    changes = {"credit_value": VALUE, "settings": {"paid_usage": True}}
    await host.organizations.update(ORGANIZATION, changes, None)
    paying = Paying(scene)
    await host.credits.spending.give(paying.caller("grant"), Decimal(1000), Terms("purchase"), "default", None)
    scene.clock.set(IN_APRIL)
    return paying


async def test_events_cost_what_goes_beyond_a_use_in_their_order(paying: Paying) -> None:
    used = await paying.use("use", "10")
    for id_, quantity in (("a", 3), ("b", 4), ("c", 1)):
        await paying.report(id_, quantity, used)
    assert await paying.beyond("a", "b", "c") == [0, 2, 1]
    assert await paying.listed() == {used: (8, 3)}
    await paying.report("unpaid", 5)
    assert await paying.billed_in_april() == 3 + 5


async def test_while_a_hold_is_open_its_events_cost_nothing(paying: Paying) -> None:
    hold = await paying.reserve("reserve", "20")
    await paying.report("a", 3, hold)
    await paying.report("b", 4, hold)
    assert (await paying.beyond("a", "b"), await paying.listed()) == ([0, 0], {})
    captured = await paying.capture(hold, "8")
    assert (await paying.beyond("a", "b"), await paying.listed()) == ([0, 3], {hold: (7, 3)})
    await paying.report("c", 1, captured)  # the same payment by its other name
    assert await paying.beyond("a", "b", "c") == [0, 3, 1]
    await paying.refund("refund", captured, "6")
    assert await paying.beyond("a", "b", "c") == [2, 4, 1]
    assert await paying.billed_in_april() == 7


async def test_a_lease_pays_what_it_reports_once_it_has_ended(paying: Paying) -> None:
    leases, hour = paying.host.credits.leases, timedelta(hours=1)
    lease = await leases.take(paying.caller("lease"), Decimal(20), SpentFor(), "default", hour)
    lease_id = str(lease.answer["lease_id"])
    await paying.report("a", 3, lease_id)
    await leases.settle(paying.caller("first"), lease_id, Decimal(2), [], final=False)
    assert await paying.beyond("a") == [0]
    ended = await leases.settle(paying.caller("last"), lease_id, Decimal(4), [], final=True)
    await paying.report("b", 1, ended.id)
    assert (await paying.beyond("a", "b"), await paying.listed()) == ([1, 1], {lease_id: (4, 2)})
    await paying.host.credits.leases.settle(paying.caller("late"), lease_id, Decimal(7), [], final=False)
    assert await paying.beyond("a", "b") == [0, Decimal("0.5")]
    await paying.refund("refund", ended.id, "2")
    assert await paying.beyond("a", "b") == [Decimal("0.5"), 1]
    assert await paying.billed_in_april() == Decimal("1.5")


@pytest.mark.parametrize("ends", ["release", "expiry"])
async def test_what_was_never_captured_is_paid_in_money(paying: Paying, ends: str) -> None:
    hold = await paying.reserve("reserve", "20")
    await paying.report("a", 3, hold)
    if ends == "release":
        await paying.release(hold)
    else:
        paying.scene.clock.move(timedelta(minutes=61))
        await paying.host.outbox.sweep()
    assert await paying.beyond("a") == [3]
    assert await paying.billed_in_april() == 3


async def test_what_ended_before_the_event_counts_at_once(paying: Paying) -> None:
    hold = await paying.reserve("reserve", "20")
    await paying.capture(hold, "2")
    used = await paying.use("use", "4")
    await paying.refund("refund", used, "2")
    await paying.report("a", 3, hold)
    await paying.report("b", 3, used)
    assert await paying.beyond("a", "b") == [2, 2]


async def test_a_payment_that_is_taken_off_moves_the_period_like_a_late_event(paying: Paying) -> None:
    used = await paying.use("use", "10")
    for id_, quantity in (("a", 4), ("b", 2)):
        await paying.report(id_, quantity, used)
    assert await paying.beyond("a", "b") == [0, 1]
    assert await paying.billed_in_april() == 1
    await paying.take_off("a")
    await paying.take_off("a")
    event = await paying.event("a")
    assert (event.is_paid, event.payment_taken_off, await paying.beyond("a", "b")) == (False, True, [0, 0])
    assert await paying.listed() == {}
    paying.scene.clock.set(datetime(2026, 7, 3, tzinfo=UTC))
    assert await paying.billed_in_april() == 4


async def test_what_is_not_paid_counts_as_metered_in_the_hour_of_its_event(paying: Paying) -> None:
    used = await paying.use("use", "10")
    for id_, quantity in (("a", 4), ("b", 2)):
        await paying.report(id_, quantity, used)

    async def metered() -> tuple[Decimal, Decimal]:
        """In all, and in the hour in which the events happened: credits."""
        await paying.scene.drain()
        id_ = counter_id("organization", ORGANIZATION, ORGANIZATION)
        organization, wallet = await paying.host.credits.paying.read(ORGANIZATION, Wanted(counters=frozenset({id_})))
        hour, *_ = windows_at(IN_APRIL - timedelta(days=1), organization.calendars)
        counter = wallet.counters[id_]
        return counter.spending("default", ONCE).metered, counter.spending("default", hour).metered

    assert await metered() == (2, 2)
    await paying.take_off("a")
    assert await metered() == (8, 8)


async def test_a_repeated_message_changes_nothing(paying: Paying) -> None:
    used = await paying.use("use", "2")
    event = msgspec.structs.replace(reported("a", 3, IN_APRIL), paid_with=used, may_spend=True)
    await paying.host.events.accept([event], partial=False)
    messages = delivered(paying.scene.taken("usage"))
    for _ in range(3):
        await paying.host.metering.meter(messages)
    assert await paying.beyond("a") == [2]
    assert await paying.billed_in_april() == 2


async def test_what_names_no_payment_of_its_organization_is_parked(paying: Paying) -> None:
    draft = OrganizationDraft(name="Other", currency="USD", timezone="UTC")
    await paying.host.organizations.create(OTHER, draft)
    await paying.host.credits.spending.give(paying.caller("grant", OTHER), Decimal(9), Terms("bonus"), "default", None)
    others = await paying.use("use", "4", OTHER)
    grant = await paying.host.credits.spending.give(paying.caller("g"), Decimal(1), Terms("bonus"), "default", None)
    for number, payment in enumerate((others, grant.id, named_id("hold", "none"))):
        await paying.report(f"unknown {number}", 3, payment)
        with pytest.raises(NotFoundError):
            await paying.event(f"unknown {number}")
    assert await paying.billed_in_april() == 0


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"may_spend": False}, "credits:use"),
        ({"type": "outcome.sold"}, "not for outcomes"),
        ({"paid_with": "grant_1"}, "not the id"),
    ],
)
async def test_who_may_not_name_a_payment_is_told(paying: Paying, fields: dict[str, Any], wrong: str) -> None:
    used = await paying.use("use", "4")
    event = msgspec.structs.replace(reported("a", 3, IN_APRIL), **{"paid_with": used, "may_spend": True, **fields})
    with pytest.raises(RejectedItemsError) as refused:
        await paying.host.events.accept([event], partial=False)
    assert wrong in str(refused.value.errors)


async def test_only_where_the_operator_allows_it(paying: Paying) -> None:
    used = await paying.use("use", "4")
    hold = await paying.reserve("reserve", "4")
    await paying.report("a", 3, hold)
    await paying.host.organizations.update(ORGANIZATION, {"settings": {"paid_usage": False}}, None)
    event = msgspec.structs.replace(reported("b", 3, IN_APRIL), paid_with=used, may_spend=True)
    with pytest.raises(RejectedItemsError) as refused:
        await paying.host.events.accept([event], partial=False)
    assert "not allowed" in str(refused.value.errors)
    await paying.release(hold)
    assert await paying.beyond("a") == [3]


async def test_only_a_paid_event_has_a_payment_to_take_off(paying: Paying) -> None:
    await paying.report("a", 3)
    with pytest.raises(ValidationError):
        await paying.take_off("a")
    with pytest.raises(NotFoundError):
        await paying.take_off("b")


async def test_a_wallet_pays_what_goes_beyond_once(paying: Paying) -> None:
    await paying.host.organizations.update(ORGANIZATION, {"billing_mode": "prepaid"}, None)
    paying.scene.clock.set(IN_MAY)
    used = await paying.use("use", "10")
    event = msgspec.structs.replace(reported("a", 7, IN_MAY), paid_with=used, may_spend=True)
    await paying.host.events.accept([event], partial=False)
    await paying.scene.drain()
    balance = await paying.host.credits.balances.of(ORGANIZATION, "default")
    assert (balance.consumed, balance.available) == (10 + 4, 986)
    paying.scene.clock.set(IN_JUNE)
    await paying.host.invoice_runs.run(Task(organization_id=ORGANIZATION))
    await paying.scene.drain()
    assert billed(await issued(paying.scene)).get("2026-05", Decimal(0)) == 0


class RandomHistory:
    """What happens in any order, with a second computation of what each payment keeps."""

    def __init__(self, paying: Paying, seed: int) -> None:
        self.paying, self.random = paying, Random(seed)
        self.worth: dict[str, list[tuple[str, int]]] = {}
        """By payment: its events with their units."""
        self.kept: dict[str, Decimal] = {}
        """Credits, of those that have ended."""
        self.captures: dict[str, str] = {}
        """The transaction of a payment that can be refunded."""
        self.holds: list[str] = []
        self.off: set[str] = set()
        self.messages: list[Any] = []
        self.step = 0

    async def play(self, steps: int) -> None:
        actions = [self.use, self.reserve, self.report, self.report, self.report]
        actions += [self.end, self.refund, self.take_off, self.repeat]
        for self.step in range(steps):
            await self.random.choice(actions)()
            if self.random.random() < 0.3:
                await self.paying.host.outbox.sweep()

    async def use(self) -> None:
        used = await self.paying.use(f"u{self.step}", "6")
        self.worth[used], self.kept[used], self.captures[used] = [], Decimal(6), used

    async def reserve(self) -> None:
        self.holds.append(await self.paying.reserve(f"h{self.step}", "6"))
        self.worth[self.holds[-1]] = []

    async def report(self) -> None:
        if not self.worth:
            return
        payment, quantity, id_ = self.random.choice(list(self.worth)), self.random.randint(1, 3), f"e{self.step}"
        event = reported(id_, quantity, IN_APRIL - timedelta(days=1))
        event = msgspec.structs.replace(event, paid_with=payment, may_spend=True)
        await self.paying.host.events.accept([event], partial=False)
        self.messages += delivered(self.paying.scene.taken("usage"))
        await self.paying.host.metering.meter(self.messages[-1:])
        self.worth[payment].append((id_, quantity))

    async def end(self) -> None:
        if not self.holds:
            return
        hold = self.holds.pop(self.random.randrange(len(self.holds)))
        if self.random.random() < 0.7:
            self.kept[hold] = Decimal(self.random.randint(1, 6))
            self.captures[hold] = await self.paying.capture(hold, str(self.kept[hold]))
        else:
            self.kept[hold] = Decimal(0)
            await self.paying.release(hold)

    async def refund(self) -> None:
        payment = self.random.choice([*self.captures, ""])
        if payment and self.kept[payment] >= 1:
            await self.paying.refund(f"r{self.step}", self.captures[payment], "1")
            self.kept[payment] -= 1

    async def take_off(self) -> None:
        reported_events = [id_ for events in self.worth.values() for id_, _ in events]
        if reported_events:
            self.off.add(self.random.choice(reported_events))
            for id_ in self.off:
                await self.paying.take_off(id_)

    async def repeat(self) -> None:
        again = self.random.sample(self.messages, min(3, len(self.messages)))
        if again:
            await self.paying.host.metering.meter(again)

    def paid(self, payment: str) -> list[tuple[str, int]]:
        return [(id_, quantity) for id_, quantity in self.worth[payment] if id_ not in self.off]

    def beyond(self, payment: str) -> Decimal:
        if payment not in self.kept:
            return Decimal(0)
        return max(Decimal(0), sum(quantity for _, quantity in self.paid(payment)) - self.kept[payment] * VALUE)


async def test_a_wallet_pays_what_goes_beyond_when_its_own_hold_ends(paying: Paying) -> None:
    """The capture has a draw follow on the same wallet."""
    await paying.host.organizations.update(ORGANIZATION, {"billing_mode": "prepaid"}, None)
    paying.scene.clock.set(IN_MAY)
    hold = await paying.reserve("reserve", "10")
    event = msgspec.structs.replace(reported("a", 7, IN_MAY), paid_with=hold, may_spend=True)
    await paying.host.events.accept([event], partial=False)
    await paying.scene.deliver_usage(paying.host)
    async with asyncio.timeout(10):
        await paying.capture(hold, "4")
    balance = await paying.host.credits.balances.of(ORGANIZATION, "default")
    assert (balance.consumed, balance.reserved) == (4 + 10, 0)


@pytest.mark.parametrize("seed", range(6))
async def test_random_histories(paying: Paying, seed: int) -> None:
    """In any order and with any repetition each payment's events cost what they are worth above what it keeps."""
    history = RandomHistory(paying, seed)
    await history.play(40)
    for payment in history.worth:
        beyond = await paying.beyond(*(id_ for id_, _ in history.paid(payment)))
        assert sum(beyond, Decimal(0)) == history.beyond(payment)
    for hold in history.holds:  # what is open by now expires, and was never captured
        history.kept[hold] = Decimal(0)
    events = [each for of_payment in history.worth.values() for each in of_payment]
    taken_off = sum(quantity for id_, quantity in events if id_ in history.off)
    assert await paying.billed_in_april() == taken_off + sum(map(history.beyond, history.worth))
