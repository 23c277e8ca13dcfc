"""Invoices by hand, and what people write on drafts."""

from typing import Annotated, Any

import azure.functions as func
from pydantic import AfterValidator, StringConstraints

from functions.billing.invoice_answers import InvoiceAnswer, whole_invoice
from functions.billing.invoices import InvoicePath
from functions.fields import DocumentLabel, Name, Reference, Text
from shared.domain.access.identity import Permission
from shared.domain.billing.manual_invoices import ManualLine, Particulars
from shared.domain.kernel.money import Amount, NonNegativeQuantity
from shared.domain.kernel.validation import Length
from shared.domain.tenancy.organizations import Organization
from shared.http import Call, MergePatch, Query, Reply, Schema, endpoint

blueprint = func.Blueprint()

MAXIMUM_LINES = 200
MAXIMUM_FIELDS = 20


def _labelled(fields: dict[str, str]) -> dict[str, str]:
    for label, value in fields.items():
        if not label.strip() or len(label) > 100 or len(value) > 200:  # noqa: PLR2004  said in the message
            raise ValueError("has a label that is empty or over 100 characters, or a value over 200")
    return fields


CustomFields = Annotated[dict[str, str], Length(0, MAXIMUM_FIELDS), AfterValidator(_labelled)]
"""At most 20, each a label with its text."""


class ManualLineRequest(Schema):
    description: Name
    """What it is for."""
    quantity: NonNegativeQuantity
    """How many."""
    unit_amount: Amount
    """The price of one; negative for what is taken off. The line's amount is computed, and rounded half up."""
    rate: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    """The id of the tax rate; left out, the line is taxed as the organization is."""


Lines = Annotated[tuple[ManualLineRequest, ...], Length(1, MAXIMUM_LINES)]


class ManualInvoiceRequest(Schema):
    organization_id: Reference | None = None
    """The id, slug or external id of the organization that is billed."""
    lines: Lines
    purchase_order: DocumentLabel | None = None
    """The number of the customer's order."""
    reference: DocumentLabel | None = None
    """What you call it."""
    notes: Text | None = None
    """Printed on the invoice."""
    custom_fields: CustomFields = {}
    """At most 20, each a label with its text."""


class InvoicePatch(MergePatch):
    lines: Lines | None = None
    """All lines anew. Only of a draft by hand."""
    purchase_order: DocumentLabel | None = None
    """The number of the customer's order; null for none."""
    reference: DocumentLabel | None = None
    """What you call it; null for nothing."""
    notes: Text | None = None
    """Printed on the invoice; null for none."""
    custom_fields: CustomFields | None = None
    """All of them anew; null for none."""


async def _entered(call: Call[Any, Any, Any], organization: Organization, lines: Lines) -> list[ManualLine]:
    """Raises `ValidationError` for a rate that there is not."""
    treatments = await call.services.account.taxes.of_manual_lines(organization, [line.rate for line in lines])
    return [
        ManualLine(line.description, line.quantity, line.unit_amount, treatment)
        for line, treatment in zip(lines, treatments, strict=True)
    ]


@endpoint(
    blueprint,
    "POST",
    "invoices",
    summary="Draft an invoice by hand; its amounts are computed from quantities and prices",
    access=Permission.INVOICES_WRITE,
    body=ManualInvoiceRequest,
    answers={201: InvoiceAnswer},
    example={"lines": [{"description": "Onboarding", "quantity": "2.5", "unit_amount": "180.00"}]},
)
async def create_invoice(call: Call[ManualInvoiceRequest]) -> Reply:
    body = call.body
    organization = await call.services.organizations.get(await call.organization_id(body.organization_id))
    particulars = Particulars(body.purchase_order, body.reference, body.notes, tuple(body.custom_fields.items()))
    manual = call.services.account.manual_invoices
    lines = await _entered(call, organization, body.lines)
    draft = await manual.create(organization, call.new_id("inv"), lines, particulars)
    return Reply(await whole_invoice(call, draft))


@endpoint(
    blueprint,
    "PATCH",
    "invoices/{invoice_id}",
    summary="Change what is written on a draft: order number, reference, notes, fields, and the lines of one by hand",
    access=Permission.INVOICES_WRITE,
    path_values=InvoicePath,
    body=InvoicePatch,
    answers={200: InvoiceAnswer},
    example={"purchase_order": "PO-4711"},
)
async def update_invoice(call: Call[InvoicePatch, Query, InvoicePath]) -> Reply:
    invoice_id, sent = call.path.invoice_id, call.body.model_fields_set
    organization = await call.organization_of(invoice_id)
    particulars: dict[str, Any] = {
        name: getattr(call.body, name) for name in ("purchase_order", "reference", "notes") if name in sent
    }
    if "custom_fields" in sent:
        particulars["custom_fields"] = call.body.custom_fields or {}
    lines = None if call.body.lines is None else await _entered(call, organization, call.body.lines)
    invoice, etag = await call.services.account.manual_invoices.change(
        organization.id, invoice_id, particulars, lines, call.if_match
    )
    return Reply(await whole_invoice(call, invoice), etag=etag)
