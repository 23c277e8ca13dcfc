"""What was read lately is found for a while, within bounds."""

from datetime import UTC, datetime, timedelta

from shared.services.storage.recent_reads import RecentReads
from tests.doubles.fakes.settable_clock import SettableClock

START = datetime(2026, 12, 1, tzinfo=UTC)
KEPT = timedelta(seconds=10)


def test_a_value_is_found_until_its_time_is_over() -> None:
    clock = SettableClock(START)
    reads = RecentReads[str, int](2, KEPT, clock)
    reads["a"] = 1
    clock.set(START + KEPT - timedelta(microseconds=1))
    assert reads.find("a") == 1
    clock.set(START + KEPT)
    assert reads.find("a") is None


def test_the_time_begins_anew_with_another_read() -> None:
    clock = SettableClock(START)
    reads = RecentReads[str, int](2, KEPT, clock)
    reads["a"] = 1
    clock.set(START + KEPT / 2)
    reads["a"] = 2
    clock.set(START + KEPT)
    assert reads.find("a") == 2


def test_without_room_what_was_read_first_is_forgotten() -> None:
    reads = RecentReads[str, int](2, KEPT, SettableClock(START))
    reads["a"], reads["b"] = 1, 2
    reads["a"] = 3
    reads["c"] = 4
    assert [reads.find(key) for key in "abc"] == [3, None, 4]


def test_what_is_forgotten_is_not_found() -> None:
    reads = RecentReads[str, int](2, KEPT, SettableClock(START))
    reads["a"] = 1
    reads.forget("a")
    reads.forget("never read")
    assert reads.find("a") is None
