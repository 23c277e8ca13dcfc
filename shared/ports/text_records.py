"""Texts that whoever has a domain publishes in it."""

from typing import Protocol


class TextRecords(Protocol):
    async def lookup(self, name: str) -> tuple[str, ...]:
        """The TXT records of a name; none where there is no such name. Raises `UnavailableError`."""
        ...
