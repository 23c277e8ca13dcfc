"""How what is due becomes documents: an invoice bills the difference between due and billed, whenever it is made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint, named_id
from shared.domain.kernel.money import ZERO, RoundedAmount, add, round_half_up, total
from shared.domain.kernel.times import Instant, to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step
from shared.domain.tenancy.organizations import Organization

InvoiceStatus = Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"]
LINES_SHOWN = 500
"""How many lines an answer shows of one document."""


def invoice_id(organization_id: str, period: Period, revision: int) -> str:
    """The same for the same period and revision, so that a repetition never makes a second invoice."""
    return named_id("inv", organization_id, to_text(period.start), revision)


class DraftTotals(BaseModel):
    """The totals that finalizing a draft would issue; the credit note's is negative, or zero where there is none."""

    model_config = ConfigDict(frozen=True)

    invoice: RoundedAmount
    credit_note: RoundedAmount


class Invoice(Entity):
    """An invoice's header. Its lines are items of their own, which `lines_hash` names."""

    kind: ClassVar[str] = "invoice"

    organization_id: str
    number: str | None = None
    status: InvoiceStatus
    currency: str
    start: Instant
    end: Instant
    timezone: str
    revision: int
    """Counts the invoices of one period: each cancelled one is followed by the next."""
    lines_hash: str
    line_count: int
    total: RoundedAmount
    """The sum of the lines. Negative for a draft that finalizing turns into a credit note."""
    draft_totals: DraftTotals | None = None
    """Only in a draft; missing in drafts that were made before this field."""
    created_at: Instant
    finalize_at: Instant
    """When a draft's grace time is over."""
    issued_at: Instant | None = None
    payable_by: Instant | None = None
    finalized_at: Instant | None = None
    metadata: dict[str, Any] = {}

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
            lines_hash=hash_of(lines),
            line_count=len(lines),
            total=total_of(lines, organization.currency),
            draft_totals=compose(lines).totals(organization.currency),
            created_at=now,
            finalize_at=period.end + timedelta(hours=organization.grace_hours),
        )

    def issued(self, number: str, lines: Sequence[Line], now: datetime, due_days: int) -> Self:
        """The draft as a numbered invoice with these lines, payable in so many days."""
        return self.changed(
            status="pending",
            number=number,
            lines_hash=hash_of(lines),
            line_count=len(lines),
            total=total_of(lines, self.currency),
            draft_totals=None,
            issued_at=now,
            finalized_at=now,
            payable_by=now + timedelta(days=due_days),
        )


class CreditNote(Entity):
    """Numbered like an invoice, issued at once, never edited. Its lines are negative."""

    kind: ClassVar[str] = "credit_note"

    organization_id: str
    number: str
    reason: Literal["correction"]
    invoice_id: str | None
    currency: str
    start: Instant
    end: Instant
    lines_hash: str
    line_count: int
    total: RoundedAmount
    issued_at: Instant

    @classmethod
    def correcting(
        cls, draft: Invoice, number: str, lines: Sequence[Line], invoice_id: str | None, now: datetime
    ) -> Self:
        """The note that finalizing a draft issues; `invoice_id` is the last invoice of what it corrects."""
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
            issued_at=now,
        )


class Numbering(Entity):
    """Gapless numbers, per series and year; the name in them is the organization's slug at the first number."""

    kind: ClassVar[str] = "numbering"

    name: str
    last: dict[str, int] = {}

    def next(self, series: Literal["INV", "CN"], year: int) -> tuple[str, "Numbering"]:
        """The next number, and the numbering to store with the document that has it."""
        counter = f"{series}-{year}"
        number = self.last.get(counter, 0) + 1
        return f"{series}-{self.name}-{year}-{number:06d}", self.changed(last={**self.last, counter: number})


@dataclass(frozen=True, slots=True)
class PeriodBill:
    """A period with what is due for it now and what documents billed for it, by line key."""

    period: Period
    due: Sequence[Line]
    billed: Mapping[str, Decimal]


