"""Deadlines of many waits that may last equally long, with one timer for all of them."""

import asyncio
from collections.abc import Callable
from typing import Any


def current_task() -> asyncio.Task[Any]:
    """The running task, which `task.cancel` breaks off. Raises `RuntimeError` outside of tasks."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only what runs in a task can be broken off")
    return task


class Deadline:
    """When one wait has lasted too long, and what is called then."""

    __slots__ = ("at", "exceeded", "is_exceeded")

    def __init__(self, at: float, exceeded: Callable[[], object]) -> None:
        self.at = at
        self.exceeded = exceeded
        self.is_exceeded = False


class Deadlines:
    """Of waits in one event loop.

    Almost every wait ends in time: a timer for each would cost more than all else that is done to watch it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ahead: dict[Deadline, None] = {}
        """In the order in which they are reached, as all waits may last equally long."""
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, exceeded: Callable[[], object]) -> Deadline:
        """`exceeded` is called unless the deadline is ended in time."""
        loop = asyncio.get_running_loop()
        deadline = Deadline(loop.time() + self._seconds, exceeded)
        self._ahead[deadline] = None
        if self._timer is None:
            self._timer = loop.call_at(deadline.at, self._look)
        return deadline

    def end(self, deadline: Deadline) -> None:
        self._ahead.pop(deadline, None)

    def _look(self) -> None:
        """Call what is exceeded, and look again when the next deadline is reached."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._ahead:
            deadline = next(iter(self._ahead))
            if deadline.at > loop.time():
                self._timer = loop.call_at(deadline.at, self._look)
                return
            self.end(deadline)
            deadline.is_exceeded = True
            deadline.exceeded()
