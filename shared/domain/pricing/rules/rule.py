"""The base of all pricings: what a range of units, values or events costs."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.validation import FieldPath
from shared.domain.kernel.value import Value
from shared.domain.metering.gauges import Gauge
from shared.domain.metering.meters import Meter
from shared.domain.metering.readings import Reading
from shared.domain.pricing.lines import ExactStep, exact_sum

Basis = Literal["units", "values", "event_prices"]
"""What a pricing prices: metered units, values of events, or prices in events."""

EVENT_PRICES = "prices"
"""Names the gauge that adds up the prices in events."""


@dataclass(frozen=True, slots=True)
class UnitRange:
    """The range (start, end] of a line's quantity that one segment pays for.

    The quantity is in units of the meter after its conversion, or an amount of money where values are priced. `total`
    is the quantity of the whole line. The `first` range of a line also pays what a quantity of zero costs.
    """

    start: Fraction
    end: Fraction
    total: Fraction
    first: bool
    events_before: Fraction = Fraction(0)
    """The events of the line's earlier segments, reversed ones included."""
    events: Fraction = Fraction(0)
    pricing_readings: Mapping[str, Reading] = field(default_factory=dict)
    """What the pricing's own gauges have read, by the gauge's name."""
    factor: Fraction = Fraction(1)
    """The meter's unit conversion."""

    @classmethod
    def whole(cls, quantity: Fraction, events: Fraction = Fraction(1)) -> "UnitRange":
        """The only range of a line."""
        return cls(Fraction(0), quantity, quantity, first=True, events=events)

    @property
    def quantity(self) -> Fraction:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class EstimatedEvents:
    """Events of an estimate: their number, the sum of their values, and each value.

    `values` are in the order of the events, and empty where only the sum is known. Values are after the unit
    conversion.
    """

    count: Fraction
    sum: Fraction
    values: tuple[Fraction, ...]
    order: str
    """Sorts before the `order` of the estimates after this one."""

    def of_at_least(self, minimum: Fraction) -> "EstimatedEvents":
        """The events whose value reaches a minimum; all of them where the minimum is zero."""
        if not minimum:
            return self
        values = tuple(value for value in self.values if value >= minimum)
        return EstimatedEvents(Fraction(len(values)), sum(values, Fraction(0)), values, self.order)


class PricingRule(Value, ABC):
    """Prices the unit ranges of a line. Adjacent ranges cost together what their union costs."""

    type: str
    """Which pricing it is."""

    BASIS: ClassVar[Basis] = "units"

    @property
    def amount_paths(self) -> Collection[str]:
        """The paths in an event that this pricing itself reads as amounts of money."""
        return ()

    @property
    def single_price(self) -> Decimal | None:
        """The price of a unit where all units cost the same, else None."""
        return None

    @property
    def expected_steps(self) -> int:
        """About how many steps the price of one range has."""
        return 1

    def gauges(self, source: Gauge, factor: Fraction) -> Mapping[str, Gauge]:
        """The gauges for what the price depends on besides the quantity, by name.

        They read the events that `source` measures; `factor` converts the units of their values.
        """
        del source, factor
        return {}

    def estimated_readings(self, events: EstimatedEvents, factor: Fraction) -> Mapping[str, Reading]:
        """What these gauges would read for estimated events."""
        del events, factor
        return {}

    @property
    def needs_each_value(self) -> bool:
        """Whether the price depends on single values, not only on their number and sum."""
        return False

    def refusals_when_saved(self) -> Iterator[tuple[FieldPath, str]]:
        """Why it cannot be saved, though it can be calculated with, by field."""
        return iter(())

    def refusals(self, meter: Meter) -> Iterator[tuple[FieldPath, str]]:
        """Why it does not go with a meter, by field of the charge."""
        if self.BASIS != "values":
            return
        if meter.aggregation not in ("count", "sum"):
            yield ("pricing", "type"), f"{self.type} prices the values of events, so the meter has to be a sum"
        if meter.unit is not None and meter.unit.rounding is not None:
            yield ("meter", "unit", "rounding"), f"cannot be combined with {self.type}, which prices exact values"

    @abstractmethod
    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        """What a range costs: exact steps in the currency of the billing model."""

    def price(self, quantity: Fraction, events: Fraction = Fraction(1)) -> Fraction:
        """What a quantity costs that is a line of its own."""
        return exact_sum(self.steps(UnitRange.whole(quantity, events), version=1))


def percent_of(amount: Fraction, percent: Decimal) -> Fraction:
    return amount * Fraction(percent) / 100