def differences(bill: PeriodBill, invoiced_period: Period, currency: str) -> list[Line]:
    """The lines that bring a period from billed to due, on the invoice of `invoiced_period`.

    What was never billed appears as it was rated. Where something was billed before, or the period is older than the
    invoice's, the line is an adjustment that names the period.
    """
    due = {line.key: line for line in bill.due}
    lines: list[Line] = []
    for key in sorted({*due, *bill.billed}):
        line = due.get(key)
        billed = bill.billed.get(key, ZERO)
        difference = (line.amount if line else ZERO) - billed
        if difference == 0:
            continue
        if line is not None and billed == 0 and bill.period.start >= invoiced_period.start:
            lines.append(line)
        else:
            lines.append(_adjustment(key, line, billed, difference, bill.period, currency))
    return lines


def _adjustment(  # noqa: PLR0913  both sides of the difference and its place
    key: str, line: Line | None, billed: Decimal, difference: Decimal, period: Period, currency: str
) -> Line:
    """`line` is what is due; None where nothing is due any more, and the key says what was billed."""
    amount = round_half_up(difference, currency)
    model, charge, agent = key.split("/", 2)
    due = line.amount if line else round_half_up(ZERO, currency)
    name = line.description if line else charge
    return Line(
        key=key,
        type="adjustment",
        model_id=model,
        charge=charge,
        agent_id=None if agent == "-" else agent,
        description=f"Adjustment of {name}: {due} due, {round_half_up(billed, currency)} billed before",
        quantity=line.quantity if line else ZERO,
        unit=line.unit if line else None,
        unit_amount=None,
        steps=(Step(kind="adjustment", amount=amount),),
        exact_amount=amount,
        amount=amount,
        period=period.span,
        covers=line.covers if line else None,
        adjusts=period.span,
    )


@dataclass(frozen=True, slots=True)
class Composed:
    """The lines of the documents that differences make: an invoice whose total is not negative, and a credit note."""

    invoice: tuple[Line, ...]
    correction: tuple[Line, ...]

    def totals(self, currency: str) -> DraftTotals:
        return DraftTotals(invoice=total_of(self.invoice, currency), credit_note=total_of(self.correction, currency))


def compose(lines: Sequence[Line]) -> Composed:
    """Offset negative differences against positive ones; what finds nothing to offset becomes a correction.

    Negative lines are offset in their order, and one that is offset only in part stands in both documents.
    """
    to_offset = total(line.amount for line in lines if line.amount > 0)
    invoice: list[Line] = []
    correction: list[Line] = []
    for line in lines:
        if line.amount >= 0:
            invoice.append(line)
            continue
        offset = min(to_offset, -line.amount)
        to_offset -= offset
        if offset > 0:
            invoice.append(_part(line, -offset, line.type))
        if line.amount + offset < 0:
            correction.append(_part(line, line.amount + offset, "correction"))
    return Composed(tuple(invoice), tuple(correction))


def _part(line: Line, amount: Decimal, line_type: str) -> Line:
    if amount == line.amount and line_type == line.type:
        return line
    changes = {
        "type": line_type,
        "amount": amount,
        "exact_amount": amount,
        "steps": (Step(kind="adjustment", amount=amount),),
    }
    return line.model_copy(update=changes)


def total_of(lines: Iterable[Line], currency: str) -> Decimal:
    """The sum of the lines' amounts, always."""
    return round_half_up(total(line.amount for line in lines), currency)


def billed_amounts(lines: Iterable[Line], period_start: datetime) -> dict[str, Decimal]:
    """What these lines bill for the period that starts then, by line key."""
    billed: dict[str, Decimal] = {}
    for line in lines:
        if line.period.start == period_start:
            billed[line.key] = add(billed.get(line.key, ZERO), line.amount)
    return billed


def hash_of(lines: Sequence[Line]) -> str:
    """Names the lines: equal for equal lines in the same order."""
    return fingerprint("\n".join(line.model_dump_json() for line in lines))[:32]
