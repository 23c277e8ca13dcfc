"""What all pricings have in common."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.validation import Place
from shared.domain.metering.meters import Gauge, Meter
from shared.domain.metering.readings import Reading
from shared.domain.pricing.lines import ExactStep, exact_sum

PRICES = "prices"
"""Names the reading of prices that come with events."""


@dataclass(frozen=True, slots=True)
class UnitRange:
    """The part (start, end] of a line's quantity, which in all is `total`, and the events that it comes from; it does
    not end before it starts. The first portion of a line carries what a zero quantity pays.

    `pricing_readings` are the readings of the pricing's own gauges, `factor` the meter's unit conversion.
    """

    start: Fraction
    end: Fraction
    total: Fraction
    first: bool
    events_before: Fraction = Fraction(0)
    events: Fraction = Fraction(0)
    pricing_readings: Mapping[str, Reading] = field(default_factory=dict)
    factor: Fraction = Fraction(1)

    @classmethod
    def whole(cls, quantity: Fraction, events: Fraction = Fraction(1)) -> "UnitRange":
        return cls(Fraction(0), quantity, quantity, first=True, events=events)

    @property
    def quantity(self) -> Fraction:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class EstimatedEvents:
    """Events that are merely stated: how many, the sum of their values after the unit conversion, and where they are
    known the values themselves, in their order. `place` is before those that are stated later.
    """

    count: Fraction
    sum: Fraction
    values: tuple[Fraction, ...]
    place: str

    def of_at_least(self, least: Fraction) -> "EstimatedEvents":
        """Those whose value is not less. Without a least value, all of them."""
        if not least:
            return self
        values = tuple(value for value in self.values if value >= least)
        return EstimatedEvents(Fraction(len(values)), sum(values, Fraction(0)), values, self.place)


class PricingRule(BaseModel, ABC):
    """From a portion to an amount. Portions that follow each other cost together what the whole costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str

    BY_VALUE: ClassVar[bool] = False
    """Whether it prices what events are worth, rather than how many units they come to."""

    SUMS_PRICES: ClassVar[bool] = False
    """Whether it adds up prices that come with the events, in a gauge of its own, `PRICES`."""

    COUNTS_UNITS: ClassVar[bool] = True
    """Whether units can be left out of what it prices, at the front or at the back."""

    @property
    def amount_paths(self) -> Collection[str]:
        """The paths of what it reads in events as amounts of money, beside what the meter reads."""
        return ()

    @property
    def single_price(self) -> Decimal | None:
        """The price of a unit, where all units have the same."""
        return None

    @property
    def expected_steps(self) -> int:
        """Of one portion."""
        return 1

    def gauges(self, source: Gauge, factor: Fraction) -> Mapping[str, Gauge]:
        """What has to be known beyond the quantity, by name, of the events that `source` measures; `factor` is the unit
        conversion of their values.
        """
        del source, factor
        return {}

    def estimated(self, events: EstimatedEvents, factor: Fraction) -> Mapping[str, Reading]:
        """What these gauges would have come to."""
        del events, factor
        return {}

    @property
    def needs_values(self) -> bool:
        """Whether the number and the sum of the values are not enough to know the price."""
        return False

    def refusals_when_saved(self) -> Iterator[tuple[Place, str]]:
        """Why it can be calculated with, but not be saved: places in the charge, with what is wrong."""
        return iter(())

    def refusals(self, meter: Meter) -> Iterator[tuple[Place, str]]:
        """Why this pricing cannot be used with the meter: places in the charge, with what is wrong."""
        if not self.BY_VALUE:
            return
        if meter.aggregation not in ("count", "sum"):
            yield ("pricing", "type"), f"{self.type} prices the values of events, so the meter has to be a sum"
        if meter.unit is not None and meter.unit.rounding is not None:
            yield ("meter", "unit", "rounding"), f"cannot stand beside {self.type}, which prices exact values"

    @abstractmethod
    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        """What the portion costs."""

    def price(self, quantity: Fraction, events: Fraction = Fraction(1)) -> Fraction:
        return exact_sum(self.steps(UnitRange.whole(quantity, events), version=1))


def percent_of(value: Fraction, percent: Decimal) -> Fraction:
    return value * Fraction(percent) / 100
