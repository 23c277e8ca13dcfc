"""Carries the scope into threads, which begin without the context of who started them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from typing import Any

from xyra.scope import carried

_IS_OURS = "_xyra_carries"


def carry_into_threads() -> None:
    """From now on `Thread.start` and `ThreadPoolExecutor.submit` keep run and agent. Repeating it changes nothing."""
    if not getattr(threading.Thread.start, _IS_OURS, False):
        setattr(threading.Thread, "start", _start(threading.Thread.start))  # noqa: B010  no assignment by its type
        setattr(ThreadPoolExecutor, "submit", _submit(ThreadPoolExecutor.submit))  # noqa: B010  as above


def _start(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @wraps(start)
    def started(self: threading.Thread) -> None:
        setattr(self, "run", carried(self.run))  # noqa: B010  as below
        start(self)

    setattr(started, _IS_OURS, True)
    return started


def _submit(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @wraps(submit)
    def submitted(self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return submit(self, carried(function), *args, **kwargs)

    return submitted
