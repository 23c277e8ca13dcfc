"""What is paid per event, whatever it is worth."""

from decimal import Decimal
from fractions import Fraction

from shared.domain.pricing.lines import ExactStep, StepKind


def fixed_steps(amount: Decimal, events: Fraction, version: int, kind: StepKind = "unit") -> list[ExactStep]:
    """So many events at that amount each; none where that is nothing."""
    if not amount or not events:
        return []
    return [ExactStep(kind, amount=events * Fraction(amount), version=version, quantity=events, unit_amount=amount)]
