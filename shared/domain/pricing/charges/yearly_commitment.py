"""Yearly commitments: what some charges of a billing model come to in a year at least."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, Self

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.kernel.validation import Length
from shared.domain.kernel.value import Value
from shared.domain.pricing.charges.charge import Charge, ChargeKey, LineSegment, RatedCharge, Recurrence
from shared.domain.pricing.charges.fees import Fee, fee_steps
from shared.domain.pricing.lines import ExactStep, exact_sum

MAXIMUM_COMMITTED_CHARGES = 100


class YearlyCommitment(Value):
    """An amount that the charges of a year come to at least; what is missing is due at its end."""

    key: ChargeKey
    """Names its line in the billing model, as the key of a charge does."""
    amount: NonNegativeAmount
    """For a whole year; by days where a plan has a part of it."""
    interval: Literal["year"] = "year"
    """For how long it holds: a year of the place at which the plan stands."""
    charges: Annotated[tuple[ChargeKey, ...], Length(1, MAXIMUM_COMMITTED_CHARGES)]
    """The keys of the charges that count, over all agents."""

    def as_charge(self) -> "CommitmentCharge":
        return self._charge

    @cached_property
    def _charge(self) -> "CommitmentCharge":
        return CommitmentCharge(key=self.key, type="commitment", amount=self.amount, charges=self.charges)


class CommitmentCharge(Charge):
    """A yearly commitment as a line: the committed amount by days, less what its charges come to."""

    type: Literal["commitment"]
    scope: Literal["organization"] = "organization"
    amount: NonNegativeAmount
    charges: tuple[ChargeKey, ...]

    @property
    def recurrence(self) -> Recurrence:
        return "year"

    @property
    def purpose(self) -> str:
        return "commitment per year"

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        steps = fee_steps(Fee(segment.version, segment.charge.amount, segment.share) for segment in segments)
        committed, counted = exact_sum(steps), Fraction(segments[0].counted)
        if counted:
            steps.append(ExactStep("adjustment", amount=-min(committed, max(counted, Fraction(0)))))
        return RatedCharge(
            quantity=Fraction(1), unit="year", unit_amount=Decimal(segments[-1].charge.amount), steps=steps
        )
