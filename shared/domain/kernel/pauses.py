"""Where long computations let others go on, which want the same interpreter."""

from collections.abc import Callable
from contextvars import ContextVar

_pause: ContextVar[Callable[[], None] | None] = ContextVar("pause", default=None)


def pausing_by(pause: Callable[[], None] | None) -> None:
    """What this thread computes from now on pauses by this function, which is called often; by None not at all."""
    _pause.set(pause)


def pause_if_over() -> None:
    """Called between the parts of what may take long. Does nothing where nobody said how to pause."""
    pause = _pause.get()
    if pause is not None:
        pause()
