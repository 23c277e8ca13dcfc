"""Decisions that rest on a read: one that ends without a write is made twice, as the read may be stale."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Generic, TypeVar

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import NotFoundError, PreconditionFailedError
from shared.services.storage.retrying import look_twice
from shared.services.storage.stored import Stored

E = TypeVar("E", bound=Entity)
T = TypeVar("T")

DOUBTFUL = (NotFoundError, PreconditionFailedError)
"""Refusals that a stale read may be the reason of."""


@dataclass(frozen=True, slots=True)
class Attempt(Generic[E]):
    """What a read and a decision came to, and whether anything was written."""

    stored: Stored[E]
    is_written: bool


async def decide_twice(attempt: Callable[[], Awaitable[Attempt[E]]]) -> Attempt[E]:
    """Repeat what reads, decides and writes once, a moment later, where nothing was written."""
    return await look_twice(attempt, is_doubtful=lambda attempted: not attempted.is_written, errors=DOUBTFUL)


async def decided(decision: T | Awaitable[T]) -> T:
    """What was decided, at once or not."""
    return await decision if isawaitable(decision) else decision
