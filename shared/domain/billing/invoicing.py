"""How what is due becomes documents: an invoice bills the difference between due and billed, whenever it is made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import ZERO, RoundedAmount, add, round_half_up, total
from shared.domain.kernel.times import Instant
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step

InvoiceStatus = Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"]
LINES_SHOWN = 500


class Invoice(Entity):
    """The header. Its lines are items of their own, named by the hash of all of them (`lines_hash`)."""

    kind: ClassVar[str] = "invoice"

    organization_id: str
    number: str | None = None
    status: InvoiceStatus
    currency: str
    start: Instant
    end: Instant
    timezone: str
    revision: int
    lines_hash: str
    line_count: int
    total: RoundedAmount
    created_at: Instant
    finalize_at: Instant
    issued_at: Instant | None = None
    payable_by: Instant | None = None
    finalized_at: Instant | None = None
    metadata: dict[str, Any] = {}

    @property
    def period(self) -> Period:
        return Period(start=self.start, end=self.end, timezone=self.timezone)


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


class Numbering(Entity):
    """Gapless numbers, per series and year; the name in them is the organization's slug at the first number."""

    kind: ClassVar[str] = "numbering"

    name: str
    last: dict[str, int] = {}

    def next(self, series: Literal["INV", "CN"], year: int) -> tuple[str, "Numbering"]:
        counter = f"{series}-{year}"
        number = self.last.get(counter, 0) + 1
        return f"{series}-{self.name}-{year}-{number:06d}", self.changed(last={**self.last, counter: number})


@dataclass(frozen=True, slots=True)
class PeriodBill:
    """A period with what is due for it now and what documents billed for it, by line key."""

    period: Period
    due: Sequence[Line]
    billed: Mapping[str, Decimal]


def differences(bill: PeriodBill, own: Period, currency: str) -> list[Line]:
    """The lines that bring `bill.period` from billed to due, on the invoice of the period `own`.

    What was never billed appears as it was rated; anything else, and anything of an older period, as an adjustment
    that names the period.
    """
    due = {line.key: line for line in bill.due}
    changed: list[Line] = []
    for key in sorted({*due, *bill.billed}):
        line = due.get(key)
        billed = bill.billed.get(key, ZERO)
        difference = (line.amount if line else ZERO) - billed
        if difference == 0:
            continue
        if line is not None and billed == 0 and bill.period.start >= own.start:
            changed.append(line)
        else:
            changed.append(_adjustment(key, line, billed, difference, bill.period, currency))
    return changed


def _adjustment(  # noqa: PLR0913  both sides of the difference and its place
    key: str, line: Line | None, billed: Decimal, difference: Decimal, period: Period, currency: str
) -> Line:
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
    """The documents that differences make: an invoice whose total is not negative, and a note for the rest."""

    invoice: tuple[Line, ...]
    correction: tuple[Line, ...]


def compose(lines: Sequence[Line]) -> Composed:
    """Negative differences are offset against positive ones; what finds nothing to offset becomes a correction."""
    room = total(line.amount for line in lines if line.amount > 0)
    invoice: list[Line] = []
    correction: list[Line] = []
    for line in lines:
        if line.amount >= 0:
            invoice.append(line)
            continue
        offset = min(room, -line.amount)
        room -= offset
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


def billed_by(lines: Iterable[Line], start: datetime) -> dict[str, Decimal]:
    """What these lines bill for the period that starts then, by line key."""
    billed: dict[str, Decimal] = {}
    for line in lines:
        if line.period.start == start:
            billed[line.key] = add(billed.get(line.key, ZERO), line.amount)
    return billed


def hash_of(lines: Sequence[Line]) -> str:
    return fingerprint("\n".join(line.model_dump_json() for line in lines))[:32]
