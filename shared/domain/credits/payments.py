"""What the ledger keeps of a grant and of a refunded transfer, beyond the grant pages.

Both are versioned totals: a repeated or late message moves nothing twice.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.credits.grants import Grant, Part, Terms
from shared.domain.kernel.money import ZERO


class Taking(msgspec.Struct, frozen=True, array_like=True):
    """What a clawback took from one place."""

    origin: Literal["lapsed", "grant", "debt"]
    part: Part
    taken_at: datetime


class GrantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as it was given, kept for good, and what was clawed back for it."""

    id: str
    organization_id: str
    credit_kind: str
    terms: Terms
    created_at: datetime
    amount: Decimal
    reason: str | None = None
    version: int = 0
    """Of the newest total."""
    clawed_back: Decimal = ZERO
    takings: tuple[Taking, ...] = ()
    """In the order in which they were taken; what was taken last comes back first."""

    def is_elsewhere(self, taking: Taking) -> bool:
        """Whether it was taken from another grant, or is debt."""
        return taking.origin != "lapsed" and taking.part.grant_id != self.id

    @property
    def taken_elsewhere(self) -> bool:
        return any(self.is_elsewhere(taking) for taking in self.takings)

    @property
    def grant(self) -> Grant:
        """With nothing left in it."""
        return Grant(self.id, self.terms, self.created_at, self.amount, ZERO)


class RefundRecord(msgspec.Struct, frozen=True):
    """How much of a transfer was refunded."""

    id: str
    transaction_id: str
    refunded: Decimal
    pending: Decimal = ZERO
    """What of it has not come back yet: a refund over many grants comes back in parts."""

    @property
    def returned(self) -> Decimal:
        return self.refunded - self.pending


def refund_id(transaction_id: str) -> str:
    return f"r:{transaction_id}"


def grant_record_id(grant_id: str) -> str:
    return f"g:{grant_id}"
