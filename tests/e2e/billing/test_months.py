"""An event belongs to the month of its time, in its organization's timezone.

Months and days are local ones.
"""

from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization

COUNTED = {
    "key": "counted",
    "type": "activity",
    "meter": {"event_type": "step"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}


async def organization_in(time_machine: TimeMachine, timezone: str, start: str, *charges: Any) -> Organization:
    """With an agent that is priced from `start` on."""
    organization = await time_machine.xyra.organization(timezone=timezone)
    model = await organization.model(*charges, effective_from=start)
    await organization.agent(billing_model_id=model["id"], billing_model_from=start)
    return organization


def step(event_id: str, time: str | None = None) -> dict[str, Any]:
    return {"id": event_id, "type": "step", "agent": "coder"} | ({"time": time} if time else {})


@pytest.mark.parametrize(
    ("timezone", "last", "first", "months"),
    [
        ("UTC", "2026-09-30T23:59:59.999Z", "2026-10-01T00:00:00Z", ("2026-09", "2026-10")),
        # Winter time begins on the first day of the month, an hour after midnight.
        ("America/New_York", "2026-10-31T23:59:59.999-04:00", "2026-11-01T00:00:00-04:00", ("2026-10", "2026-11")),
        ("America/New_York", "2026-11-30T23:59:59.999-05:00", "2026-12-01T00:00:00-05:00", ("2026-11", "2026-12")),
        ("America/New_York", "2026-02-28T23:59:59.999-05:00", "2026-03-01T00:00:00-05:00", ("2026-02", "2026-03")),
        ("America/New_York", "2026-03-31T23:59:59.999-04:00", "2026-04-01T00:00:00-04:00", ("2026-03", "2026-04")),
        ("Europe/London", "2026-03-31T23:59:59.999+01:00", "2026-04-01T00:00:00+01:00", ("2026-03", "2026-04")),
        ("Europe/London", "2026-10-31T23:59:59.999+00:00", "2026-11-01T00:00:00+00:00", ("2026-10", "2026-11")),
        # On 1 October 2023 the clocks went from 00:00 to 01:00: the month begins at 01:00.
        ("America/Asuncion", "2023-09-30T23:59:59.999-04:00", "2023-10-01T01:00:00-03:00", ("2023-09", "2023-10")),
        ("Asia/Kolkata", "2026-12-31T23:59:59.999+05:30", "2027-01-01T00:00:00+05:30", ("2026-12", "2027-01")),
        ("UTC", "2028-02-29T23:59:59.999Z", "2028-03-01T00:00:00Z", ("2028-02", "2028-03")),
        ("Pacific/Auckland", "2028-02-29T23:59:59.999+13:00", "2028-03-01T00:00:00+13:00", ("2028-02", "2028-03")),
    ],
)
async def test_the_edge_of_a_month(
    time_machine: TimeMachine, timezone: str, last: str, first: str, months: tuple[str, str]
) -> None:
    await time_machine.at(first)
    organization = await organization_in(time_machine, timezone, last, COUNTED)
    await organization.key.report(step("last", last), step("first", first))
    await time_machine.xyra.idle()
    assert [await organization.usage(month, "counted") for month in months] == [1, 1]
    earlier, later = [(await organization.key.get("usage", period=month))["period"] for month in months]
    assert earlier["end"] == later["start"]


@pytest.mark.parametrize(
    ("timezone", "minute_before", "midnight", "months"),
    [
        ("America/New_York", "2026-10-31T23:59:00-04:00", "2026-11-01T00:00:00-04:00", ("2026-10", "2026-11")),
        ("America/Asuncion", "2023-09-30T23:59:00-04:00", "2023-10-01T01:00:00-03:00", ("2023-09", "2023-10")),
        ("UTC", "2028-02-29T23:59:00Z", "2028-03-01T00:00:00Z", ("2028-02", "2028-03")),
    ],
)
async def test_an_event_without_a_time_happens_now(
    time_machine: TimeMachine, timezone: str, minute_before: str, midnight: str, months: tuple[str, str]
) -> None:
    await time_machine.at(minute_before)
    organization = await organization_in(time_machine, timezone, minute_before, COUNTED)
    await organization.key.report(step("before"))
    await time_machine.at(midnight)
    await organization.key.report(step("after"))
    await time_machine.xyra.idle()
    assert [await organization.usage(month, "counted") for month in months] == [1, 1]


@pytest.mark.parametrize(
    ("timezone", "month", "fee", "start", "due"),
    [
        # The day of the change has 23 or 25 hours and is one day.
        ("America/New_York", "2026-03", "31.00", "2026-03-08T00:00:00-05:00", "24.00"),
        ("America/New_York", "2026-03", "31.00", "2026-03-09T00:00:00-04:00", "23.00"),
        ("America/New_York", "2026-03", "31.00", "2026-03-08T23:59:59-04:00", "24.00"),
        ("America/New_York", "2026-11", "30.00", "2026-11-01T23:30:00-05:00", "30.00"),
        ("Europe/London", "2026-10", "31.00", "2026-10-25T00:00:00+01:00", "7.00"),
        ("Europe/London", "2026-10", "31.00", "2026-10-26T00:00:00+00:00", "6.00"),
        ("America/Asuncion", "2023-10", "31.00", "2023-10-01T01:00:00-03:00", "31.00"),
        ("America/Asuncion", "2023-10", "31.00", "2023-10-02T00:00:00-03:00", "30.00"),
        ("UTC", "2028-02", "29.00", "2028-02-29T00:00:00Z", "1.00"),
        ("UTC", "2026-02", "28.00", "2026-02-28T23:59:59Z", "1.00"),
    ],
)
async def test_a_fee_counts_local_days(  # noqa: PLR0913  a row of the table
    time_machine: TimeMachine, timezone: str, month: str, fee: str, start: str, due: str
) -> None:
    await time_machine.at(start)
    flat = {"key": "platform", "type": "flat_fee", "amount": fee}
    organization = await organization_in(time_machine, timezone, start, flat)
    assert Decimal((await organization.preview(month))["total"]) == Decimal(due)
