"""What is left of deleted things in files of this machine."""

from typing import Protocol


class Remnants(Protocol):
    async def clear(self, address: str) -> None:
        """Remove mails to an e-mail address, and what was deleted from the store. Safe to repeat.

        Raises `UnavailableError` where that is not possible now.
        """
        ...
