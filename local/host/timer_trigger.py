"""Timer triggers, fired by the host's clock, which may stand still, jump or go back."""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from azure.functions.timer import TimerRequest

from local.host.errors import StartupError
from local.host.indexing import Function, TimerTrigger
from local.host.invocation import Invoker
from local.host.schedule import Schedule

_log = logging.getLogger("local.host")

LOOK_SECONDS = 0.1
"""How often the clock is read, because it may be moved at any moment."""
PUNCTUAL = timedelta(seconds=5)
"""A timer that fires later than this is past due."""


class ScheduleMonitor:
    """Remembers in a file when each timer last fired.

    So missed occurrences fire at the next start.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._last = self._read()

    def last(self, name: str) -> datetime | None:
        return self._last.get(name)

    def fired(self, name: str, at: datetime) -> None:
        self._last[name] = at
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(f".{os.getpid()}.tmp")  # another host may write at the same time
            draft.write_text(
                json.dumps({each: when.isoformat() for each, when in self._last.items()}), encoding="utf-8"
            )
            draft.replace(self._path)

    def _read(self) -> dict[str, datetime]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            return {name: datetime.fromisoformat(when) for name, when in stored.items()}
        except (ValueError, AttributeError, TypeError):
            _log.warning("%s cannot be read; no missed timer is made up for", self._path)
            return {}


class Timer:
    """One timer function. It never overlaps itself, and fires once for all occurrences that a jump passed."""

    def __init__(self, function: Function, trigger: TimerTrigger, now: datetime, monitor: ScheduleMonitor) -> None:
        """Raises `StartupError` for a schedule that cannot be used."""
        self.function = function
        try:
            self._schedule = Schedule(trigger.schedule)
        except StartupError as error:
            raise StartupError(f"function {function.name}: {error}") from error
        self._monitor = monitor if trigger.use_monitor else ScheduleMonitor(None)
        self._seen = now
        last = self._monitor.last(function.name)
        self.next_at = self._schedule.next_after(last if last is not None and last < now else now)
        if self._monitor.last(function.name) is None:
            self._monitor.fired(function.name, now)
        self._due_at_startup = trigger.run_on_startup
        self._running = False

    def observe(self, now: datetime) -> bool:
        """Whether it is due or running. After the clock went back, earlier occurrences come again."""
        if now < self._seen:
            self.next_at = self._schedule.next_after(now)
        self._seen = now
        return self._running or self._due_at_startup or now >= self.next_at

    def begin(self, now: datetime) -> TimerRequest | None:
        """The argument to run it with; None unless it is due and not running. `end` must follow."""
        if not self.observe(now) or self._running:
            return None
        late = now >= self.next_at and (now - self.next_at > PUNCTUAL or self._schedule.next_after(self.next_at) <= now)
        self._running = True
        self._due_at_startup = False
        self.next_at = self._schedule.next_after(now)
        last = (self._monitor.last(self.function.name) or now).isoformat()
        return timer_request(
            past_due=late, status={"Last": last, "LastUpdated": last, "Next": self.next_at.isoformat()}
        )

    def end(self, at: datetime) -> None:
        self._running = False
        self._monitor.fired(self.function.name, at)


def timer_request(*, past_due: bool, status: dict[str, str] | None = None) -> TimerRequest:
    """The worker's own class with the platform's values. The status is empty for a start by hand."""
    return TimerRequest(past_due=past_due, schedule_status=status or {}, schedule={"AdjustForDST": True})


class TimerListener:
    """Fires all timers of the app."""

    def __init__(self, timers: Sequence[Timer], clock: Callable[[], datetime], invoker: Invoker) -> None:
        self.timers = timers
        self._clock = clock
        self._invoker = invoker
        self._runs: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def listen(self) -> None:
        while not self._stopping.is_set():
            now = self._clock()
            for timer in self.timers:
                request = timer.begin(now)
                if request is not None:
                    run = asyncio.create_task(self._run(timer, request, now))
                    self._runs.add(run)
                    run.add_done_callback(self._runs.discard)
            try:
                await asyncio.wait_for(self._stopping.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Fire nothing more. Running timers go on."""
        self._stopping.set()

    async def finish(self) -> None:
        await asyncio.gather(*self._runs)

    async def _run(self, timer: Timer, request: TimerRequest, now: datetime) -> None:
        try:
            await self._invoker.start(timer.function, request)
        finally:
            timer.end(now)
