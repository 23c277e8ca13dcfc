import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import MINIMUM_LEAD, Entry, History, Interval
from shared.domain.kernel.times import BEGINNING

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=10)


def test_what_holds_from_the_beginning_holds_always():
    history = History[str].starting("a")
    assert history.at(BEGINNING) == "a"
    assert history.at(NOW) == "a"


def test_before_a_start_nothing_holds():
    history = History[str].starting("a", at=NOW)
    assert history.at(NOW - timedelta(microseconds=1)) is None
    assert history.at(NOW) == "a"


def test_an_entry_holds_from_its_time_on():
    history = History[str].starting("a").appended("b", LATER, NOW)
    assert history.at(LATER - timedelta(microseconds=1)) == "a"
    assert history.at(LATER) == "b"
    assert history.first == "a"
    assert history.last == "b"


def test_an_entry_can_say_that_nothing_holds_any_more():
    assert History[str | None].starting("a").appended(None, LATER, NOW).at(LATER) is None


def test_an_entry_takes_effect_at_least_ten_minutes_ahead():
    history = History[str].starting("a")
    assert timedelta(minutes=10) == MINIMUM_LEAD
    assert history.appended("b", NOW + MINIMUM_LEAD, NOW).at(NOW + MINIMUM_LEAD) == "b"
    with pytest.raises(ValidationError) as refused:
        history.appended("b", NOW + MINIMUM_LEAD - timedelta(microseconds=1), NOW, pointer="/billing_model_from")
    assert [error.pointer for error in refused.value.errors] == ["/billing_model_from"]


@pytest.mark.parametrize("earlier", [timedelta(0), timedelta(days=1)])
def test_a_history_grows_only_at_its_end(earlier):
    history = History[str].starting("a").appended("b", LATER, NOW)
    with pytest.raises(ValidationError) as refused:
        history.appended("c", LATER - earlier, NOW)
    assert refused.value.errors[0].pointer == "/effective_from"


def test_appending_leaves_the_history_before_as_it_was():
    history = History[str].starting("a")
    history.appended("b", LATER, NOW)
    assert history.at(LATER) == "a"


def test_entries_out_of_order_are_no_history():
    entries = (Entry[str](effective_from=LATER, value="a"), Entry[str](effective_from=NOW, value="b"))
    with pytest.raises(pydantic.ValidationError) as refused:
        History[str](entries=entries)
    assert refused.value.errors()[0]["loc"] == ("entries", 1, "effective_from")


def test_a_history_is_read_back_as_it_was_written():
    history = History[int | None].starting(1).appended(None, LATER, NOW)
    assert History[int | None].model_validate(json.loads(history.model_dump_json())) == history


def test_intervals_within_bounds_are_cut_to_them():
    history = History[str].starting("a").appended("b", LATER, NOW).appended("c", LATER + timedelta(days=1), NOW)
    end = LATER + timedelta(hours=1)
    assert list(history.within(NOW, end)) == [Interval(NOW, LATER, "a"), Interval(LATER, end, "b")]


@given(st.lists(st.integers(min_value=1, max_value=100), max_size=10), st.integers(min_value=-10, max_value=1000))
def test_intervals_are_contiguous_and_agree_with_what_holds_at_each_time(gaps, probe):
    history = History[int].starting(0, at=NOW)
    time = NOW
    for number, gap in enumerate(gaps, start=1):
        time += timedelta(hours=gap)
        history = history.appended(number, time, NOW)
    intervals = list(history.intervals())
    assert all(left.end == right.start for left, right in pairwise(intervals))
    assert intervals[-1].end is None
    instant = NOW + timedelta(hours=probe)
    holding = [one.value for one in intervals if one.start <= instant and (one.end is None or instant < one.end)]
    assert holding == ([history.at(instant)] if probe >= 0 else [])


