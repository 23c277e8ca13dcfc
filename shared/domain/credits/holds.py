"""Holds: credits set aside for work in progress, resolved once."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.credits.counters import Context
from shared.domain.credits.grants import Part

HoldState = Literal["open", "captured", "released", "expired"]

LONGEST_HOLD = timedelta(hours=24)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Pins parts of grants until it is captured, released or expires."""

    id: str
    transaction_id: str
    """The transfer that made it."""
    context: Context
    credit_kind: str
    amount: Decimal
    pins: tuple[Part, ...]
    """In burn order; what no grant bears comes last."""
    admitted_at: datetime
    """It counts in the windows of this instant for good."""
    expires_at: datetime
    credit_value: Decimal | None = None
    """What a credit was worth then, in money."""
    state: HoldState = "open"
    resolved_by: str | None = None
    """The transfer that resolved it."""

    def is_due(self, now: datetime) -> bool:
        return self.state == "open" and self.expires_at <= now


def split(parts: tuple[Part, ...], amount: Decimal) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The first parts that add up to an amount, and the rest."""
    first: list[Part] = []
    rest: list[Part] = []
    for part in parts:
        taken = min(part.amount, amount)
        amount -= taken
        if taken:
            first.append(part.of(taken))
        if taken < part.amount:
            rest.append(part.of(part.amount - taken))
    return tuple(first), tuple(rest)
