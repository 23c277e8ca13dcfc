"""Coupons of an organization: redeemed, read and ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import Field

from functions.fields import Listed, Month, OrganizationPath, SpanAnswer
from shared.domain.access.identity import Permission
from shared.domain.billing.coupons import CouponCode, Redemption
from shared.domain.kernel.money import ExactDecimal, RoundedAmount
from shared.domain.tenancy.organizations import Organization
from shared.http import Call, ListQuery, NoBody, PathText, PathValues, Query, Reply, Schema, ThingId, endpoint

blueprint = func.Blueprint()

_SHOWN = 60
"""How many periods an answer shows of a redemption."""


class RedemptionPath(PathValues):
    organization_id: PathText
    """The organization's id, slug or external id."""
    redemption_id: Annotated[str, ThingId("red")]
    """The redemption's id."""


class RedemptionRequest(Schema):
    code: CouponCode
    """The coupon's code; upper and lower case are the same."""
    start: Month | None = Field(default=None, alias="from")
    """The month of the first billing period that it counts for; left out, the present one. An earlier one is only for
    the operator, and what was billed of it is adjusted by the next invoice.
    """


class RedemptionAnswer(Schema):
    id: str
    coupon: str
    """The coupon's code."""
    coupon_id: str
    """The coupon's id."""
    name: str
    """What invoices say."""
    percent: ExactDecimal | None
    """What it takes off of each period, in percent; null where `amount` says it."""
    amount: RoundedAmount | None
    """What it takes off of each period at most, in the organization's currency; null where `percent` says it."""
    charges: list[str] | None
    """The keys of the charges that it is for; null for all."""
    plans: list[str] | None
    """The ids of the plans whose lines it is for; null for all lines."""
    periods: list[SpanAnswer]
    """The billing periods that it counts for: all, or where it has no end those that have come up; the last 60."""
    ends: datetime | None
    """The end of the last one; null where it has no end."""
    redeemed_at: datetime
    """When it was redeemed."""
    ended_at: datetime | None
    """When it was ended, with the period that was open then."""


async def _answers(
    call: Call[Any, Any, Any], organization: Organization, redemptions: Sequence[Redemption]
) -> list[RedemptionAnswer]:
    answers = []
    periods_of_each = await call.services.account.redemptions.periods_of(organization, redemptions)
    for redemption, (periods, are_all) in zip(redemptions, periods_of_each, strict=True):
        ends = periods[-1].end if periods and are_all else redemption.until
        shown = [SpanAnswer(start=period.start, end=period.end) for period in periods[-_SHOWN:]]
        answers.append(RedemptionAnswer.showing(redemption, coupon=redemption.code, periods=shown, ends=ends))
    return answers


@endpoint(
    blueprint,
    "POST",
    "organizations/{organization_id}/coupons",
    summary="Redeem a coupon by its code, from the present billing period on",
    access=Permission.SUBSCRIPTIONS_WRITE,
    path_values=OrganizationPath,
    body=RedemptionRequest,
    answers={201: RedemptionAnswer},
    example={"code": "WELCOME20"},
)
async def redeem_coupon(call: Call[RedemptionRequest, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    organization = await call.services.organizations.get(organization_id)
    redemption = await call.services.account.redemptions.redeem(
        *(organization, call.new_id("red"), call.body.code, call.body.start),
        is_operator=call.principal.is_operator,
    )
    (answer,) = await _answers(call, organization, [redemption])
    return Reply(answer)


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}/coupons",
    summary="What an organization has redeemed, newest first",
    access=Permission.SUBSCRIPTIONS_READ,
    path_values=OrganizationPath,
    query=ListQuery,
    answers={200: Listed[RedemptionAnswer]},
)
async def list_redemptions(call: Call[NoBody, ListQuery, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    organization = await call.services.organizations.get(organization_id)
    page = await call.services.account.redemptions.page(organization_id, call.query.limit, call.query.cursor)
    data = await _answers(call, organization, page.entities)
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "DELETE",
    "organizations/{organization_id}/coupons/{redemption_id}",
    summary="End a redeemed coupon with the present billing period",
    access=Permission.SUBSCRIPTIONS_WRITE,
    path_values=RedemptionPath,
    answers={204: None},
)
async def end_redemption(call: Call[NoBody, Query, RedemptionPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    organization = await call.services.organizations.get(organization_id)
    await call.services.account.redemptions.end(organization, call.path.redemption_id)
    return Reply()