STEPS = tuple(NOW + timedelta(days=day) for day in range(4))
STEPWISE = History[int](entries=tuple(Entry(effective_from=step, value=day) for day, step in enumerate(STEPS)))


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (NOW - timedelta(days=1), [0, 1]),
        (NOW, [1, 2]),
        (STEPS[2], [3]),
        (STEPS[3], []),
    ],
)
def test_what_comes_next_begins_after_the_instant(instant, expected):
    found = list(STEPWISE.next_after(instant, 2))
    assert [each.value for each in found] == expected
    assert found == [each for each in STEPWISE.intervals() if each.value in expected]


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (None, [2, 3]),
        (STEPS[3], [1, 2]),
        (STEPS[1], [0]),
        (STEPS[0], []),
    ],
)
def test_the_last_intervals_before_an_instant_are_in_the_order_of_their_times(instant, expected):
    found = list(STEPWISE.last_before(instant, 2))
    assert [each.value for each in found] == expected
    assert found == [each for each in STEPWISE.intervals() if each.value in expected]


# The one entry to come


def scheduled(history, value, start=None, now=NOW):
    return history.scheduled(value, start, now, "/start")


def refused_at(history, value, start, now=NOW):
    with pytest.raises(ValidationError) as refused:
        scheduled(history, value, start, now)
    return [error.pointer for error in refused.value.errors]


IN_FORCE = History[str | None].starting("a", at=NOW - timedelta(days=1))
TO_COME = IN_FORCE.appended("b", LATER, NOW)
LATEST = LATER + timedelta(days=1)


def test_without_a_time_an_entry_takes_effect_as_early_as_it_may():
    assert scheduled(IN_FORCE, "b") == IN_FORCE.appended("b", NOW + MINIMUM_LEAD, NOW)


@pytest.mark.parametrize(("value", "start"), [("b", LATEST), ("b", NOW + MINIMUM_LEAD), ("c", LATER), (None, LATEST)])
def test_what_is_to_come_is_replaced(value, start):
    assert scheduled(TO_COME, value, start) == IN_FORCE.appended(value, start, NOW)


@pytest.mark.parametrize("history", [IN_FORCE, TO_COME])
@pytest.mark.parametrize("start", [None, NOW - timedelta(days=1)])
def test_the_value_in_force_withdraws_what_is_to_come(history, start):
    assert scheduled(history, "a", start) == IN_FORCE


@pytest.mark.parametrize("history", [IN_FORCE, TO_COME])
@pytest.mark.parametrize("start", [LATER, NOW - timedelta(days=2)])
def test_the_value_in_force_keeps_its_start(history, start):
    assert refused_at(history, "a", start) == ["/start"]


@pytest.mark.parametrize("start", [None, LATER])
def test_repeating_what_is_to_come_changes_nothing(start):
    assert scheduled(TO_COME, "b", start) == TO_COME


def test_what_is_less_than_ten_minutes_ahead_stays():
    soon = LATER - MINIMUM_LEAD + timedelta(microseconds=1)
    assert scheduled(TO_COME, "b", None, soon) == TO_COME
    assert refused_at(TO_COME, "b", LATEST, soon) == ["/start"]
    assert scheduled(TO_COME, "a", None, soon) == TO_COME.appended("a", soon + MINIMUM_LEAD, soon)
    assert scheduled(TO_COME, "a", LATEST, soon) == TO_COME.appended("a", LATEST, soon)


def test_ten_minutes_ahead_it_can_still_be_withdrawn():
    assert scheduled(TO_COME, "a", None, LATER - MINIMUM_LEAD) == IN_FORCE


def test_what_takes_effect_too_soon_or_too_late_is_not_scheduled():
    for start in (NOW + MINIMUM_LEAD - timedelta(microseconds=1), NOW + timedelta(days=732)):
        assert refused_at(TO_COME, "c", start) == ["/start"]
        assert refused_at(TO_COME, "b", start) == ["/start"]


def test_where_nothing_is_in_force_yet_the_first_entry_can_be_moved_and_withdrawn():
    first = History[str | None].starting("a", at=LATER)
    assert scheduled(first, "a", LATEST) == History[str | None].starting("a", at=LATEST)
    assert scheduled(first, None) == History[str | None].starting(None)
    assert refused_at(first, None, LATEST) == ["/start"]


def test_several_entries_to_come_are_replaced_together():
    """Histories of before could have them."""
    history = TO_COME.appended("c", LATEST, NOW)
    assert scheduled(history, "c") == history
    assert scheduled(history, "a") == IN_FORCE
    assert scheduled(history, "b", LATER) == TO_COME
