"""A change that was to begin at a date and does not any more: nothing is invoiced on that date."""

from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.billing.documents import Invoice
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Calendar
from shared.domain.pricing.lines import Line
from shared.domain.pricing.places import Places
from shared.domain.tenancy.organizations import Organization
from shared.services.billing.interim_moments import is_withdrawn
from shared.services.billing.subscription_commands import Cancel, Change, Command, Subscribe
from tests.doubles.fakes import virtual_time
from tests.doubles.worlds.subscribed_organizations import Subscribed, seeded

SEED = 120
"""It is billed in USD."""


def at(day: int, hour: int = 0, month: int = 4) -> datetime:
    return datetime(2028, month, day, hour, tzinfo=UTC)


async def subscribed(seats: int, plan: str = "large") -> Subscribed:
    """To a plan in April, on its 10th day; a seat of the large one costs 13.00."""
    seeded(SEED)
    world = Subscribed(SEED)
    world.oracle.timezone = "UTC"
    world.clock.set(at(1))
    await world.set_up()
    world.subscriptions["base"] = ("sub_00000000000000000000000001", plan)
    await world.command("base", Subscribe(plan, seats=seats))
    await world.pass_until(at(10))
    return world


async def with_a_change_to_come() -> Subscribed:
    """To the small plan on the 21st; and with a third seat since the 11th.

    No interim invoice bills the seat, as more falls by the change.
    """
    world = await subscribed(seats=2)
    await world.command("base", Change("small", at=at(21, hour=11)))
    await world.pass_until(at(11))
    seated = await world.command("base", Change(seats=3))
    assert seated.invoice_id is None
    return world


def amounts(lines: list[Line]) -> list[tuple[str, Decimal]]:
    return [(line.charge or "", line.amount) for line in lines]


async def invoices(world: Subscribed) -> list[tuple[bool, list[tuple[str, Decimal]]]]:
    """Whether it is the invoice of a period, and its lines."""
    documents = await world.documents()
    return [(header.revision > 0, amounts(lines)) for header, lines in documents if isinstance(header, Invoice)]


async def ends_with_april() -> None:
    """The end that is agreed later takes the place of the change."""
    world = await with_a_change_to_come()
    await world.pass_until(at(12))
    await world.command("base", Cancel("period_end"))
    await is_billed_at_the_close(world)


async def is_replaced_by(command: Command) -> None:
    """And the end replaces what that lets begin."""
    world = await with_a_change_to_come()
    await world.pass_until(at(12))
    await world.command("base", command)
    await world.pass_until(at(13))
    await world.command("base", Cancel("period_end"))
    await is_billed_at_the_close(world)


async def is_billed_at_the_close(world: Subscribed) -> None:
    organization = await world.observer.organizations.get(world.id)
    april = await world.observer.periods.would_contain(organization, world.clock.now())
    bill = await world.observer.bills.preview(organization, april)
    twenty_days = [("seats", Decimal("8.67"))]  # of 30, of a seat at 13.00
    assert bill.interims == []
    assert amounts([*bill.lines]) == twenty_days
    subscribing = await invoices(world)
    await world.pass_until(at(21, hour=12))
    assert await invoices(world) == subscribing
    await world.pass_until(at(3, month=5))
    assert await invoices(world) == [*subscribing, (True, twenty_days)]


async def seats_to_come() -> None:
    """A second seat from the 21st on: 10 of 30 days at 13.00."""
    world = await subscribed(seats=1)
    subscribing = await invoices(world)
    await world.command("base", Change(seats=2, at=at(21, hour=11)))
    await world.pass_until(at(21, hour=12))
    assert await invoices(world) == [*subscribing, (False, [("seats", Decimal("4.33"))])]


async def a_plan_to_come() -> None:
    """From 31.00 to 97.00 and 11.00 for the one agent, from the 21st on: 10 of 30 days."""
    world = await subscribed(seats=0, plan="small")
    subscribing = await invoices(world)
    await world.command("base", Change("large", at=at(21, hour=11)))
    await world.pass_until(at(21, hour=12))
    (interim,) = (await invoices(world))[len(subscribing) :]
    billed = {("fee", Decimal("-10.33")), ("fee", Decimal("32.33")), ("agents", Decimal("3.67"))}
    assert (interim[0], {*interim[1]}) == (False, billed)


def test_a_plan_to_come_that_stays_is_invoiced_on_its_date() -> None:
    virtual_time.run(a_plan_to_come())


def test_seats_to_come_that_stay_are_invoiced_on_their_date() -> None:
    virtual_time.run(seats_to_come())


def test_a_change_that_an_end_replaces_makes_no_invoice() -> None:
    virtual_time.run(ends_with_april())


def test_a_change_that_another_date_replaces_makes_no_invoice() -> None:
    virtual_time.run(is_replaced_by(Change("small", at=at(25))))


def test_an_entry_that_does_not_say_when_it_was_commanded_is_kept() -> None:
    """As they were stored before; that of a command for now is kept, too."""
    organization = Organization.model_validate(
        {"id": "org_1", "name": "Acme", "slug": "acme", "currency": "USD", "created_at": at(1)}
        | {"due_days": 14, "grace_hours": 24, "late_window_days": 30}
        | {"calendars": History[Calendar].starting(Calendar(timezone="UTC")), "shard_counts": History[int].starting(1)}
    )
    moment, before = to_text(at(21)), to_text(at(10))
    assert not is_withdrawn(organization, Places(), moment, "")
    assert not is_withdrawn(organization, Places(), moment, moment)
    assert is_withdrawn(organization, Places(), moment, before)
