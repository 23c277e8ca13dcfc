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
    """The newest total."""
    pending: Decimal = ZERO
    """What of it later parts still take, or return below zero: over many grants it is done in parts."""
    takings: tuple[Taking, ...] = ()
    """The last ones, in the order in which they were taken; what was taken last comes back first."""
    takings_pages: int = 0
    """How many pages of earlier ones there are."""

    @property
    def taken(self) -> Decimal:
        """By now."""
        return self.clawed_back - self.pending

    @property
    def last_takings_page(self) -> str:
        """The id of the page behind its own takings."""
        return takings_page_id(self.id, self.takings_pages)

    def is_elsewhere(self, taking: Taking) -> bool:
        """Whether it was taken from another grant, or is debt."""
        return taking.origin != "lapsed" and taking.part.grant_id != self.id

    @property
    def taken_elsewhere(self) -> bool:
        return bool(self.takings_pages) or any(self.is_elsewhere(taking) for taking in self.takings)

    @property
    def grant(self) -> Grant:
        """With nothing left in it."""
        return Grant(self.id, self.terms, self.created_at, self.amount, ZERO)


class TakingsPage(msgspec.Struct, frozen=True):
    """What a clawback over many grants took earlier. Its number is used again once all of it came back."""

    grant_id: str
    number: int
    takings: tuple[Taking, ...]

    @property
    def id(self) -> str:
        return takings_page_id(self.grant_id, self.number)


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


def takings_page_id(grant_id: str, number: int) -> str:
    return f"{grant_record_id(grant_id)}:{number}"
