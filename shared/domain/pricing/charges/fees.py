"""Fees for a period, by the days for which they were in force."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.pricing.charges.charge import Charge, Recurrence
from shared.domain.pricing.lines import ExactStep, Timing

FeeInterval = Literal["month", "quarter", "year"]
"""How long a fee is for: a billing period, or as many of them as there are months in a quarter or a year."""


class RecurringCharge(Charge):
    """A charge for each interval, whatever happens in it."""

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "interval", "timing")

    interval: FeeInterval = "month"
    timing: Timing = "arrears"

    @property
    def billing_timing(self) -> Timing:
        return self.timing

    @property
    def recurrence(self) -> Recurrence:
        return "period" if self.interval == "month" else self.interval


class BaseFee(BaseModel):
    """A fee for the period: once per line, or for each agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: NonNegativeAmount
    per: Literal["agent", "charge"] = "charge"


@dataclass(frozen=True, slots=True)
class Fee:
    """A version's fee for a whole period, the share of the period for which it is due, and how often: 1 where all fees
    of the version are shares of the same one.
    """

    version: int
    amount: Decimal
    share: Fraction
    times: Fraction = Fraction(1)
    shared: bool = True

    @property
    def due(self) -> Fraction:
        return Fraction(self.amount) * self.share * self.times


def fee_steps(fees: Iterable[Fee]) -> list[ExactStep]:
    """For each version its fee, then what proration takes off."""
    by_version: dict[int, list[Fee]] = {}
    for fee in fees:
        if fee.share and fee.amount and fee.times:
            by_version.setdefault(fee.version, []).append(fee)
    return [step for together in by_version.values() for step in _version_steps(together)]


def _version_steps(fees: list[Fee]) -> list[ExactStep]:
    version, amount = fees[0].version, fees[0].amount
    times = Fraction(1) if fees[0].shared else sum((fee.times for fee in fees), Fraction(0))
    whole = Fraction(amount) * times
    step = ExactStep("base_fee", amount=whole, version=version, quantity=times, unit_amount=amount)
    return [step, *proration_steps(sum((fee.due for fee in fees), Fraction(0)) - whole, version)]


def proration_steps(amount: Fraction, version: int) -> list[ExactStep]:
    return [ExactStep("proration", amount=amount, version=version)] if amount else []
