"""Events whose payment with credits the operator takes off."""

from typing import Annotated

import azure.functions as func
from pydantic import StringConstraints

from functions.usage.recorded_events import EventAnswer, EventPath, event_answer
from shared.domain.access.identity import Permission
from shared.http import Call, Query, Reply, Schema, endpoint

blueprint = func.Blueprint()


class TakingOffRequest(Schema):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    """Why, for people."""


@endpoint(
    blueprint,
    "POST",
    "events/{event_id}/take-payment-off",
    summary="Price an event that credits have paid like any other, in the period of its time",
    access=Permission.CREDITS_WRITE,
    path_values=EventPath,
    body=TakingOffRequest,
    answers={200: EventAnswer},
    example={"reason": "It was paid for something else"},
)
async def take_payment_off(call: Call[TakingOffRequest, Query, EventPath]) -> Reply:
    organization = await call.organization()
    await call.services.paid_usage.take_off(organization, call.path.event_id, call.body.reason)
    event = await call.services.recorded_events.get(organization, call.path.event_id)
    return Reply(event_answer(event, organization.currency))
