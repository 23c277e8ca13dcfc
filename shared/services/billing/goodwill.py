"""Credit notes by hand: goodwill on lines of an issued invoice, at most what is left of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

from shared.containers import INVOICES
from shared.domain.billing.account import Movement
from shared.domain.billing.concessions import goodwill_line, goodwill_line_with_tax
from shared.domain.billing.discounts import net_amounts, place_of
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.e_invoice_fields import check_agreed
from shared.domain.billing.moved_goodwill import given_back, is_goodwill
from shared.domain.billing.payments import CancelledError, checked_amount
from shared.domain.billing.taxes import taxed, with_tax
from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError
from shared.domain.kernel.money import EXACT, ZERO, round_half_up
from shared.domain.kernel.shares import split
from shared.domain.pricing.lines import Line
from shared.domain.pricing.treatments import Treatment
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.accounts import Accounts
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.dunning import Dunning
from shared.services.billing.numbering import Numberings
from shared.services.billing.operator_profiles import OperatorProfiles
from shared.services.billing.tax_currencies import TaxCurrencies
from shared.services.periods.periods import BillingDocument, PeriodItem, Periods
from shared.services.storage import (
    Operation,
    Outbox,
    Records,
    StaleEtagError,
    Store,
    Stored,
    creating,
    look_twice,
    putting,
    replacing,
    retry_lost_races,
)

Settle = Literal["open", "balance"]
"""Where a note goes: to what is open of its invoice first, or to the balance at once."""
_MAYBE_STALE = (NotFoundError, ConflictError, ValidationError)


@dataclass(frozen=True, slots=True)
class LineAmount:
    """So much of one line; the period is named by its local start date."""

    key: str
    period: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class GoodwillDraft:
    """What is given, and why: of lines, or an amount over all lines of the invoice."""

    text: str
    amount: Decimal | None = None
    lines: Sequence[LineAmount] = ()
    settle: Settle = "open"


@dataclass(frozen=True, slots=True)
class _LeftLine:
    """A line of the invoice, with what is left of it: billed by all documents after discounts, less what was given."""

    line: Line
    left: Decimal


class Goodwill:
    """The note is listed on the periods of its lines, so that what is due never falls below what was given."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        periods: Periods,
        documents: BillingDocuments,
        accounts: Accounts,
        dunning: Dunning,
        outbox: Outbox,
        profiles: OperatorProfiles,
        tax_currencies: TaxCurrencies,
    ) -> None:
        self._store = store
        self._clock = clock
        self._periods = periods
        self._documents = documents
        self._accounts = accounts
        self._dunning = dunning
        self._outbox = outbox
        self._profiles = profiles
        self._tax_currencies = tax_currencies
        self._numberings = Numberings(store)
        self._notes = Records(store, INVOICES, CreditNote, prefix="cn")

    async def give(self, organization: Organization, note_id: str, invoice_id: str, draft: GoodwillDraft) -> CreditNote:
        """Issue a credit note, once under its id.

        Raises `NotFoundError`, `CancelledError`, `ConflictError` for a draft, and `ValidationError` for more than is
        left, or where its electronic invoice lacks a field.
        """

        async def attempt() -> CreditNote:
            made = await self._notes.find(organization.id, note_id)
            return made.entity if made is not None else await self._issue(organization, note_id, invoice_id, draft)

        return await _repeated(attempt)

    async def _issue(
        self, organization: Organization, note_id: str, invoice_id: str, draft: GoodwillDraft
    ) -> CreditNote:
        now = self._clock.now()
        invoice = (await self._documents.invoice(organization.id, invoice_id)).entity
        _check(invoice)
        items, left = await self._left(invoice)
        lines = _lines(draft, left, invoice)
        numbered = await self._numberings.read(organization)
        number, counted = numbered.next("CN", now)
        details = await self._profiles.details(organization, now)
        check_agreed(details, invoice.currency, lines, is_open=False)
        note = CreditNote.goodwill(note_id, invoice, number, lines, draft.text, now).changed(details=details)
        note = await self._tax_currencies.on_note(organization, note, now)
        amount = -note.total
        on_invoice = amount if draft.settle == "open" else ZERO
        lowered = await self._accounts.lowered(organization.id, on_invoice, [invoice_id], now)
        rest = EXACT.add(lowered.rest, EXACT.subtract(amount, on_invoice))
        note = replace(lowered, rest=rest).noted_in(note)
        read = await self._accounts.read(organization.id, now)
        still_due = ZERO if invoice_id in lowered.settled else invoice.amount_due
        entries = self._dunning.lowered_entries(invoice, still_due)
        operations: list[Operation] = [
            creating(note),
            counted,
            *lowered.writes,
            *_listing(items, note, lines),
            *read.writing([Movement("credit_note", amount, note.id)], note.to_balance, now),
            *map(putting, entries),
        ]
        await self._documents.note_owner(organization.id, note.id)
        await self._documents.write_lines(organization.id, note, lines)
        await self._store.batch(INVOICES.name, organization.id, operations)
        for entry in entries:
            await self._outbox.attempt(INVOICES.name, organization.id, entry.id)
        return note

    async def _left(self, invoice: Invoice) -> tuple[Mapping[datetime, Stored[PeriodItem]], list[_LeftLine]]:
        """The periods that the invoice bills, and what is left of each of its positive lines."""
        lines = await self._documents.lines(invoice.organization_id, invoice)
        if invoice.invoice_kind == "manual":
            return {}, await self._left_by_hand(invoice, lines)
        items: dict[datetime, Stored[PeriodItem]] = {}
        left: dict[tuple[datetime, str], _LeftLine] = {}
        for start in sorted({line.period.start for line in lines}):
            items[start] = item = await self._periods.item(invoice.organization_id, start)
            billed: list[Line] = []
            given: list[Line] = []
            for document in item.entity.documents:
                if document.type != "waiver":
                    of_document = await self._documents.lines(invoice.organization_id, document)
                    (given if document.type == "goodwill" else billed).extend(of_document)
            before = given_back([*given, *filter(is_goodwill, billed)], start)
            present = _present(billed, start)
            for line in lines:
                is_charge = line.discount is None and not is_goodwill(line)
                if line.period.start == start and is_charge and line.key in present:
                    treatment, amount = present[line.key]
                    remains = EXACT.subtract(amount, before.get(line.key, ZERO))
                    taxed_so = line.model_copy(update={"treatment": treatment})
                    left[start, line.key] = _LeftLine(taxed_so, max(remains, ZERO))
        return items, list(left.values())

    async def _left_by_hand(self, invoice: Invoice, lines: Sequence[Line]) -> list[_LeftLine]:
        """Of an invoice by hand, which no period lists: less what its own notes gave.

        Raises `StaleEtagError` where a read does not show all of them yet.
        """
        notes = await self._documents.credit_notes(invoice.organization_id, invoice.id)
        if len(notes) != invoice.credit_notes:
            raise StaleEtagError("a credit note was given a moment ago and cannot be read yet")
        given = [line for note in notes for line in await self._documents.lines(invoice.organization_id, note)]
        before = given_back(given, invoice.start)
        return [
            _LeftLine(line, EXACT.subtract(line.amount, before.get(line.key, ZERO)))
            for line in lines
            if line.amount > before.get(line.key, ZERO)
        ]


