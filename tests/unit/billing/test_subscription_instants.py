"""Changes at the first and the last instants of days and periods, on a clock that stands still."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.kernel.ids import named_id
from shared.services.billing.subscription_commands import Cancel, Change, Command, Subscribe
from tests.doubles.fakes import virtual_time
from tests.doubles.worlds.fee_oracle import Agreed, FeeOracle
from tests.doubles.worlds.subscribed_organizations import Subscribed, seeded

SEED = 6
INSTANT = timedelta(microseconds=1)
MARCH = datetime(2028, 3, 1, tzinfo=UTC)
BORDERS = [
    *(datetime(2028, 2, day, tzinfo=UTC) for day in (1, 2, 29)),
    MARCH,
    MARCH + timedelta(days=30),
    MARCH + timedelta(days=31),
]
MOMENTS = [border + offset for border in BORDERS for offset in (-INSTANT, timedelta(), INSTANT)]


async def changed_at(moment: datetime) -> None:
    """From the small plan to the large one, and back an instant later; then to the large one again."""
    seeded(SEED)
    world = Subscribed(SEED)
    world.oracle = FeeOracle("UTC", world.oracle.exponent)
    world.clock.set(datetime(2028, 1, 5, tzinfo=UTC))
    await world.set_up()
    begun = world.clock.now()
    world.subscriptions["base"] = ("sub_00000000000000000000000001", "small")
    await command(world, Subscribe("small"), "small", begun)
    for plan, at in (("large", moment), ("small", moment + INSTANT), ("large", moment + 2 * INSTANT)):
        await world.pass_until(at)
        await command(world, Change(plan), plan, at)
    await world.pass_until(datetime(2028, 5, 3, tzinfo=UTC))
    assert await world.billed() == world.due()
    assert world.unbilled_after_interims == []


async def command(world: Subscribed, what: Command, plan: str, at: datetime) -> None:
    commanded = await world.command("base", what)
    world.oracle.agree("base", Agreed(at, plan), at)
    await world.check_after(commanded)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_what_is_billed_is_due(moment: datetime) -> None:
    virtual_time.run(changed_at(moment))


LEAD = timedelta(minutes=10)


async def moved_before(ahead: timedelta, *, by_anchor: bool) -> datetime:
    """When billing months by another day or timezone begin, where that is said so long before March does."""
    seeded(SEED)
    world = Subscribed(SEED)
    world.oracle = FeeOracle("UTC", world.oracle.exponent)
    world.clock.set(datetime(2028, 2, 5, tzinfo=UTC))
    await world.set_up()
    world.subscriptions["base"] = ("sub_00000000000000000000000001", "small")
    await command(world, Subscribe("small"), "small", world.clock.now())
    await world.pass_until(MARCH - ahead)
    now = world.clock.now()
    if by_anchor:
        await world.command("base", Change(resets_anchor=True))
        world.oracle.agree("base", Agreed(now, "small", resets=True), now)
        world.oracle.move_months(now, day=29)
    else:
        await world.observer.organizations.update(world.id, {"timezone": "Asia/Kolkata"}, None)
        world.oracle.move_months(now, timezone="Asia/Kolkata")
    calendars = (await world.observer.organizations.get(world.id)).calendars
    await world.pass_until(datetime(2028, 6, 3, tzinfo=UTC))
    assert await world.billed() == world.due()
    return calendars.last_start


@pytest.mark.parametrize("by_anchor", [True, False], ids=["anchor", "timezone"])
@pytest.mark.parametrize(
    ("ahead", "begins"),
    [
        (LEAD + INSTANT, MARCH),
        (LEAD, MARCH),
        (LEAD - INSTANT, datetime(2028, 4, 1, tzinfo=UTC)),
    ],
    ids=["more", "ten minutes", "less"],
)
def test_months_move_with_the_next_one_ten_minutes_before_it(
    ahead: timedelta, begins: datetime, *, by_anchor: bool
) -> None:
    assert virtual_time.run(moved_before(ahead, by_anchor=by_anchor)) == begins


async def commanded_by_a_slower_clock() -> None:
    """One host upgrades, and another one whose clock is behind lets the subscription end with the period."""
    seeded(SEED)
    world = Subscribed(SEED)
    world.clock.set(datetime(2028, 1, 5, tzinfo=UTC))
    await world.set_up()
    world.subscriptions["base"] = ("sub_00000000000000000000000001", "small")
    await world.command("base", Subscribe("small"))
    world.clock.move(timedelta(hours=1))
    await world.command("base", Change("large"))
    world.clock.move(-timedelta(seconds=30))
    commanded = await world.command("base", Cancel())
    world.clock.move(timedelta(minutes=1))
    terms = [entry.value for entry in commanded.subscription.entries]
    assert [each.plan_id for each in terms[:2]] == [named_id("plan", "small"), named_id("plan", "large")]
    assert (await world.observer.subscriptions.get(world.id, commanded.subscription.id)).status == "active"


def test_a_host_whose_clock_is_behind_takes_nothing_back() -> None:
    virtual_time.run(commanded_by_a_slower_clock())
