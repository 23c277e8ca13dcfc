"""What all charges have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.kernel.validation import Place
from shared.domain.metering.meters import Event, Gauge, Measure
from shared.domain.metering.readings import Reading, together
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.lines import ExactStep, Timing

ChargeKey = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Scope = Literal["agent", "organization"]
"""Whether a charge has a line for each agent, or one for all the organization's agents on its model."""

Recurrence = Literal["period", "quarter", "year", "once"]
"""What a charge is due for: each billing period, each quarter or year of them, or once in the life of its model."""

HeadcountName = Literal["members", "seats"]
"""Numbers of an organization that change over time and are priced by the day."""


class Charge(BaseModel, ABC):
    """One priced thing of a billing model. Its key is stable over the versions of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope")
    """The fields that a key keeps over the versions of its model, because its line goes on from one to the next."""

    key: ChargeKey
    type: str
    scope: Scope

    @property
    def meters(self) -> Mapping[str, Measure]:
        """Of what its lines show, by the name under which totals keep their readings: the charge's key, or for a part
        of the charge `key/part`.
        """
        return {}

    @property
    def gauges(self) -> Mapping[str, Gauge]:
        """All that it wants to know of events, by name: its meters, and what its pricing needs besides."""
        return self.meters

    @property
    def expected_steps(self) -> int:
        """About the steps that usage makes in a line, for each agent: how much work it is."""
        return max(1, len(self.gauges))

    def counts_on_arrival(self, event: Event) -> bool:
        """Whether the event counts as soon as it is rated, where it matters here."""
        del event
        return True

    def awaits(self, event: Event) -> bool:
        """Whether the event counts only once something has been decided about it."""
        del event
        return False

    def amount_paths(self, event: Event) -> frozenset[str]:
        """The paths of what it reads as amounts of money, where the event matters here. Raises `UnmeterableError`."""
        del event
        return frozenset()

    def money_fields(self) -> Iterator[Place]:
        """What makes amounts of money of the numbers that its meter reads, which would be units without it."""
        return iter(())

    @property
    def billing_timing(self) -> Timing:
        """Whether for the period that ended, or in advance for the one that starts."""
        return "arrears"

    @property
    def recurrence(self) -> Recurrence:
        return "period"

    @property
    @abstractmethod
    def purpose(self) -> str:
        """What it is for, in a few words for people, to stand beside its name."""

    @property
    def headcount(self) -> HeadcountName | None:
        """The organization's number that it prices."""
        return None

    @classmethod
    @abstractmethod
    def rated(cls, segments: "Sequence[LineSegment[Self]]") -> "RatedCharge":
        """What a line costs whose segments these are, in their order; there is at least one."""

    @classmethod
    def weights(cls, segments: "Sequence[LineSegment[Self]]") -> Mapping[str, Fraction]:
        """What each agent's part of a line of many is measured by, from 0 on: its own quantity, unless it is priced by
        something else.
        """
        return quantities(segments)

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        """What its gauges would have come to for usage that is merely stated. Raises `ValidationError`."""
        del span
        estimate.only()
        return {}

    def estimated_agents(self, estimate: Estimate) -> Fraction | None:
        """How many agents usage that is merely stated says there are. Raises `ValidationError`."""
        return None if estimate.agents is None else estimate.headcount("agents", estimate.agents, least=1)

    def with_estimate(self, estimate: Sequence[Estimate], agents: Fraction) -> Self:
        """The charge as it is in force where usage is merely stated, with so many agents. Raises `ValidationError`."""
        del estimate, agents
        return self

    def refusals_when_saved(self) -> Iterator[tuple[Place, str]]:
        """Why it can be calculated with, but not be in a model that is saved: places in the charge, with what is
        wrong.
        """
        return iter(())


C_co = TypeVar("C_co", bound=Charge, covariant=True)


@dataclass(frozen=True, slots=True)
class Headcount:
    """A number that an organization had for a share of the line's days."""

    number: Fraction
    share: Fraction


@dataclass(frozen=True, slots=True)
class LineSegment(Generic[C_co]):
    """What of a line falls to one agent, or to `agents` alike, under one version of the charge.

    Shares are days over the days of the period: `share` of the days that count for the line, so in pooled lines each
    day once; `agent_share` of the agent's own. `headcounts` are the charge's number over those of `share`.
    """

    charge: C_co
    version: int
    agent_id: str
    share: Fraction
    agent_share: Fraction
    readings: Mapping[str, Reading]
    span: Span
    agents: Fraction = Fraction(1)
    headcounts: Sequence[Headcount] = field(default=())

    @property
    def times(self) -> Fraction:
        """How often a fee of the line is due: the lines of agents alike are shown as one."""
        return self.agents if self.charge.scope == "agent" else Fraction(1)


@dataclass(frozen=True, slots=True)
class RatedCharge:
    """`unit_amount` is the price of a unit where there is just one."""

    quantity: Fraction
    unit: str
    unit_amount: Decimal | None
    steps: Sequence[ExactStep]


def quantities(segments: "Sequence[LineSegment[Charge]]") -> dict[str, Fraction]:
    """What each agent's meters have come to over all versions."""
    by_agent: dict[str, list[LineSegment[Charge]]] = {}
    for segment in segments:
        by_agent.setdefault(segment.agent_id, []).append(segment)
    return {agent_id: max(Fraction(0), _quantity(own)) for agent_id, own in by_agent.items()}


def _quantity(own: "Sequence[LineSegment[Charge]]") -> Fraction:
    meters = {name: meter for segment in own for name, meter in segment.charge.meters.items()}
    readings: dict[str, list[Reading]] = {name: [] for name in meters}
    for segment in own:
        for name in segment.charge.meters:
            readings[name].append(segment.readings[name])
    return sum((meters[name].quantity(together(each), own[0].span) for name, each in readings.items()), Fraction(0))


def only_version(segments: "Sequence[LineSegment[Charge]]") -> bool:
    return len({segment.version for segment in segments}) == 1
