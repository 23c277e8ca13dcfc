from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import (
    MAXIMUM_PERIODS,
    QUARTER,
    YEAR,
    Calendar,
    Period,
    cycle_of,
    first_instant,
    first_period,
    name_of_month,
    next_period,
    parse_month,
    period_of,
    periods_around,
    periods_to_create,
    previous_period,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Havana",
]


def calendars(timezone: str = "UTC", anchor: int = 1) -> History[Calendar]:
    return History[Calendar].starting(Calendar(timezone=timezone, anchor=anchor))


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../UTC", "/etc/passwd", "europe/berlin", "Europe", "localtime"])
def test_a_timezone_is_one_of_the_iana_database(name):
    with pytest.raises(pydantic.ValidationError):
        Calendar(timezone=name)


@pytest.mark.parametrize("anchor", [0, 32, -1])
def test_an_anchor_is_a_day_of_a_month(anchor):
    with pytest.raises(pydantic.ValidationError):
        Calendar(timezone="UTC", anchor=anchor)


def test_a_month_runs_from_local_midnight_to_local_midnight():
    period = first_period(utc(2026, 10, 15), calendars("Europe/Berlin"))
    assert (period.start, period.end) == (utc(2026, 9, 30, 22), utc(2026, 10, 31, 23))  # summer time ends on 25 October
    assert len(period.local_days()) == 31


def test_an_instant_at_a_boundary_belongs_to_the_period_that_starts():
    boundary = utc(2026, 9, 30, 22)
    assert first_period(boundary, calendars("Europe/Berlin")).start == boundary
    assert first_period(boundary - timedelta(microseconds=1), calendars("Europe/Berlin")).end == boundary


def test_the_31st_is_the_last_day_of_a_short_month():
    history = calendars(anchor=31)
    period = first_period(utc(2027, 1, 31), history)
    starts = []
    for _ in range(5):
        starts.append(period.start)
        period = next_period(period, history)
    assert starts == [utc(2027, 1, 31), utc(2027, 2, 28), utc(2027, 3, 31), utc(2027, 4, 30), utc(2027, 5, 31)]


def test_a_leap_day_is_a_day():
    history = calendars(anchor=29)
    february = first_period(utc(2028, 2, 1), history)
    assert (february.start, february.end) == (utc(2028, 1, 29), utc(2028, 2, 29))
    assert date(2028, 2, 29) in next_period(february, history).local_days()
    assert len(first_period(utc(2028, 2, 10), calendars()).local_days()) == 29
    assert len(first_period(utc(2027, 2, 10), calendars()).local_days()) == 28


def test_a_day_whose_midnight_does_not_exist_begins_with_its_first_instant():
    assert first_instant(date(2018, 11, 4), "America/Sao_Paulo") == utc(2018, 11, 4, 3)
    assert first_instant(date(2026, 3, 29), "Asia/Beirut") == utc(2026, 3, 28, 22)


def test_a_day_whose_midnight_comes_twice_begins_with_the_first():
    assert first_instant(date(2026, 11, 1), "America/Havana") == utc(2026, 11, 1, 4)


def test_clocks_that_jump_before_midnight_begin_the_next_day_at_once():
    # Toronto, 30 March 1919: from 23:30 to 00:30 of the 31st
    assert first_instant(date(1919, 3, 31), "America/Toronto") == utc(1919, 3, 31, 4, 30)


def test_a_day_that_a_timezone_skipped_is_none():
    days = first_period(utc(2011, 12, 15), calendars("Pacific/Apia")).local_days()
    assert date(2011, 12, 30) not in days
    assert len(days) == 30


def test_days_are_cut_to_the_period_and_fill_it():
    period = Period(start=utc(2026, 10, 1, 6), end=utc(2026, 10, 3, 6), timezone="UTC")
    assert [(day.date.day, day.start, day.end) for day in period.days()] == [
        (1, utc(2026, 10, 1, 6), utc(2026, 10, 2)),
        (2, utc(2026, 10, 2), utc(2026, 10, 3)),
        (3, utc(2026, 10, 3), utc(2026, 10, 3, 6)),
    ]


