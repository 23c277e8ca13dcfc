"""Invoices: drafted, previewed and finalized from the difference between what is due and what was billed."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from shared.containers import INVOICES
from shared.domain.billing.invoicing import (
    Composed,
    CreditNote,
    Invoice,
    Numbering,
    PeriodBill,
    billed_by,
    compose,
    differences,
    hash_of,
    total_of,
)
from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.ids import is_id, named_id
from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Period, next_period
from shared.domain.pricing.lines import Line
from shared.domain.rating.rating import rate
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.store import (
    AlreadyExistsError,
    Create,
    Delete,
    Document,
    Operation,
    Page,
    Replace,
    StaleEtagError,
    Store,
)
from shared.services.billing.facts import FactsReader
from shared.services.periods.periods import BillingDocument, PeriodItem, Periods
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match
from shared.services.tenancy.organizations import Organizations

SETTLES_AFTER = timedelta(days=1)
"""How long ago a period must have ended for a finalization to settle it."""
READS_LAG = timedelta(minutes=10)
"""How long at most a read may miss what was written. What moved a period less than this ago may not be among the facts
yet, and no guard shows it: the period stays unsettled, and the next invoice looks at it again.
"""
MAXIMUM_PERIODS = 90
"""How many periods one invoice looks at: they are replaced in one batch."""
LINES_PER_ITEM = 500
_BYTES_PER_ITEM = 900_000
_NUMBERING = "numbering"
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A period as it was before the facts were read. Without an etag it is not laid yet: only previews look at such."""

    period: Period
    item: PeriodItem | None
    etag: str | None


@dataclass(frozen=True, slots=True)
class Bill:
    """What an invoice of the period would say now, and the guards that this rests on. `open_until` says for each of
    them until when what is due for it can change by plan.
    """

    own: Period
    lines: tuple[Line, ...]
    guards: tuple[_Guarded, ...]
    open_until: tuple[datetime, ...]

    def composed(self) -> Composed:
        return compose(self.lines)


@dataclass(frozen=True, slots=True)
class Issued:
    """What a finalization left: neither where there was nothing to bill."""

    invoice: Invoice | None = None
    credit_note: CreditNote | None = None


