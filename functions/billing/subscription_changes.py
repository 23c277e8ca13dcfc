"""Subscriptions: changed, paused, ended and taken back; or only previewed."""

from datetime import datetime
from typing import Annotated, Any, Self

import azure.functions as func
import pydantic
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from functions.billing.invoice_answers import CreditNoteAnswer, InvoiceAnswer, local_date
from functions.billing.subscription_answers import (
    PlanQuantity,
    Seats,
    SubscriptionAnswer,
    SubscriptionPath,
    TrialDays,
    carried_out,
)
from functions.fields import Text
from shared.domain.access.identity import Permission
from shared.domain.billing.documents import LINES_SHOWN, Invoice
from shared.domain.kernel.errors import ForbiddenError, LimitExceededError
from shared.domain.pricing.lines import Line
from shared.http import (
    Call,
    NoBody,
    Query,
    Reply,
    Schema,
    ZonedTime,
    endpoint,
)
from shared.services.billing.subscription_commands import (
    Cancel,
    Change,
    Command,
    InvoiceWhen,
    Pause,
    Proration,
    Resume,
    When,
    Withdraw,
)
from shared.services.billing.subscriptions import PreviewedCommand

blueprint = func.Blueprint()


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
    quantity: PlanQuantity | None = None
    """How often an add-on is had from then on; left out, it stays."""
    at: Moment = "now"
    """`now`, `period_end` (of the plan's month, quarter or year), or a time ahead."""
    proration: Proration = "days"
    """`days`: fees are shared by days. `none`: the change waits for the end of the plan's month, quarter or year."""
    reset_anchor: bool = False
    """Whether quarters and years begin again then; of a base plan by the month, the organization's months do, from the
    end of the period on.
    """
    trial_days: TrialDays | None = None
    """A trial of the other plan. Only for the operator."""
    invoice: InvoiceWhen = "now"
    """`now`: what it makes due in advance is invoiced when it takes effect. `next`: with the next invoice."""


class CancelRequest(Schema):
    at: Moment = "period_end"
    """`period_end` (of the plan's month, quarter or year), `now`, or a time ahead. Only the operator ends a quarter or
    year before its end.
    """
    proration: Proration = "days"
    """`days`: fees are shared by days. `none`: it ends when the plan's month, quarter or year does."""
    reason: Text | None = None
    """Why, for the audit trail."""


class PauseRequest(Schema):
    at: Moment = "now"
    """`now`, `period_end`, or a time ahead."""
    until: ZonedTime | None = None
    """When it is resumed by itself; left out, by `/resume`."""


class CommandQuery(Query):
    preview: bool = False
    """Whether only to answer what would be invoiced. Nothing is written, and no `Idempotency-Key` is needed."""

    @property
    def is_preview(self) -> bool:
        return self.preview


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
        shown["issue_date"] = local_date(draft, now)
        return cls(invoice=invoice.model_copy(update=shown), note=None, later=[])


async def _find_subscription(call: Call[Any, CommandQuery, SubscriptionPath]) -> None:
    """Raises `NotFoundError`."""
    subscription_id = call.path.subscription_id
    await call.services.subscriptions.get(await call.organization_id_of(subscription_id), subscription_id)


async def _answer_command(
    call: Call[Any, CommandQuery, SubscriptionPath], command: Command, invoice: InvoiceWhen
) -> Reply:
    """Carry a command out, or preview it."""
    subscription_id = call.path.subscription_id
    organization_id = await call.organization_id_of(subscription_id)
    if call.query.preview:
        previewed = await call.services.subscriptions.preview(organization_id, subscription_id, command)
        return Reply(PreviewAnswer.of(previewed))
    return Reply(await carried_out(call, organization_id, subscription_id, command, invoice))


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
    requires_key=True,
    find=_find_subscription,
    errors=(LimitExceededError,),
    example={"plan": "professional", "at": "now"},
)
async def change_subscription(call: Call[ChangeRequest, CommandQuery, SubscriptionPath]) -> Reply:
    body = call.body
    only_public = not call.principal.is_operator
    if body.trial_days is not None and only_public:
        raise ForbiddenError("Only the operator sets trial_days; leave it out")
    command = Change(
        *(body.plan, body.seats, body.quantity, body.reset_anchor),
        *(body.at, body.proration, body.trial_days),
        only_public=only_public,
    )
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
    requires_key=True,
    find=_find_subscription,
    example={"at": "period_end"},
)
async def cancel_subscription(call: Call[CancelRequest, CommandQuery, SubscriptionPath]) -> Reply:
    may_cut = call.principal.is_operator
    command = Cancel(call.body.at, call.body.proration, call.body.reason, may_cut=may_cut)
    return await _answer_command(call, command, "now")


async def _check_operator(call: Call[Any, Any, Any]) -> None:
    """Raises `ForbiddenError`."""
    if not call.principal.is_operator:
        raise ForbiddenError("Subscriptions are paused and resumed by the operator")


@endpoint(
    blueprint,
    "POST",
    "subscriptions/{subscription_id}/pause",
    summary="Pause a subscription: no plan and no fees until it is resumed",
    access=Permission.SUBSCRIPTIONS_WRITE,
    path_values=SubscriptionPath,
    query=CommandQuery,
    body=PauseRequest,
    answers={200: SubscriptionAnswer | PreviewAnswer},
    requires_key=True,
    find=_find_subscription,
    authorize=_check_operator,
    example={"at": "now"},
)
async def pause_subscription(call: Call[PauseRequest, CommandQuery, SubscriptionPath]) -> Reply:
    return await _answer_command(call, Pause(call.body.at, call.body.until), "now")


@endpoint(
    blueprint,
    "POST",
    "subscriptions/{subscription_id}/resume",
    summary="Resume a paused subscription now",
    access=Permission.SUBSCRIPTIONS_WRITE,
    path_values=SubscriptionPath,
    query=CommandQuery,
    answers={200: SubscriptionAnswer | PreviewAnswer},
    requires_key=True,
    find=_find_subscription,
    authorize=_check_operator,
)
async def resume_subscription(call: Call[NoBody, CommandQuery, SubscriptionPath]) -> Reply:
    return await _answer_command(call, Resume(), "now")


@endpoint(
    blueprint,
    "POST",
    "subscriptions/{subscription_id}/withdraw",
    summary="Take back what lies ahead of a subscription. One that has not begun never does",
    access=Permission.SUBSCRIPTIONS_WRITE,
    path_values=SubscriptionPath,
    query=CommandQuery,
    answers={200: SubscriptionAnswer | PreviewAnswer},
    requires_key=True,
    find=_find_subscription,
)
async def withdraw_subscription(call: Call[NoBody, CommandQuery, SubscriptionPath]) -> Reply:
    return await _answer_command(call, Withdraw(), "now")
