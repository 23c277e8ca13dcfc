"""Invoices by hand: drafted, changed, and finalized onto the account. They neither wait for others nor block them."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.containers import INVOICES
from shared.domain.billing.documents import Invoice
from shared.domain.billing.e_invoice_fields import check_agreed
from shared.domain.billing.manual_invoices import ManualLine, Particulars, drafted_by_hand, with_lines
from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.accounts import Accounts
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.numbering import Numberings
from shared.services.billing.operator_profiles import OperatorProfiles
from shared.services.billing.tax_currencies import TaxCurrencies
from shared.services.storage import Store, Stored, look_twice, replacing, retry_lost_races


class ManualInvoices:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        documents: BillingDocuments,
        accounts: Accounts,
        profiles: OperatorProfiles,
        tax_currencies: TaxCurrencies,
    ) -> None:
        self._store = store
        self._tax_currencies = tax_currencies
        self._clock = clock
        self._documents = documents
        self._accounts = accounts
        self._profiles = profiles
        self._numberings = Numberings(store)

    async def create(
        self, organization: Organization, invoice_id: str, lines: Sequence[ManualLine], particulars: Particulars
    ) -> Invoice:
        """A draft; repeating it with the same id gives what was created. Raises `ValidationError`."""
        draft, rated = drafted_by_hand(organization, invoice_id, lines, particulars, self._clock.now())
        await self._documents.write_lines(organization.id, draft, rated)
        return await self._documents.create_draft(draft)

    async def change(
        self,
        organization_id: str,
        invoice_id: str,
        particulars: Mapping[str, Any],
        lines: Sequence[ManualLine] | None,
        if_match: str | None,
    ) -> Stored[Invoice]:
        """Change what is written on a draft, and the lines of one by hand.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for what is issued, `ValidationError`.
        """

        async def decide(draft: Invoice) -> Invoice:
            if draft.status != "draft":
                raise ConflictError("The invoice is issued, so nothing of it changes any more")
            changed = draft.changed(**particulars)
            if lines is None:
                return changed
            if draft.invoice_kind != "manual":
                raise ValidationError.at(
                    "/lines", "are computed from what is due; only those of a draft by hand change"
                )
            changed, rated = with_lines(changed, lines, self._clock.now())
            await self._documents.write_lines(organization_id, changed, rated)
            return changed

        return await self._documents.change(organization_id, invoice_id, decide, if_match)

    async def finalize(self, organization: Organization, invoice_id: str, if_match: str | None) -> Invoice:
        """Number it, once, as it was drafted.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError`, and `ValidationError` where its electronic
        invoice lacks a field.
        """

        async def attempt() -> Invoice:
            draft = await self._documents.invoice(organization.id, invoice_id, if_match)
            if draft.entity.status != "draft":
                return draft.entity
            return await self._issue(organization, draft)

        otherwise = ConflictError("The account is being changed by many at once; try again")
        return await retry_lost_races(lambda: look_twice(attempt, errors=(NotFoundError,)), otherwise)

    async def _issue(self, organization: Organization, draft: Stored[Invoice]) -> Invoice:
        now = self._clock.now()
        lines = await self._documents.lines(organization.id, draft.entity)
        numbering = await self._numberings.read(organization)
        number, counted = numbering.next("INV", now)
        details = await self._profiles.details(organization, now)
        check_agreed(details, organization.currency, lines, is_open=draft.entity.total > 0)
        invoice = draft.entity.issued(number, lines, now, organization.due_days).changed(details=details)
        invoice = await self._tax_currencies.on_invoice(organization, invoice, now)
        read = await self._accounts.read(organization.id, now)
        on_account = await self._accounts.issuing(read, invoice, None, (), now)
        invoice = on_account.invoice or invoice
        operations = [replacing(draft, invoice), counted, *on_account.writes]
        await self._store.batch(INVOICES.name, organization.id, operations)
        return invoice
