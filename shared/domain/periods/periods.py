"""Billing periods: contiguous [start, end) between local midnights, daylight saving included.

A period is stored when it is first used and never recomputed (docs/billing.md, "Periods").
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import Time
from shared.domain.kernel.validation import refusal
from shared.domain.kernel.value import Value

SHORTEST_PERIOD = timedelta(days=3)
"""A new calendar's first boundary is skipped where its period would be shorter than this."""

MOST_OFF = timedelta(days=3)
"""Shares of a period divide by its own days, unless it is shorter than its calendar's month by more than this."""

MAXIMUM_PERIODS = 1200
"""How many periods are created at once at most."""

YEAR = 12
"""Months of a year."""
QUARTER = 3
"""Months of a quarter."""

_FIRST_DAY_OF_NEXT_MONTH = 23
"""A period that starts this late in a month belongs to the next month.

So all periods of one anchor day belong to the month they start in, or all to the next, even in February. The usual
anchor days (1, 15, 28 and later) are far enough off that no change of timezone, 26 hours at most, moves a period.
"""
MORE_THAN_A_YEAR = timedelta(days=460)
"""Reaches from any period beyond both ends of the year that it belongs to."""

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_FIRST_YEAR, _LAST_YEAR = 1970, 2999
_MIDDLE_OF_MONTH = 15
_ONE_DAY = timedelta(days=1)
_NO_TIMEZONES = {"localtime", "posixrules", "Factory"}


@cache
def _timezone_names() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_TIMEZONES)


def _known_timezone(name: str) -> str:
    if name not in _timezone_names():
        raise ValueError("is not a timezone of the IANA database")
    return name


Timezone = Annotated[str, AfterValidator(_known_timezone)]
"""The name of an IANA timezone."""


class Calendar(Value):
    """Billing months that start on one day of the month, at midnight in a timezone."""

    timezone: Timezone
    anchor: int = Field(default=1, ge=1, le=31)
    """The day of the month; in a shorter month its last day."""


class Span(Value):
    """A span of time [start, end)."""

    start: Time
    """Inclusive."""
    end: Time
    """Exclusive."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise refusal((("end",), "is not after start"))
        return self

    def contains(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


@dataclass(frozen=True, slots=True)
class Day:
    """A local day, clipped to the period that it lies in."""

    date: date
    start: datetime
    end: datetime


class Period(Span):
    """A billing period, with the timezone that was in force when it was created."""

    timezone: Timezone
    month_start: Time | None = None
    """Of a period that is far shorter than its calendar's month: when that month would have begun. It ends as this."""

    @property
    def span(self) -> Span:
        return Span(start=self.start, end=self.end)

    @property
    def whole(self) -> "Period":
        """What shares of it divide by: itself, or the month of which it is a rest."""
        if self.month_start is None:
            return self
        return Period(start=self.month_start, end=self.end, timezone=self.timezone)

    def days(self) -> Sequence[Day]:
        """The local days of the period, in order, clipped to it.

        A day that the timezone skipped is left out.
        """
        return _days(self.start, self.end, self.timezone)

    def local_days(self) -> list[date]:
        return [day.date for day in self.days()]


@lru_cache(maxsize=8192)
def first_instant(day: date, timezone: str) -> datetime:
    """The first instant of a local day, in UTC. Where clocks skip midnight, the first time after it."""
    zone = ZoneInfo(timezone)
    midnight = datetime.combine(day, time(), zone)
    instant = midnight.astimezone(UTC)
    if instant.astimezone(zone).date() == day and instant.astimezone(zone).time() == time():
        return instant
    return _clock_change(day, zone, midnight.replace(fold=1).astimezone(UTC), instant)


