"""Fees: amounts for a whole period, prorated by day."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.kernel.value import Value
from shared.domain.pricing.charges.charge import Charge, Recurrence
from shared.domain.pricing.lines import ExactStep, Timing

FeeInterval = Literal["month", "quarter", "year"]
"""How often a fee is due: every billing period, quarter or year."""


class RecurringCharge(Charge):
    """A charge that is due for every interval, with or without usage."""

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "interval", "timing", "settles")

    interval: FeeInterval = "month"
    """How often the fee is due; a month is a billing period."""
    timing: Timing = "arrears"
    """Whether it is billed after the interval or in advance."""

    @property
    def billing_timing(self) -> Timing:
        return self.timing

    @property
    def recurrence(self) -> Recurrence:
        return "period" if self.interval == "month" else self.interval


class BaseFee(Value):
    """A fee for the period beside the price of usage."""

    amount: NonNegativeAmount
    """For a whole period."""
    per: Literal["agent", "charge"] = "charge"
    """Whether it is due once per line, or once per agent."""


@dataclass(frozen=True, slots=True)
class Fee:
    """What one segment of a line pays of a version's fee.

    `amount` is the fee for a whole period, `share` the days for which it is due over the days of the period, `times`
    how often it is due. `per_line` says that all segments of the version with the same `times` share one fee.
    """

    version: int
    amount: Decimal
    share: Fraction
    times: Fraction = Fraction(1)
    per_line: bool = True

    @property
    def due(self) -> Fraction:
        return Fraction(self.amount) * self.share * self.times


def fee_steps(fees: Iterable[Fee]) -> list[ExactStep]:
    """For each version the fee of a whole period, then what proration takes off."""
    alike: dict[tuple[int, Fraction], list[Fee]] = {}
    for fee in fees:
        if fee.share and fee.amount and fee.times:
            alike.setdefault((fee.version, fee.times if fee.per_line else Fraction(0)), []).append(fee)
    return [step for of_version in alike.values() for step in _version_steps(of_version)]


def _version_steps(fees: list[Fee]) -> list[ExactStep]:
    version, amount = fees[0].version, fees[0].amount
    times = fees[0].times if fees[0].per_line else sum((fee.times for fee in fees), Fraction(0))
    whole = Fraction(amount) * times
    due = sum((fee.due for fee in fees), Fraction(0))
    step = ExactStep("base_fee", amount=whole, version=version, quantity=times, unit_amount=amount)
    return [step, *proration_steps(due - whole, version)]


def proration_steps(amount: Fraction, version: int) -> list[ExactStep]:
    """What proration changes; no step where that is nothing."""
    return [ExactStep("proration", amount=amount, version=version)] if amount else []
