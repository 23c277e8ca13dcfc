"""Waits in a thread for what talks to Xyra, so that other tasks go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


async def in_thread(work: Callable[[], R], *, undo: Callable[[R], object]) -> R:
    """What the work gives. Where the task is cancelled meanwhile, the work ends and is undone."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        working.add_done_callback(lambda done: _undo(done, undo))
        raise


def _undo(done: asyncio.Future[R], undo: Callable[[R], object]) -> None:
    if not done.cancelled() and done.exception() is None:
        undo(done.result())
