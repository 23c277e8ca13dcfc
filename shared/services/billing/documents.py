"""Invoices and credit notes as they are stored: a header each, and their lines in records of their own."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Protocol

from cachetools import LRUCache
from pydantic import Field

from shared.containers import INVOICES
from shared.domain.billing.documents import CreditNote, Invoice, invoice_id
from shared.domain.billing.invoicing import compose
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line
from shared.services.periods.periods import PeriodItem
from shared.services.storage import Owners, Page, Records, Store, Stored

LINES_PER_CHUNK = 500
MAXIMUM_KNOWN_LINES = 10_000
"""How many lines stay as they were read."""
_BYTES_PER_CHUNK = 900_000
_MAXIMUM_NOTES = 100
_DRAFTS_AT_ONCE = 100


class WithLines(Protocol):
    """What has lines: a document's header, or its entry in a period's list."""

    @property
    def id(self) -> str: ...
    @property
    def lines_hash(self) -> str: ...
    @property
    def line_count(self) -> int: ...


class LineChunk(Entity):
    """Some lines of a document, in their order."""

    kind: ClassVar[str] = "lines"
    audit: ClassVar[Audit] = FOLLOWS

    document_id: str = Field(alias="invoice_id")
    """Of an invoice or a credit note."""
    lines: tuple[Line, ...]


class BillingDocuments:
    """Lines are written before the header that names them by their hash, and never change."""

    def __init__(self, store: Store, owners: Owners) -> None:
        self._owners = owners
        self._invoices = Records(store, INVOICES, Invoice, prefix="inv", owners=owners)
        self._credit_notes = Records(store, INVOICES, CreditNote, called="credit note")
        self._chunks = Records(store, INVOICES, LineChunk, called="lines")
        self._known: LRUCache[tuple[str, str], Sequence[Line]] = LRUCache(MAXIMUM_KNOWN_LINES, getsizeof=len)
        """The last chunks that were read, by organization and id."""

    async def invoice(self, organization_id: str, invoice_id: str, if_match: str | None = None) -> Stored[Invoice]:
        """The header. Raises `NotFoundError`, and `PreconditionFailedError` for another version than the one named."""
        return await self._invoices.get(organization_id, invoice_id, if_match)

    async def find_invoice(self, organization_id: str, invoice_id: str) -> Invoice | None:
        """The header; None where there is none with this id."""
        stored = await self._invoices.find(organization_id, invoice_id)
        return None if stored is None else stored.entity

    async def latest_invoice(self, organization_id: str, period: Period) -> Invoice | None:
        """The header of the period's own invoice: draft, issued, or cancelled without another one after it."""
        latest: Invoice | None = None
        while latest is None or latest.status == "cancelled":
            revision = 1 if latest is None else latest.revision + 1
            stored = await self._invoices.find(organization_id, invoice_id(organization_id, period, revision))
            if stored is None:
                return latest
            latest = stored.entity
        return latest

    async def drafts(self, organization_id: str, limit: int) -> list[Invoice]:
        """The headers of open drafts of periods, earliest period first. Those by hand are none of these."""
        drafts: list[Invoice] = []
        cursor: str | None = None
        while len(drafts) < limit:
            page = await self._invoices.page(
                organization_id, equals={"status": "draft"}, order_by="start", limit=_DRAFTS_AT_ONCE, cursor=cursor
            )
            drafts += [draft for draft in page.entities if draft.invoice_kind == "period"]
            cursor = page.cursor
            if cursor is None:
                break
        return drafts[:limit]

    async def change(
        self,
        organization_id: str,
        invoice_id: str,
        decide: Callable[[Invoice], Awaitable[Invoice]],
        if_match: str | None,
    ) -> Stored[Invoice]:
        """Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` where many change it at once."""
        return await self._invoices.change(organization_id, invoice_id, decide, if_match)

    async def invoices(self, organization_id: str, status: str | None, limit: int, cursor: str | None) -> Page[Invoice]:
        """Headers by period, newest first."""
        return await self._invoices.page(
            organization_id,
            equals={"status": status} if status is not None else None,
            order_by="start",
            descending=True,
            limit=limit,
            cursor=cursor,
        )

    async def credit_notes(self, organization_id: str, invoice_id: str) -> list[CreditNote]:
        """The headers of the notes that correct an invoice."""
        page = await self._credit_notes.page(organization_id, equals={"invoice_id": invoice_id}, limit=_MAXIMUM_NOTES)
        return page.entities

    async def credit_note(self, organization_id: str, note_id: str) -> CreditNote:
        """The header of a note. Raises `NotFoundError`."""
        return (await self._credit_notes.get(organization_id, note_id)).entity

    async def lines(self, organization_id: str, document: WithLines, at_most: int | None = None) -> list[Line]:
        """A document's lines in their order: all, or the first so many.

        Raises `UnavailableError` where some cannot be read yet.
        """
        wanted = document.line_count if at_most is None else min(at_most, document.line_count)
        lines: list[Line] = []
        number = 0
        while len(lines) < wanted:
            lines += await self._chunk(organization_id, _chunk_id(document, number))
            number += 1
        return lines[:wanted]

    async def _chunk(self, organization_id: str, chunk_id: str) -> Sequence[Line]:
        """Its lines, which never change. Every bill looks at those of all documents of the periods that are open."""
        place = (organization_id, chunk_id)
        lines = self._known.get(place)
        if lines is None:
            chunk, _ = await self._chunks.get_created(organization_id, chunk_id)
            lines = self._known[place] = chunk.lines
        return lines

    async def shown_total(self, invoice: Invoice) -> Decimal:
        """The total that an answer shows.

        Of a draft it is that of the invoice which finalizing it would issue. A draft from before `draft_totals` is
        composed again from its lines. Raises `UnavailableError`.
        """
        if invoice.status != "draft":
            return invoice.total
        if invoice.draft_totals is not None:
            return invoice.draft_totals.invoice
        lines = await self.lines(invoice.organization_id, invoice)
        return compose(lines, invoice.currency).totals(invoice.currency).invoice

    async def create_draft(self, draft: Invoice) -> Invoice:
        """The draft, or what is stored under its id already. Raises `UnavailableError`."""
        return (await self._invoices.create(draft.organization_id, draft)).entity

    async def refresh_draft(self, draft: Invoice, lines: Sequence[Line], now: datetime) -> Invoice:
        """The draft with the totals of these lines; what was finalized meanwhile stays as it is.

        Raises `NotFoundError` where finalizing it left nothing.
        """

        def decide(current: Invoice) -> Invoice:
            return current.refreshed(lines, now) if current.status == "draft" else current

        return (await self._invoices.change(draft.organization_id, draft.id, decide)).entity

    async def note_owner(self, organization_id: str, document_id: str) -> None:
        """Before a document that is not drafted first. Repeating it changes nothing."""
        await self._owners.note(document_id, organization_id)

    async def write_lines(self, organization_id: str, document: WithLines, lines: Sequence[Line]) -> None:
        """Before the document itself. Repeating it changes nothing."""
        for number, chunk in enumerate(_chunks(lines)):
            chunk_id = _chunk_id(document, number)
            await self._chunks.ensure(
                organization_id, LineChunk(id=chunk_id, document_id=document.id, lines=tuple(chunk))
            )

    async def last_billed_at(self, organization_id: str, period: PeriodItem) -> datetime | None:
        """When the usage of the period was last billed; None where it has not been.

        A document that was issued before the period ended bills only its charges in advance.
        """
        invoice_ids = [document.id for document in period.documents if document.type == "invoice"]
        note_ids = [document.id for document in period.documents if document.type == "credit_note"]
        invoices = await self._invoices.get_many(organization_id, invoice_ids)
        notes = await self._credit_notes.get_many(organization_id, note_ids)
        issued = [invoice.issued_at for invoice, _ in invoices.values()] + [
            note.issued_at for note, _ in notes.values()
        ]
        return max((time for time in issued if time is not None and time >= period.end), default=None)


def _chunk_id(document: WithLines, number: int) -> str:
    return f"{document.id}:{document.lines_hash}:{number}"


def _chunks(lines: Sequence[Line]) -> Iterable[list[Line]]:
    """Of at most `LINES_PER_CHUNK` lines, and well below what a record may hold."""
    chunk: list[Line] = []
    size = 0
    for line in lines:
        weight = len(line.model_dump_json())
        if chunk and (len(chunk) >= LINES_PER_CHUNK or size + weight > _BYTES_PER_CHUNK):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += weight
    if chunk:
        yield chunk
