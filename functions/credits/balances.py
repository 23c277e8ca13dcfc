"""The balance of an organization's credits."""

from datetime import datetime

import azure.functions as func

from functions.credits.fields import KindQuery
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import ExactDecimal
from shared.http import Call, NoBody, Reply, Schema, endpoint

blueprint = func.Blueprint()


class ExpiringCredits(Schema):
    """Free credits that are gone at an instant."""

    amount: ExactDecimal
    """How many."""
    at: datetime
    """When."""


class BalanceAnswer(Schema):
    """available = granted - consumed - reserved - leased - expired - clawed_back."""

    kind: str
    """The kind of credits."""
    available: ExactDecimal
    """What can be spent; below zero in debt. Where another organization pays, no more than own budgets leave."""
    held: ExactDecimal
    """What is set aside: reserved and leased."""
    granted: ExactDecimal
    """All that was given."""
    purchased: ExactDecimal
    """What of it was bought."""
    consumed: ExactDecimal
    """What was spent, less what was refunded."""
    reserved: ExactDecimal
    """What holds have set aside."""
    leased: ExactDecimal
    """What leases have set aside."""
    expired: ExactDecimal
    """What lapsed."""
    clawed_back: ExactDecimal
    """What was taken back as its payment was."""
    debt: ExactDecimal
    """What was spent beyond what was given; what comes in pays it first."""
    expiring: list[ExpiringCredits]
    """What lapses within 30 days if it is not spent, earliest first."""
    sequence: int
    """The number of the last transfer that is counted."""
    currency: str
    """The organization's: ISO 4217."""
    credit_value: ExactDecimal | None
    """What one of them is worth now, in that currency, by who pays; null where credits have no value in money."""
    payer_id: str | None
    """Whose credits are available, where another organization pays; the other figures are its own."""


@endpoint(
    blueprint,
    "GET",
    "credits/balance",
    summary="The balance of one kind of credits",
    access=Permission.CREDITS_READ,
    query=KindQuery,
    answers={200: BalanceAnswer},
)
async def get_credit_balance(call: Call[NoBody, KindQuery]) -> Reply:
    return Reply(await call.services.credits.balances.of(await call.organization_id(), call.query.kind))
