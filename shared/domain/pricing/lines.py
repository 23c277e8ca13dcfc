"""Rated lines: the amount due for one charge, with the steps of its arithmetic."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from pydantic import ConfigDict, Field

from shared.domain.kernel.money import EXACT, ExactDecimal, RoundedAmount, total, truncate
from shared.domain.kernel.value import Value
from shared.domain.periods.periods import Span
from shared.domain.pricing.treatments import Treatment

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
    "waiver",
    "goodwill",
]
"""What a step does in the arithmetic of its line."""

Timing = Literal["arrears", "advance"]
"""Whether a line is billed after the period it is for, or at its start."""


SettlingSide = Literal["invoice", "wallet"]
"""What pays a line in a prepaid period: the wallet until the period's close, or the invoice."""


@dataclass(frozen=True, slots=True)
class ExactStep:
    """One step of a line's arithmetic, its amount still an exact fraction.

    The fields mean what they mean in `Step`, where amounts have become decimals.
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


class Step(Value):
    """One step of a line's arithmetic."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    kind: StepKind
    """What the step does."""
    version: int | None = None
    """The version of the billing model; null for bounds over all versions."""
    lower: ExactDecimal | None = Field(default=None, alias="from")
    """The lower bound of the tier, exclusive."""
    upper: ExactDecimal | None = Field(default=None, alias="to")
    """The upper bound of the tier, inclusive; null in an open tier."""
    quantity: ExactDecimal | None = None
    """The units, or the value, that the step prices."""
    unit_amount: ExactDecimal | None = None
    """The price of one unit."""
    flat_amount: ExactDecimal | None = None
    """The tier's flat amount, included in `amount`."""
    rate: ExactDecimal | None = None
    """In percent."""
    workflow: str | None = None
    """The type of workflow that the step is about."""
    amount: ExactDecimal
    """What the step adds to the line, truncated to 12 places; may be negative."""


class LineDiscount(Value):
    """The redemption of a coupon that takes something off a line."""

    redemption_id: str
    """The redemption's id."""
    name: str
    """The coupon's."""


class Line(Value):
    """What is due for one charge, or taken off it, as previews, calculations and invoices show it."""

    key: str
    """`{model}/{charge}/{agent or -}`: the same in every period. A discount's has `#{redemption}` after it."""
    type: str
    """The charge's type, or `discount`, `adjustment` or `correction`."""
    model_id: str | None = None
    """The billing model's id."""
    model_name: str | None = None
    """The billing model's name; on an invoice as it was when that was finalized. Null in calculations."""
    charge: str | None = None
    """The charge's key."""
    agent_id: str | None = None
    """Null where the line is for all agents of the organization."""
    agent_name: str | None = None
    """The agent's name; on an invoice as it was when that was finalized. Null in calculations."""
    description: str
    """The charge in words, for people, with the names of agent and model where two lines would read the same."""
    quantity: ExactDecimal
    """The units of the whole line, before any included units."""
    unit: str | None = None
    """The name of one unit."""
    unit_amount: ExactDecimal | None = None
    """The price of one unit, where all units have the same."""
    steps: tuple[Step, ...] = ()
    """How `exact_amount` comes about; the steps add up to it."""
    exact_amount: ExactDecimal
    """Truncated to 12 places."""
    amount: RoundedAmount
    """`exact_amount` rounded once, half up, to the currency's minor unit."""
    period: Span
    """The billing period that the line belongs to."""
    covers: Span | None = None
    """The quarter or year that a quarterly or yearly fee is for."""
    adjusts: Span | None = None
    """The ended period whose bill the line corrects."""
    timing: Timing = "arrears"
    """Whether the line is billed after its period or in advance."""
    settles: SettlingSide = "invoice"
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    discount: LineDiscount | None = None
    """On a discount, what takes it off; null on all other lines."""
    treatment: Treatment | None = None
    """How it is taxed; null where no tax is set."""
    discount_amount: RoundedAmount | None = None
    """On a document: what the discounts beside it take off this line; null where none does."""
    net_amount: RoundedAmount | None = None
    """On a document: `amount` after its discounts, without the tax that this contains. Null without a treatment and
    discounts, and on a discount whose line is beside it.
    """
    tax_amount: RoundedAmount | None = None
    """On a document: its share of the tax; null without a treatment."""

    @property
    def billing_key(self) -> str:
        """What is compared: the key, and the treatment where it has one."""
        return self.key if self.treatment is None else f"{self.key}|{self.treatment.key}"

    @property
    def discounted_key(self) -> str:
        """The key of the line that this one discounts; its own where it is no discount."""
        return self.key if self.discount is None else self.key.removesuffix(f"#{self.discount.redemption_id}")

    @property
    def without_contained_tax(self) -> Decimal:
        """`amount` without the tax that it contains on its document; its discounts stand beside it."""
        is_inclusive = self.treatment is not None and self.treatment.inclusive
        return EXACT.subtract(self.amount, self.tax_amount) if is_inclusive and self.tax_amount else self.amount

    @property
    def order(self) -> tuple[str, str, str]:
        """By which lines of one period stand on a document: discounts after the line that they discount."""
        redemption = "" if self.discount is None else self.discount.redemption_id
        return self.discounted_key, "" if self.treatment is None else self.treatment.key, redemption


def discount_key(key: str, redemption_id: str) -> str:
    """The key of what a redemption takes off the line with this key; `Line.discounted_key` is the way back."""
    return f"{key}#{redemption_id}"


def distinguished(lines: Sequence[Line]) -> list[Line]:
    """The lines, with names of agent and model where two would read alike."""
    readings = Counter(line.description for line in lines)
    return [line if readings[line.description] == 1 else _with_names(line) for line in lines]


def _with_names(line: Line) -> Line:
    names = ", ".join(name for name in (line.agent_name, line.model_name) if name is not None)
    return line.model_copy(update={"description": f"{line.description} - {names}"}) if names else line


def exact_sum(steps: Iterable[ExactStep]) -> Fraction:
    return sum((step.amount for step in steps), Fraction(0))


def merged_steps(steps: Iterable[ExactStep]) -> list[ExactStep]:
    """Merge steps at the same price, such as one tier used by several agents."""
    merged: dict[tuple[object, ...], ExactStep] = {}
    for step in steps:
        price = (step.kind, step.version, step.lower, step.upper, step.unit_amount, step.rate, step.workflow)
        same = merged.get(price)
        merged[price] = step if same is None else _merged(same, step)
    return list(merged.values())


def truncated_steps(steps: Sequence[ExactStep]) -> tuple[Step, ...]:
    """The steps with amounts truncated to 12 places.

    The last step takes the remainder, so they add up to the truncated sum.
    """
    amounts = [truncate(step.amount) for step in steps]
    if amounts:
        amounts[-1] = EXACT.subtract(truncate(exact_sum(steps)), total(amounts[:-1]))
    return tuple(_step(step, amount) for step, amount in zip(steps, amounts, strict=True))


def _merged(left: ExactStep, right: ExactStep) -> ExactStep:
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
