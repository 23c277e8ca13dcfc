"""An invoice run that a wrong clock keeps from the wallet is sent again for later, and holds no receiver."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.grants import Terms
from shared.domain.kernel.errors import WrongClockError
from shared.services.billing.invoice_runs import QUEUE, Task, read_task
from shared.services.credits.spending import Caller
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, Scene, reported

APRIL, IN_MAY = datetime(2026, 4, 2, tzinfo=UTC), datetime(2026, 5, 3, 12, tzinfo=UTC)
PREPAID = {"billing_mode": "prepaid", "credit_value": Decimal("0.5")}
AHEAD = timedelta(minutes=5)


@pytest.fixture
async def scene() -> Scene:
    """April is prepaid and over, and a host whose clock is 5 minutes ahead has given credits."""
    scene = await Scene.prepared()
    await scene.host().organizations.update(ORGANIZATION, PREPAID, None)
    scene.clock.set(APRIL)
    await scene.host().events.accept([reported("a1", 7, APRIL)], partial=False)
    await scene.drain()
    scene.clock.set(IN_MAY)
    clock = SettableClock(IN_MAY + AHEAD)
    ahead = Scene(clock, scene.store, scene.queue, scene.secrets, scene.post).host()
    caller = Caller(ORGANIZATION, Principal("usr_1", ORGANIZATION, frozenset(Permission)), "grant", "grant")
    await ahead.credits.spending.give(caller, Decimal(100), Terms("bonus"), "default", None)
    return scene


async def test_it_comes_again_when_the_clock_may_be_right(scene: Scene) -> None:
    host = scene.host()
    await host.invoice_runs.run(Task(organization_id=ORGANIZATION))
    (message,) = scene.taken(QUEUE)
    assert message.not_before == IN_MAY + timedelta(minutes=1)
    scene.clock.set(message.not_before)
    await host.invoice_runs.run(read_task(message.body))
    (again,) = scene.taken(QUEUE)
    assert again.not_before == IN_MAY + timedelta(minutes=3)
    assert again.message_id != message.message_id
    scene.clock.set(IN_MAY + AHEAD)
    await host.invoice_runs.run(read_task(again.body))
    assert not scene.queue.waiting.get(QUEUE)
    period = (await host.periods.item(ORGANIZATION, APRIL.replace(day=1))).entity
    assert period.drawn is not None


async def test_after_a_day_it_is_given_up(scene: Scene) -> None:
    with pytest.raises(WrongClockError):
        await scene.host().invoice_runs.run(Task(organization_id=ORGANIZATION, put_off=30))
