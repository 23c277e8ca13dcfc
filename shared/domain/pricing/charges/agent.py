"""Agent charge: a fee by the number of agents on the billing model."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Self

from shared.domain.pricing.charges.charge import Headcount, HeadcountName, LineSegment, Scope
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.headcount import HeadcountCharge


class AgentCharge(HeadcountCharge):
    """A fee by the number of agents on the billing model at each day's end."""

    type: Literal["agent"]
    scope: Scope = "organization"

    @property
    def headcount(self) -> HeadcountName:
        return "agents"

    @classmethod
    def headcounts(cls, segment: LineSegment[Self]) -> Sequence[Headcount]:
        return segment.headcounts

    def estimated_agents(self, estimate: Estimate) -> Fraction | None:
        if estimate.quantity is None:
            return super().estimated_agents(estimate)
        if estimate.agents is not None:
            raise estimate.refused("agents", "cannot be combined with quantity, which is the number of agents")
        return estimate.whole_number("quantity", Fraction(estimate.quantity))
