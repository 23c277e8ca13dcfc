"""A fixed amount for every event, whatever its value."""

from decimal import Decimal
from fractions import Fraction

from shared.domain.pricing.lines import ExactStep, StepKind


def per_event_steps(amount: Decimal, events: Fraction, version: int, kind: StepKind = "unit") -> list[ExactStep]:
    """A step for the events at this amount each; none where it would be zero."""
    if not amount or not events:
        return []
    return [ExactStep(kind, amount=events * Fraction(amount), version=version, quantity=events, unit_amount=amount)]
