"""Agent charge: a fee by the number of agents on the billing model."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Self

from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, is_one_version
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.headcount import HeadcountCharge, HeadcountSegment, headcount_steps


class AgentCharge(HeadcountCharge):
    """A fee by the number of agents, prorated by their days on the billing model."""

    type: Literal["agent"]
    scope: Scope = "organization"

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        counted = _with_days(segments)
        starts: dict[str, Fraction] = {}
        total = Fraction(0)
        for segment in counted:
            if segment.agent_id not in starts:
                starts[segment.agent_id] = total
                total += segment.agents
        return RatedCharge(
            quantity=total,
            unit="agent",
            unit_amount=segments[0].charge.pricing.single_price if is_one_version(segments) else None,
            steps=headcount_steps(
                [
                    HeadcountSegment(
                        version=segment.version,
                        pricing=segment.charge.pricing,
                        discount=segment.charge.discount,
                        start=starts[segment.agent_id],
                        end=starts[segment.agent_id] + segment.agents,
                        total=total,
                        share=segment.agent_share,
                        line_share=segment.share,
                    )
                    for segment in counted
                ]
            ),
        )

    def estimated_agents(self, estimate: Estimate) -> Fraction | None:
        if estimate.quantity is None:
            return super().estimated_agents(estimate)
        if estimate.agents is not None:
            raise estimate.refused("agents", "cannot be combined with quantity, which is the number of agents")
        return estimate.whole_number("quantity", Fraction(estimate.quantity))


def _with_days(segments: Sequence[LineSegment[AgentCharge]]) -> list[LineSegment[AgentCharge]]:
    """The segments of agents that have a day in the line.

    An agent that left on its first day is not counted.
    """
    days: dict[str, Fraction] = {}
    for segment in segments:
        days[segment.agent_id] = days.get(segment.agent_id, Fraction(0)) + segment.agent_share
    return [segment for segment in segments if days[segment.agent_id]]
