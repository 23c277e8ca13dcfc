"""Models of `invoices`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import InvoiceAnswer, Line, PaymentAnswer


class ApplyBalanceRequest(TypedDict):
    amount: NotRequired[str | int | Decimal | None]
    """Left out: what is due, as far as the balance goes."""


class CancelInvoiceRequest(TypedDict):
    waive: NotRequired[bool]
    """Whether what the invoice came to is not billed again."""


class CreditNoteRequest(TypedDict):
    lines: NotRequired[Sequence[CreditedLine] | None]
    """What is given back of which lines; or `amount`."""
    amount: NotRequired[str | int | Decimal | None]
    """What is given back of the whole invoice, split over its lines by what is left of them; or `lines`."""
    reason: str
    """Why, for people."""
    settle: NotRequired[Literal["open", "balance"]]
    """`open`: what is open of the invoice is lowered, and the rest is balance. `balance`: all of it is balance."""


class CreditedLine(TypedDict):
    key: str
    """The key of the invoice's line."""
    period: str
    """The local start date of the line's period, such as 2026-10-01."""
    amount: str | int | Decimal
    """How much of it is given back: at most what is left of it."""


class GenerateRequest(TypedDict):
    organization_id: NotRequired[str | None]
    """Whose invoices: id, slug or external id; null for all organizations."""
    period: str
    """The month to invoice, such as 2026-10."""
    finalize: NotRequired[bool]
    """Whether to number the invoices at once instead of leaving drafts."""


class InvoiceLinesAnswer(TypedDict):
    data: Sequence[Line]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
    as_of: str | None
    """When the lines of a draft were computed; null once it is finalized, as they stay."""


class InvoiceLinkAnswer(TypedDict):
    url: str | None
    """Where whoever has it sees the invoice. It is shown this once: null where the request is repeated."""
    expires_at: str
    """90 days from now."""


class InvoiceList(TypedDict):
    data: Sequence[InvoiceAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class InvoicePatch(TypedDict):
    lines: NotRequired[Sequence[ManualLineRequest] | None]
    """All lines anew. Only of a draft by hand."""
    purchase_order: NotRequired[str | None]
    """The number of the customer's order; null for none."""
    reference: NotRequired[str | None]
    """What you call it; null for nothing."""
    notes: NotRequired[str | None]
    """Printed on the invoice; null for none."""
    custom_fields: NotRequired[Mapping[str, str] | None]
    """All of them anew; null for none."""


class JobAnswer(TypedDict):
    id: str
    """Its id."""
    status: Literal["running", "done"]
    """The state that it is in."""
    done: bool
    """Whether the status is `done`."""
    period: str
    """The month that is invoiced."""
    finalize: bool
    """Whether the invoices are numbered at once."""
    created_at: str
    """When it was created."""
    invoices: Sequence[str]
    """Ids of invoices and drafts, of the organizations that are shown."""
    organizations: Sequence[JobPartAnswer]
    """At most 200 of them."""


class JobPartAnswer(TypedDict):
    """The result for one organization."""

    organization_id: str
    """The organization that it belongs to."""
    status: str
    """The state that it is in."""
    invoice_id: str | None
    """The invoice or draft that it made; null where there was nothing to bill."""
    detail: str | None
    """Why there is no invoice."""


class ManualInvoiceRequest(TypedDict):
    organization_id: NotRequired[str | None]
    """The id, slug or external id of the organization that is billed."""
    lines: Sequence[ManualLineRequest]
    """The lines, each with its arithmetic."""
    purchase_order: NotRequired[str | None]
    """The number of the customer's order."""
    reference: NotRequired[str | None]
    """What you call it."""
    notes: NotRequired[str | None]
    """Printed on the invoice."""
    custom_fields: NotRequired[Mapping[str, str]]
    """At most 20, each a label with its text."""


class ManualLineRequest(TypedDict):
    description: str
    """What it is for."""
    quantity: str | int | Decimal
    """How many."""
    unit_amount: str | int | Decimal
    """The price of one; negative for what is taken off. The line's amount is computed, and rounded half up."""
    rate: NotRequired[str | None]
    """The id of the tax rate; left out, the line is taxed as the organization is."""


class ManualPayment(TypedDict):
    amount: NotRequired[str | int | Decimal | None]
    """What came; left out, what is due. What exceeds that is balance of the account."""
    method: NotRequired[str]
    """How it was paid, such as `bank_transfer`, `cash`, `check`."""
    reference: NotRequired[str | None]
    """What the bank or the payer called it."""
    paid_at: NotRequired[str | None]
    """When it came; left out, now."""


class PaidAnswer(TypedDict):
    invoice: InvoiceAnswer
    """As it is after the payment."""
    payment: PaymentAnswer
    """As it was recorded."""


class PayRequest(TypedDict):
    manual: ManualPayment
    """A payment that came without a payment provider."""


class SentAnswer(TypedDict):
    recipients: int
    """To how many addresses it goes: the organization's `billing_email` and its `billing_contacts`."""
