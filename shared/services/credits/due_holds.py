"""Holds and leases that expire by themselves: the sweep of what is due finds them."""

from typing import ClassVar

from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.services.credits.ledger import Ledger
from shared.services.storage import Outbox, Stored


class DueHold(Entity):
    """What the sweep needs of a hold that is due; the ledger reads the rest."""

    kind: ClassVar[str] = "credit_hold"
    audit: ClassVar[Audit] = OWN_TRAIL
    payer: str


class DueLease(Entity):
    """The same of a lease whose credits return."""

    kind: ClassVar[str] = "credit_lease"
    audit: ClassVar[Audit] = OWN_TRAIL
    payer: str


class DueHolds:
    def __init__(self, ledger: Ledger, outbox: Outbox) -> None:
        self._ledger = ledger
        outbox.expect(DueHold)
        outbox.expect(DueLease)

    async def complete_due(self, due: Stored[DueHold] | Stored[DueLease]) -> None:
        """Expire all of the payer's whose time is over, this one with them. Safe to repeat."""
        await self._ledger.expire_due(due.entity.payer)