def month_after(day: date, months: int) -> date:
    """The same day so many months later; in a shorter month its last day."""
    month = day.year * YEAR + day.month - 1 + months
    return date(month // YEAR, month % YEAR + 1, min(day.day, _days_in_month(month)))


def _days_in_month(month: int) -> int:
    """Of a month counted since year 0."""
    following_year, following_month = divmod(month + 1, YEAR)
    return (date(following_year, following_month + 1, 1) - _ONE_DAY).day


def _clock_change(day: date, zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """When, in (before, after], clocks jumped into the day or past it; by bisection."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).date() >= day:
            after = middle
        else:
            before = middle
    return after


@lru_cache(maxsize=1024)
def _days(start: datetime, end: datetime, timezone: str) -> tuple[Day, ...]:
    zone = ZoneInfo(timezone)
    day = start.astimezone(zone).date()
    begin = start
    days = []
    while begin < end:
        finish = min(end, first_instant(day + _ONE_DAY, timezone))
        if begin < finish:
            days.append(Day(day, begin, finish))
        begin = max(begin, finish)
        day += _ONE_DAY
    return tuple(days)


def first_period(instant: datetime, calendars: History[Calendar]) -> Period:
    """The first period to create: that of the instant, by the calendar in force then."""
    calendar = calendars.at(instant) or calendars.first
    return Period(
        start=_boundary_at(instant, calendar), end=_boundary_after(instant, calendar), timezone=calendar.timezone
    )


def next_period(last: Period, calendars: History[Calendar]) -> Period:
    """The period after the last one, by the calendar in force when that ends."""
    return _period_from(last.end, calendars.at(last.end) or calendars.first)


@lru_cache(maxsize=8192)
def _period_from(start: datetime, calendar: Calendar) -> Period:
    """Many are asked for again and again: cycles of a year are laid out over all periods around them."""
    end = _boundary_after(start, calendar)
    if end - start < SHORTEST_PERIOD:
        end = _boundary_after(end, calendar)
    month_start = _boundary_before(end, calendar)
    is_rest = start - month_start > MOST_OFF
    return Period(start=start, end=end, timezone=calendar.timezone, month_start=month_start if is_rest else None)


def previous_period(first: Period, calendars: History[Calendar]) -> Period:
    """The period before the first one, by the first calendar."""
    calendar = calendars.first
    start = _boundary_before(first.start, calendar)
    if first.start - start < SHORTEST_PERIOD:
        start = _boundary_before(start, calendar)
    return Period(start=start, end=first.start, timezone=calendar.timezone)


def periods_to_create(
    created: Sequence[Period], calendars: History[Calendar], start: datetime, end: datetime
) -> list[Period]:
    """The periods that are missing to cover `start` to `end`, in order.

    `created` are those that exist, contiguous and in order. Raises `ValidationError` where more than `MAXIMUM_PERIODS`
    are missing.
    """
    first = created[0] if created else first_period(start, calendars)
    last = created[-1] if created else first
    before: list[Period] = []
    after: list[Period] = [] if created else [first]
    while start < first.start:
        first = previous_period(first, calendars)
        before.append(first)
        _refuse_too_many(before)
    while end >= last.end:
        last = next_period(last, calendars)
        after.append(last)
        _refuse_too_many(after)
    return before[::-1] + after


def period_of(instant: datetime, created: Sequence[Period]) -> Period | None:
    """The created period that contains the instant, if any."""
    return next((period for period in created if period.contains(instant)), None)


def periods_around(periods: Sequence[Period], created: Sequence[Period], calendars: History[Calendar]) -> list[Period]:
    """These periods with all periods of more than a year around them, in order.

    Those that are not created yet are as they would be.
    """
    existing = list(created) or [periods[0]]
    start, end = periods[0].start - MORE_THAN_A_YEAR, periods[-1].end + MORE_THAN_A_YEAR
    missing = periods_to_create(existing, calendars, start, end)
    return sorted([*existing, *missing], key=lambda period: period.start)


def cycle_of(period: Period, others: Sequence[Period], months: int) -> Period:
    """The quarter or year that a period belongs to, as one period.

    Its timezone is that of its first billing period. It has `months` months, counted from January; `others` are all
    periods around this one.
    """
    number = _month_of_period(period) // months
    in_cycle = [other for other in others if _month_of_period(other) // months == number]
    return Period(start=in_cycle[0].start, end=in_cycle[-1].end, timezone=in_cycle[0].timezone)


def _month_of_period(period: Period) -> int:
    """The month that a period is for, in months since year 0."""
    start = period.start.astimezone(ZoneInfo(period.timezone))
    return start.year * 12 + start.month - 1 + (start.day >= _FIRST_DAY_OF_NEXT_MONTH)


def parse_month(text: str, timezone: str, pointer: str = "?period") -> datetime:
    """The instant that `YYYY-MM` stands for: the start of the month's 15th.

    Raises `ValidationError` at `pointer`.
    """
    match = _MONTH.fullmatch(text)
    if match is None or not _FIRST_YEAR <= int(match[1]) <= _LAST_YEAR:
        raise ValidationError.at(pointer, "has to be a month written YYYY-MM, such as 2026-10")
    return first_instant(date(int(match[1]), int(match[2]), _MIDDLE_OF_MONTH), timezone)


def name_of_month(period: Period) -> str | None:
    """The `YYYY-MM` by which `parse_month` finds a period; None where no month's 15th is in it."""
    middles = [day for day in period.local_days() if day.day == _MIDDLE_OF_MONTH]
    return f"{middles[0]:%Y-%m}" if middles else None


def _refuse_too_many(periods: Sequence[Period]) -> None:
    if len(periods) > MAXIMUM_PERIODS:
        raise ValidationError(f"The time is more than {MAXIMUM_PERIODS} billing periods away from those there are")


def _boundary_at(instant: datetime, calendar: Calendar) -> datetime:
    """The last boundary that is not after the instant."""
    month = _month_of(instant, calendar)
    boundary = _boundary(month, calendar)
    return boundary if boundary <= instant else _boundary(month - 1, calendar)


def _boundary_before(instant: datetime, calendar: Calendar) -> datetime:
    """The last boundary before the instant."""
    return _boundary_at(instant - timedelta(microseconds=1), calendar)


def _boundary_after(instant: datetime, calendar: Calendar) -> datetime:
    """The first boundary after the instant."""
    month = _month_of(instant, calendar)
    boundary = _boundary(month, calendar)
    return boundary if boundary > instant else _boundary(month + 1, calendar)


def _month_of(instant: datetime, calendar: Calendar) -> int:
    """The month of the local date, in months since year 0."""
    local = instant.astimezone(ZoneInfo(calendar.timezone))
    return local.year * 12 + local.month - 1


def _boundary(month: int, calendar: Calendar) -> datetime:
    """When the billing month starts that is anchored in this month."""
    year, month_of_year = divmod(month, YEAR)
    day = min(calendar.anchor, _days_in_month(month))
    return first_instant(date(year, month_of_year + 1, day), calendar.timezone)
