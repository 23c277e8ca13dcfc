"""Payments of invoices, and why an invoice takes none."""

from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import ClassVar

from pydantic import Field

from shared.domain.kernel.audit import Audit, Audited, called_at_creation
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.kernel.money import RoundedAmount, round_half_up
from shared.domain.kernel.times import Instant


class AlreadyPaidError(ConflictError):
    """Nothing of the invoice is open."""

    status = HTTPStatus.CONFLICT
    code = "already_paid"
    title = "The invoice is paid already"


class CancelledError(ConflictError):
    """The invoice is cancelled: it is owed no longer."""

    status = HTTPStatus.CONFLICT
    code = "cancelled"
    title = "The invoice is cancelled"


class Payment(Entity):
    """Money that was received for an invoice: what was open of it is applied, the rest is balance."""

    kind: ClassVar[str] = "payment"
    audit: ClassVar[Audit] = Audited(area="payments", verb=called_at_creation("record"))

    organization_id: str
    invoice_id: str
    method: str
    """How it was paid, such as `bank_transfer`."""
    reference: str | None = None
    currency: str
    received: RoundedAmount
    applied: RoundedAmount
    """What of it the invoice took."""
    unapplied: RoundedAmount
    """What became balance of the account."""
    received_at: Instant = Field(alias="start")
    """When the money came. Stored as `start`, by which queries are ordered."""
    recorded_at: Instant


class BalanceApplication(Entity):
    """Balance that was applied to an invoice on request."""

    kind: ClassVar[str] = "balance_application"
    audit: ClassVar[Audit] = Audited(area="payments", verb=called_at_creation("apply_balance"))

    organization_id: str
    invoice_id: str
    amount: RoundedAmount
    applied_at: Instant


def checked_amount(amount: Decimal, currency: str, pointer: str) -> Decimal:
    """An entered amount in the currency's minor unit. Raises `ValidationError` unless it is above 0 and exact in it."""
    rounded = round_half_up(amount, currency)
    if amount <= 0:
        raise ValidationError.at(pointer, "must be more than 0")
    if rounded != amount:
        raise ValidationError.at(pointer, f"is finer than the minor unit of {currency}: write it as {rounded}, for one")
    return rounded


def checked_time(paid_at: datetime | None, now: datetime, pointer: str) -> datetime:
    """When a payment came. Raises `ValidationError` for a time to come."""
    if paid_at is not None and paid_at > now:
        raise ValidationError.at(pointer, "lies ahead: write when the money came, or leave it out for now")
    return paid_at or now
