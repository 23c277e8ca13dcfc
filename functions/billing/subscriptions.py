"""Subscriptions: begun and read."""

from typing import Annotated

import azure.functions as func
from pydantic import Field

from functions.billing.subscription_answers import (
    PlanQuantity,
    Seats,
    SubscriptionAnswer,
    SubscriptionPath,
    TrialDays,
    answers_of,
    carried_out,
)
from functions.fields import DocumentLabel, Listed, Reference
from shared.domain.access.identity import Permission
from shared.domain.billing.coupons import CouponCode
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    LimitExceededError,
    NotFoundError,
    ValidationError,
)
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.validation import Length
from shared.domain.pricing.places import PlaceTakenError
from shared.domain.pricing.plan_intervals import CycleAnchor
from shared.http import (
    Call,
    ListQuery,
    NoBody,
    Query,
    Reply,
    Schema,
    ZonedTime,
    endpoint,
    window,
)
from shared.services.billing.subscription_commands import (
    Subscribe,
)

blueprint = func.Blueprint()

MAXIMUM_COUPONS = 20


class SubscriptionRequest(Schema):
    plan: Annotated[str, Field(min_length=1, max_length=64)]
    """The plan's key or id."""
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    seats: Seats | None = None
    """The organization's number of seats from now on; left out, it stays."""
    start: ZonedTime | None = None
    """When it begins: now or later. Only for the operator; by default now."""
    trial_days: TrialDays | None = None
    """A trial in place of the plan's; 0 for none. Only for the operator."""
    quantity: PlanQuantity = 1
    """How often an add-on is had: it multiplies its flat fees and setup fees. 1 for a base plan."""
    anchor: CycleAnchor | None = None
    """From where quarters and years are counted, in place of what the plan says: `anniversary`, the first day that is
    paid, or `calendar`, 1 January. `anniversary` of a base plan by the month moves the organization's months to that
    day.
    """
    purchase_order: DocumentLabel | None = None
    """The number of the customer's order: the organization's invoices name it from then on."""
    coupons: Annotated[tuple[CouponCode, ...], Length(0, MAXIMUM_COUPONS)] = ()
    """Codes to redeem with it, from the billing period on in which it begins."""


@endpoint(
    blueprint,
    "POST",
    "subscriptions",
    summary="Subscribe an organization to a plan. A place that has a subscription is 409",
    access=Permission.SUBSCRIPTIONS_WRITE,
    body=SubscriptionRequest,
    answers={201: SubscriptionAnswer},
    errors=(PlaceTakenError, LimitExceededError),
    example={"plan": "professional", "seats": 5},
)
async def create_subscription(call: Call[SubscriptionRequest]) -> Reply:
    body, is_operator = call.body, call.principal.is_operator
    if not is_operator and (body.start is not None or body.trial_days is not None):
        raise ForbiddenError("Only the operator sets start and trial_days; leave them out")
    organization_id = await call.organization_id(body.organization_id)
    command = Subscribe(
        *(body.plan, body.seats, body.start, body.trial_days, body.quantity, body.anchor, body.purchase_order),
        only_public=not is_operator,
    )
    subscription_id = call.new_id("sub")
    try:
        if body.coupons:
            await _redeem(call, organization_id, subscription_id, command)
        answer = await carried_out(call, organization_id, subscription_id, command, "now")
    except (ConflictError, ForbiddenError, NotFoundError, ValidationError):
        if body.coupons:
            await _give_back(call, organization_id, subscription_id)
        raise
    return Reply(answer)


async def _redeem(
    call: Call[SubscriptionRequest], organization_id: str, subscription_id: str, command: Subscribe
) -> None:
    """Before the subscription begins, so that its first invoice has them."""
    known = await call.services.subscriptions.all(organization_id)
    if all(subscription.id != subscription_id for subscription in known):
        await call.services.subscriptions.preview(organization_id, subscription_id, command)
    organization = await call.services.organizations.get(organization_id)
    for place, code in enumerate(call.body.coupons):
        redemption_id = _redemption_id(subscription_id, place)
        await call.services.account.redemptions.redeem(
            *(organization, redemption_id, code, command.start),
            is_operator=call.principal.is_operator,
            pointer=f"/coupons/{place}",
        )


async def _give_back(call: Call[SubscriptionRequest], organization_id: str, subscription_id: str) -> None:
    """A subscription that was refused redeems nothing: neither this time, nor where that was cut short before."""
    try:
        await call.services.subscriptions.get(organization_id, subscription_id)
    except NotFoundError:
        for place in range(len(call.body.coupons)):
            await call.services.account.redemptions.give_back(organization_id, _redemption_id(subscription_id, place))


def _redemption_id(subscription_id: str, place: int) -> str:
    return named_id("red", subscription_id, place)


@endpoint(
    blueprint,
    "GET",
    "subscriptions",
    summary="All subscriptions of an organization, by place, oldest first; ended ones, too",
    access=Permission.SUBSCRIPTIONS_READ,
    query=ListQuery,
    answers={200: Listed[SubscriptionAnswer]},
)
async def list_subscriptions(call: Call[NoBody, ListQuery]) -> Reply:
    organization_id = await call.organization_id()
    subscriptions = await call.services.subscriptions.all(organization_id)
    shown, next_cursor = window(len(subscriptions), call.query.limit, call.query.cursor)
    return Reply(Listed(data=await answers_of(call, organization_id, subscriptions[shown]), next_cursor=next_cursor))


@endpoint(
    blueprint,
    "GET",
    "subscriptions/{subscription_id}",
    summary="One subscription, with its history and what lies ahead",
    access=Permission.SUBSCRIPTIONS_READ,
    path_values=SubscriptionPath,
    answers={200: SubscriptionAnswer},
)
async def get_subscription(call: Call[NoBody, Query, SubscriptionPath]) -> Reply:
    subscription_id = call.path.subscription_id
    organization_id = await call.organization_id_of(subscription_id)
    subscription = await call.services.subscriptions.get(organization_id, subscription_id)
    (answer,) = await answers_of(call, organization_id, [subscription])
    return Reply(answer)
