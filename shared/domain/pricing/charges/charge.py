"""The base of all charges, and the line segments that they are rated from."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import Field

from shared.domain.kernel.validation import FieldPath
from shared.domain.kernel.validation_messages import Expected
from shared.domain.kernel.value import Value
from shared.domain.metering.gauges import Event, Gauge, Measure
from shared.domain.metering.readings import Reading, Weighted, merge_all
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.lines import ExactStep, SettlingSide, Timing

ChargeKey = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$"), Expected("1 to 64 small letters, digits, _ and -")]

Scope = Literal["agent", "organization"]
"""Whether a charge has a line per agent, or one pooled line for all agents."""

Recurrence = Literal["period", "quarter", "year", "once"]
"""How often a charge is due: by period, quarter or year, or once per model."""

HeadcountName = Literal["agents", "members", "seats"]
"""What is counted at each local day's end: agents of a line, or members or seats."""


class Charge(Value, ABC):
    """One priced thing of a billing model."""

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "settles")
    """The fields that no later version may change: its line goes on over all versions."""

    key: ChargeKey
    """Names the charge in its model; stable over the model's versions."""
    type: str
    """Which kind of charge it is."""
    scope: Scope
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: SettlingSide = "invoice"
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""

    @property
    def is_due_for_each_agent(self) -> bool:
        """Whether something of it is due for each agent, whatever it uses."""
        return self.scope == "agent"

    # What it meters

    @property
    def meters(self) -> Mapping[str, Measure]:
        """The meters whose quantities its lines show, by the name of their reading.

        The name is the charge's key, or `key/part` for a part of the charge.
        """
        return {}

    @property
    def gauges(self) -> Mapping[str, Gauge]:
        """All that it reads from events, by name: its meters and what its pricing needs."""
        return self.meters

    @property
    def has_levels(self) -> bool:
        """Whether it prices a level, which holds until the next event."""
        return any(isinstance(gauge.nothing, Weighted) for gauge in self.gauges.values())

    def takes(self, event_type: str) -> bool:
        """Whether it meters events of a type, be it only those with some values."""
        return any(meter.event_type == event_type for meter in self.meters.values())

    def number_paths(self, event_type: str) -> frozenset[str]:
        """The paths at which it reads numbers in events of a type."""
        del event_type
        return frozenset()

    def counts_on_arrival(self, event: Event) -> bool:
        """Whether an event about this charge counts as soon as it is metered."""
        del event
        return True

    def awaits(self, event: Event) -> bool:
        """Whether an event about this charge counts only once it is verified."""
        del event
        return False

    def amount_paths(self, event: Event) -> frozenset[str]:
        """The paths in this event that the charge reads as amounts of money.

        None where the event is not about it. Raises `UnmeterableError`.
        """
        del event
        return frozenset()

    def money_fields(self) -> Iterator[FieldPath]:
        """The fields by which the numbers that its meter reads are money, not units."""
        return iter(())

    # When it is due

    @property
    def recurrence(self) -> Recurrence:
        return "period"

    @property
    def billing_timing(self) -> Timing:
        """Whether it is billed after its period, or in advance."""
        return "arrears"

    # What it costs

    @property
    @abstractmethod
    def purpose(self) -> str:
        """What it is for, in a few words, to follow its name on a line."""

    @property
    def headcount(self) -> HeadcountName | None:
        """The headcount that it prices, if any."""
        return None

    @property
    def expected_steps(self) -> int:
        """About how many steps it adds to a line per agent; bounds the work."""
        return max(1, len(self.gauges))

    def expected_steps_for(self, workflows: Collection[str]) -> int:  # noqa: ARG002  only some price them one by one
        """As `expected_steps`, where only workflows of these types are priced."""
        return self.expected_steps

    @classmethod
    @abstractmethod
    def rated(cls, segments: "Sequence[LineSegment[Self]]") -> "RatedCharge":
        """Price one line from its segments, at least one, ordered by (start, agent id)."""

    @classmethod
    def weights(cls, segments: "Sequence[LineSegment[Self]]") -> Mapping[str, Fraction]:
        """The weights by which a pooled line is allocated to its agents, 0 or more.

        They are the agents' quantities, unless the charge prices something else.
        """
        return quantities(segments)

    # What it would cost

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        """What its gauges would read for estimated usage. Raises `ValidationError`."""
        del span
        estimate.allow_only()
        return {}

    def estimated_agents(self, estimate: Estimate) -> Fraction | None:
        """The number of agents that an estimate gives, if any. Raises `ValidationError`."""
        return None if estimate.agents is None else estimate.whole_number("agents", estimate.agents, minimum=1)

    def with_estimates(self, estimates: Sequence[Estimate], agents: Fraction) -> Self:
        """The charge to calculate with for these estimates and this number of agents. Raises `ValidationError`."""
        del estimates, agents
        return self

    def refusals_when_saved(self) -> Iterator[tuple[FieldPath, str]]:
        """Why it cannot be saved, though it can be calculated with, by field."""
        return iter(())


C_co = TypeVar("C_co", bound=Charge, covariant=True)


@dataclass(frozen=True, slots=True)
class Headcount:
    """A number of agents, members or seats, and its share of the days."""

    number: Fraction
    share: Fraction


@dataclass(frozen=True, slots=True)
class LineSegment(Generic[C_co]):
    """What one agent, or `agents` alike, contribute to a line under one version.

    Shares are days over the days of the period. `share` are the days that count for the line, where a pooled line
    counts each day once; `agent_share` are the agent's own days. `headcounts` are the days on which the charge's
    headcount is counted, by number.
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
    quantity: int = 1
    """How often the plan is had whose fees these are."""
    has_days: bool = True
    """False on a line without a day: it prices its quantities only, and no flat amounts."""
    counted: Decimal = Decimal(0)
    """Of a yearly commitment: what its charges come to, in the first segment."""
    included_elsewhere: Fraction = Fraction(0)
    """Included units that another plan of the period lends to this one; negative where this one lends them."""

    @property
    def times(self) -> Fraction:
        """How often a fee is due: once per line and plan that is had, or for each of `agents` alike."""
        return self.agents if self.charge.scope == "agent" else Fraction(self.quantity)


@dataclass(frozen=True, slots=True)
class RatedCharge:
    """The price of a line in exact steps, in the billing model's currency, not rounded.

    `unit_amount` is the price of one unit where all units have the same.
    """

    quantity: Fraction
    unit: str
    unit_amount: Decimal | None
    steps: Sequence[ExactStep]


def quantities(segments: "Sequence[LineSegment[Charge]]") -> dict[str, Fraction]:
    """The quantity of each agent over all versions, by agent id; 0 or more."""
    by_agent: dict[str, list[LineSegment[Charge]]] = {}
    for segment in segments:
        by_agent.setdefault(segment.agent_id, []).append(segment)
    return {agent_id: max(Fraction(0), quantity_of(of_agent)) for agent_id, of_agent in by_agent.items()}


def quantity_of(segments: "Sequence[LineSegment[Charge]]") -> Fraction:
    """What all meters of these segments read together; of one meter, its quantity."""
    meters = {name: meter for segment in segments for name, meter in segment.charge.meters.items()}
    readings: dict[str, list[Reading]] = {name: [] for name in meters}
    for segment in segments:
        for name in segment.charge.meters:
            readings[name].append(segment.readings[name])
    span = segments[0].span
    return sum((meters[name].quantity(merge_all(merged), span) for name, merged in readings.items()), Fraction(0))


def is_one_version(segments: "Sequence[LineSegment[Charge]]") -> bool:
    return len({segment.version for segment in segments}) == 1
