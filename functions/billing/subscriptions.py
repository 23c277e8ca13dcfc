"""Subscriptions: begun, changed, ended and read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

import azure.functions as func
import pydantic
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from functions.billing.invoices import CreditNoteAnswer, InvoiceAnswer
from functions.fields import Listed, Reference, SpanAnswer, Text
from shared.domain.access.identity import Permission
from shared.domain.billing.documents import LINES_SHOWN, Invoice
from shared.domain.kernel.errors import ForbiddenError, ValidationError
from shared.domain.kernel.histories import Entry
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line
from shared.domain.pricing.places import PlaceTakenError, Subscription, SubscriptionStatus, Terms
from shared.domain.tenancy.organizations import MAXIMUM_SEATS, Organization
from shared.http import (
    Call,
    ListQuery,
    NoBody,
    PathValues,
    Query,
    Reply,
    Schema,
    ThingId,
    ZonedTime,
    endpoint,
    window,
)
from shared.services.billing.subscription_commands import (
    Cancel,
    Change,
    Command,
    InvoiceWhen,
    Proration,
    Subscribe,
    When,
    Withdraw,
)
from shared.services.billing.subscriptions import PreviewedCommand

blueprint = func.Blueprint()

HISTORY_SHOWN = 100
"""How many entries of a history an answer shows: the last ones."""

Seats = Annotated[int, Field(ge=0, le=MAXIMUM_SEATS, strict=True)]


class SubscriptionPath(PathValues):
    subscription_id: Annotated[str, ThingId("sub")]
    """The subscription's id."""


class SubscriptionRequest(Schema):
    plan: Annotated[str, Field(min_length=1, max_length=64)]
    """The plan's key or id."""
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    seats: Seats | None = None
    """The organization's number of seats from now on; left out, it stays."""
    start: ZonedTime | None = None
    """When it begins: now or later. Only for the operator; by default now."""


def _time_or_word(value: object, validate: ValidatorFunctionWrapHandler) -> When | datetime:
    """One error in place of one for each type of the union."""
    try:
        moment: When | datetime = validate(value)
    except pydantic.ValidationError:
        raise ValueError("is neither now, period_end nor a time such as 2026-12-01T00:00:00Z") from None
    return moment


Moment = Annotated[When | ZonedTime, WrapValidator(_time_or_word)]


class ChangeRequest(Schema):
    plan: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The other plan's key or id; left out, the plan stays."""
    seats: Seats | None = None
    """The organization's number of seats from then on; left out, it stays."""
    at: Moment = "now"
    """`now`, `period_end`, or a time ahead."""
    proration: Proration = "days"
    """`days`: fees are shared by days. `none`: the change waits for the end of the period."""
    invoice: InvoiceWhen = "now"
    """`now`: what it makes due in advance is invoiced when it takes effect. `next`: with the next invoice."""


class CancelRequest(Schema):
    at: Moment = "period_end"
    """`period_end`, `now`, or a time ahead."""
    proration: Proration = "days"
    """`days`: fees are shared by days. `none`: it ends when the period does."""
    reason: Text | None = None
    """Why, for the audit trail."""


class TermsAnswer(Schema):
    plan: str
    """The plan's key."""
    plan_version: str
    """The id of the plan's version."""
    status: Literal["active", "canceled"]
    """What the subscription is from then on."""
    fees_from: datetime
    """When this begins."""

    @classmethod
    def of(cls, entry: Entry[Terms]) -> Self:
        terms = entry.value
        return cls(
            plan=terms.plan_key,
            plan_version=terms.plan_version_id,
            status=terms.status,
            fees_from=entry.effective_from,
        )


class SubscriptionAnswer(Schema):
    id: str
    organization_id: str
    place: str
    """`base`, or the key of an add-on. There is one subscription at a place."""
    plan: str
    """The plan's key."""
    plan_version: str
    """The id of the plan's version; a newer one moves no subscription."""
    status: SubscriptionStatus
    """`scheduled` until it begins; computed from its history."""
    seats: int
    """The organization's number of seats now."""
    current_period: SpanAnswer
    """The organization's billing period."""
    current_cycle: SpanAnswer
    """The time that the plan's fees are for: its month is the billing period."""
    upcoming: list[TermsAnswer]
    """What lies ahead, earliest first."""
    history: list[TermsAnswer]
    """What has begun, oldest first: the last 100 entries."""
    invoice_id: str | None
    """The interim invoice that this request issued; null where it issued none."""

    @classmethod
    def of(
        cls, subscription: Subscription, organization: Organization, period: Period, invoice_id: str | None = None
    ) -> Self:
        """`period` is the organization's present one."""
        span = SpanAnswer(start=period.start, end=period.end)
        return cls(
            id=subscription.id,
            organization_id=organization.id,
            place=subscription.place,
            plan=subscription.terms.plan_key,
            plan_version=subscription.terms.plan_version_id,
            status=subscription.status,
            seats=organization.seats.at(subscription.now) or 0,
            current_period=span,
            current_cycle=span,
            upcoming=[TermsAnswer.of(entry) for entry in subscription.upcoming],
            history=[TermsAnswer.of(entry) for entry in subscription.begun[-HISTORY_SHOWN:]],
            invoice_id=invoice_id,
        )


async def _answers(
    call: Call[Any, Any, Any],
    organization_id: str,
    subscriptions: Sequence[Subscription],
    invoice_id: str | None = None,
) -> list[SubscriptionAnswer]:
    organization = await call.services.organizations.get(organization_id)
    period = await call.services.periods.would_contain(organization, call.now)
    return [SubscriptionAnswer.of(subscription, organization, period, invoice_id) for subscription in subscriptions]