class Invoices:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        owners: Owners,
        organizations: Organizations,
        periods: Periods,
        facts: FactsReader,
    ) -> None:
        self._store = store
        self._clock = clock
        self._owners = owners
        self._organizations = organizations
        self._periods = periods
        self._facts = facts

    # What an invoice would say

    async def bill(self, organization: Organization, own: Period, *, create: bool) -> Bill:
        """The guards first, then the facts, then the lines: every ended period that is not settled, up to its own, and
        what is charged in advance for the one that starts. Raises `UnavailableError`, also where there is usage
        of which the agent or the version cannot be read yet.
        """
        guards = await self._guards(organization, own, create=create)
        facts = await self._facts.of(organization, [guard.period for guard in guards])
        lines: list[Line] = []
        open_until: list[datetime] = []
        for guard, known in zip(guards, facts, strict=True):
            due = rate(known)
            open_until.append(_open_until(guard.period, due))
            billed = await self._billed(organization.id, guard.item)
            if guard.period.start >= own.end:
                due = [line for line in due if line.timing == "advance"]
                keys = {line.key for line in due}
                billed = {key: amount for key, amount in billed.items() if key in keys}
            lines += differences(PeriodBill(guard.period, due, billed), own, organization.currency)
        return Bill(own, tuple(lines), tuple(guards), tuple(open_until))

    async def _guards(self, organization: Organization, own: Period, *, create: bool) -> list[_Guarded]:
        older = await self._periods.unsettled(organization.id, own.start, MAXIMUM_PERIODS)
        guards = [_Guarded(item.period, item, etag) for item, etag in older]
        following = next_period(own, organization.calendars)
        if create:
            created = await self._periods.cover(organization, own.start, own.end + timedelta(microseconds=1))
        else:
            created = await self._periods.created(organization.id)
        by_start = {period.start: period for period in created}
        for wanted in (own, by_start.get(own.end, following)):
            if wanted.start in by_start:
                item, etag = await self._periods.item(organization.id, wanted.start)
                guards.append(_Guarded(item.period, item, etag))
            else:
                guards.append(_Guarded(wanted, None, None))
        return guards

    async def _billed(self, organization_id: str, item: PeriodItem | None) -> dict[str, Decimal]:
        documents = item.documents if item is not None else ()
        lines: list[Line] = []
        for document in documents:
            lines += await self.lines(organization_id, document.id, document.lines_hash, document.line_count)
        return billed_by(lines, item.start) if item is not None else {}

    async def last_billed_at(self, organization_id: str, item: PeriodItem) -> datetime | None:
        """When the usage of the period was last billed; None where it has not been. What bills only its charges in
        advance was issued before it ended.
        """
        ids = [document.id for document in item.documents]
        found = await self._store.get_many(INVOICES.name, organization_id, ids) if ids else {}
        issued = [found[id_].document.get("issued_at") for id_ in ids if id_ in found]
        times = [from_text(time) for time in issued if time is not None]
        return max((time for time in times if time >= item.end), default=None)

    # Lines are items of their own, written before the header that names them

    async def lines(self, organization_id: str, document_id: str, lines_hash: str, count: int) -> list[Line]:
        """All lines of a document. Raises `UnavailableError` where some cannot be read yet."""
        found: list[Line] = []
        number = 0
        while len(found) < count:
            item = await self._store.get(INVOICES.name, organization_id, _lines_id(document_id, lines_hash, number))
            if item is None:
                raise UnavailableError("The lines were written a moment ago and cannot be read yet")
            found += [Line.model_validate(line) for line in item.document["lines"]]
            number += 1
        return found

    async def _write_lines(self, organization_id: str, document_id: str, lines: Sequence[Line]) -> str:
        lines_hash = hash_of(lines)
        for number, chunk in enumerate(_chunks(lines)):
            document: Document = {
                "id": _lines_id(document_id, lines_hash, number),
                "kind": "lines",
                "invoice_id": document_id,
                "lines": [line.model_dump(mode="json") for line in chunk],
            }
            try:
                await self._store.create(INVOICES.name, organization_id, document)
            except AlreadyExistsError:
                continue
        return lines_hash

    # Drafts

    async def draft(self, organization: Organization, own: Period) -> Invoice | None:
        """The invoice of this period: the one there is, else a new draft; None where there is nothing to bill.

        Repeating it never makes a second one: the id is made from the period and the revision. Raises
        `UnavailableError`.
        """
        revision = 1
        while True:
            invoice_id = named_id("inv", organization.id, to_text(own.start), revision)
            existing = await self._store.get(INVOICES.name, organization.id, invoice_id)
            if existing is None:
                break
            invoice = Invoice.read(existing.document)
            if invoice.status != "cancelled":
                return invoice
            revision += 1
        bill = await self.bill(organization, own, create=True)
        if not bill.lines:
            await self._settle(organization.id, bill)
            return None
        now = self._clock.now()
        await self._owners.note(invoice_id, organization.id)
        draft = Invoice(
            id=invoice_id,
            organization_id=organization.id,
            status="draft",
            currency=organization.currency,
            start=own.start,
            end=own.end,
            timezone=own.timezone,
            revision=revision,
            lines_hash=await self._write_lines(organization.id, invoice_id, bill.lines),
            line_count=len(bill.lines),
            total=total_of(bill.lines, organization.currency),
            created_at=now,
            finalize_at=own.end + timedelta(hours=organization.grace_hours),
        )
        try:
            await self._store.create(INVOICES.name, organization.id, draft.document())
        except AlreadyExistsError as error:
            made = await self._store.get(INVOICES.name, organization.id, invoice_id)
            if made is None:
                raise UnavailableError("The draft was made a moment ago and cannot be read yet") from error
            return Invoice.read(made.document)
        return draft

    async def _settle(self, organization_id: str, bill: Bill) -> None:
        """Nothing was found to bill: what ended long ago need not be looked at again until something moves it."""
        writes = self._period_writes(bill, [], [])
        if not writes:
            return
        try:
            await self._store.batch(INVOICES.name, organization_id, writes)
        except StaleEtagError:
            return

    # Finalizing

    async def finalize(self, organization_id: str, invoice_id: str, if_match: str | None = None) -> Issued:
        """Number the invoice, once, with its lines computed again under the guards of all periods that it touches.

        What is finalized already stays as it is. Raises `NotFoundError`, `PreconditionFailedError`,
        `UnavailableError`.
        """
        for attempt in range(_ATTEMPTS):
            draft, etag = await self.get_item(organization_id, invoice_id)
            check_if_match(if_match, etag)
            if draft.status != "draft":
                return Issued(draft)
            organization = await self._organizations.get(organization_id)
            bill = await self.bill(organization, draft.period, create=True)
            issued, writes = await self._issue(organization, draft, etag, bill)
            try:
                await self._store.batch(INVOICES.name, organization_id, writes)
            except (StaleEtagError, AlreadyExistsError):
                await asyncio.sleep(random.uniform(0, 0.02) * attempt)  # noqa: S311  jitter
            else:
                return issued
        raise UnavailableError("The periods of the invoice are being moved by many at once")

    async def _issue(
        self, organization: Organization, draft: Invoice, etag: str, bill: Bill
    ) -> tuple[Issued, list[Operation]]:
        """The batch that issues what the bill says: header, periods, numbers, credit note."""
        now = self._clock.now()
        year = now.astimezone(ZoneInfo(organization.timezone)).year
        numbering, numbering_etag = await self._numbering(organization)
        composed = bill.composed()
        invoice: Invoice | None = None
        note: CreditNote | None = None
        documents: list[tuple[BillingDocument, tuple[Line, ...]]] = []
        writes: list[Operation] = []
        if composed.invoice:
            number, numbering = numbering.next("INV", year)
            invoice = draft.changed(
                status="pending",
                number=number,
                lines_hash=await self._write_lines(organization.id, draft.id, composed.invoice),
                line_count=len(composed.invoice),
                total=total_of(composed.invoice, organization.currency),
                issued_at=now,
                finalized_at=now,
                payable_by=now + timedelta(days=organization.due_days),
            )
            writes.append(Replace(invoice.document(), etag))
            documents.append((_billing("invoice", invoice), composed.invoice))
        else:
            writes.append(Delete(draft.id, etag))
        if composed.correction:
            number, numbering = numbering.next("CN", year)
            note = await self._credit_note(organization, draft, bill, composed.correction, number, now)
            writes.append(Create(note.document()))
            documents.append((_billing("credit_note", note), composed.correction))
        if documents:
            writes.append(
                Create(numbering.document())
                if numbering_etag is None
                else Replace(numbering.document(), numbering_etag)
            )
        starts = [(document, {line.period.start for line in lines}) for document, lines in documents]
        writes += self._period_writes(bill, [document for document, _ in starts], [found for _, found in starts])
        return Issued(invoice, note), writes

    async def _credit_note(  # noqa: PLR0913  the parts of a note
        self,
        organization: Organization,
        draft: Invoice,
        bill: Bill,
        lines: tuple[Line, ...],
        number: str,
        now: datetime,
    ) -> CreditNote:
        note_id = named_id("cn", organization.id, number)
        corrected = {line.period.start for line in lines}
        invoices = [
            document.id
            for guard in bill.guards
            if guard.item is not None and guard.period.start in corrected
            for document in guard.item.documents
            if document.type == "invoice"
        ]
        return CreditNote(
            id=note_id,
            organization_id=organization.id,
            number=number,
            reason="correction",
            invoice_id=invoices[-1] if invoices else None,
            currency=organization.currency,
            start=draft.start,
            end=draft.end,
            lines_hash=await self._write_lines(organization.id, note_id, lines),
            line_count=len(lines),
            total=total_of(lines, organization.currency),
            issued_at=now,
        )

    def _period_writes(
        self, bill: Bill, documents: Sequence[BillingDocument], starts: Sequence[set[datetime]]
    ) -> list[Operation]:
        """The periods that change: those that a document bills list it, those that ended long ago are settled."""
        now = self._clock.now()
        writes: list[Operation] = []
        for guard, open_until in zip(bill.guards, bill.open_until, strict=True):
            if guard.item is None or guard.etag is None:
                continue
            listed = tuple(
                document for document, found in zip(documents, starts, strict=True) if guard.period.start in found
            )
            changed = guard.item.changed(documents=(*guard.item.documents, *listed))
            if guard.period.start < bill.own.end and _found_right(guard.item, now):
                settled = changed.settled or open_until <= now - SETTLES_AFTER
                changed = changed.changed(settled=settled, open_until=None if settled else open_until)
            if changed != guard.item:
                writes.append(Replace(changed.document(), guard.etag))
        return writes

    async def _numbering(self, organization: Organization) -> tuple[Numbering, str | None]:
        item = await self._store.get(INVOICES.name, organization.id, _NUMBERING)
        if item is None:
            return Numbering(id=_NUMBERING, name=organization.slug.upper()), None
        return Numbering.read(item.document), item.etag

    # Reading

    async def get_item(self, organization_id: str, invoice_id: str) -> tuple[Invoice, str]:
        """Raises `NotFoundError`."""
        item = await self._store.get(INVOICES.name, organization_id, invoice_id) if is_id(invoice_id, "inv") else None
        if item is None:
            raise NotFoundError("There is no such invoice")
        return Invoice.read(item.document), item.etag

    async def page(self, organization_id: str, status: str | None, limit: int, cursor: str | None) -> Page:
        """By period, newest first."""
        equals = {"status": status} if status is not None else None
        return await self._store.query(
            INVOICES.name,
            organization_id,
            Invoice.kind,
            equals=equals,
            order_by="start",
            descending=True,
            limit=limit,
            cursor=cursor,
        )

    async def credit_notes(self, organization_id: str, invoice_id: str) -> list[CreditNote]:
        page = await self._store.query(
            INVOICES.name, organization_id, CreditNote.kind, equals={"invoice_id": invoice_id}, limit=100
        )
        return [CreditNote.read(item.document) for item in page.items]

    async def preview(self, organization: Organization, own: Period) -> Bill:
        """What the close of the period would issue if nothing more were reported. Changes nothing. Raises
        `UnavailableError`.
        """
        return await self.bill(organization, own, create=False)


def _open_until(period: Period, due: Iterable[Line]) -> datetime:
    """Its end, or that of the longest quarter or year that is due in it in advance: agents and seats come and go."""
    ahead = [line.covers.end for line in due if line.timing == "advance" and line.covers is not None]
    return max([period.end, *ahead])


def _found_right(item: PeriodItem, now: datetime) -> bool:
    """Whether a finalization now would have seen all that moved the period so far."""
    still = item.changed_after_end_at is None or item.changed_after_end_at <= now - READS_LAG
    return still and item.end <= now - SETTLES_AFTER


def _billing(document_type: Literal["invoice", "credit_note"], document: Invoice | CreditNote) -> BillingDocument:
    return BillingDocument(
        id=document.id, type=document_type, lines_hash=document.lines_hash, line_count=document.line_count
    )


def _lines_id(document_id: str, lines_hash: str, number: int) -> str:
    return f"{document_id}:{lines_hash}:{number}"


def _chunks(lines: Sequence[Line]) -> Iterable[list[Line]]:
    """Of at most 500 lines, and well below what an item may hold."""
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
