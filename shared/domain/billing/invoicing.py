"""How what is due becomes lines of documents: an invoice bills the difference between due and billed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shared.domain.billing.concessions import due_after_concessions, not_below_goodwill
from shared.domain.billing.discounts import described, with_net_amounts
from shared.domain.billing.moved_goodwill import given_back, given_by_treatment, is_goodwill, moved_goodwill
from shared.domain.billing.taxes import added_tax, exact_gross, is_taxed, taxed
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import ZERO, RoundedAmount, add, round_half_up, total
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step, distinguished


@dataclass(frozen=True, slots=True)
class BilledLine:
    """What documents have billed of a line in one period.

    `line` is how it was billed first.
    """

    line: Line
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PeriodBill:
    """What is due for a period and what documents billed, by line key."""

    period: Period
    due: Sequence[Line]
    billed: Mapping[str, BilledLine]
    drawn: Mapping[str, Decimal] = field(default_factory=dict)
    """What a wallet pays of what is due."""
    waived: Mapping[str, Decimal] = field(default_factory=dict)
    """What is not to be billed of what is due."""
    given: Sequence[Line] = ()
    """The lines by which goodwill has given back of what was billed."""

    def billed_amount(self, line: Line) -> Decimal:
        """What is paid for already, by documents of the line's treatment or by the wallet.

        What the wallet paid belongs to the treatment that is due now.
        """
        key = line.billing_key
        amount = self.billed[key].amount if key in self.billed else ZERO
        is_due = any(due.billing_key == key for due in self.due) if line.treatment is not None else True
        return add(amount, self.drawn.get(line.key, ZERO)) if is_due else amount


def differences(bill: PeriodBill, invoiced_period: Period, currency: str) -> list[Line]:
    """The lines that bring a period from billed to due, on the invoice of `invoiced_period`.

    What was never billed appears as it was rated. Where something was billed before, or the period is older than the
    invoice's, the line is an adjustment that names the period.
    """
    due = {key: _no_longer_due(billed.line, currency) for key, billed in bill.billed.items()}
    keys = {line.key for line in bill.due}
    given = given_by_treatment(bill.given)
    due = {
        key: line if line.key in keys or key not in given else not_below_goodwill(line, given[key], currency)
        for key, line in due.items()
    }
    still_due = due_after_concessions(bill.due, bill.waived, given_back(bill.given, bill.period.start), currency)
    due |= {line.billing_key: line for line in still_due}
    in_order = sorted(due.values(), key=lambda line: line.order)
    differing = [line for line in in_order if line.amount != bill.billed_amount(line)]
    is_older = bill.period.start < invoiced_period.start
    lines: list[Line] = []
    for line in distinguished(differing):
        billed_amount = bill.billed_amount(line)
        is_new = billed_amount == 0 and not is_older
        lines.append(line if is_new else _adjustment(line, billed_amount, bill.period, currency))
    return sorted([*lines, *moved_goodwill(bill.due, bill.given)], key=lambda line: line.order)


def _no_longer_due(billed: Line, currency: str) -> Line:
    """The line with nothing due. One that was itself an adjustment is described by its charge."""
    description = billed.description
    if billed.adjusts is not None:
        description = billed.charge or billed.description
        if billed.discount is not None:
            description = described(billed.discount.name, description)
    nothing = {"description": description, "quantity": ZERO, "amount": round_half_up(ZERO, currency)}
    return billed.model_copy(update=nothing)


def _adjustment(due: Line, billed: Decimal, period: Period, currency: str) -> Line:
    """The line for the difference between due and billed.

    It is negative where more was billed than is due.
    """
    amount = round_half_up(add(due.amount, -billed), currency)
    before = round_half_up(billed, currency)
    changes = {
        "type": "adjustment" if due.discount is None else "discount",
        "description": f"Adjustment of {due.description}: {due.amount} due, {before} billed before",
        "unit_amount": None,
        "steps": (Step(kind="adjustment", amount=amount),),
        "exact_amount": amount,
        "amount": amount,
        "period": period.span,
        "adjusts": period.span,
        "timing": "arrears",
    }
    return due.model_copy(update=changes)


class DraftTotals(BaseModel):
    """The totals that finalizing a draft would issue.

    The credit note's is negative, or zero where there is none.
    """

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


def compose(lines: Sequence[Line], currency: str) -> Composed:
    """Offset negative differences against positive ones; what finds nothing to offset becomes a correction.

    Negative lines are offset in their order, and one that is offset only in part stands in both documents. Lines with
    tax or discounts stay together: all of them are an invoice where they come to 0 or more with their tax, else one
    correction.
    """
    if is_taxed(lines) or any(line.discount is not None for line in lines):
        whole = with_net_amounts(taxed(lines, currency))
        if exact_gross(lines) >= 0:
            return Composed(whole, ())
        return Composed((), tuple(_corrected(line) for line in whole))
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


def _corrected(line: Line) -> Line:
    is_correction = line.amount < 0 and not is_goodwill(line)
    return line.model_copy(update={"type": "correction"}) if is_correction else line


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
    """The sum of the lines' amounts, always, with the tax that is added to them."""
    amounts = [*lines]
    return round_half_up(add(total(line.amount for line in amounts), added_tax(amounts)), currency)


def billed_lines(lines: Iterable[Line], period_start: datetime) -> dict[str, BilledLine]:
    """What these lines bill for the period with this start, by line key and treatment.

    `lines` are in the order of their issue. Those that move goodwill bill nothing.
    """
    billed: dict[str, BilledLine] = {}
    for line in lines:
        if line.period.start == period_start and not is_goodwill(line):
            before = billed.get(line.billing_key, BilledLine(line, ZERO))
            billed[line.billing_key] = replace(before, amount=add(before.amount, line.amount))
    return billed


def hash_of(lines: Sequence[Line]) -> str:
    """Names the lines: equal for equal lines in the same order."""
    return fingerprint("\n".join(line.model_dump_json() for line in lines))[:32]
