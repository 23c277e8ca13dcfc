"""When timers last fired, remembered beside the data, which several hosts may share."""

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

from local.host.timer_trigger import ScheduleMonitor

TIMES = 300


def fire(path: Path) -> None:
    monitor = ScheduleMonitor(path)
    for minute in range(TIMES):
        monitor.fired("invoices", datetime(2026, 11, 1, minute // 60, minute % 60, tzinfo=UTC))


def test_two_hosts_write_their_schedules_at_the_same_time(tmp_path):
    path = tmp_path / "timers.json"
    spawning = multiprocessing.get_context("spawn")
    hosts = [spawning.Process(target=fire, args=(path,)) for _ in range(2)]
    for host in hosts:
        host.start()
    for host in hosts:
        host.join()
    assert [host.exitcode for host in hosts] == [0, 0]
    assert ScheduleMonitor(path).last("invoices") == datetime(2026, 11, 1, 4, 59, tzinfo=UTC)
    assert [found.name for found in tmp_path.iterdir()] == ["timers.json"]
