"""Billing periods: half-open, contiguous, bounded by local midnights, daylight saving included."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import Time
from shared.domain.kernel.validation import refusal

SHORTEST = timedelta(days=3)
"""A first boundary less than this after a new calendar's beginning is skipped."""

MAXIMUM_PERIODS = 1200
"""How many periods are laid at once at most."""

YEAR = 12
QUARTER = 3
"""Their months."""

_NEXT_MONTHS = 23
"""From this day of a month on, a period that starts is the next month's. Anchors before it start on their own day in
every month, the others on it or later even in February: an anchor's periods are all for the month that they start in or
all for the next. The usual anchors (1, 15, 28 and later) are so far off that a change of timezone, 26 hours at most,
carries none over.
"""
_AROUND = timedelta(days=460)
"""Reaches from any period beyond both ends of the year that it belongs to."""

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_FIRST_YEAR, _LAST_YEAR = 1970, 2999
_MIDDLE_OF_MONTH = 15
_ONE_DAY = timedelta(days=1)
_NAMES_OF_MACHINES = {"localtime", "posixrules", "Factory"}


@cache
def _timezone_names() -> frozenset[str]:
    return frozenset(available_timezones() - _NAMES_OF_MACHINES)


def _known_timezone(name: str) -> str:
    if name not in _timezone_names():
        raise ValueError("is not a timezone of the IANA database")
    return name


Timezone = Annotated[str, AfterValidator(_known_timezone)]
"""The name of an IANA timezone."""


class Calendar(BaseModel):
    """Months that begin on the anchor day in a timezone; in a shorter month, on its last day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: Timezone
    anchor: int = Field(default=1, ge=1, le=31)


class Span(BaseModel):
    """Half-open: from `start` up to, not including, `end`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Time
    end: Time

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise refusal((("end",), "is not after start"))
        return self

    def contains(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


@dataclass(frozen=True, slots=True)
class Day:
    """The part of a local day that lies in a period."""

    date: date
    start: datetime
    end: datetime


class Period(Span):
    """A billing period with the timezone it was laid in."""

    timezone: Timezone

    @property
    def span(self) -> Span:
        return Span(start=self.start, end=self.end)

    def days(self) -> Sequence[Day]:
        """The local days that the period touches, in order, cut to it. A day that a timezone skipped is none."""
        return _days(self.start, self.end, self.timezone)

    def local_days(self) -> list[date]:
        return [day.date for day in self.days()]


def first_instant(day: date, timezone: str) -> datetime:
    """When the local day begins, in UTC: at midnight, or where the clocks skip midnight, at the first time after it."""
    zone = ZoneInfo(timezone)
    midnight = datetime.combine(day, time(), zone)
    instant = midnight.astimezone(UTC)
    if instant.astimezone(zone).date() == day and instant.astimezone(zone).time() == time():
        return instant
    return _jump_over(day, zone, midnight.replace(fold=1).astimezone(UTC), instant)


def _jump_over(day: date, zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The instant in (before, after] at which the clocks jumped into the day, or past it."""
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
    """The period to lay when none is laid: the one of that instant by the calendar in force at it."""
    calendar = calendars.at(instant) or calendars.first
    return Period(
        start=_boundary_at(instant, calendar), end=_boundary_after(instant, calendar), timezone=calendar.timezone
    )


def next_period(last: Period, calendars: History[Calendar]) -> Period:
    """The one after the last laid period, by the calendar in force when that ends."""
    calendar = calendars.at(last.end) or calendars.first
    end = _boundary_after(last.end, calendar)
    if end - last.end < SHORTEST:
        end = _boundary_after(end, calendar)
    return Period(start=last.end, end=end, timezone=calendar.timezone)


def previous_period(first: Period, calendars: History[Calendar]) -> Period:
    """The one before the first laid period, by the first calendar."""
    calendar = calendars.first
    start = _boundary_before(first.start, calendar)
    if first.start - start < SHORTEST:
        start = _boundary_before(start, calendar)
    return Period(start=start, end=first.start, timezone=calendar.timezone)


def periods_to_create(
    created: Sequence[Period], calendars: History[Calendar], start: datetime, end: datetime
) -> list[Period]:
    """The new periods, in order, that it takes so that `laid` (contiguous, in order) and they cover `start` to `end`.

    Raises `ValidationError` for more than `MAXIMUM_PERIODS`.
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
    """The laid period that contains the instant."""
    return next((period for period in created if period.contains(instant)), None)


def around(periods: Sequence[Period], created: Sequence[Period], calendars: History[Calendar]) -> list[Period]:
    """Periods that are in order, with those for more than a year before and after them: as laid, else as they would
    be laid.
    """
    known = list(created) or [periods[0]]
    new = periods_to_create(known, calendars, periods[0].start - _AROUND, periods[-1].end + _AROUND)
    return sorted([*known, *new], key=lambda each: each.start)


def cycle_of(period: Period, others: Sequence[Period], months: int) -> Period:
    """The quarter or year, of so many months from January on, that a period belongs to: the contiguous periods whose
    months lie in it, with the timezone of the first of them. `others` are those around it.
    """
    number = _month_it_is_for(period) // months
    own = [other for other in others if _month_it_is_for(other) // months == number]
    return Period(start=own[0].start, end=own[-1].end, timezone=own[0].timezone)


def _month_it_is_for(period: Period) -> int:
    """Months since year 0."""
    start = period.start.astimezone(ZoneInfo(period.timezone))
    return start.year * 12 + start.month - 1 + (start.day >= _NEXT_MONTHS)


def parse_month(text: str, timezone: str, pointer: str = "?period") -> datetime:
    """The instant that `YYYY-MM` stands for: the beginning of that month's 15th. Raises `ValidationError` at
    `pointer`.
    """
    match = _MONTH.fullmatch(text)
    if match is None or not _FIRST_YEAR <= int(match[1]) <= _LAST_YEAR:
        raise ValidationError.at(pointer, "has to be a month written YYYY-MM, such as 2026-10")
    return first_instant(date(int(match[1]), int(match[2]), _MIDDLE_OF_MONTH), timezone)


def _refuse_too_many(periods: Sequence[Period]) -> None:
    if len(periods) > MAXIMUM_PERIODS:
        raise ValidationError(f"The time is more than {MAXIMUM_PERIODS} billing periods away from those there are")


def _boundary_at(instant: datetime, calendar: Calendar) -> datetime:
    """The last boundary that is not after the instant."""
    month = _month_of(instant, calendar)
    boundary = _boundary(month, calendar)
    return boundary if boundary <= instant else _boundary(month - 1, calendar)


def _boundary_before(instant: datetime, calendar: Calendar) -> datetime:
    return _boundary_at(instant - timedelta(microseconds=1), calendar)


def _boundary_after(instant: datetime, calendar: Calendar) -> datetime:
    month = _month_of(instant, calendar)
    boundary = _boundary(month, calendar)
    return boundary if boundary > instant else _boundary(month + 1, calendar)


def _month_of(instant: datetime, calendar: Calendar) -> int:
    """Months since year 0 of the local date, so that the one before and the one after are a step away."""
    local = instant.astimezone(ZoneInfo(calendar.timezone))
    return local.year * 12 + local.month - 1


def _boundary(month: int, calendar: Calendar) -> datetime:
    year, month_of_year = divmod(month, 12)
    following_year, following_month = divmod(month + 1, 12)
    last_day = date(following_year, following_month + 1, 1) - _ONE_DAY
    return first_instant(date(year, month_of_year + 1, min(calendar.anchor, last_day.day)), calendar.timezone)
