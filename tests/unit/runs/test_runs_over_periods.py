"""Runs that go on over the end of a billing period."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.worlds.rated_organization import AGENTS, ORGANIZATION, Scene

OCTOBER = datetime(2026, 10, 10, 12, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 3, 12, tzinfo=UTC)
EVERYTHING_ELSE = 1 + 10 + 10 + 10 + 1
"""Of a step of 10: counted, added up, highest, last and one user."""


@pytest.mark.parametrize(
    ("times", "price"),
    [
        ([OCTOBER], EVERYTHING_ELSE + Decimal("6.935483870967")),  # 10 for 21.5 of 31 days
        ([NOVEMBER], EVERYTHING_ELSE + Decimal("9.166666666666")),  # 10 for 27.5 of 30 days
        ([OCTOBER, NOVEMBER], 2 * EVERYTHING_ELSE + Decimal("16.102150537633")),
    ],
)
async def test_each_period_has_its_own_price(times: list[datetime], price: Decimal) -> None:
    """The average of the first period stays as it came to.

    What happens after its end takes nothing away from it.
    """
    scene = Scene()
    await scene.set_up()
    step = {"level": Decimal(10), "user": "u"}
    reported = [
        ReportedEvent(number, f"{number}", "step", AGENTS[0], "api", time, "run", step, ORGANIZATION)
        for number, time in enumerate(times)
    ]
    await scene.host.events.accept(reported, partial=False)
    await scene.rated()
    figures = await scene.host.run_figures.of_key(await scene.organization(), "run")
    assert figures.price == price
