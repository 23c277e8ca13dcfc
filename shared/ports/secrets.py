"""Secrets by name: signing keys and the like. Never logged, never in a setting outside local."""

from datetime import timedelta
from typing import Protocol

from shared.domain.kernel.errors import UnavailableError

LONGEST_STALE = timedelta(hours=1)
"""For so long at most `get` gives a value that was replaced. Whoever replaces one has to allow for it."""


class NotAllowedError(UnavailableError):
    """The vault refuses this identity, or the network that it comes from."""


class Secrets(Protocol):
    async def get(self, name: str) -> str:
        """The current value. Raises `UnavailableError` when the vault does not answer, `NotFoundError` without one."""
        ...

    async def set_if_absent(self, name: str, value: str) -> str:
        """Store a first value unless there is one.

        Returns the value that holds afterwards, whoever was first. Raises `NotAllowedError` without the right to.
        """
        ...

    async def replace(self, name: str, value: str, *, expected: str) -> None:
        """Store another value in place of `expected`. Raises `ConflictError` where that is not the current one, or
        another came at the same time and holds; `NotAllowedError` without the right to.
        """
        ...
