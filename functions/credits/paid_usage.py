"""What events cost beyond what credits have paid for them."""

from datetime import datetime
from typing import Self

import azure.functions as func

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import ExactDecimal
from shared.domain.usage.payments import PaymentUsage
from shared.http import Call, ListQuery, NoBody, Reply, Schema, endpoint

blueprint = func.Blueprint()


class PaidUsageAnswer(Schema):
    """A payment whose events are worth more than it kept."""

    payment_id: str
    """The transaction, hold or lease; of a hold also where its capture was named."""
    spent: ExactDecimal
    """The credits that were used or captured."""
    refunded: ExactDecimal
    """The credits of them that were returned."""
    credit_value: ExactDecimal
    """What one of its credits was worth, in `currency`."""
    events: int
    """How many events name it."""
    worth: ExactDecimal
    """What those cost alone, in `currency`."""
    beyond: ExactDecimal
    """What is billed of that, as the credits do not cover it, in `currency`."""
    currency: str
    """The organization's."""
    last_event_at: datetime
    """When the last of its events was counted."""

    @classmethod
    def of(cls, payment: PaymentUsage, currency: str) -> Self:
        return cls.showing(payment, payment_id=payment.id, currency=currency, last_event_at=payment.time)


@endpoint(
    blueprint,
    "GET",
    "credits/paid-usage",
    summary="Payments whose events are worth more than their credits, the latest first",
    access=Permission.CREDITS_READ,
    query=ListQuery,
    answers={200: Listed[PaidUsageAnswer]},
)
async def list_paid_usage(call: Call[NoBody, ListQuery]) -> Reply:
    organization = await call.organization()
    payments, following = await call.services.paid_usage.passed(organization.id, call.query.limit, call.query.cursor)
    data = [PaidUsageAnswer.of(payment, organization.currency) for payment in payments]
    return Reply(Listed(data=data, next_cursor=following))
