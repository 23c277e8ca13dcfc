"""What is left of deleted things in files of this machine."""

from typing import Protocol


class Remnants(Protocol):
    async def remove_mails(self, address: str) -> None:
        """Remove mails to an e-mail address. Safe to repeat."""
        ...

    async def overwrite_deleted(self) -> None:
        """Remove what was deleted from the store, wherever its files still have it. Safe to repeat.

        Raises `UnavailableError` where that is not possible now.
        """
        ...
