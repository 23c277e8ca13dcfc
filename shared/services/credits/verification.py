"""Verification jobs: prove a wallet's ledger from its stored items, in the background."""

from typing import ClassVar, Literal

from pydantic import BaseModel

from shared.containers import DIRECTORY
from shared.domain.credits.verification import Verification
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.times import Instant
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.transfer_history import TransferHistory
from shared.services.storage import Outbox, Position, Records, Store, Stored, look_twice

_READ_AT_ONCE = 1_000
MAXIMUM_TRANSFERS = 200_000
"""Of one verification; a longer ledger is verified from a later cut."""


class FoundProblem(BaseModel):
    sequence: int | None
    transaction_id: str | None
    kind: str


class CreditVerification(Entity):
    """A requested verification, and what it found."""

    kind: ClassVar[str] = "credit_verification"
    audit: ClassVar[Audit] = BOOKKEEPING

    organization_id: str
    from_beginning: bool
    created_at: Instant
    status: Literal["running", "done"] = "running"
    ok: bool | None = None
    checked_to: int | None = None
    """The sequence of the last transfer that was looked at."""
    problems: list[FoundProblem] = []


class Verifications:
    """A verification is due until it is done, so the sweep begins it again where it was cut short."""

    def __init__(self, store: Store, wallets: Wallets, history: TransferHistory, clock: Clock, outbox: Outbox) -> None:
        self._wallets = wallets
        self._history = history
        self._clock = clock
        self._verifications = Records(store, DIRECTORY, CreditVerification, prefix="ver", outbox=outbox)

    async def request(self, verification_id: str, organization_id: str, *, from_beginning: bool) -> CreditVerification:
        """Create it, and do it at once where it can be. Repeating it gives what was created."""
        now = self._clock.now()
        created = CreditVerification(
            id=verification_id, organization_id=organization_id, from_beginning=from_beginning, created_at=now
        )
        stored = await self._verifications.create(_partition(verification_id), created, due_at=now)
        if stored.entity.status == "done" or not await self._is_short(organization_id, from_beginning=from_beginning):
            return stored.entity
        await self.complete_due(stored)
        return await self.get(organization_id, verification_id)

    async def _is_short(self, payer: str, *, from_beginning: bool) -> bool:
        """Whether it is done within one answer."""
        head = (await self._wallets.read(payer, Wanted())).wallet.head
        cuts = {} if from_beginning else await self._wallets.cuts(payer, [head.cuts])
        start = cuts[head.cuts].sequence if head.cuts in cuts else 0
        return head.sequence - start <= _READ_AT_ONCE

    async def get(self, organization_id: str, verification_id: str) -> CreditVerification:
        """Raises `NotFoundError`, for another organization's, too."""
        stored = await self._verifications.get(_partition(verification_id), verification_id)
        if stored.entity.organization_id != organization_id:
            raise NotFoundError("There is no such credit verification")
        return stored.entity

    async def complete_due(self, due: Stored[CreditVerification]) -> None:
        """Verify, and store what was found. Safe to repeat."""
        verification = due.entity
        found = await look_twice(  # a stale read looks like a missing transfer
            lambda: self._verify(verification.organization_id, from_beginning=verification.from_beginning),
            is_doubtful=lambda verified: bool(verified.problems),
        )
        done = verification.changed(
            status="done",
            ok=not found.problems,
            checked_to=found.sequence,
            problems=[
                FoundProblem(sequence=each.sequence, transaction_id=each.transaction_id, kind=each.kind)
                for each in found.problems
            ],
        )
        await self._verifications.put(_partition(done.id), done)

    async def _verify(self, payer: str, *, from_beginning: bool) -> Verification:
        """Raises `UnavailableError` where the ledger changes all the while."""
        stored = await self._wallets.read(payer, Wanted())
        head = stored.wallet.head
        cuts = await self._wallets.cuts(payer, range(1, head.cuts + 1) if from_beginning else [head.cuts])
        cut = None if from_beginning else cuts.get(head.cuts)
        verification = Verification.of_all(cuts.values()) if from_beginning else Verification.after(cut)
        after: Position | None = None
        taken = 0
        while True:
            page = await self._history.page(
                payer, start=None if cut is None else cut.time, limit=_READ_AT_ONCE, after=after
            )
            for transfer in page.transfers:
                if transfer.sequence <= head.sequence:
                    verification.take(transfer)
            taken += len(page.transfers)
            after = page.following
            if after is None:
                break
            if taken > MAXIMUM_TRANSFERS:
                raise UnavailableError(
                    "The ledger is too long to verify from the beginning; verify it from its last cut"
                )
        verification.check_head(head, stored.wallet.pages.values())
        return verification


def _partition(verification_id: str) -> str:
    return f"verification:{verification_id}"
