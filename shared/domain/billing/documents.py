"""Documents: the headers of invoices and credit notes, and the numbers that they get."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from shared.domain.billing.discounts import DocumentDiscount, discounts_of
from shared.domain.billing.document_details import DocumentDetails
from shared.domain.billing.invoice_verbs import verb_of_invoice
from shared.domain.billing.invoicing import DraftTotals, compose, hash_of, total_of
from shared.domain.billing.tax_currency import TaxCurrency
from shared.domain.billing.taxes import TaxLine, tax_lines_of
from shared.domain.kernel.audit import FOLLOWS, Audit, Audited, called_at_creation
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import EXACT, ZERO, RoundedAmount, add, round_half_up, total
from shared.domain.kernel.times import Instant, to_text
from shared.domain.kernel.value import Value
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line
from shared.domain.tenancy.organizations import Organization

InvoiceStatus = Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"]
InvoiceKind = Literal["period", "interim", "manual"]
"""`period`: of a billing period that has ended. `interim`: of what a change of subscriptions makes due in advance.

`manual`: of lines that were entered by hand.
"""
_COPIED = frozenset({"details"})
"""Copied from what the trail tells of already, names of people among it."""
LINES_SHOWN = 500
"""How many lines an answer shows of one document."""


class Invoice(Entity):
    """An invoice's header. Its lines are items of their own, which `lines_hash` names.

    A draft has no such items: its lines are computed when it is read, and its header keeps what they came to before.
    """

    kind: ClassVar[str] = "invoice"
    audit: ClassVar[Audit] = Audited(area="invoices", verb=verb_of_invoice, secret=_COPIED)

    organization_id: str
    number: str | None = None
    invoice_kind: InvoiceKind = "period"
    status: InvoiceStatus
    currency: str
    start: Instant
    end: Instant
    timezone: str
    revision: int
    """Counts the invoices of one period: each cancelled one is followed by the next. 0 for an interim one."""
    lines_hash: str
    line_count: int
    total: RoundedAmount
    """The sum of the lines. Negative for a draft that finalizing turns into a credit note."""
    tax_lines: tuple[TaxLine, ...] = ()
    """What it says of each treatment; of a draft as it was computed."""
    discounts: tuple[DocumentDiscount, ...] = ()
    """What coupons take off it; of a draft as it was computed."""
    tax_currency: TaxCurrency | None = None
    """Its tax in the currency of a tax office; None in a draft."""
    draft_totals: DraftTotals | None = None
    """Only in a draft; missing in drafts that were made before this field."""
    as_of: Instant | None = None
    """When the totals of a draft were computed; missing in drafts that were made before this field."""
    created_at: Instant
    finalize_at: Instant
    """When a draft's grace time is over."""
    issued_at: Instant | None = None
    payable_by: Instant | None = None
    finalized_at: Instant | None = None
    cancelled_at: Instant | None = None
    amount_paid: RoundedAmount = ZERO
    """By payments, of what was open."""
    credits_applied: RoundedAmount = ZERO
    """From the balance of the account."""
    applied_when_issued: RoundedAmount = ZERO
    """What it took from the balance when it was issued: what is printed on it for good."""
    amount_credited: RoundedAmount = ZERO
    """By credit notes, of what was open."""
    credit_notes: int = 0
    """How many credit notes lie on it: counted, so that none comes while it is cancelled."""
    purchase_order: str | None = None
    reference: str | None = None
    notes: str | None = None
    custom_fields: dict[str, str] = {}
    reminded: tuple[int, ...] = ()
    """The reminders that were decided on, by their days from when it is due."""
    details: DocumentDetails | None = None
    """What it says of both parties; None in a draft, and of what was issued before this was kept."""
    metadata: dict[str, Any] = {}

    @property
    def is_computed(self) -> bool:
        """Whether its lines are computed when it is read: those of a draft, but for one by hand."""
        return self.status == "draft" and self.invoice_kind != "manual"

    @property
    def amount_due(self) -> Decimal:
        """What is still to be paid: nothing of a draft or a cancelled invoice."""
        if self.status in ("draft", "cancelled"):
            return round_half_up(ZERO, self.currency)
        covered = total([self.amount_paid, self.credits_applied, self.amount_credited])
        return round_half_up(EXACT.subtract(self.total, covered), self.currency)

    @property
    def period(self) -> Period:
        return Period(start=self.start, end=self.end, timezone=self.timezone)

    @classmethod
    def drafted(
        cls, organization: Organization, period: Period, lines: Sequence[Line], revision: int, now: datetime
    ) -> Self:
        """A draft that bills these lines, to be finalized after the organization's grace time."""
        return cls(
            id=invoice_id(organization.id, period, revision),
            organization_id=organization.id,
            status="draft",
            currency=organization.currency,
            start=period.start,
            end=period.end,
            timezone=period.timezone,
            revision=revision,
            **_computed(lines, organization.currency, now),
            created_at=now,
            finalize_at=period.end + timedelta(hours=organization.grace_hours),
            purchase_order=organization.purchase_order,
        )

    @classmethod
    def interim(
        cls, organization: Organization, interim_id: str, period: Period, lines: Sequence[Line], now: datetime
    ) -> Self:
        """What is due in advance in a period that goes on, to be issued at once."""
        draft = cls.drafted(organization, period, lines, revision=0, now=now)
        return draft.changed(id=interim_id, invoice_kind="interim", finalize_at=now)

    @property
    def added_tax(self) -> Decimal:
        """The tax that `total` contains beside the amounts of the lines."""
        return total(line.amount for line in self.tax_lines if not line.inclusive)

    @property
    def discount_total(self) -> Decimal:
        """What coupons take off `total`."""
        return total(discount.amount for discount in self.discounts)

    @property
    def totals_as_of(self) -> datetime | None:
        """When the stored totals of a draft were computed; None once it is finalized, as they stay."""
        return (self.as_of or self.created_at) if self.status == "draft" else None

    def refreshed(self, lines: Sequence[Line], now: datetime) -> Self:
        """The draft with the totals of these lines."""
        return self.changed(**_computed(lines, self.currency, now))

    def issued(self, number: str, lines: Sequence[Line], now: datetime, due_days: int) -> Self:
        """The draft as a numbered invoice with these lines, payable in so many days."""
        return self.changed(
            status="pending",
            number=number,
            lines_hash=hash_of(lines),
            line_count=len(lines),
            total=total_of(lines, self.currency),
            **_said_of(lines, self.currency),
            draft_totals=None,
            as_of=None,
            issued_at=now,
            finalized_at=now,
            payable_by=now + timedelta(days=due_days),
        )

    def covered(
        self,
        now: datetime,
        *,
        paid: Decimal = ZERO,
        from_balance: Decimal = ZERO,
        credited: Decimal = ZERO,
        is_noted: bool = False,
    ) -> Self:
        """The issued invoice after this much more of it is paid, taken from the balance or credited.

        Paid is a function: an invoice is paid as soon as nothing of it is due. Raises `ValueError` for more than that.
        """
        after = self.changed(
            amount_paid=add(self.amount_paid, paid),
            credits_applied=add(self.credits_applied, from_balance),
            credit_notes=self.credit_notes + (1 if is_noted else 0),
            amount_credited=add(self.amount_credited, credited),
        )
        if after.amount_due < 0:
            raise ValueError(f"more than is due would be paid of {self.id}")
        return after.changed(status="paid" if not after.amount_due else after.open_status(now))

    def open_status(self, now: datetime) -> Literal["pending", "overdue"]:
        """What the invoice is as long as something of it is due."""
        return "overdue" if self.payable_by is not None and self.payable_by <= now else "pending"

    def cancelled(self, now: datetime) -> Self:
        """The invoice as nobody owes it. What it took from the balance goes back there."""
        return self.changed(status="cancelled", cancelled_at=now, credits_applied=ZERO)


