"""Usage that credits have paid: what a payment keeps, and what its events cost beyond that.

A payment is a use, a hold or a lease. Its events cost money only as far as they are worth more than it keeps, in the
order in which they were counted. Until it ends they cost nothing.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Literal

from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.money import EXACT, ZERO
from shared.domain.kernel.times import Instant
from shared.domain.metering.readings import CountAndSum
from shared.domain.usage.totals import SYSTEM, NamedReadings

PAYMENT_PREFIXES = ("txn", "hold", "lease")
BEYOND_PAYMENT = f"{SYSTEM}beyond_payment"
"""The system total of what events cost beyond what was paid for them: their number, and money."""
_TICK = timedelta(microseconds=1)


class PaymentUsage(Entity):
    """A payment, as far as its ledger has told, and what its events add up to.

    What the ledger tells only rises, so that what comes twice or late changes nothing.
    """

    kind: ClassVar[str] = "payment_usage"
    audit: ClassVar[Audit] = FOLLOWS

    id: str
    """The payment's: of a hold also where events name the transaction that captured it."""
    organization_id: str
    credit_value: Decimal
    """What one of its credits is worth, in the organization's currency."""
    has_ended: bool = False
    spent: Decimal = ZERO
    """Credits."""
    refunded: Decimal = ZERO
    """Credits."""
    events: int = 0
    worth: Decimal = ZERO
    """Of those events, in money, without those that it was taken off."""
    settled: int = 0
    """Up to which of them it is settled what each costs."""
    settled_worth: Decimal = ZERO
    """Of those."""
    time: Instant
    """Of the last event."""
    settled_time: Instant | None = None
    """Of the last event that is settled; None before the first."""
    revision: int = 0
    ttl: int
    """In seconds, from the last write: as long as events are kept."""

    @property
    def kept(self) -> Decimal | None:
        """The money that it pays; None as long as it goes on."""
        return EXACT.multiply(EXACT.subtract(self.spent, self.refunded), self.credit_value) if self.has_ended else None

    @property
    def beyond(self) -> Decimal:
        """The money that its events cost beyond that."""
        return ZERO if self.kept is None else max(ZERO, EXACT.subtract(self.worth, self.kept))

    def told(self, *, has_ended: bool, spent: Decimal, refunded: Decimal) -> "PaymentUsage":
        """After news of its ledger, with its events to be settled anew where that changes what it keeps."""
        told = self.changed(
            has_ended=self.has_ended or has_ended,
            spent=max(self.spent, spent),
            refunded=max(self.refunded, refunded),
        )
        return told if told.kept == self.kept else told.unsettled()

    def unsettled(self) -> "PaymentUsage":
        """With all its events to be settled anew."""
        return self.changed(settled=0, settled_worth=ZERO, settled_time=None)


class PaidEvent(Entity):
    """An event that names a payment, at its place among those of that payment."""

    kind: ClassVar[str] = "paid_event"
    audit: ClassVar[Audit] = FOLLOWS

    id: str
    """The event's key."""
    number: int
    """Its place, from 1."""
    time: Instant
    """When it was counted; later than that of the event before it."""
    worth: Decimal
    """In money."""
    beyond: Decimal = ZERO
    """What it costs beyond what is paid, in money."""
    is_taken_off: bool = False
    """Whether the operator took the payment off: it is priced like any other event."""
    version: int = 0
    """Counts the changes of what it costs."""
    ttl: int
    """In seconds, from the last write."""

    def settled(self, worth_before: Decimal, kept: Decimal | None) -> "PaidEvent":
        """With what it costs, given what all events before it are worth."""
        beyond = ZERO if self.is_taken_off else beyond_payment(worth_before, self.worth, kept)
        return self if beyond == self.beyond else self.changed(beyond=beyond, version=self.version + 1)

    @property
    def counted_worth(self) -> Decimal:
        return ZERO if self.is_taken_off else self.worth


class PaymentBeyond(Entity):
    """A payment whose events are worth more than it kept, in the list for people."""

    kind: ClassVar[str] = "payment_beyond"
    audit: ClassVar[Audit] = FOLLOWS

    payment: PaymentUsage
    status: Literal["beyond", "covered"]
    time: Instant
    ttl: int
    """In seconds, from the last write."""

    @classmethod
    def of(cls, payment: PaymentUsage) -> "PaymentBeyond":
        status: Literal["beyond", "covered"] = "beyond" if payment.beyond else "covered"
        return cls(id=payment.id, payment=payment, status=status, time=payment.time, ttl=payment.ttl)


def beyond_payment(worth_before: Decimal, worth: Decimal, kept: Decimal | None) -> Decimal:
    """How much of an event's worth lies above what is kept, after that of the events before it."""
    if kept is None:
        return ZERO
    return max(ZERO, EXACT.subtract(EXACT.add(worth_before, worth), max(kept, worth_before)))


def beyond_readings(beyond: Decimal) -> NamedReadings:
    """What an event adds to the system totals for what it costs beyond its payment."""
    return ((BEYOND_PAYMENT, CountAndSum(1, beyond)),) if beyond else ()


def after(last: datetime | None, now: datetime) -> datetime:
    """A time that is later than the last one."""
    return now if last is None else max(now, last + _TICK)
