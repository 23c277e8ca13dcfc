"""Issuing: drafts, and finalizing them, which numbers an invoice or credit note and settles the periods it bills."""

import asyncio
import random
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from shared.containers import INVOICES
from shared.domain.billing.invoicing import CreditNote, Invoice, Numbering, invoice_id
from shared.domain.kernel.errors import UnavailableError
from shared.domain.periods.periods import Period
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Create, Delete, Operation, Replace, StaleEtagError, Store
from shared.services.billing.bills import Bill, Bills
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.settling import IssuedDocument, changed_periods
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match

_NUMBERING = "numbering"
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Issued:
    """What a finalization left: neither where there was nothing to bill."""

    invoice: Invoice | None = None
    credit_note: CreditNote | None = None


class Issuing:
    def __init__(self, store: Store, clock: Clock, owners: Owners, bills: Bills, documents: BillingDocuments) -> None:
        self._store = store
        self._clock = clock
        self._owners = owners
        self._bills = bills
        self._documents = documents

    async def draft(self, organization: Organization, period: Period) -> Invoice | None:
        """The invoice of this period: the one there is, else a new draft; None where there is nothing to bill.

        Repeating it never makes a second one, because its id is made from the period and the revision. Raises
        `UnavailableError`.
        """
        revision = 1
        while True:
            there = await self._store.get(INVOICES.name, organization.id, invoice_id(organization.id, period, revision))
            if there is None:
                break
            invoice = Invoice.read(there.document)
            if invoice.status != "cancelled":
                return invoice
            revision += 1
        bill = await self._bills.to_issue(organization, period)
        if not bill.lines:
            await self._settle(organization.id, bill)
            return None
        return await self._create(Invoice.drafted(organization, period, bill.lines, revision, self._clock.now()), bill)

    async def _create(self, draft: Invoice, bill: Bill) -> Invoice:
        """The draft, or the one that another call has made meanwhile."""
        await self._owners.note(draft.id, draft.organization_id)
        await self._documents.write_lines(draft.organization_id, draft, bill.lines)
        try:
            await self._store.create(INVOICES.name, draft.organization_id, draft.document())
        except AlreadyExistsError as error:
            there = await self._store.get(INVOICES.name, draft.organization_id, draft.id)
            if there is None:
                raise UnavailableError("The draft was made a moment ago and cannot be read yet") from error
            return Invoice.read(there.document)
        return draft

    async def finalize(self, organization: Organization, draft_id: str, if_match: str | None = None) -> Issued:
        """Number the invoice, once, with its lines computed again under the guards of all periods that it bills.

        What is finalized already stays as it is. Raises `NotFoundError`, `PreconditionFailedError`,
        `UnavailableError`.
        """
        for attempt in range(_ATTEMPTS):
            draft, etag = await self._documents.invoice(organization.id, draft_id)
            check_if_match(if_match, etag)
            if draft.status != "draft":
                return Issued(draft)
            bill = await self._bills.to_issue(organization, draft.period)
            issued, writes = await self._issue(organization, draft, etag, bill)
            try:
                await self._store.batch(INVOICES.name, organization.id, writes)
            except (StaleEtagError, AlreadyExistsError):
                await asyncio.sleep(random.uniform(0, 0.02) * attempt)  # noqa: S311  jitter
            else:
                return issued
        raise UnavailableError("The periods of the invoice are being changed by many at once")

    async def _issue(
        self, organization: Organization, draft: Invoice, etag: str, bill: Bill
    ) -> tuple[Issued, list[Operation]]:
        """What a bill makes of a draft, and the batch that issues it: header, note, numbers and periods."""
        now = self._clock.now()
        year = now.astimezone(ZoneInfo(organization.timezone)).year
        numbering, numbering_etag = await self._numbering(organization)
        composed = bill.composed()
        invoice: Invoice | None = None
        note: CreditNote | None = None
        documents: list[IssuedDocument] = []
        writes: list[Operation] = []
        if composed.invoice:
            number, numbering = numbering.next("INV", year)
            invoice = draft.issued(number, composed.invoice, now, organization.due_days)
            await self._documents.write_lines(organization.id, invoice, composed.invoice)
            writes.append(Replace(invoice.document(), etag))
            documents.append((invoice, composed.invoice))
        else:
            writes.append(Delete(draft.id, etag))
        if composed.correction:
            number, numbering = numbering.next("CN", year)
            corrected = bill.last_invoice_for({line.period.start for line in composed.correction})
            note = CreditNote.correcting(draft, number, composed.correction, corrected, now)
            await self._documents.write_lines(organization.id, note, composed.correction)
            writes.append(Create(note.document()))
            documents.append((note, composed.correction))
        if documents:
            writes.append(
                Create(numbering.document())
                if numbering_etag is None
                else Replace(numbering.document(), numbering_etag)
            )
        writes += [Replace(period.document(), guard) for period, guard in changed_periods(bill, documents, now)]
        return Issued(invoice, note), writes

    async def _numbering(self, organization: Organization) -> tuple[Numbering, str | None]:
        item = await self._store.get(INVOICES.name, organization.id, _NUMBERING)
        if item is None:
            return Numbering(id=_NUMBERING, name=organization.slug.upper()), None
        return Numbering.read(item.document), item.etag

    async def _settle(self, organization_id: str, bill: Bill) -> None:
        """Nothing is to be billed: periods that ended long ago are settled, unless one of them has just changed."""
        writes = [Replace(period.document(), guard) for period, guard in changed_periods(bill, [], self._clock.now())]
        if not writes:
            return
        try:
            await self._store.batch(INVOICES.name, organization_id, writes)
        except StaleEtagError:
            return
