"""Marks log lines of an invocation that has ended, because the platform drops them."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

MARK = "after_invocation"
"""The attribute of such a line's record."""


class RunningInvocation:
    """What is logged in here belongs to one invocation.

    So does what tasks log that are begun in here.
    """

    __slots__ = ("_token", "has_ended")

    def __init__(self) -> None:
        self.has_ended = False

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, *_: object) -> None:
        self.has_ended = True
        _current.reset(self._token)


_current: ContextVar[RunningInvocation | None] = ContextVar("invocation", default=None)


class _MarkingFactory:
    """Makes the log records of this process."""

    def __init__(self, make_record: Callable[..., logging.LogRecord]) -> None:
        self._make_record = make_record

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401  a record factory's signature
        record = self._make_record(*args, **kwargs)
        invocation = _current.get()
        if invocation is not None and invocation.has_ended:
            setattr(record, MARK, True)
        return record


def mark_lines_after_end() -> None:
    """From now on, mark what is logged after its invocation ended; safe to repeat."""
    if not isinstance(logging.getLogRecordFactory(), _MarkingFactory):
        logging.setLogRecordFactory(_MarkingFactory(logging.getLogRecordFactory()))
