"""A fee for every agent."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Self

from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, only_version
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.headcount import HeadcountCharge, HeadcountSegment, headcount_steps


class AgentCharge(HeadcountCharge):
    """Priced by the number of agents, each for the days that it was on the model."""

    type: Literal["agent"]
    scope: Scope = "organization"

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        there = _with_days(segments)
        places: dict[str, tuple[Fraction, Fraction]] = {}
        total = Fraction(0)
        for segment in there:
            if segment.agent_id not in places:
                places[segment.agent_id] = (total, total + segment.agents)
                total += segment.agents
        groups = [
            HeadcountSegment(
                version=segment.version,
                pricing=segment.charge.pricing,
                discount=segment.charge.discount,
                start=places[segment.agent_id][0],
                end=places[segment.agent_id][1],
                total=total,
                share=segment.agent_share,
                line_share=segment.share,
            )
            for segment in there
        ]
        return RatedCharge(
            quantity=total,
            unit="agent",
            unit_amount=segments[0].charge.pricing.single_price if only_version(segments) else None,
            steps=headcount_steps(groups),
        )

    def estimated_agents(self, estimate: Estimate) -> Fraction | None:
        if estimate.quantity is None:
            return super().estimated_agents(estimate)
        if estimate.agents is not None:
            raise estimate.refused("agents", "cannot stand beside quantity, which says it")
        return estimate.headcount("quantity", Fraction(estimate.quantity))


def _with_days(segments: Sequence[LineSegment[AgentCharge]]) -> list[LineSegment[AgentCharge]]:
    """Those of agents with a day in the line: one that left within its first day is nobody's head."""
    days: dict[str, Fraction] = {}
    for segment in segments:
        days[segment.agent_id] = days.get(segment.agent_id, Fraction(0)) + segment.agent_share
    return [segment for segment in segments if days[segment.agent_id]]
