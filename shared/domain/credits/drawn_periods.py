"""Drawn periods: what a wallet has paid for the usage of each prepaid period."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import msgspec

from shared.domain.credits.amounts import PLACES
from shared.domain.credits.grants import Part
from shared.domain.kernel.money import ZERO, plain, round_to, total

MAXIMUM_LINES = 2_000
"""Of a period that settle from a wallet. Further ones are invoiced."""


class BurntPart(msgspec.Struct, frozen=True, array_like=True):
    """What a draw burnt of one grant."""

    part: Part
    burnt_at: datetime


class DrawnPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """What a wallet paid of one period."""

    id: str
    organization_id: str
    period: str
    """When it starts."""
    version: int = 0
    """Counts its draws; the newest total holds."""
    amounts: dict[str, Decimal] = {}
    """Money by line key."""
    credit_value: Decimal
    drawn: Decimal = ZERO
    """Credits in all."""
    burnt: tuple[BurntPart, ...] = ()
    """In the order in which they were burnt; what was burnt last comes back first."""
    is_closed: bool = False
    """Whether the wallet pays nothing more of it: invoices bill what changes later."""
    is_noted: bool = False
    """Whether the period knows what was drawn until the close."""

    def is_drawn(self, amounts: Mapping[str, Decimal]) -> bool:
        """Whether it has drawn just these amounts, and all of them."""
        return self.amounts == amounts and self.drawn == credits_for(amounts, self.credit_value)


def drawn_period_id(organization_id: str, period: str) -> str:
    return f"d:{organization_id}:{period}"


def credits_for(amounts: Mapping[str, Decimal], credit_value: Decimal) -> Decimal:
    """The credits that lines cost together, half up to six places."""
    return Decimal(plain(round_to(Fraction(total(amounts.values())) / Fraction(credit_value), PLACES)))
