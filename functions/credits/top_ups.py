"""Automatic top-ups: how they stand. Their setting is one of the organization's."""

from datetime import datetime

import azure.functions as func

from shared.domain.access.identity import Permission
from shared.domain.kernel.money import Currency, ExactDecimal
from shared.domain.tenancy.organization_settings import PackageName, TopUpSetting
from shared.http import Call, NoBody, Reply, Schema, endpoint

blueprint = func.Blueprint()


class OpenTopUp(Schema):
    """A package of credits that is being bought."""

    id: str
    package: PackageName
    """Which package."""
    credits: ExactDecimal
    """How many credits it has."""
    price: ExactDecimal
    """What it costs."""
    opened_at: datetime
    """When the balance was found low."""


class TopUpAnswer(Schema):
    """When credits are bought by themselves, and how that stands."""

    setting: TopUpSetting | None
    """Null where nothing is bought by itself; `PUT /organizations/{id}/settings` changes it."""
    open: OpenTopUp | None
    """What is being bought; null for nothing."""
    last_closed_at: datetime | None
    """When the last one ended, paid or not; the pause begins then."""
    charged: ExactDecimal
    """What the top-ups of this local month cost."""
    currency: Currency
    """Of all prices here."""


@endpoint(
    blueprint,
    "GET",
    "credits/top-up",
    summary="When credits are bought by themselves, and how that stands",
    access=Permission.CREDITS_READ,
    answers={200: TopUpAnswer},
)
async def get_credit_top_up(call: Call[NoBody]) -> Reply:
    status = await call.services.credits.top_ups.status(await call.organization_id())
    opened = status.state.open
    return Reply(
        TopUpAnswer(
            setting=status.setting,
            open=None if opened is None else OpenTopUp.showing(opened),
            last_closed_at=status.state.closed_at,
            charged=status.charged,
            currency=status.currency,
        )
    )
