"""Archiving: the transfers before a cut move to a partition of their own, a day after it.

They are copied in an unbroken sequence that ends with the cut's hash, then the range is marked, and only then, an hour
later, they are replaced by pointers in the wallet: ids and keys stay known there. Every step is safe to repeat, and
several hosts may do it at once.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from shared.domain.credits.archives import MARKED, ArchivedRange
from shared.domain.credits.head import Cut
from shared.domain.credits.transfers import BEFORE_THE_FIRST, Transfer
from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.times import BEGINNING
from shared.ports.clock import Clock
from shared.ports.credit_archives import CreditArchives
from shared.ports.wallets import Wallets
from shared.services.credits.transfer_history import position_of
from shared.services.storage import AlreadyExistsError, Outbox, Position, StaleEtagError, Stored

MAXIMUM_AT_ONCE = 10_000
"""Transfers that are copied, or replaced, by one call; the next one goes on."""
_READ_AT_ONCE = 500
_EARLIER_FIRST = timedelta(minutes=5)
"""How long a cut waits for the one before it."""


class DueCut(Entity):
    """What the sweep needs of a cut that is due."""

    kind: ClassVar[str] = "credit_cut"
    audit: ClassVar[Audit] = OWN_TRAIL
    payer: str
    number: int


class BrokenSequenceError(UnavailableError):
    """The transfers before a cut do not lead to its hash: they are left where they are."""


class Archiving:
    def __init__(self, wallets: Wallets, archives: CreditArchives, clock: Clock, outbox: Outbox) -> None:
        self._wallets = wallets
        self._archives = archives
        self._clock = clock
        outbox.expect(DueCut)

    async def complete_due(self, due: Stored[DueCut]) -> None:
        """Do the next step for a cut, and say when the one after it is due. Raises `UnavailableError`."""
        payer, number = due.entity.payer, due.entity.number
        cuts = await self._wallets.cuts(payer, [number - 1, number])
        if number not in cuts:
            raise UnavailableError("The cut cannot be read yet")
        cut, now = cuts[number], self._clock.now()
        archived = (await self._archives.read(payer)).archive
        archived_range = archived.find(number)
        if archived_range is not None and now < archived_range.marked_at + MARKED:
            await self._archives.set_due(payer, cut, archived_range.marked_at + MARKED)
        elif archived_range is not None:
            is_over = await self._leave_pointers(payer, archived_range)
            await self._archives.set_due(payer, cut, None if is_over else now)
        elif number > archived.last + 1:
            await self._archives.set_due(payer, cut, now + _EARLIER_FIRST)
        elif await self._copy(payer, cuts.get(number - 1), cut):
            await self._mark(payer, cut)
            await self._archives.set_due(payer, cut, now + MARKED)
        else:
            await self._archives.set_due(payer, cut, now)

    async def _copy(self, payer: str, before: Cut | None, cut: Cut) -> bool:
        """Copy what is not copied yet; whether that is all of it. Raises `BrokenSequenceError`."""
        sequence, hash_ = (before.sequence, before.hash) if before is not None else (0, BEFORE_THE_FIRST)
        after: Position | None = None
        last = await self._archives.last_copied(payer, cut.number)
        if last is not None:
            sequence, hash_, after = last.sequence, last.hash, position_of(last)
        for _ in range(MAXIMUM_AT_ONCE // _READ_AT_ONCE):
            if sequence == cut.sequence:
                break
            transfers = await self._wallets.transfers(payer, end=cut.time, limit=_READ_AT_ONCE, after=after, start=(
                None if before is None else before.time
            ))  # fmt: skip
            if not transfers:
                raise BrokenSequenceError(f"The transfer {sequence + 1} is missing")
            _check(transfers, sequence, hash_)
            await self._archives.copy(payer, cut.number, transfers)
            sequence, hash_, after = transfers[-1].sequence, transfers[-1].hash, position_of(transfers[-1])
        if sequence == cut.sequence and hash_ != cut.hash:
            raise BrokenSequenceError(f"The transfers up to {sequence} do not lead to the hash of their cut")
        return sequence == cut.sequence

    async def _mark(self, payer: str, cut: Cut) -> None:
        """The range is read in the archive from now on. Another host may have been faster."""
        before = await self._archives.read(payer)
        if before.archive.last + 1 != cut.number:
            return
        start = before.archive.ranges[-1].end if before.archive.ranges else BEGINNING
        added = ArchivedRange(cut.number, start, cut.time, self._clock.now())
        try:
            await self._archives.mark(payer, before, before.archive.with_range(added))
        except (AlreadyExistsError, StaleEtagError):
            if (await self._archives.read(payer)).archive.find(cut.number) is None:
                raise

    async def _leave_pointers(self, payer: str, archived: ArchivedRange) -> bool:
        """Whether nothing of the range is left in the wallet."""
        replaced = 0
        while replaced < MAXIMUM_AT_ONCE:
            try:
                now = await self._archives.leave_pointers(payer, archived.number, archived.start, archived.end)
            except StaleEtagError:
                return False  # another host has just replaced them, or a read was stale
            if not now:
                return True
            replaced += now
        return False


def _check(transfers: Sequence[Transfer], sequence: int, hash_: str) -> None:
    """Raises `BrokenSequenceError` unless they continue the chain."""
    for transfer in transfers:
        sequence += 1
        is_next = (transfer.sequence, transfer.previous_hash) == (sequence, hash_)
        if not is_next or transfer.computed_hash() != transfer.hash:
            raise BrokenSequenceError(f"The transfer {sequence} does not continue the chain")
        hash_ = transfer.hash
