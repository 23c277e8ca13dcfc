"""Grants: credits that were given on terms, and the order in which they burn."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.kernel.money import ZERO

Source = Literal["purchase", "subscription", "bonus", "refund", "adjustment"]

DEFAULT_KIND = "default"
DEFAULT_PRIORITY = 50
_NEVER = datetime.max.replace(tzinfo=UTC)


class CostBasis(msgspec.Struct, frozen=True, array_like=True):
    """What credits cost their owner: an amount of money for a number of credits."""

    amount: Decimal
    currency: str
    credits: Decimal


class Rollover(msgspec.Struct, frozen=True, array_like=True):
    """What of a grant's free credits goes on when it ends, and for how long."""

    maximum: Decimal
    lifetime: timedelta


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """What stays with credits wherever they go."""

    source: Source
    priority: int = DEFAULT_PRIORITY
    promotional: bool = False
    expires_at: datetime | None = None
    """Exclusive: at this instant they are gone."""
    cost_basis: CostBasis | None = None
    rollover: Rollover | None = None

    def rolled_over(self) -> "Terms | None":
        """Those of what goes on after the end; it does so once."""
        if self.rollover is None or self.expires_at is None:
            return None
        return msgspec.structs.replace(self, expires_at=self.expires_at + self.rollover.lifetime, rollover=None)

    def renewed(self, expires_at: datetime) -> "Terms":
        """Those of what comes back after the end."""
        return msgspec.structs.replace(self, expires_at=expires_at, rollover=None)


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """An open grant: some of it is free or pinned by holds, or may still be clawed back."""

    id: str
    terms: Terms
    created_at: datetime
    amount: Decimal
    """Its original size; returned credits refill it up to this."""
    free: Decimal
    pinned: Decimal = ZERO
    lapsed: Decimal = ZERO
    """What expired of a purchase: a clawback takes it first."""

    @property
    def is_open(self) -> bool:
        return bool(self.free or self.pinned or self.lapsed)

    @property
    def place(self) -> "Place":
        return place(self.terms, self.created_at, self.id)

    def has_expired(self, now: datetime) -> bool:
        return self.terms.expires_at is not None and self.terms.expires_at <= now

    def rolled_over(self) -> "Grant | None":
        """What goes on of its free credits after its end."""
        terms = self.terms.rolled_over()
        if terms is None or self.terms.rollover is None:
            return None
        amount = min(self.free, self.terms.rollover.maximum)
        return Grant(self.id, terms, self.created_at, amount, amount) if amount else None

    def part(self, amount: Decimal) -> "Part":
        return Part(self.id, amount, self.terms, self.created_at, self.amount)


class Part(msgspec.Struct, frozen=True, array_like=True):
    """The part of a transfer or hold that one grant bears; without a grant it is debt."""

    grant_id: str
    """Empty for debt."""
    amount: Decimal
    terms: Terms | None = None
    created_at: datetime | None = None
    grant_amount: Decimal = ZERO
    """The original size of the grant."""

    @property
    def place(self) -> "Place":
        assert self.terms is not None and self.created_at is not None, "only of parts of grants"  # noqa: PT018, S101  narrows
        return place(self.terms, self.created_at, self.grant_id)

    @property
    def grant(self) -> Grant:
        """Its grant, with nothing left in it."""
        assert self.terms is not None and self.created_at is not None, "only of parts of grants"  # noqa: PT018, S101  narrows
        return Grant(self.grant_id, self.terms, self.created_at, self.grant_amount, ZERO)

    def of(self, amount: Decimal) -> "Part":
        """The same with another amount."""
        return msgspec.structs.replace(self, amount=amount)


Place = tuple[int, datetime, bool, datetime, str]
"""Where a grant burns: grants with a smaller place burn earlier."""


def place(terms: Terms, created_at: datetime, grant_id: str) -> Place:
    """By priority, then earliest expiry (none last), promotional before others, age, id."""
    return (terms.priority, terms.expires_at or _NEVER, not terms.promotional, created_at, grant_id)


def debt(amount: Decimal) -> Part:
    """The part that no grant bears."""
    return Part("", amount)