def _present(billed: Sequence[Line], start: datetime) -> dict[str, tuple[Treatment | None, Decimal]]:
    """How each line of a period is taxed at present, and what documents have billed of it after its discounts."""
    billing = [line for line in billed if line.period.start == start and not is_goodwill(line)]
    amounts = net_amounts(billing)
    sums: dict[str, Decimal] = {}
    for (_, key, _), amount in amounts.items():
        sums[key] = EXACT.add(sums.get(key, ZERO), amount)
    charges = [line for line in billing if line.discount is None]
    present = {line.key: line for line in charges}
    present |= {line.key: line for line in charges if amounts[place_of(line)] > 0}
    return {key: (line.treatment, sums[key]) for key, line in present.items()}


def _check(invoice: Invoice) -> None:
    if invoice.status == "draft":
        raise ConflictError("The invoice is a draft, of which nothing is billed yet: there is nothing to give back")
    if invoice.status == "cancelled":
        raise CancelledError("The invoice is cancelled, so nothing of it is left to give back")


def _lines(draft: GoodwillDraft, left: Sequence[_LeftLine], invoice: Invoice) -> list[Line]:
    """The lines of the note. Raises `ValidationError`."""
    if draft.amount is not None:
        return _split(checked_amount(draft.amount, invoice.currency, "/amount"), left, invoice)
    zone = ZoneInfo(invoice.timezone)
    named = {(each.line.period.start.astimezone(zone).date(), each.line.key): each for each in left}
    wanted: dict[tuple[date, str], Decimal] = {}
    for place, given in enumerate(draft.lines):
        where, key = f"/lines/{place}", (given.period, given.key)
        if key not in named:
            raise ValidationError.at(where, "is no line of the invoice: name its key and its period's local start date")
        if key in wanted:
            raise ValidationError.at(where, "is named twice")
        wanted[key] = checked_amount(given.amount, invoice.currency, f"{where}/amount")
        if wanted[key] > named[key].left:
            raise ValidationError.at(f"{where}/amount", f"is more than {named[key].left}, which is left of the line")
    given_lines = [goodwill_line(named[key].line, amount) for key, amount in sorted(wanted.items())]
    return list(taxed(given_lines, invoice.currency))


def _split(amount: Decimal, left: Sequence[_LeftLine], invoice: Invoice) -> list[Line]:
    """The amount, which contains its tax, over all lines, in proportion to what is left of them."""
    gross = [with_tax(each.left, each.line.treatment) for each in left]
    whole = round_half_up(sum(gross, Fraction(0)), invoice.currency)
    if amount > whole:
        raise ValidationError.at("/amount", f"is more than {whole}, which is left of the invoice's lines")
    shares = split(amount, gross, invoice.currency)
    return [
        goodwill_line_with_tax(each.line, share, each.left, invoice.currency)
        for each, share in zip(left, shares, strict=True)
        if share
    ]


def _listing(items: Mapping[datetime, Stored[PeriodItem]], note: CreditNote, lines: Sequence[Line]) -> list[Operation]:
    """The periods of these lines list the note. All others of the invoice stay."""
    document = BillingDocument(id=note.id, type="goodwill", lines_hash=note.lines_hash, line_count=note.line_count)
    starts = {line.period.start for line in lines}
    return [
        replacing(item, item.entity.changed(documents=(*item.entity.documents, document)))
        for start, item in items.items()
        if start in starts
    ]


async def _repeated(attempt: Callable[[], Awaitable[CreditNote]]) -> CreditNote:
    otherwise = ConflictError("The invoice is being changed by many at once; try again")
    return await retry_lost_races(lambda: look_twice(attempt, errors=_MAYBE_STALE), otherwise)
