"""Issuing: drafts, and finalizing them, which numbers an invoice or credit note and settles the periods it bills."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from shared.containers import INVOICES
from shared.domain.billing.documents import CreditNote, Invoice, Numbering, invoice_id
from shared.domain.kernel.errors import ConflictError
from shared.domain.periods.periods import Period
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.bills import Bill, Bills
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.settling import IssuedDocument, changed_periods
from shared.services.storage import (
    Records,
    StaleEtagError,
    Store,
    Stored,
    creating,
    deleting,
    replacing,
    retry_lost_races,
)

_NUMBERING = "numbering"


@dataclass(frozen=True, slots=True)
class Issued:
    """What a finalization left: neither where there was nothing to bill."""

    invoice: Invoice | None = None
    credit_note: CreditNote | None = None


class Issuing:
    def __init__(self, store: Store, clock: Clock, bills: Bills, documents: BillingDocuments) -> None:
        self._store = store
        self._clock = clock
        self._bills = bills
        self._documents = documents
        self._numberings = Records(store, INVOICES, Numbering)

    async def draft(self, organization: Organization, period: Period) -> Invoice | None:
        """The invoice of this period: the one there is, else a new draft; None where there is nothing to bill.

        Repeating it never makes a second one, because its id is made from the period and the revision. Raises
        `UnavailableError`.
        """
        revision = 1
        while invoice := await self._documents.find_invoice(
            organization.id, invoice_id(organization.id, period, revision)
        ):
            if invoice.status != "cancelled":
                return invoice
            revision += 1
        bill = await self._bills.to_issue(organization, period)
        if not bill.lines:
            await self._settle(organization.id, bill)
            return None
        draft = Invoice.drafted(organization, period, bill.lines, revision, self._clock.now())
        return await self._documents.create_draft(draft, bill.lines)

    async def finalize(self, organization: Organization, draft_id: str, if_match: str | None = None) -> Issued:
        """Number the invoice, once, with its lines computed again.

        They are computed under the guards of all periods that it bills. What is finalized already stays as it is.
        Raises `NotFoundError`, `PreconditionFailedError`, `UnavailableError`, and `ConflictError` where its periods are
        changed by many at once.
        """

        async def attempt() -> Issued:
            draft = await self._documents.invoice(organization.id, draft_id, if_match)
            if draft.entity.status != "draft":
                return Issued(draft.entity)
            bill = await self._bills.to_issue(organization, draft.entity.period)
            return await self._issue(organization, draft, bill)

        otherwise = ConflictError("The periods of the invoice are being changed by many at once; try again")
        return await retry_lost_races(attempt, otherwise)

    async def _issue(self, organization: Organization, draft: Stored[Invoice], bill: Bill) -> Issued:
        """Turn a draft into what its bill says, in one batch: header, note, numbers and periods.

        Raises `StaleEtagError` or `AlreadyExistsError` where one of them has changed since it was read.
        """
        now = self._clock.now()
        before = await self._numberings.find(organization.id, _NUMBERING)
        numbering = before.entity if before is not None else _first_numbering(organization)
        issued, documents, numbering = _issued(organization, draft.entity, bill, numbering, now)
        for header, lines in documents:
            await self._documents.write_lines(organization.id, header, lines)
        writes = [replacing(draft, issued.invoice) if issued.invoice is not None else deleting(draft)]
        if issued.credit_note is not None:
            writes.append(creating(issued.credit_note))
        if documents:
            writes.append(replacing(before, numbering) if before is not None else creating(numbering))
        writes += [replacing(stored, changed) for stored, changed in changed_periods(bill, documents, now)]
        await self._store.batch(INVOICES.name, organization.id, writes)
        return issued

    async def _settle(self, organization_id: str, bill: Bill) -> None:
        """Nothing is to be billed: settle what ended long ago, unless something has just changed."""
        writes = [replacing(stored, changed) for stored, changed in changed_periods(bill, [], self._clock.now())]
        if not writes:
            return
        try:
            await self._store.batch(INVOICES.name, organization_id, writes)
        except StaleEtagError:
            return


def _first_numbering(organization: Organization) -> Numbering:
    return Numbering(id=_NUMBERING, name=organization.slug.upper())


def _issued(
    organization: Organization, draft: Invoice, bill: Bill, numbering: Numbering, now: datetime
) -> tuple[Issued, list[IssuedDocument], Numbering]:
    """What a bill makes of a draft, with each document's lines and the numbering.

    The year in a number is that of the issue in the organization's timezone.
    """
    year = now.astimezone(ZoneInfo(organization.timezone)).year
    composed = bill.composed()
    invoice: Invoice | None = None
    note: CreditNote | None = None
    documents: list[IssuedDocument] = []
    if composed.invoice:
        number, numbering = numbering.next("INV", year)
        invoice = draft.issued(number, composed.invoice, now, organization.due_days)
        documents.append((invoice, composed.invoice))
    if composed.correction:
        number, numbering = numbering.next("CN", year)
        corrected = bill.last_invoice_for({line.period.start for line in composed.correction})
        note = CreditNote.correcting(draft, number, composed.correction, corrected, now)
        documents.append((note, composed.correction))
    return Issued(invoice, note), documents, numbering
