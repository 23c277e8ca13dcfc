"""Cancelling: an issued invoice is owed no longer, and its periods are billed again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.containers import INVOICES
from shared.domain.billing.account import Movement
from shared.domain.billing.concessions import waived_lines
from shared.domain.billing.documents import Invoice
from shared.domain.billing.invoicing import hash_of
from shared.domain.kernel.errors import ConflictError, NotFoundError
from shared.domain.kernel.money import ZERO
from shared.domain.pricing.lines import Line
from shared.ports.clock import Clock
from shared.services.billing.accounts import Accounts
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.dunning import Dunning
from shared.services.periods.periods import BillingDocument, PeriodItem, Periods
from shared.services.storage import Operation, Outbox, Store, Stored, look_twice, putting, replacing, retry_lost_races


@dataclass(frozen=True, slots=True)
class Waiver:
    """What is waived with a cancelled invoice, and the periods that it is waived of."""

    listed: BillingDocument
    starts: frozenset[datetime]


class Cancelling:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        periods: Periods,
        documents: BillingDocuments,
        accounts: Accounts,
        dunning: Dunning,
        outbox: Outbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._periods = periods
        self._documents = documents
        self._accounts = accounts
        self._dunning = dunning
        self._outbox = outbox

    async def cancel(
        self, organization_id: str, invoice_id: str, if_match: str | None = None, *, waive: bool = False
    ) -> Invoice:
        """Take an issued invoice back, in one batch: its periods list it no longer and are billed again.

        The balance that it took returns. With `waive` what it came to is not billed again. One that is cancelled
        already stays so. Raises `NotFoundError`,
        `PreconditionFailedError`, and `ConflictError` for a draft and where payments or credit notes lie on it.
        """

        async def attempt() -> Invoice:
            invoice = await self._documents.invoice(organization_id, invoice_id, if_match)
            if invoice.entity.status == "cancelled":
                return invoice.entity
            now = self._clock.now()
            if invoice.entity.status == "draft" and invoice.entity.invoice_kind == "manual":
                cancelled = invoice.entity.cancelled(now)
                await self._store.batch(INVOICES.name, organization_id, [replacing(invoice, cancelled)])
                return cancelled
            await self._check(invoice.entity)
            lines = await self._period_lines(invoice.entity)
            waiver = await self._waiver(invoice.entity, lines) if waive else None
            periods = await self._taken_off(invoice.entity, {line.period.start for line in lines}, waiver, now)
            read = await self._accounts.read(organization_id, now)
            movement = Movement("cancellation", invoice.entity.total, invoice_id)
            cancelled = invoice.entity.cancelled(now)
            operations: list[Operation] = [replacing(invoice, cancelled)]
            operations += [replacing(*period) for period in periods]
            operations += read.writing([movement], invoice.entity.credits_applied, now)
            entries = self._dunning.lowered_entries(invoice.entity, ZERO)
            await self._store.batch(INVOICES.name, organization_id, [*operations, *map(putting, entries)])
            for entry in entries:
                await self._outbox.attempt(INVOICES.name, organization_id, entry.id)
            return cancelled

        refusals = (NotFoundError, ConflictError)
        otherwise = ConflictError("The invoice is being changed by many at once; try again")
        return await retry_lost_races(lambda: look_twice(attempt, errors=refusals), otherwise)

    async def _period_lines(self, invoice: Invoice) -> Sequence[Line]:
        """The lines that bill periods: of an invoice by hand none does."""
        if invoice.invoice_kind == "manual":
            return []
        return await self._documents.lines(invoice.organization_id, invoice)

    async def _waiver(self, invoice: Invoice, lines: Sequence[Line]) -> Waiver | None:
        """What the invoice came to, to be waived of its periods; its lines are written. None where that is nothing."""
        waived = waived_lines(lines, invoice.currency)
        if not waived:
            return None
        document = BillingDocument(
            id=f"{invoice.id}:waiver", type="waiver", lines_hash=hash_of(waived), line_count=len(waived)
        )
        await self._documents.write_lines(invoice.organization_id, document, waived)
        return Waiver(document, frozenset(line.period.start for line in waived))

    async def _check(self, invoice: Invoice) -> None:
        """Raises `ConflictError` where it cannot be cancelled."""
        if invoice.status == "draft":
            raise ConflictError("The invoice is a draft: it is owed by nobody, and computed again until it is issued")
        if invoice.amount_paid:
            raise ConflictError("A payment lies on the invoice; give a credit note for what is not owed")
        notes = await self._documents.credit_notes(invoice.organization_id, invoice.id)  # of before they were counted
        if invoice.credit_notes or notes:
            raise ConflictError("A credit note lies on the invoice; give another one for what is not owed")

    async def _taken_off(
        self, invoice: Invoice, starts: set[datetime], waiver: Waiver | None, now: datetime
    ) -> Sequence[tuple[Stored[PeriodItem], PeriodItem]]:
        """Its periods, as they were and without it: to be compared again, less what is waived."""
        changed: list[tuple[Stored[PeriodItem], PeriodItem]] = []
        for start in sorted(starts):
            stored = await self._periods.item(invoice.organization_id, start)
            before = stored.entity
            after = before.changed(
                documents=(
                    *(document for document in before.documents if document.id != invoice.id),
                    *([waiver.listed] if waiver is not None and start in waiver.starts else []),
                ),
                settled=False,
                open_until=None,
                changes_after_end=before.changes_after_end + 1,
                changed_after_end_at=now,
            )
            changed.append((stored, after))
        return changed