def test_a_new_calendar_begins_where_the_last_laid_period_ends():
    history = calendars().appended(Calendar(timezone="UTC", anchor=15), utc(2026, 10, 10), NOW)
    october = first_period(utc(2026, 10, 5), calendars())
    following = next_period(october, history)
    assert (following.start, following.end) == (utc(2026, 11, 1), utc(2026, 11, 15))
    assert next_period(following, history).end == utc(2026, 12, 15)


@pytest.mark.parametrize(("anchor", "end"), [(3, utc(2026, 12, 3)), (4, utc(2026, 11, 4))])
def test_a_first_boundary_less_than_three_days_off_is_skipped(anchor, end):
    history = calendars().appended(Calendar(timezone="UTC", anchor=anchor), utc(2026, 10, 10), NOW)
    assert next_period(first_period(utc(2026, 10, 5), calendars()), history).end == end


@pytest.mark.parametrize("anchor", [1, 15, 16, 31])
@pytest.mark.parametrize("timezone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_period_has_the_name_of_the_month_by_which_it_is_asked_for(anchor, timezone):
    period = first_period(utc(2026, 10, 5), calendars(timezone, anchor))
    for _ in range(14):
        name = name_of_month(period)
        assert name is not None
        assert period.contains(parse_month(name, timezone))
        period = next_period(period, calendars(timezone, anchor))


def test_a_period_between_two_15ths_has_no_name():
    history = calendars().appended(Calendar(timezone="UTC", anchor=15), utc(2026, 10, 10), NOW)
    assert name_of_month(next_period(first_period(utc(2026, 10, 5), calendars()), history)) is None


def test_moving_to_another_timezone_keeps_periods_contiguous():
    history = calendars("Asia/Tokyo").appended(Calendar(timezone="America/New_York"), utc(2026, 10, 10), NOW)
    october = first_period(utc(2026, 10, 5), history)
    following = next_period(october, history)
    assert october.end == following.start == utc(2026, 10, 31, 15)
    assert following.end == utc(2026, 12, 1, 5)  # the boundary of 1 November is 13 hours off, so it is skipped
    assert following.timezone == "America/New_York"


def test_periods_before_the_first_follow_the_first_calendar():
    history = calendars().appended(Calendar(timezone="UTC", anchor=15), utc(2026, 10, 10), NOW)
    november = first_period(utc(2026, 11, 20), history)
    before = previous_period(november, history)
    assert (before.start, before.end) == (utc(2026, 11, 1), utc(2026, 11, 15))


def test_laying_covers_both_ends_without_gaps():
    created = periods_to_create([], calendars(), utc(2026, 10, 15), utc(2026, 12, 1))
    assert [period.start.month for period in created] == [10, 11, 12]
    more = periods_to_create(created, calendars(), utc(2026, 8, 31), utc(2027, 1, 1))
    assert [period.start.month for period in more] == [8, 9, 1]
    assert periods_to_create(created, calendars(), utc(2026, 10, 1), utc(2026, 12, 31, 23)) == []


def test_laying_too_many_periods_is_refused():
    created = periods_to_create([], calendars(), NOW, NOW)
    with pytest.raises(ValidationError):
        periods_to_create(created, calendars(), NOW, NOW + timedelta(days=31 * MAXIMUM_PERIODS))
    with pytest.raises(ValidationError):
        periods_to_create(created, calendars(), NOW - timedelta(days=31 * MAXIMUM_PERIODS), NOW)


def test_the_period_of_an_instant_is_the_laid_one_that_contains_it():
    created = periods_to_create([], calendars(), utc(2026, 10, 15), utc(2026, 12, 1))
    assert period_of(utc(2026, 11, 1), created) == created[1]
    assert period_of(utc(2027, 1, 1), created) is None


def test_a_month_as_a_parameter_means_its_15th():
    assert parse_month("2026-10", "Asia/Tokyo") == utc(2026, 10, 14, 15)


@pytest.mark.parametrize(
    "text",
    ["2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "2026/10", "", "٢٠٢٦-10", "0001-01", "9999-12", "now"],
)
def test_a_malformed_month_is_refused(text):
    with pytest.raises(ValidationError) as refused:
        parse_month(text, "UTC", pointer="?period")
    assert refused.value.errors[0].pointer == "?period"


def test_a_period_has_a_length():
    with pytest.raises(pydantic.ValidationError) as refused:
        Period(start=NOW, end=NOW, timezone="UTC")
    assert refused.value.errors()[0]["loc"] == ("end",)


def test_a_period_is_read_back_as_it_was_written():
    period = first_period(NOW, calendars("Europe/Berlin"))
    assert Period.model_validate(period.model_dump(mode="json")) == period


@settings(max_examples=60)
@given(
    timezone=st.sampled_from(ZONES),
    anchor=st.integers(1, 31),
    other=st.tuples(st.sampled_from(ZONES), st.integers(1, 31)),
    start=st.datetimes(min_value=datetime(2010, 1, 1), max_value=datetime(2030, 1, 1)),  # noqa: DTZ001  given its zone below
    change=st.integers(0, 400),
)
def test_laid_periods_are_contiguous_and_begin_at_the_first_instant_of_a_local_day(
    timezone, anchor, other, start, change
):
    instant = start.replace(tzinfo=UTC)
    history = calendars(timezone, anchor).appended(
        Calendar(timezone=other[0], anchor=other[1]), instant + timedelta(days=change, minutes=10), instant
    )
    created = periods_to_create([], history, instant, instant + timedelta(days=500))
    created = periods_to_create(created, history, instant - timedelta(days=100), instant)[:4] + created
    assert all(left.end == right.start for left, right in pairwise(created))
    for period in created:
        assert timedelta(days=3) <= period.end - period.start < timedelta(days=62)
        zone = ZoneInfo(period.timezone)
        just_before = (period.end - timedelta(microseconds=1)).astimezone(zone).date()
        assert just_before < period.end.astimezone(zone).date()
        days = period.days()
        assert days[0].start == period.start
        assert days[-1].end == period.end
        assert all(left.end == right.start and left.date < right.date for left, right in pairwise(days))


def cycles(months: int, history: History[Calendar], start: datetime, end: datetime) -> list[tuple[Period, int]]:
    """The quarters or years of all periods between, with how many periods each has."""
    created = periods_to_create([], history, start, end)
    others = periods_around(created, created, history)
    found = dict.fromkeys(cycle_of(period, others, months) for period in created)
    return [(cycle, sum(cycle.contains(period.start) for period in others)) for cycle in found]


def test_quarters_and_years_begin_in_january_with_the_local_year():
    found = cycles(QUARTER, calendars("Europe/Berlin"), utc(2026, 1, 5), utc(2026, 12, 5))
    assert [(each.start, periods) for each, periods in found] == [
        (utc(2025, 12, 31, 23), 3),
        (utc(2026, 3, 31, 22), 3),  # in summer time
        (utc(2026, 6, 30, 22), 3),
        (utc(2026, 9, 30, 22), 3),
    ]
    ((year, periods),) = cycles(YEAR, calendars("Europe/Berlin"), utc(2026, 1, 5), utc(2026, 12, 5))
    assert (year.start, year.end, periods) == (utc(2025, 12, 31, 23), utc(2026, 12, 31, 23), 12)
    assert year.timezone == "Europe/Berlin"
    assert len(year.local_days()) == 365


@pytest.mark.parametrize("anchor", range(1, 32))
def test_whatever_the_anchor_quarters_have_three_periods_and_years_twelve(anchor):
    start, end = utc(2027, 6, 1), utc(2029, 6, 1)  # with a leap year
    assert {periods for _, periods in cycles(QUARTER, calendars(anchor=anchor), start, end)} == {3}
    years = cycles(YEAR, calendars(anchor=anchor), start, end)
    assert {periods for _, periods in years} == {12}
    first = years[1][0].start
    assert abs(first - utc(2028, 1, 1)) < timedelta(days=22)


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [
        ("Asia/Tokyo", "Pacific/Honolulu", utc(2026, 12, 31, 15)),  # 5 in the morning of the 31st, in Honolulu
        ("Pacific/Kiritimati", "Pacific/Pago_Pago", utc(2026, 12, 31, 10)),  # 25 hours earlier in the new timezone
        ("Pacific/Pago_Pago", "Pacific/Kiritimati", utc(2027, 1, 1, 11)),  # the 2nd of January there
        ("Pacific/Honolulu", "Asia/Tokyo", utc(2027, 1, 1, 10)),
    ],
)
def test_a_year_turns_once_when_the_timezone_changes_with_it(before, after, turn):
    changes = utc(2026, 12, 10)
    history = calendars(before)
    december = first_period(changes, history)
    history = history.appended(Calendar(timezone=after), december.end, NOW)
    years = cycles(YEAR, history, utc(2026, 2, 1), utc(2027, 11, 1))
    assert [periods for _, periods in years] == [12, 12]
    assert [each.timezone for each, _ in years] == [before, after]
    assert years[0][0].end == years[1][0].start == turn


def test_a_quarter_keeps_whole_periods_when_the_calendar_changes_in_it():
    history = calendars().appended(Calendar(timezone="Europe/Berlin", anchor=15), utc(2026, 5, 10), NOW)
    created = periods_to_create([], calendars(), utc(2026, 1, 5), utc(2026, 5, 10))  # up to the end of May
    others = periods_around(created, created, history)
    quarter = cycle_of(created[-1], others, QUARTER)
    assert (quarter.start, quarter.end) == (utc(2026, 4, 1), utc(2026, 7, 14, 22))  # June's first half is a period, too
    assert quarter.timezone == "UTC"


def test_a_quarter_of_which_nothing_else_is_laid_is_as_it_would_be_laid():
    july = first_period(utc(2026, 7, 20), calendars(anchor=15))
    assert july.start == utc(2026, 7, 15)
    quarter = cycle_of(july, periods_around([july], [], calendars(anchor=15)), QUARTER)
    assert (quarter.start, quarter.end) == (utc(2026, 7, 15), utc(2026, 10, 15))
    created = periods_to_create([july], calendars(anchor=15), utc(2025, 7, 20), utc(2027, 7, 20))
    assert cycle_of(july, periods_around([july], [*created, july], calendars(anchor=15)), QUARTER) == quarter


@settings(max_examples=60)
@given(
    calendar=st.tuples(st.sampled_from(ZONES), st.integers(1, 31)),
    other=st.tuples(st.sampled_from(ZONES), st.integers(1, 31)),
    start=st.datetimes(min_value=datetime(2010, 1, 1), max_value=datetime(2030, 1, 1)),  # noqa: DTZ001  given its zone below
    change=st.integers(0, 400),
    months=st.sampled_from([QUARTER, YEAR]),
)
def test_every_instant_is_in_exactly_one_quarter_and_one_year(calendar, other, start, change, months):
    """Whatever of it is laid already."""
    instant = start.replace(tzinfo=UTC)
    history = calendars(*calendar)
    created = periods_to_create([], history, instant, instant + timedelta(days=change))
    history = history.appended(
        Calendar(timezone=other[0], anchor=other[1]), max(created[-1].end, instant + timedelta(minutes=10)), instant
    )
    whole = created + periods_to_create(created, history, instant, instant + timedelta(days=900))
    found = list(
        dict.fromkeys(cycle_of(period, periods_around([period], created, history), months) for period in whole)
    )
    assert all(left.end == right.start for left, right in pairwise(found))
    assert found[0].start <= whole[0].start
    assert found[-1].end >= whole[-1].end
    edges = {period.start for period in periods_around(whole, created, history)}
    assert all(cycle.start in edges for cycle in found)
    # A change of the calendar may leave a piece of a month, or make one period of two.
    assert all(months * 28 - 35 < (cycle.end - cycle.start).days < months * 31 + 35 for cycle in found)
