"""How what is due becomes lines of documents: an invoice bills the difference between due and billed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import ZERO, RoundedAmount, add, round_half_up, total
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step


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


class DraftTotals(BaseModel):
    """The totals that finalizing a draft would issue; the credit note's is negative, or zero where there is none."""

    model_config = ConfigDict(frozen=True)

    invoice: RoundedAmount
    credit_note: RoundedAmount


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
