"""Invoices and credit notes as they are stored: a header each, and their lines in items of their own."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from shared.containers import INVOICES
from shared.domain.billing.invoicing import CreditNote, Invoice, compose
from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.times import from_text
from shared.domain.pricing.lines import Line
from shared.ports.store import AlreadyExistsError, Document, Store
from shared.services.periods.periods import PeriodItem

LINES_PER_ITEM = 500
_BYTES_PER_ITEM = 900_000
_MAXIMUM_NOTES = 100


class WithLines(Protocol):
    """The header of an invoice or credit note, or what a period's list of documents says of it."""

    @property
    def id(self) -> str: ...
    @property
    def lines_hash(self) -> str: ...
    @property
    def line_count(self) -> int: ...


class BillingDocuments:
    """Lines are written before the header that names them by their hash, and never change."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def invoice(self, organization_id: str, invoice_id: str) -> tuple[Invoice, str]:
        """The header with its ETag. Raises `NotFoundError`."""
        item = await self._store.get(INVOICES.name, organization_id, invoice_id) if is_id(invoice_id, "inv") else None
        if item is None:
            raise NotFoundError("There is no such invoice")
        return Invoice.read(item.document), item.etag

    async def invoices(
        self, organization_id: str, status: str | None, limit: int, cursor: str | None
    ) -> tuple[list[Invoice], str | None]:
        """Headers by period, newest first, and where the next page starts."""
        page = await self._store.query(
            INVOICES.name,
            organization_id,
            Invoice.kind,
            equals={"status": status} if status is not None else None,
            order_by="start",
            descending=True,
            limit=limit,
            cursor=cursor,
        )
        return [Invoice.read(item.document) for item in page.items], page.cursor

    async def credit_notes(self, organization_id: str, invoice_id: str) -> list[CreditNote]:
        """The headers of the notes that correct an invoice."""
        page = await self._store.query(
            INVOICES.name, organization_id, CreditNote.kind, equals={"invoice_id": invoice_id}, limit=_MAXIMUM_NOTES
        )
        return [CreditNote.read(item.document) for item in page.items]

    async def lines(self, organization_id: str, document: WithLines, at_most: int | None = None) -> list[Line]:
        """A document's lines in their order: all, or the first so many.

        Raises `UnavailableError` where some cannot be read yet.
        """
        wanted = document.line_count if at_most is None else min(at_most, document.line_count)
        lines: list[Line] = []
        number = 0
        while len(lines) < wanted:
            item_id = _lines_id(document, number)
            item = await self._store.get(INVOICES.name, organization_id, item_id)
            if item is None:
                raise UnavailableError("The lines were written a moment ago and cannot be read yet")
            lines += [Line.model_validate(line) for line in item.document["lines"]]
            number += 1
        return lines[:wanted]

    async def shown_total(self, invoice: Invoice) -> Decimal:
        """The total that an answer shows; of a draft, that of the invoice which finalizing it would issue.

        A draft from before `draft_totals` is composed again from its lines. Raises `UnavailableError`.
        """
        if invoice.status != "draft":
            return invoice.total
        if invoice.draft_totals is not None:
            return invoice.draft_totals.invoice
        lines = await self.lines(invoice.organization_id, invoice)
        return compose(lines).totals(invoice.currency).invoice

    async def write_lines(self, organization_id: str, document: WithLines, lines: Sequence[Line]) -> None:
        """Before the document itself. Repeating it changes nothing."""
        for number, chunk in enumerate(_chunks(lines)):
            item: Document = {
                "id": _lines_id(document, number),
                "kind": "lines",
                "invoice_id": document.id,
                "lines": [line.model_dump(mode="json") for line in chunk],
            }
            try:
                await self._store.create(INVOICES.name, organization_id, item)
            except AlreadyExistsError:
                continue

    async def last_billed_at(self, organization_id: str, period: PeriodItem) -> datetime | None:
        """When the usage of the period was last billed; None where it has not been.

        A document that was issued before the period ended bills only its charges in advance.
        """
        ids = [document.id for document in period.documents]
        items = await self._store.get_many(INVOICES.name, organization_id, ids) if ids else {}
        issued = [items[id_].document.get("issued_at") for id_ in ids if id_ in items]
        times = [from_text(time) for time in issued if time is not None]
        return max((time for time in times if time >= period.end), default=None)


def _lines_id(document: WithLines, number: int) -> str:
    return f"{document.id}:{document.lines_hash}:{number}"


def _chunks(lines: Sequence[Line]) -> Iterable[list[Line]]:
    """Of at most `LINES_PER_ITEM` lines, and well below what an item may hold."""
    chunk: list[Line] = []
    size = 0
    for line in lines:
        weight = len(line.model_dump_json())
        if chunk and (len(chunk) >= LINES_PER_ITEM or size + weight > _BYTES_PER_ITEM):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += weight
    if chunk:
        yield chunk
