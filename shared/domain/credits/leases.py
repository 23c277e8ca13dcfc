"""Leases: a slice of credits that a client spends by itself and accounts for by totals.

The slice counts as held in every cap from the beginning, so what the client spends passes none. At its end the credits
return; what was not reported stays in the caps of its windows, as it may have been spent.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.credits.counters import Context
from shared.domain.credits.grants import Part
from shared.domain.kernel.money import ZERO

LeaseState = Literal["open", "ended", "expired"]

LONGEST_LEASE = timedelta(hours=24)
"""From one request to the end that it asks for; a lease can be extended again and again."""
RETURNED_AFTER = timedelta(minutes=5)
"""How long after the end the credits return, as reports may be on their way."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """It pins parts of grants until they are reported as spent, it is ended, or they return."""

    id: str
    transaction_id: str
    """The transfer that made it."""
    context: Context
    credit_kind: str
    amount: Decimal
    """The slice."""
    pins: tuple[Part, ...]
    """Of what is not reported, in burn order; what no grant bears comes last."""
    admitted_at: datetime
    """All of it counts in the windows of this instant for good."""
    expires_at: datetime
    """The client may spend before this instant."""
    credit_value: Decimal | None = None
    """What a credit was worth at its admission, in money."""
    reported: Decimal = ZERO
    """Everything that was spent since it began, also beyond the slice."""
    over: Decimal = ZERO
    """What of it was beyond the slice, as that was then."""
    unreported: Decimal = ZERO
    """What its caps still keep after it expired."""
    written_off: Decimal = ZERO
    """What the operator took out of its caps without a report."""
    refunded: Decimal = ZERO
    """What of its reports was returned."""
    state: LeaseState = "open"

    @property
    def returns_at(self) -> datetime:
        """When the credits return."""
        return self.expires_at + RETURNED_AFTER

    @property
    def rest(self) -> Decimal:
        """What of the slice is not reported."""
        return self.amount - (self.reported - self.over)

    @property
    def set_aside(self) -> Decimal:
        """What is held now."""
        return self.rest if self.state == "open" else ZERO

    def is_due(self, now: datetime) -> bool:
        return self.state == "open" and self.returns_at <= now

    def at(self, now: datetime) -> "Lease":
        """As it is at an instant, whether or not its expiry is stored already."""
        return self.expired() if self.is_due(now) else self

    def expired(self) -> "Lease":
        """After its credits returned: the rest may have been spent, so its caps keep it."""
        return msgspec.structs.replace(self, state="expired", unreported=self.rest, pins=())


def merged(pins: Iterable[Part]) -> tuple[Part, ...]:
    """One part for each grant, in the order of their first ones; debt comes last."""
    by_grant: dict[str, Part] = {}
    for pin in pins:
        before = by_grant.get(pin.grant_id)
        by_grant[pin.grant_id] = pin if before is None else before.of(before.amount + pin.amount)
    return tuple(sorted(by_grant.values(), key=lambda pin: not pin.grant_id))
