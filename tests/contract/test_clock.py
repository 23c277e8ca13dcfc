"""Clocks: the machine's, and the one that a file sets."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.adapters.clock.file_clock import FileClock
from shared.adapters.clock.system_clock import SystemClock
from shared.ports.clock import Clock

A_MOMENT = timedelta(seconds=20)
"""More than a test takes on a busy machine."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clock"


@pytest.fixture(params=["system", "file"])
def clock(request: pytest.FixtureRequest, path: Path) -> Clock:
    return SystemClock() if request.param == "system" else FileClock(path)


def test_now_is_in_utc_and_moves_on(clock: Clock) -> None:
    """Without a file, a clock that looks at one says the machine's time."""
    before = datetime.now(UTC)
    first = clock.now()
    assert first.tzinfo is UTC
    assert before <= first <= datetime.now(UTC)
    deadline = time.monotonic() + 10
    while clock.now() <= first:
        assert time.monotonic() < deadline


def test_the_file_sets_the_time_in_any_zone(path: Path) -> None:
    path.write_text("2030-01-01T02:00:00+02:00\n")
    now = FileClock(path).now()
    assert now.tzinfo is UTC
    assert timedelta(0) <= now - datetime(2030, 1, 1, tzinfo=UTC) < A_MOMENT


def test_time_moves_on_from_when_the_file_was_written(path: Path) -> None:
    path.write_text("2030-01-01T00:00:00Z")
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    assert timedelta(0) <= FileClock(path).now() - datetime(2030, 1, 1, 1, tzinfo=UTC) < A_MOMENT


def test_all_who_look_at_the_file_agree(path: Path) -> None:
    path.write_text("2030-01-01T00:00:00Z")
    first, second = FileClock(path), FileClock(path)
    readings = [clock.now() for _ in range(50) for clock in (first, second)]
    assert readings == sorted(readings)
    assert readings[-1] - readings[0] < A_MOMENT


@pytest.mark.parametrize("replaced", [False, True])
def test_a_change_holds_at_once_however_quick(path: Path, tmp_path: Path, *, replaced: bool) -> None:
    clock = FileClock(path)
    for year in range(2000, 2050):
        if replaced:
            (tmp_path / "next").write_text(f"{year}-06-01T00:00:00Z")
            (tmp_path / "next").replace(path)
        else:
            path.write_text(f"{year}-06-01T00:00:00Z")
        assert clock.now().year == year


def test_a_change_within_one_tick_of_the_file_systems_clock_holds(path: Path) -> None:
    clock = FileClock(path)
    path.write_text("2030-01-01T00:00:00Z")
    tick = path.stat().st_mtime_ns
    assert clock.now().year == 2030
    path.write_text("2031-01-01T00:00:00Z")
    os.utime(path, ns=(tick, tick))
    assert clock.now().year == 2031


def test_a_change_holds_when_the_file_was_read_long_before(path: Path) -> None:
    path.write_text("2030-01-01T00:00:00Z")
    os.utime(path, (time.time() - 60, time.time() - 60))
    clock = FileClock(path)
    assert clock.now().year == 2030
    path.write_text("2031-01-01T00:00:00Z")
    assert clock.now().year == 2031


def test_without_the_file_or_with_an_empty_one_it_is_the_machines_time_again(path: Path) -> None:
    clock = FileClock(path)
    path.write_text("2030-01-01T00:00:00Z")
    assert clock.now().year == 2030
    path.write_text("\n")
    assert abs(clock.now() - datetime.now(UTC)) < A_MOMENT
    path.write_text("2030-01-01T00:00:00Z")
    assert clock.now().year == 2030
    path.unlink()
    assert abs(clock.now() - datetime.now(UTC)) < A_MOMENT


@pytest.mark.parametrize("text", ["tomorrow", "2030-13-01T00:00:00Z", "2030-01-01T00:00:00", "2030-01-01"])
def test_what_is_no_time_with_an_offset_is_named(path: Path, text: str) -> None:
    path.write_text(text)
    clock = FileClock(path)
    for _ in range(2):
        with pytest.raises(ValueError, match=text):
            clock.now()
    path.write_text("2030-01-01T00:00:00Z")
    assert clock.now().year == 2030
