"""Credit notes by hand."""

from typing import Annotated, Self

import azure.functions as func
from pydantic import StringConstraints, model_validator

from functions.billing.invoice_answers import CreditNoteAnswer, note_answer
from functions.billing.invoices import InvoicePath, find_invoice
from shared.domain.access.identity import Permission
from shared.domain.billing.payments import CancelledError
from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.kernel.validation import Length, refusal
from shared.http import CalendarDate, Call, Query, Reply, Schema, endpoint
from shared.services.billing.goodwill import GoodwillDraft, LineAmount, Settle

blueprint = func.Blueprint()

MAXIMUM_LINES = 100
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class CreditedLine(Schema):
    key: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    """The key of the invoice's line."""
    period: CalendarDate
    """The local start date of the line's period, such as 2026-10-01."""
    amount: NonNegativeAmount
    """How much of it is given back: at most what is left of it."""


class CreditNoteRequest(Schema):
    lines: Annotated[tuple[CreditedLine, ...], Length(1, MAXIMUM_LINES)] | None = None
    """What is given back of which lines; or `amount`."""
    amount: NonNegativeAmount | None = None
    """What is given back of the whole invoice, split over its lines by what is left of them; or `lines`."""
    reason: Reason
    """Why, for people."""
    settle: Settle = "open"
    """`open`: what is open of the invoice is lowered, and the rest is balance. `balance`: all of it is balance."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.lines is None) == (self.amount is None):
            raise refusal((("amount",), "or lines is needed, and not both"))
        return self


@endpoint(
    blueprint,
    "POST",
    "invoices/{invoice_id}/credit-notes",
    summary="Give back part of an issued invoice, or all of it",
    access=Permission.INVOICES_WRITE,
    path_values=InvoicePath,
    body=CreditNoteRequest,
    answers={201: CreditNoteAnswer},
    requires_key=True,
    find=find_invoice,
    errors=(CancelledError,),
    example={"amount": "10.00", "reason": "The outage of 3 November"},
)
async def create_credit_note(call: Call[CreditNoteRequest, Query, InvoicePath]) -> Reply:
    invoice_id, body = call.path.invoice_id, call.body
    organization = await call.organization_of(invoice_id)
    lines = [LineAmount(line.key, line.period, line.amount) for line in body.lines or ()]
    draft = GoodwillDraft(body.reason, body.amount, lines, body.settle)
    note = await call.services.account.goodwill.give(organization, call.new_id("cn"), invoice_id, draft)
    return Reply(await note_answer(call, note))
