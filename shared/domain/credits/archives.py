"""The archive of a wallet: ranges of transfers that ended with a cut and lie in partitions of their own."""

from datetime import datetime, timedelta

import msgspec

KEPT = timedelta(hours=25)
"""How long transfers before a cut stay in the wallet: keys are known there for 24 hours."""
MARKED = timedelta(hours=1)
"""Between the mark and the first removal, so that whoever reads without the mark still finds everything."""


class ArchivedRange(msgspec.Struct, frozen=True, array_like=True):
    """The transfers between two cuts."""

    number: int
    """Of the cut at its end."""
    start: datetime
    """The end of the range before it."""
    end: datetime
    """Of that cut: all its transfers are earlier."""
    marked_at: datetime


class Archive(msgspec.Struct, frozen=True):
    """Which ranges are copied completely, in their order: they are read in the archive from then on."""

    ranges: tuple[ArchivedRange, ...] = ()

    @property
    def last(self) -> int:
        """The number of the last archived range; 0 for none."""
        return self.ranges[-1].number if self.ranges else 0

    def find(self, number: int) -> ArchivedRange | None:
        return next((each for each in self.ranges if each.number == number), None)

    def with_range(self, added: ArchivedRange) -> "Archive":
        return Archive((*self.ranges, added))
