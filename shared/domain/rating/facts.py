"""Facts: everything that decides what is due for a period, before any price."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.histories import History
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges.charge import Charge, HeadcountName, Recurrence


class InconsistentFactsError(XyraError):
    """The facts contradict each other, which is a bug.

    Usage of a version that was not in force, for example.
    """


class MeterReadings(Protocol):
    """The readings of one agent under one version, by the name of the gauge (`Totals`)."""

    def meters(self) -> Collection[str]:
        """The names of all readings."""
        ...

    def reading(self, name: str) -> Reading | None: ...


@dataclass(frozen=True, slots=True)
class Segment:
    """The time [start, end) in which one version priced an agent, or `agents` alike."""

    agent_id: str
    version: Version
    start: datetime
    end: datetime
    agents: Fraction = Fraction(1)
    """0 for a subscription."""
    place: str | None = None
    """Where the subscription stands whose plan it has; None for an agent on a billing model of its own."""
    quantity: int = 1
    """How often that subscription's plan is had."""
    has_days: bool = True
    """False for an agent's usage by a plan at a place: fees, minima and included units go by the plan's own days.

    An agent's segment with days at a place has those on which the plan prices it: for what is due for each agent.
    """

    @property
    def has_usage(self) -> bool:
        return self.place is None or not self.has_days

    def is_priced_by(self, charge: Charge) -> bool:
        """Whether a charge of the version concerns it. At a place each segment has its own part of them."""
        if self.place is None:
            return True
        if not self.has_days:
            return bool(charge.gauges)
        return charge.is_due_for_each_agent if self.agents else charge.scope == "organization"


@dataclass(frozen=True, slots=True)
class Cycle:
    """The time that a recurring charge is for: a billing period, quarter or year.

    `segments` are all segments in it; `closes` is when its last billing period ends, or that in which the organization
    ended; at a place, when its last day does.
    """

    period: Period
    segments: Sequence[Segment]
    closes: datetime
    uncut: Period | None = None
    """Of a cycle that began late or was cut by another one: all of it."""

    @property
    def whole(self) -> Period:
        """What shares of it divide by."""
        return self.period.whole if self.uncut is None else self.uncut


CountedKey = tuple[str, str, datetime]
"""A billing model, the key of its commitment, and when the year began."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides what is due for a period. Amounts are in `currency`.

    `totals` are the usage totals by agent id and version id.
    """

    period: Period
    currency: str
    segments: Sequence[Segment]
    totals: Mapping[tuple[str, str], MeterReadings]
    first_starts: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When a model was first used, by model id and agent id (or `POOLED`).

    Needed where a charge is due once.
    """
    cycles: Mapping[Recurrence, Cycle] = field(default_factory=dict)
    """The quarter and the year of the period; needed where charges recur by them."""
    place_cycles: Mapping[Recurrence, Sequence[Cycle]] = field(default_factory=dict)
    """The quarters and years of places that the period has a part of; needed where charges of plans recur by them."""
    counted: Mapping[CountedKey, Decimal] = field(default_factory=dict)
    """Of each yearly commitment that ends in the period, what its charges come to in the periods before it."""
    headcounts: Mapping[HeadcountName, History[int]] = field(default_factory=dict)
    """The organization's headcounts; needed where a charge prices them."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The names of agents and billing models, by id; they decide nothing, and lines show them."""

    def cycles_by(self, recurrence: Recurrence) -> Sequence[Cycle]:
        """The times that charges of this recurrence are rated over, those of agents first."""
        if recurrence in ("period", "once"):
            return [Cycle(self.period, self.segments, closes=self.period.end)]
        of_agents = self.cycles.get(recurrence)
        return [*([] if of_agents is None else [of_agents]), *self.place_cycles.get(recurrence, ())]
