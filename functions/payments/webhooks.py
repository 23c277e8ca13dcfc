"""Webhooks of Stripe: taken here, and handled from a queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from shared import correlation
from shared.bootstrap import application
from shared.http import LARGE_BODY, Access, Call, Document, Reply, Schema, endpoint
from shared.services.storage import retry_while_unavailable

blueprint = func.Blueprint()


@dataclass(frozen=True, slots=True)
class SignedBody:
    """A body as it came: what it says is read only after its signature was verified."""

    raw: bytes
    signature: str


class WebhookBody:
    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/json": Document}

    @property
    def required(self) -> bool:
        return True

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> SignedBody:  # noqa: ARG002  as `BodyFormat` has it
        return SignedBody(raw, headers.get("stripe-signature", ""))


class ReceivedAnswer(Schema):
    received: bool
    """Always true: the event is stored, now or before."""


@endpoint(
    blueprint,
    "POST",
    "billing/stripe/webhook",
    summary="Take an event of Stripe, signed with a secret of this deployment",
    access=Access.PUBLIC,
    body=WebhookBody(),
    body_limit=LARGE_BODY,
    answers={200: ReceivedAnswer},
)
async def take_stripe_webhook(call: Call[SignedBody]) -> Reply:
    """200 only once it is stored: what gets another answer, Stripe sends again for three days."""
    await call.services.payments.received_events.receive(call.body.raw, call.body.signature)
    return Reply(ReceivedAnswer(received=True))


@blueprint.function_name("handle_payment_events")
@blueprint.service_bus_queue_trigger(
    arg_name="message",
    queue_name="payments",
    connection="ServiceBus",
    is_sessions_enabled=True,
    data_type=func.DataType.BINARY,
)
async def handle_payment_events(message: func.ServiceBusMessage) -> None:
    with correlation.correlated(correlation.accept(message.correlation_id)):
        events = application().payments.received_events
        await retry_while_unavailable(lambda: events.handle(message.get_body()))


@blueprint.function_name("park_dead_payment_events")
@blueprint.service_bus_queue_trigger(
    arg_name="message",
    queue_name="payments/$deadletterqueue",
    connection="ServiceBus",
    data_type=func.DataType.BINARY,
)
async def park_dead_payment_events(message: func.ServiceBusMessage) -> None:
    with correlation.correlated(correlation.accept(message.correlation_id)):
        events = application().payments.received_events
        await retry_while_unavailable(lambda: events.give_up(message.get_body()))
