"""Archives of wallets: the transfers before a cut, in a partition for each range of the sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.credits.archives import Archive
from shared.domain.credits.head import Cut
from shared.domain.credits.transfers import Transfer


@dataclass(frozen=True, slots=True)
class StoredArchive:
    archive: Archive
    etag: str | None
    """None where nothing was archived yet."""


class CreditArchives(Protocol):
    async def read(self, payer: str) -> StoredArchive: ...

    async def mark(self, payer: str, before: StoredArchive, archive: Archive) -> None:
        """Say what is archived. Raises `AlreadyExistsError` or `StaleEtagError` where another host was faster."""
        ...

    async def last_copied(self, payer: str, number: int) -> Transfer | None:
        """The last transfer of a range that is in the archive."""
        ...

    async def copy(self, payer: str, number: int, transfers: Sequence[Transfer]) -> None:
        """Copy transfers into a range, in their order. Safe to repeat."""
        ...

    async def leave_pointers(self, payer: str, number: int, start: datetime, end: datetime) -> int:
        """Replace some transfers of the wallet by pointers into a range; how many. 0 when all are replaced.

        Raises `UnavailableError` where the archive does not have exactly the same.
        """
        ...

    async def set_due(self, payer: str, cut: Cut, at: datetime | None) -> None:
        """When a cut is to be looked at again; None for never."""
        ...
