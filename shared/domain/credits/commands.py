"""Commands on a wallet. The same key and request give the first answer again, refusals too."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.credits.counters import Context
from shared.domain.credits.grants import DEFAULT_KIND, Terms
from shared.domain.credits.transfers import UseEntry
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import ZERO
from shared.domain.periods.periods import Calendar

SYSTEM = "system"
"""Begins the names of what the system does by itself, so that no caller's key is one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is to be done once for an organization and key."""

    organization_id: str
    key: str
    """The caller's idempotency key, or a name that the system makes; `by_system` tells them apart."""
    by_system: bool = False
    principal: str = ""
    """Who sends it: another one's key is a conflict."""
    request_hash: str = ""
    """Of route, path and body: another request under the same key is a conflict."""

    @property
    def transaction_id(self) -> str:
        return self.named("txn")

    def named(self, prefix: str) -> str:
        """The id of what this command makes."""
        return named_id(prefix, SYSTEM if self.by_system else "caller", self.organization_id, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveGrant(Command):
    amount: Decimal
    terms: Terms
    credit_kind: str = DEFAULT_KIND
    reason: str | None = None

    @property
    def grant_id(self) -> str:
        return self.named("grant")


def sign_up_bonus(organization_id: str, amount: Decimal) -> GiveGrant:
    """What the wallet of an organization begins with where somebody signed up for it."""
    return GiveGrant(
        organization_id=organization_id,
        key="sign_up_bonus",
        by_system=True,
        amount=amount,
        terms=Terms("bonus", promotional=True),
        reason="Sign-up bonus",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingCommand(Command):
    """What takes credits of the wallet that pays now."""

    paid_until: datetime | None = None
    """When another wallet begins to pay; None where none is known to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(SpendingCommand):
    """Spend at once; of a list all or nothing."""

    entries: tuple[UseEntry, ...]
    is_list: bool = False
    calendars: History[Calendar]
    credit_kind: str = DEFAULT_KIND
    overdraft: Decimal = ZERO
    """How far below zero the available credits may fall."""
    credit_value: Decimal | None = None
    """What one credit is worth in money."""

    @property
    def amount(self) -> Decimal:
        return sum((entry.amount for entry in self.entries), ZERO)

    @property
    def contexts(self) -> tuple[Context, ...]:
        return tuple(entry.context for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve(SpendingCommand):
    """Set credits aside for work in progress."""

    amount: Decimal
    context: Context
    expires_in: timedelta
    calendars: History[Calendar]
    credit_kind: str = DEFAULT_KIND
    overdraft: Decimal = ZERO
    credit_value: Decimal | None = None

    @property
    def hold_id(self) -> str:
        return self.named("hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture(Command):
    """Spend all or part of a hold; the rest returns."""

    hold_id: str
    amount: Decimal | None = None
    """None for all of it."""
    agent_type: str | None = None
    action: str | None = None
    metadata: str = "{}"
    calendars: History[Calendar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Command):
    """Return all of a hold."""

    hold_id: str
    calendars: History[Calendar]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireHold(Command):
    """Return all of a hold whose time is over. Nothing happens where it is resolved, or not yet due."""

    hold_id: str
    calendars: History[Calendar]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLease(SpendingCommand):
    """Set a slice aside that the client spends by itself."""

    amount: Decimal
    context: Context
    expires_in: timedelta
    calendars: History[Calendar]
    credit_kind: str = DEFAULT_KIND
    overdraft: Decimal = ZERO
    credit_value: Decimal | None = None

    @property
    def lease_id(self) -> str:
        return self.named("lease")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendLease(Command):
    """Add credits to a lease, or time, or both."""

    lease_id: str
    amount: Decimal
    """0 for more time only."""
    expires_in: timedelta
    calendars: History[Calendar]
    overdraft: Decimal = ZERO
    """Of the payer; it holds for the kind `default`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleLease(Command):
    """Report what was spent of a lease."""

    lease_id: str
    total: Decimal
    """Everything since the lease began."""
    entries: tuple[UseEntry, ...] = ()
    """What the increase of the total was spent on; they add up to it."""
    final: bool = False
    """Whether nothing more will be spent: the rest returns."""
    calendars: History[Calendar]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireLease(Command):
    """Return what of a lease was not reported in time. Nothing happens where it ended, or is not yet due."""

    lease_id: str
    calendars: History[Calendar]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOffLease(Command):
    """Take out of the caps what of an expired lease was never reported."""

    lease_id: str
    reason: str | None
    calendars: History[Calendar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund(Command):
    """Return credits that a use or capture consumed."""

    transaction_id_refunded: str
    amount: Decimal | None = None
    """None for all that is left of it; of a later part what is still to come back."""
    reason: str
    calendars: History[Calendar]
    part_of: str | None = None
    """The transfer of the refund that this is a later part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clawback(Command):
    """Take back credits whose payment was taken back, as a total that replaces earlier ones."""

    grant_id: str
    total: Decimal
    version: int
    reason: str
    at: datetime | None = None
    part_of: str | None = None
    """The transfer of the clawback that this is a later part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw(Command):
    """Pay for the usage of a prepaid period, as a total that replaces earlier ones."""

    period: str
    """When it starts."""
    version: int
    """An older one than the newest moves nothing."""
    amounts: Mapping[str, Decimal]
    """Money by line key."""
    credit_value: Decimal
    """Money for one credit: of the period, so the same in all its draws."""
    closes: bool = False
    """Whether it is the last one that usage decides."""
    is_after_close: bool = False
    """Whether the period decides it: after the close only what lowers the total comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailTopUp(Command):
    """Close a top-up that was not paid. Nothing happens where it is not open."""

    top_up_id: str
    reason: str


LeaseCommand = TakeLease | ExtendLease | SettleLease | ExpireLease | WriteOffLease
OtherCommand = GiveGrant | Use | Reserve | Capture | Release | ExpireHold | Refund | Clawback | FailTopUp | Draw
AnyCommand = OtherCommand | LeaseCommand
