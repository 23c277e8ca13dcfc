"""Lines: what is due for one charge, with the arithmetic that leads there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.kernel.money import EXACT, ExactDecimal, RoundedAmount, total, truncate
from shared.domain.periods.periods import Span

StepKind = Literal[
    "base_fee",
    "tier",
    "unit",
    "percentage",
    "package",
    "minimum",
    "maximum",
    "discount",
    "premium",
    "bonus",
    "overage",
    "proration",
    "adjustment",
]
Timing = Literal["arrears", "advance"]

LinePeriod = Span
"""What a line is due for."""


@dataclass(frozen=True, slots=True)
class ExactStep:
    """A step before it is cut to a decimal: the exact amount of one thing that a line consists of.

    `lower` and `upper` are the bounds of the tier; an open tier has no upper one. `rate` is in percent, of `quantity`
    where there is one. `workflow` is the type of workflow that it is about.
    """

    kind: StepKind
    amount: Fraction
    version: int | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    quantity: Fraction | None = None
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None
    rate: Decimal | None = None
    workflow: str | None = None


class Step(BaseModel):
    """One step of a line's arithmetic. `from` and `to` are the bounds of the tier, `quantity` is the part that lies
    in it.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    kind: StepKind
    version: int | None = None
    lower: ExactDecimal | None = Field(default=None, alias="from")
    upper: ExactDecimal | None = Field(default=None, alias="to")
    quantity: ExactDecimal | None = None
    unit_amount: ExactDecimal | None = None
    flat_amount: ExactDecimal | None = None
    rate: ExactDecimal | None = None
    workflow: str | None = None
    amount: ExactDecimal


class Line(BaseModel):
    """A rated line, as previews, calculations and invoices show it. `exact_amount` is cut to 12 places; `amount` is
    rounded, once, to the currency. `timing` says whether it is billed for the period that ended or in advance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    type: str
    model_id: str | None = None
    charge: str | None = None
    agent_id: str | None = None
    description: str
    quantity: ExactDecimal
    unit: str | None = None
    unit_amount: ExactDecimal | None = None
    steps: tuple[Step, ...] = ()
    exact_amount: ExactDecimal
    amount: RoundedAmount
    period: LinePeriod
    covers: LinePeriod | None = None
    """The quarter or year that a fee with such an interval is for."""
    adjusts: LinePeriod | None = None
    """The ended period whose bill the line corrects."""
    timing: Timing = "arrears"


def exact_sum(steps: Iterable[ExactStep]) -> Fraction:
    return sum((step.amount for step in steps), Fraction(0))


def merged_steps(steps: Iterable[ExactStep]) -> list[ExactStep]:
    """Parts of the same thing, such as a tier that several agents use, become one, where the first of them stood."""
    result: dict[tuple[object, ...], ExactStep] = {}
    for step in steps:
        same = (step.kind, step.version, step.lower, step.upper, step.unit_amount, step.rate, step.workflow)
        before = result.get(same)
        result[same] = step if before is None else _together(before, step)
    return list(result.values())


def truncated_steps(steps: Sequence[ExactStep]) -> tuple[Step, ...]:
    """The parts cut to decimals; they add up to the cut sum, because the last one takes the remainder."""
    amounts = [truncate(step.amount) for step in steps]
    if amounts:
        amounts[-1] = EXACT.subtract(truncate(exact_sum(steps)), total(amounts[:-1]))
    return tuple(_step(step, amount) for step, amount in zip(steps, amounts, strict=True))


def _together(left: ExactStep, right: ExactStep) -> ExactStep:
    return replace(
        left,
        amount=left.amount + right.amount,
        quantity=None if left.quantity is None else left.quantity + (right.quantity or 0),
        flat_amount=None if left.flat_amount is None else left.flat_amount + (right.flat_amount or 0),
    )


def _step(step: ExactStep, amount: Decimal) -> Step:
    return Step(
        kind=step.kind,
        version=step.version,
        lower=step.lower,
        upper=step.upper,
        quantity=None if step.quantity is None else truncate(step.quantity),
        unit_amount=step.unit_amount,
        flat_amount=step.flat_amount,
        rate=step.rate,
        workflow=step.workflow,
        amount=amount,
    )
