"""Models of `invoices`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from xyra.models.shared import Line, SpanAnswer


class CreditNoteAnswer(TypedDict):
    id: str | None
    """Null in a draft or preview."""
    number: str | None
    """Null in a draft or preview."""
    reason: str
    """Why it is issued."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    lines: Sequence[Line]
    """The first 500."""
    total: str
    """The sum of the lines."""
    issued_at: str | None
    """Null in a draft or preview."""


class GenerateRequest(TypedDict):
    organization_id: NotRequired[str | None]
    """Whose invoices: id, slug or external id; null for all organizations."""
    period: str
    """The month to invoice, such as 2026-10."""
    finalize: NotRequired[bool]
    """Whether to number the invoices at once instead of leaving drafts."""


class InvoiceAnswer(TypedDict):
    id: str | None
    """Null in a preview, and where finalizing a draft left only a credit note."""
    number: str | None
    """Given when it is finalized."""
    organization_id: str
    """The organization that it belongs to."""
    status: Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"]
    """The state that it is in."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    period: SpanAnswer
    """The billing period that is invoiced."""
    issued_at: str | None
    """Null for a draft."""
    due_at: str | None
    """When it has to be paid; null for a draft."""
    lines: Sequence[Line]
    """The first 500; in a list none."""
    lines_url: str | None
    """Where all lines are; null where `id` is."""
    revision: int
    """Counts the invoices of the same period, from 1 on; 0 in a preview."""
    finalized_at: str | None
    """Null for a draft."""
    subtotal: str
    """The sum of the lines' amounts."""
    discount_total: str
    """What discounts take off."""
    tax_total: str
    """What taxes add."""
    tax_lines: Sequence[Line]
    """The parts of `tax_total`."""
    credits_applied: str
    """What was paid by credits."""
    total: str
    """After discounts and taxes."""
    amount_paid: str
    """By payments."""
    amount_due: str
    """What is still to be paid; 0 for a draft."""
    credit_notes: Sequence[CreditNoteAnswer]
    """In a list none."""
    metadata: Mapping[str, Any]
    """The caller's own data."""
    as_of: str | None
    """When the amounts of a draft or preview were computed; null once it is finalized, as they stay."""
    assumes_issued: Sequence[SpanAnswer]
    """Earlier periods whose own invoices a draft or preview assumes to be issued before; in a list none."""


class InvoiceLinesAnswer(TypedDict):
    data: Sequence[Line]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
    as_of: str | None
    """When the lines of a draft were computed; null once it is finalized, as they stay."""


class InvoiceList(TypedDict):
    data: Sequence[InvoiceAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


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
