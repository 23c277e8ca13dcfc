"""Changes at the first and the last instants of days and periods, on a clock that stands still."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.services.billing.subscription_commands import Change, Command, Subscribe
from tests.doubles.fakes import virtual_time
from tests.doubles.worlds.subscribed_organizations import FeeOracle, Subscribed, seeded

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
    assert await world.billed() == world.due_since(datetime(2028, 1, 1, tzinfo=UTC))
    assert world.unbilled_after_interims == []


async def command(world: Subscribed, what: Command, plan: str, at: datetime) -> None:
    commanded = await world.command("base", what)
    world.oracle.agree("base", at, plan, at)
    await world.check_after(commanded)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_what_is_billed_is_due(moment: datetime) -> None:
    virtual_time.run(changed_at(moment))
