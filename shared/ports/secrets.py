"""Secrets by name: signing keys and the like. Never logged, never in a setting outside local."""

from typing import Protocol


class Secrets(Protocol):
    async def get(self, name: str) -> str:
        """The current value. Raises `UnavailableError` when the vault does not answer, `NotFoundError` without one."""
        ...

    async def set_if_absent(self, name: str, value: str) -> str:
        """Store a first value unless there is one; the value that holds afterwards, whoever was first."""
        ...
