"""The transfers of a wallet in the order of the ledger, whether they lie in the wallet or in its archive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.credits.archives import Archive
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.times import BEGINNING, to_text
from shared.ports.credit_archives import CreditArchives
from shared.ports.wallets import Wallets
from shared.services.storage import Position


@dataclass(frozen=True, slots=True)
class HistoryPage:
    transfers: Sequence[Transfer]
    following: Position | None
    """Where the next page begins; None at the end."""


class TransferHistory:
    def __init__(self, wallets: Wallets, archives: CreditArchives) -> None:
        self._wallets = wallets
        self._archives = archives

    async def page(  # noqa: PLR0913  the parts of a query
        self,
        payer: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        descending: bool = False,
        only_done: bool = False,
        limit: int,
        after: Position | None = None,
    ) -> HistoryPage:
        """Transfers of a time [start, end), behind a position; refused ones, too, unless `only_done`."""
        archive = (await self._archives.read(payer)).archive
        places = [place for place in _places(archive) if place.has(start, end, after, descending=descending)]
        found: list[Transfer] = []
        for place in reversed(places) if descending else places:
            found += await self._wallets.transfers(
                payer,
                archived=place.archived,
                start=place.start if start is None else max(start, place.start),
                end=end,
                descending=descending,
                only_done=only_done,
                limit=limit - len(found),
                after=after,
            )
            if len(found) == limit:
                return HistoryPage(found, position_of(found[-1]))
        return HistoryPage(found, None)


def position_of(transfer: Transfer) -> Position:
    return Position(to_text(transfer.time), transfer.id)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the transfers of a time [start, end) lie."""

    archived: int | None
    """The number of the archived range; None for the wallet itself."""
    start: datetime
    end: datetime | None

    def has(self, start: datetime | None, end: datetime | None, after: Position | None, *, descending: bool) -> bool:
        """Whether anything asked for may lie here."""
        if start is not None and self.end is not None and self.end <= start:
            return False
        if end is not None and self.start >= end:
            return False
        if after is None:
            return True
        if descending:
            return to_text(self.start) <= after.value
        return self.end is None or to_text(self.end) > after.value


def _places(archive: Archive) -> Iterator[_Place]:
    """In the order of time. What is archived may still be in the wallet, too, and is not read there."""
    for archived in archive.ranges:
        yield _Place(archived.number, archived.start, archived.end)
    yield _Place(None, archive.ranges[-1].end if archive.ranges else BEGINNING, None)
