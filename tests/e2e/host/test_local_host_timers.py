# ruff: noqa: ARG001  the platform passes what triggered a function by name, used or not
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.functions as func
import pytest

from local.host import StartupError
from tests.doubles.clients.running_host import MovableClock, Options, RunningHost, hosted, until

DAILY_AT_NINE = "0 0 9 * * *"


def timer_app(fired: list[bool], schedule: str = DAILY_AT_NINE, *, run_on_startup: bool = False) -> func.FunctionApp:
    app = func.FunctionApp()

    @app.timer_trigger(arg_name="timer", schedule=schedule, run_on_startup=run_on_startup)
    async def tick(timer: func.TimerRequest) -> None:
        fired.append(timer.past_due)

    return app


async def next_of(running: RunningHost) -> str:
    return str((await running.status())["timers"]["tick"]["next"])


async def test_a_timer_fires_when_its_time_has_come_and_not_before(tmp_path: Path) -> None:
    fired: list[bool] = []
    clock = MovableClock(datetime(2026, 10, 3, 8, 59, 59, tzinfo=UTC))
    async with hosted(timer_app(fired), tmp_path, clock=clock) as running:
        assert await next_of(running) == "2026-10-03T09:00:00+00:00"
        await running.idle()
        assert fired == []
        clock.now += timedelta(seconds=1)
        assert (await running.status())["overdue"] == 1  # at once, whether or not the host has looked
        await running.idle()
        assert fired == [False]
        assert await next_of(running) == "2026-10-04T09:00:00+00:00"


async def test_a_jump_over_several_occurrences_fires_once_and_past_due(tmp_path: Path) -> None:
    fired: list[bool] = []
    async with hosted(timer_app(fired), tmp_path) as running:
        running.clock.now += timedelta(days=30)
        await running.idle()
        assert fired == [True]
        assert await next_of(running) == "2026-11-02T09:00:00+00:00"


async def test_a_clock_that_goes_back_brings_its_occurrences_again(tmp_path: Path) -> None:
    fired: list[bool] = []
    async with hosted(timer_app(fired), tmp_path) as running:
        running.clock.now = datetime(2026, 10, 3, 9, tzinfo=UTC)
        await running.idle()
        running.clock.now = datetime(2026, 10, 1, 8, tzinfo=UTC)
        await running.idle()
        assert fired == [False]
        running.clock.now = datetime(2026, 10, 1, 9, tzinfo=UTC)
        await running.idle()
    assert fired == [False, False]


async def test_a_timer_never_runs_twice_at_a_time(tmp_path: Path) -> None:
    app = func.FunctionApp()
    inside = 0
    runs: list[bool] = []
    release = asyncio.Event()

    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    async def tick(timer: func.TimerRequest) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        runs.append(timer.past_due)
        await release.wait()
        inside -= 1

    async with hosted(app, tmp_path) as running:
        running.clock.now += timedelta(minutes=1)
        await until(lambda: runs)
        running.clock.now += timedelta(minutes=3)
        status = await running.status()
        assert (status["running"], status["overdue"]) == (1, 1)
        release.set()
        await running.idle()
    assert runs == [False, True]


async def test_a_timer_that_fails_fires_again_next_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = func.FunctionApp()
    runs: list[datetime] = []

    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    async def tick(timer: func.TimerRequest) -> None:
        runs.append(running.clock.now)
        raise RuntimeError("on purpose")

    async with hosted(app, tmp_path) as running:
        for _ in range(2):
            running.clock.now += timedelta(minutes=1)
            await running.idle()
    assert len(runs) == 2
    assert "function tick failed" in caplog.text


async def test_a_timer_can_run_at_startup(tmp_path: Path) -> None:
    fired: list[bool] = []
    async with hosted(timer_app(fired, run_on_startup=True), tmp_path) as running:
        await running.idle()
        assert fired == [False]
        assert await next_of(running) == "2026-10-03T09:00:00+00:00"


async def test_what_was_missed_while_the_host_was_down_is_made_up_for_once(tmp_path: Path) -> None:
    fired: list[bool] = []
    clock = MovableClock()
    options = Options(schedule_status=tmp_path / "state" / "timers.json")
    async with hosted(timer_app(fired), tmp_path, options, clock=clock) as running:
        clock.now += timedelta(hours=1)
        await running.idle()
    assert fired == [False]
    clock.now += timedelta(days=2)
    for _ in range(2):
        async with hosted(timer_app(fired), tmp_path, options, clock=clock) as running:
            await running.idle()
    assert fired == [False, True]


async def test_a_damaged_schedule_status_does_not_keep_the_host_from_starting(tmp_path: Path) -> None:
    fired: list[bool] = []
    damaged = tmp_path / "timers.json"
    damaged.write_text("[1", encoding="utf-8")
    async with hosted(timer_app(fired), tmp_path, Options(schedule_status=damaged)) as running:
        running.clock.now += timedelta(hours=1)
        await running.idle()
    assert fired == [False]


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        ("30 */5 * * * *", "2026-10-03T08:00:30+00:00"),
        ("0 15 10 * * MON-FRI", "2026-10-05T10:15:00+00:00"),
        ("0 0 0 1 * *", "2026-11-01T00:00:00+00:00"),
        ("0 0 0 13 * 5", "2026-11-13T00:00:00+00:00"),  # both day fields must match: Friday the 13th
        ("15 9 * * *", "2026-10-03T09:15:00+00:00"),
        ("%SCHEDULE%", "2026-10-03T08:30:00+00:00"),
    ],
)
async def test_schedules_are_ncrontab_in_utc(schedule: str, following: str, tmp_path: Path) -> None:
    options = Options(settings={"SCHEDULE": "0 30 * * * *"})
    async with hosted(timer_app([], schedule), tmp_path, options) as running:
        assert await next_of(running) == following


@pytest.mark.parametrize("schedule", ["00:05:00", "@daily", "0 0 0 31 2 *", "0 0 25 * * *", "* * * * * * *", "%NONE%"])
async def test_a_schedule_that_cannot_be_used_is_refused(schedule: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="function tick: the s"):
        async with hosted(timer_app([], schedule), tmp_path):
            pass


async def test_a_disabled_timer_neither_fires_nor_is_overdue(tmp_path: Path) -> None:
    fired: list[bool] = []
    options = Options(settings={"AzureWebJobs.tick.Disabled": "true"})
    async with hosted(timer_app(fired), tmp_path, options) as running:
        running.clock.now += timedelta(days=1)
        assert (await running.idle())["timers"] == {}
    assert fired == []
