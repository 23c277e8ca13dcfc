"""Events that name a payment: what they are worth goes to it, and they count in no price by themselves."""

from datetime import datetime
from decimal import Decimal
from http import HTTPStatus

from shared.domain.kernel.errors import XyraError
from shared.domain.tenancy.organizations import Organization
from shared.services.storage import Document
from shared.services.usage.paid_usage import PaidUsage
from shared.services.usage.payment_lookup import PaymentLookup


class CannotBeMeteredError(XyraError):
    """Why an accepted event is parked instead of metered."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unrateable"
    title = "The event cannot be metered"


class EventPayments:
    def __init__(self, lookup: PaymentLookup, paid_usage: PaidUsage) -> None:
        self._lookup = lookup
        self._paid_usage = paid_usage

    async def entry(
        self, organization: Organization, payment_id: str, event_key: str, at: datetime, worth: Decimal
    ) -> Document:
        """The outbox entry to commit with an event of that time; `worth` is money.

        Raises `CannotBeMeteredError` for a payment that the organization does not have, `UnavailableError`.
        """
        payment = await self._lookup.find(organization, payment_id)
        if payment is None:
            raise CannotBeMeteredError(
                f"unknown_payment: the organization has no use, hold or lease {payment_id}; replay it once there is one"
            )
        kind = payment.credit_kind
        credit_value = payment.credit_value or organization.credit_value_at(at, kind)
        if credit_value is None:
            raise CannotBeMeteredError(
                f"nobody has said what a credit of the kind {kind} was worth then: its use cannot pay for usage"
            )
        return self._paid_usage.entry(organization.id, event_key, payment, worth, credit_value)