def _computed(lines: Sequence[Line], currency: str, now: datetime) -> dict[str, Any]:
    """What a draft of these lines says then."""
    composed = compose(lines, currency)
    return {
        "lines_hash": hash_of(lines),
        "line_count": len(lines),
        "total": total_of(lines, currency),
        "draft_totals": composed.totals(currency),
        "as_of": now,
        **_said_of(composed.invoice, currency),
    }


def _said_of(lines: Sequence[Line], currency: str) -> dict[str, Any]:
    return {"tax_lines": tax_lines_of(lines, currency), "discounts": discounts_of(lines, currency)}


class CreditedAmount(Value):
    """What of an invoice a credit note covers."""

    invoice_id: str
    """The invoice's id."""
    amount: RoundedAmount
    """What of it is covered."""


class CreditNote(Entity):
    """Numbered like an invoice, issued at once, never edited. Its lines are negative."""

    kind: ClassVar[str] = "credit_note"
    audit: ClassVar[Audit] = Audited(area="credit_notes", verb=called_at_creation("issue"), secret=_COPIED)

    organization_id: str
    number: str
    reason: Literal["correction", "goodwill"]
    """`correction`: billed is brought to due. `goodwill`: given by hand, of what is due."""
    text: str | None = None
    """Why goodwill was given, for people."""
    invoice_id: str | None
    currency: str
    start: Instant
    end: Instant
    lines_hash: str
    line_count: int
    total: RoundedAmount
    tax_lines: tuple[TaxLine, ...] = ()
    tax_currency: TaxCurrency | None = None
    issued_at: Instant
    lowered: tuple[CreditedAmount, ...] = ()
    """The invoices that it lowers; none of notes that were issued before this was kept."""
    to_balance: RoundedAmount = ZERO
    """What is credited beyond what was open of these: it is balance of the account."""
    details: DocumentDetails | None = None
    """As of an invoice."""

    @classmethod
    def goodwill(  # noqa: PLR0913  what a note has
        cls, note_id: str, invoice: Invoice, number: str, lines: Sequence[Line], text: str, now: datetime
    ) -> Self:
        """The credit note that gives back these lines of an invoice."""
        return cls(
            id=note_id,
            organization_id=invoice.organization_id,
            number=number,
            reason="goodwill",
            text=text,
            invoice_id=invoice.id,
            currency=invoice.currency,
            start=invoice.start,
            end=invoice.end,
            lines_hash=hash_of(lines),
            line_count=len(lines),
            total=total_of(lines, invoice.currency),
            tax_lines=tax_lines_of(lines, invoice.currency),
            issued_at=now,
        )

    @classmethod
    def correcting(
        cls, draft: Invoice, number: str, lines: Sequence[Line], invoice_id: str | None, now: datetime
    ) -> Self:
        """The credit note that finalizing a draft issues.

        `invoice_id` is the last invoice of what it corrects.
        """
        return cls(
            id=named_id("cn", draft.organization_id, number),
            organization_id=draft.organization_id,
            number=number,
            reason="correction",
            invoice_id=invoice_id,
            currency=draft.currency,
            start=draft.start,
            end=draft.end,
            lines_hash=hash_of(lines),
            line_count=len(lines),
            total=total_of(lines, draft.currency),
            tax_lines=tax_lines_of(lines, draft.currency),
            issued_at=now,
        )


class Numbering(Entity):
    """Gapless numbers, counted per series and year.

    The name in them is the organization's slug at the first number. Documents of organizations that are not live have
    one series, `TEST`, whatever they are.
    """

    kind: ClassVar[str] = "numbering"
    audit: ClassVar[Audit] = FOLLOWS

    name: str
    livemode: bool = True
    last: dict[str, int] = {}

    def next(self, series: Literal["INV", "CN"], year: int) -> tuple[str, "Numbering"]:
        """The next number, and the numbering to store with the document that has it."""
        prefix = series if self.livemode else "TEST"
        counter = f"{prefix}-{year}"
        number = self.last.get(counter, 0) + 1
        return f"{prefix}-{self.name}-{year}-{number:06d}", self.changed(last={**self.last, counter: number})


def interim_id(organization_id: str, command_id: str) -> str:
    """The id of the interim invoice of a command, the same however often its effect is repeated."""
    return named_id("inv", organization_id, "interim", command_id)


def invoice_id(organization_id: str, period: Period, revision: int) -> str:
    """The id of an invoice, the same for the same period and revision.

    So a repetition never makes a second invoice.
    """
    return named_id("inv", organization_id, to_text(period.start), revision)
