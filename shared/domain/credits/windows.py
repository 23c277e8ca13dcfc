"""The windows in which spending is counted: hour, day, month, and all time.

Days and months are local; hours are steps of 60 minutes from local midnight, so a day's last hour is what is left of
it. Where a calendar with another timezone takes effect, every window but `once` is cut and begins anew.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from shared.domain.kernel.histories import History
from shared.domain.kernel.times import BEGINNING
from shared.domain.periods.periods import Calendar, first_instant

WindowName = Literal["hour", "day", "month", "once"]

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Window(msgspec.Struct, frozen=True):
    """A window [start, end); `once` has neither."""

    name: WindowName
    start: datetime
    end: datetime | None

    @property
    def key(self) -> str:
        """Its name in a counter, unlike that of every other window."""
        return "once" if self.name == "once" else f"{self.name}:{seconds_of(self.start)}"


ONCE = Window("once", BEGINNING, None)


def seconds_of(instant: datetime) -> int:
    """Whole seconds since 1970: windows begin and end at such."""
    return (instant - _EPOCH) // timedelta(seconds=1)


def instant_of(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def windows_at(instant: datetime, calendars: History[Calendar]) -> tuple[Window, ...]:
    """The windows of all names that an instant lies in, by the calendar in force then."""
    index = calendars.index_at(instant) or 0
    entries = calendars.entries
    timezone = entries[index].value.timezone
    since = entries[index].effective_from
    until = entries[index + 1].effective_from if index + 1 < len(entries) else None
    day = instant.astimezone(ZoneInfo(timezone)).date()
    day_start, day_end, month_start, month_end = _day_and_month(day, timezone)
    # A day may begin before its calendar was in force, in the timezone of that calendar.
    day_start = max(day_start, since)
    hour_start = day_start + (instant - day_start) // _HOUR * _HOUR
    spans: tuple[tuple[WindowName, datetime, datetime], ...] = (
        ("hour", hour_start, min(hour_start + _HOUR, day_end)),
        ("day", day_start, day_end),
        ("month", max(month_start, since), month_end),
    )
    clipped = (Window(name, start, end if until is None else min(end, until)) for name, start, end in spans)
    return (*clipped, ONCE)


@lru_cache(maxsize=4096)
def _day_and_month(day: date, timezone: str) -> tuple[datetime, datetime, datetime, datetime]:
    first = day.replace(day=1)
    following = (first + 32 * _DAY).replace(day=1)
    return (
        first_instant(day, timezone),
        _end_of(day, timezone),
        first_instant(first, timezone),
        first_instant(following, timezone),
    )


def _end_of(day: date, timezone: str) -> datetime:
    return first_instant(day + _DAY, timezone)