async def _commanded(
    call: Call[Any, Any, Any], organization_id: str, subscription_id: str, command: Command, invoice: InvoiceWhen
) -> SubscriptionAnswer:
    command_id = subscription_id if isinstance(command, Subscribe) else call.new_id("cmd")
    service = call.services.subscriptions
    done = await service.command(organization_id, subscription_id, command, command_id, invoice)
    (answer,) = await _answers(call, organization_id, [done.subscription], done.invoice_id)
    return answer


class CommandQuery(Query):
    preview: bool = False
    """Whether only to answer what would be invoiced. Nothing is written."""


class PreviewAnswer(Schema):
    invoice: InvoiceAnswer | None
    """The interim invoice that would be issued now; null where none is."""
    note: CreditNoteAnswer | None
    """The credit note that would be issued now. None is: what falls is offset on the invoice of the period."""
    later: list[Line]
    """What moves when the change takes effect, or with the invoice of the period: the first 500 lines."""

    @classmethod
    def of(cls, previewed: PreviewedCommand) -> Self:
        bill = previewed.bill
        if not (bill.is_to_be_issued and previewed.is_now):
            return cls(invoice=None, note=None, later=list(bill.lines[:LINES_SHOWN]))
        now, organization = previewed.takes_effect, previewed.organization
        lines = bill.composed().invoice
        draft = Invoice.interim(organization, "", bill.invoiced_period, lines, now)
        invoice = InvoiceAnswer.of(draft, draft.total, lines)
        shown = {"id": None, "lines_url": None, "as_of": now, "amount_due": invoice.total}
        return cls(invoice=invoice.model_copy(update=shown), note=None, later=[])


async def _answer_command(
    call: Call[Any, CommandQuery, SubscriptionPath], command: Command, invoice: InvoiceWhen
) -> Reply:
    """Carry a command out, or preview it. Raises `ValidationError` without an idempotency key."""
    subscription_id = call.path.subscription_id
    organization_id = await call.organization_id_of(subscription_id)
    if call.query.preview:
        previewed = await call.services.subscriptions.preview(organization_id, subscription_id, command)
        return Reply(PreviewAnswer.of(previewed))
    if call.idempotency_key is None:
        raise ValidationError.at("Idempotency-Key", "is required here: a change has to be safe to repeat")
    return Reply(await _commanded(call, organization_id, subscription_id, command, invoice))


@endpoint(
    blueprint,
    "POST",
    "subscriptions",
    summary="Subscribe an organization to a plan. A place that has a subscription is 409",
    access=Permission.SUBSCRIPTIONS_WRITE,
    body=SubscriptionRequest,
    answers={201: SubscriptionAnswer},
    errors=(PlaceTakenError,),
    example={"plan": "professional", "seats": 5},
)
async def create_subscription(call: Call[SubscriptionRequest]) -> Reply:
    body, is_operator = call.body, call.principal.is_operator
    if body.start is not None and not is_operator:
        raise ForbiddenError("Only the operator sets when a subscription begins; leave start out for now")
    organization_id = await call.organization_id(body.organization_id)
    command = Subscribe(body.plan, body.seats, body.start, only_public=not is_operator)
    return Reply(await _commanded(call, organization_id, call.new_id("sub"), command, "now"))


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
    return Reply(Listed(data=await _answers(call, organization_id, subscriptions[shown]), next_cursor=next_cursor))


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
    (answer,) = await _answers(call, organization_id, [subscription])
    return Reply(answer)


@endpoint(
    blueprint,
    "POST",
    "subscriptions/{subscription_id}/change",
    summary="Change the plan or the seats: now, when the period ends, or at a time",
    access=Permission.SUBSCRIPTIONS_WRITE,
    path_values=SubscriptionPath,
    query=CommandQuery,
    body=ChangeRequest,
    answers={200: SubscriptionAnswer | PreviewAnswer},
    example={"plan": "professional", "at": "now"},
)
async def change_subscription(call: Call[ChangeRequest, CommandQuery, SubscriptionPath]) -> Reply:
    body = call.body
    is_public = not call.principal.is_operator
    command = Change(body.plan, body.seats, body.at, body.proration, only_public=is_public)
    return await _answer_command(call, command, body.invoice)


@endpoint(
    blueprint,
    "POST",
    "subscriptions/{subscription_id}/cancel",
    summary="End a subscription: when the period ends, now, or at a time",
    access=Permission.SUBSCRIPTIONS_WRITE,
    path_values=SubscriptionPath,
    query=CommandQuery,
    body=CancelRequest,
    answers={200: SubscriptionAnswer | PreviewAnswer},
    example={"at": "period_end"},
)
async def cancel_subscription(call: Call[CancelRequest, CommandQuery, SubscriptionPath]) -> Reply:
    return await _answer_command(call, Cancel(call.body.at, call.body.proration, call.body.reason), "now")


@endpoint(
    blueprint,
    "POST",
    "subscriptions/{subscription_id}/withdraw",
    summary="Take back what lies ahead of a subscription. One that has not begun never does",
    access=Permission.SUBSCRIPTIONS_WRITE,
    path_values=SubscriptionPath,
    query=CommandQuery,
    answers={200: SubscriptionAnswer | PreviewAnswer},
)
async def withdraw_subscription(call: Call[NoBody, CommandQuery, SubscriptionPath]) -> Reply:
    return await _answer_command(call, Withdraw(), "now")
