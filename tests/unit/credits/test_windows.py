"""Windows of hours, days and months at their edges, in five timezones, daylight saving and moves included."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.credits.windows import Window, windows_at
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.times import BEGINNING
from shared.domain.periods.periods import Calendar

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
"""Lord Howe's clocks change by half an hour, Kathmandu's are 45 minutes off the hour."""
CHANGES = {
    "UTC": date(2026, 3, 29),
    "Europe/Berlin": date(2026, 10, 25),
    "America/New_York": date(2026, 3, 8),
    "Australia/Lord_Howe": date(2026, 4, 5),
    "Asia/Kathmandu": date(2026, 3, 29),
}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def in_zone(zone: str) -> History[Calendar]:
    return History[Calendar].starting(Calendar(timezone=zone))


def named(instant: datetime, calendars: History[Calendar]) -> dict[str, Window]:
    return {window.name: window for window in windows_at(instant, calendars)}


def minutes_of(zone: str, day: date) -> Iterator[datetime]:
    """Every minute from two hours before a local day until two hours after it, by the clock on the wall."""
    instant = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) - 2 * HOUR
    end = instant + 29 * HOUR
    while instant < end:
        yield instant
        instant += MINUTE


@pytest.mark.parametrize("zone", ZONES)
def test_an_instant_lies_in_the_day_and_month_that_its_wall_clock_shows(zone: str) -> None:
    """Also in the day in which clocks change: hours are counted from local midnight, and none is longer than one."""
    calendars, local = in_zone(zone), ZoneInfo(zone)
    for instant in minutes_of(zone, CHANGES[zone]):
        windows = named(instant, calendars)
        day, month, hour = windows["day"], windows["month"], windows["hour"]
        assert day.start.astimezone(local).date() == instant.astimezone(local).date()
        assert day.end is not None and day.start <= instant < day.end  # noqa: PT018
        assert (day.end - MINUTE).astimezone(local).date() == instant.astimezone(local).date()
        assert month.start.astimezone(local).date() == instant.astimezone(local).date().replace(day=1)
        assert hour.end is not None and hour.start <= instant < hour.end <= day.end  # noqa: PT018
        assert (hour.start - day.start) % HOUR == timedelta(0)
        assert hour.end - hour.start == HOUR or hour.end == day.end
        assert windows["once"].key == "once"


@pytest.mark.parametrize("zone", ZONES)
def test_windows_follow_each_other_without_gaps(zone: str) -> None:
    calendars = in_zone(zone)
    for name in ("hour", "day", "month"):
        window = named(datetime(2026, 1, 1, 12, tzinfo=UTC), calendars)[name]
        while window.start < datetime(2026, 12, 1, tzinfo=UTC):
            assert window.end is not None
            following = named(window.end, calendars)[name]
            assert following.start == window.end
            assert following.key != window.key
            window = following


def test_the_days_with_changes_have_23_and_25_hours_or_half_an_hour_more() -> None:
    lengths = {
        zone: named(datetime.combine(CHANGES[zone], datetime.min.time(), ZoneInfo(zone)) + 12 * HOUR, in_zone(zone))[
            "day"
        ]
        for zone in ZONES
    }
    hours = {zone: (day.end - day.start) / HOUR for zone, day in lengths.items() if day.end is not None}
    assert hours == {
        "UTC": 24,
        "Europe/Berlin": 25,
        "America/New_York": 23,
        "Australia/Lord_Howe": 24.5,
        "Asia/Kathmandu": 24,
    }


@pytest.mark.parametrize(("old", "new"), [("Europe/Berlin", "America/New_York"), ("Asia/Kathmandu", "UTC")])
def test_a_move_to_another_timezone_cuts_every_window_but_once(old: str, new: str) -> None:
    moved = datetime(2026, 6, 17, 10, 20, tzinfo=UTC)
    calendars = History[Calendar](
        entries=(
            Entry(effective_from=BEGINNING, value=Calendar(timezone=old)),
            Entry(effective_from=moved, value=Calendar(timezone=new)),
        )
    )
    before, after = named(moved - MINUTE, calendars), named(moved, calendars)
    for name in ("hour", "day", "month"):
        assert before[name].end == after[name].start == moved
        assert before[name].key != after[name].key
    assert before["once"] == after["once"]
    local = ZoneInfo(new)
    assert after["day"].end is not None
    assert after["day"].end.astimezone(local).hour == 0
    assert named(after["day"].end, calendars)["hour"].start == after["day"].end
