"""Issuing: drafts, and finalizing them, which numbers an invoice or credit note and settles the periods it bills."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from shared.containers import INVOICES
from shared.domain.billing.account import ACCOUNT, BillingAccount
from shared.domain.billing.document_details import DocumentDetails
from shared.domain.billing.documents import CreditNote, Invoice, Numbering
from shared.domain.billing.e_invoice_fields import check_agreed
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.periods.periods import Period
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.accounts import Accounts
from shared.services.billing.bill import Bill
from shared.services.billing.bills import PERIODS_PER_BILL, Bills
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.draws import Draws
from shared.services.billing.dunning import Dunning
from shared.services.billing.numbering import NUMBERING, first_numbering
from shared.services.billing.operator_profiles import OperatorProfiles
from shared.services.billing.settling import REPLICA_LAG, IssuedDocument, changed_periods
from shared.services.billing.tax_currencies import TaxCurrencies
from shared.services.storage import (
    Operation,
    Outbox,
    StaleEtagError,
    Store,
    Stored,
    creating,
    deleting,
    get_two,
    look_twice,
    putting,
    replacing,
    retry_lost_races,
)


@dataclass(frozen=True, slots=True)
class Issued:
    """What a finalization left: neither where there was nothing to bill."""

    invoice: Invoice | None = None
    credit_note: CreditNote | None = None


class Issuing:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        bills: Bills,
        documents: BillingDocuments,
        draws: Draws,
        accounts: Accounts,
        dunning: Dunning,
        outbox: Outbox,
        profiles: OperatorProfiles,
        tax_currencies: TaxCurrencies,
    ) -> None:
        self._store = store
        self._clock = clock
        self._bills = bills
        self._documents = documents
        self._draws = draws
        self._accounts = accounts
        self._dunning = dunning
        self._outbox = outbox
        self._profiles = profiles
        self._tax_currencies = tax_currencies

    async def draft(
        self, organization: Organization, period: Period, changed_at: datetime | None = None
    ) -> Invoice | None:
        """The invoice of this period: the issued one, else its draft; None where there is nothing to bill.

        A draft's totals are computed again: always, or with `changed_at` where they may not rest on what changed then.
        Repeating it never makes a second one, because its id is made from the period and the revision. Raises
        `UnavailableError`.
        """
        invoice = await self._documents.latest_invoice(organization.id, period)
        if invoice is None or invoice.status == "cancelled":
            return await self._new_draft(organization, period, 1 if invoice is None else invoice.revision + 1)
        if invoice.status == "draft" and _may_be_outdated(invoice, changed_at):
            return await self._refreshed(organization, invoice)
        return invoice

    async def _new_draft(self, organization: Organization, period: Period, revision: int) -> Invoice | None:
        now = self._clock.now()
        if period.end + timedelta(hours=organization.grace_hours) <= now:
            await self._draws.close(organization, period)
        bill = await self._bills.of_draft(organization, period)
        if not bill.lines:
            await self._settle(organization.id, bill)
            return None
        return await self._documents.create_draft(Invoice.drafted(organization, period, bill.lines, revision, now))

    async def _refreshed(self, organization: Organization, draft: Invoice) -> Invoice:
        now = self._clock.now()
        bill = await self._bills.of_draft(organization, draft.period)
        try:
            return await self._documents.refresh_draft(draft, bill.lines, now)
        except (NotFoundError, ConflictError) as error:
            raise UnavailableError("The draft is being finalized") from error

    async def finalize(self, organization: Organization, draft_id: str, if_match: str | None = None) -> Issued:
        """Number the invoice, once, with its lines computed again.

        They are computed under the guards of all periods that it bills. What is finalized already stays as it is.
        Raises `NotFoundError`, `PreconditionFailedError`, `UnavailableError`, `ConflictError` where an earlier draft is
        open or its periods are changed by many at once, and `ValidationError` where the electronic invoice lacks a
        field.
        """

        async def attempt() -> Issued:
            draft = await self._documents.invoice(organization.id, draft_id, if_match)
            if draft.entity.status != "draft":
                return Issued(draft.entity)
            await self.check_order(draft.entity)
            await self._draws.close(organization, draft.entity.period)
            bill = await self._bills.to_issue(organization, draft.entity.period)
            return await self._issue(organization, draft, bill)

        otherwise = ConflictError("The periods of the invoice are being changed by many at once; try again")
        return await retry_lost_races(attempt, otherwise)

    async def issue_interim(self, organization: Organization, invoice_id: str) -> Invoice | None:
        """Number an invoice of what is due in advance by now, once; None where that is nothing, or falls.

        Raises `UnavailableError`, `ConflictError` where its periods are changed by many at once, and `ValidationError`
        where its electronic invoice lacks a field.
        """

        async def attempt() -> Invoice | None:
            issued = await self._documents.find_invoice(organization.id, invoice_id)
            if issued is not None:
                return issued
            now = self._clock.now()
            bill = await self._bills.interim(organization, now)
            return await self._issue_interim(organization, invoice_id, bill, now) if bill.is_to_be_issued else None

        otherwise = ConflictError("The periods of the invoice are being changed by many at once; try again")
        return await retry_lost_races(attempt, otherwise)

    async def _issue_interim(self, organization: Organization, invoice_id: str, bill: Bill, now: datetime) -> Invoice:
        """Raises `StaleEtagError` or `AlreadyExistsError` where something has changed since it was read."""
        before, account = await self._numbering_and_account(organization.id)
        numbering = before.entity if before is not None else first_numbering(organization)
        number, numbering = numbering.next("INV", now.astimezone(ZoneInfo(organization.timezone)).year)
        lines = bill.composed().invoice
        draft = Invoice.interim(organization, invoice_id, bill.invoiced_period, lines, now)
        details = await self._profiles.details(organization, now)
        check_agreed(details, organization.currency, lines, is_open=True)
        invoice = draft.issued(number, lines, now, organization.due_days).changed(details=details)
        invoice = await self._tax_currencies.on_invoice(organization, invoice, now)
        await self._documents.note_owner(organization.id, invoice.id)
        await self._documents.write_lines(organization.id, invoice, lines)
        counted = replacing(before, numbering) if before is not None else creating(numbering)
        read = await self._accounts.of(organization.id, account, now)
        on_account = await self._accounts.issuing(read, invoice, None, (), now)
        invoice = on_account.invoice or invoice
        writes = [creating(invoice), counted, *on_account.writes]
        await self._commit(organization.id, writes, bill, [(invoice, lines)], on_account.settled)
        return invoice

    async def _numbering_and_account(
        self, organization_id: str
    ) -> tuple[Stored[Numbering] | None, Stored[BillingAccount] | None]:
        return await get_two(self._store, INVOICES, organization_id, (Numbering, NUMBERING), (BillingAccount, ACCOUNT))

    async def check_order(self, draft: Invoice) -> None:
        """Raises `ConflictError` while the draft of an earlier period is open.

        Its amounts would become adjustments on this one. Money does not rest on the order: whatever is finalized first
        bills what is not billed yet.
        """

        async def earliest() -> Invoice | None:
            return next(iter(await self._documents.drafts(draft.organization_id, limit=1)), None)

        def is_earlier(other: Invoice | None) -> bool:
            return other is not None and other.start < draft.start

        first = await look_twice(earliest, is_doubtful=is_earlier)
        if first is not None and is_earlier(first):
            raise ConflictError(f"The draft {first.id} of an earlier period is open: finalize it first")

    async def due_drafts(self, organization_id: str, until: datetime) -> list[Invoice]:
        """Drafts of periods that ended by then and whose grace time is over, earliest first.

        The first one whose grace time goes on holds back those after it.
        """
        now = self._clock.now()
        drafts = await self._documents.drafts(organization_id, PERIODS_PER_BILL)
        return list(takewhile(lambda draft: draft.end <= until and draft.finalize_at <= now, drafts))

    async def _issue(self, organization: Organization, draft: Stored[Invoice], bill: Bill) -> Issued:
        """Turn a draft into what its bill says, in one batch: header, note, numbers and periods.

        Raises `StaleEtagError` or `AlreadyExistsError` where one of them has changed since it was read.
        """
        now = self._clock.now()
        before, account = await self._numbering_and_account(organization.id)
        numbering = before.entity if before is not None else first_numbering(organization)
        details = await self._profiles.details(organization, now)
        issued, documents, numbering = _issued(organization, draft.entity, bill, numbering, details)
        for header, lines in documents:
            check_agreed(details, header.currency, lines, is_open=header.total > 0)
            await self._documents.write_lines(organization.id, header, lines)
        if issued.credit_note is not None:
            await self._documents.note_owner(organization.id, issued.credit_note.id)
        read = await self._accounts.of(organization.id, account, now)
        corrected = bill.invoices_for(
            {line.period.start for header, lines in documents if header == issued.credit_note for line in lines}
        )
        issued = await self._in_tax_currency(organization, issued, now)
        on_account = await self._accounts.issuing(read, issued.invoice, issued.credit_note, corrected, now)
        issued = Issued(on_account.invoice, on_account.credit_note)
        writes = [
            replacing(draft, issued.invoice) if issued.invoice is not None else deleting(draft),
            *on_account.writes,
        ]
        if issued.credit_note is not None:
            writes.append(creating(issued.credit_note))
        if documents:
            writes.append(replacing(before, numbering) if before is not None else creating(numbering))
        await self._commit(organization.id, writes, bill, documents, on_account.settled)
        return issued

    async def _in_tax_currency(self, organization: Organization, issued: Issued, now: datetime) -> Issued:
        invoice, note = issued.invoice, issued.credit_note
        return Issued(
            None if invoice is None else await self._tax_currencies.on_invoice(organization, invoice, now),
            None if note is None else await self._tax_currencies.on_note(organization, note, now),
        )

    async def _commit(
        self,
        organization_id: str,
        writes: Sequence[Operation],
        bill: Bill,
        documents: Sequence[IssuedDocument],
        settled: Sequence[str] = (),
    ) -> None:
        """These writes with what the bill changes of its periods, and what follows from settled invoices.

        Raises as `_issue`.
        """
        lowering = await self._draws.lowering(organization_id, bill)
        changed = changed_periods(bill, documents, lowering.drawn, self._clock.now())
        entries = [*lowering.entries, *(self._dunning.settled_entry(organization_id, id_) for id_ in settled)]
        operations = [*writes, *(replacing(*period) for period in changed), *map(putting, entries)]
        if not operations:
            return
        await self._store.batch(INVOICES.name, organization_id, operations)
        for entry in entries:
            await self._outbox.attempt(INVOICES.name, organization_id, entry.id)

    async def _settle(self, organization_id: str, bill: Bill) -> None:
        """Nothing is to be billed: settle what ended long ago, unless something has just changed.

        Where earlier drafts are open, nothing is settled: the bill takes them to be issued.
        """
        if bill.issued_first:
            return
        with suppress(StaleEtagError):
            await self._commit(organization_id, [], bill, [])


def _may_be_outdated(draft: Invoice, changed_at: datetime | None) -> bool:
    """True where the draft's totals may have been computed without what changed then, or without a time at all."""
    computed_at = draft.totals_as_of
    return changed_at is None or computed_at is None or computed_at < changed_at + REPLICA_LAG


def _issued(
    organization: Organization, draft: Invoice, bill: Bill, numbering: Numbering, details: DocumentDetails
) -> tuple[Issued, list[IssuedDocument], Numbering]:
    """What a bill makes of a draft as of the details, with each document's lines and the numbering.

    The year in a number is that of the issue in the organization's timezone.
    """
    now = details.as_of
    year = now.astimezone(ZoneInfo(organization.timezone)).year
    composed = bill.composed()
    invoice: Invoice | None = None
    note: CreditNote | None = None
    documents: list[IssuedDocument] = []
    if composed.invoice:
        number, numbering = numbering.next("INV", year)
        invoice = draft.issued(number, composed.invoice, now, organization.due_days).changed(details=details)
        documents.append((invoice, composed.invoice))
    if composed.correction:
        number, numbering = numbering.next("CN", year)
        corrected = bill.last_invoice_for({line.period.start for line in composed.correction})
        note = CreditNote.correcting(draft, number, composed.correction, corrected, now).changed(details=details)
        documents.append((note, composed.correction))
    return Issued(invoice, note), documents, numbering
