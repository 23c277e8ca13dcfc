"""What the audit trail calls changes of invoices."""

from typing import Any

from shared.domain.kernel.audit import usual_verb, verb_by_status


def _written(invoice: Any) -> tuple[Any, ...]:  # noqa: ANN401  an invoice
    """What people write on an invoice, with the lines of one by hand."""
    lines = invoice.lines_hash if invoice.invoice_kind == "manual" else ""
    return invoice.purchase_order, invoice.reference, invoice.notes, invoice.custom_fields, lines


def verb_of_invoice(before: Any, after: Any) -> str | None:  # noqa: ANN401  invoices
    """What a change of an invoice is called on the audit trail; None for no entry.

    Drafts are computed and bill nothing, but for those by hand; what finalizes one, even to nothing, decides.
    """
    is_draft = after is not None and after.status == "draft"
    if is_draft and (before is None or _written(before) != _written(after)):
        return None if before is None and after.invoice_kind != "manual" else usual_verb(before, after)
    if before is None and after.status != "draft":
        return "issue"
    if before is None or (after is not None and after.status == "draft" and before.metadata == after.metadata):
        return None
    if before.status == "draft" and (after is None or after.status != "draft"):
        return "finalize"
    return verb_by_status(cancelled="cancel", paid="pay")(before, after)
