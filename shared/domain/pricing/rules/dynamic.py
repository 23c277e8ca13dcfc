"""Dynamic: each event carries its own price."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.validation import FieldPath
from shared.domain.metering.gauges import Event, Gauge
from shared.domain.metering.meters import Meter
from shared.domain.metering.paths import Path
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.metering.values import number_of
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import EVENT_PRICES, Basis, EstimatedEvents, PricingRule, UnitRange


class Dynamic(PricingRule):
    """Each event carries its own price, whatever its quantity."""

    BASIS: ClassVar[Basis] = "event_prices"

    type: Literal["dynamic"]
    value: Path
    """The path of the price in the event, such as `data.price`."""

    @property
    def amount_paths(self) -> Collection[str]:
        return (self.value,)

    def gauges(self, source: Gauge, factor: Fraction) -> Mapping[str, Gauge]:
        del factor
        return {EVENT_PRICES: _EventPrices(source, self.value)}

    def estimated_readings(self, events: EstimatedEvents, factor: Fraction) -> Mapping[str, Reading]:
        del factor
        return {EVENT_PRICES: CountAndSum(events.count, events.sum)}

    def refusals(self, meter: Meter) -> Iterator[tuple[FieldPath, str]]:
        if meter.aggregation not in ("count", "sum"):
            yield ("pricing", "type"), "dynamic adds up the prices of events, so the meter has to be a count or a sum"

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        prices = units.pricing_readings.get(EVENT_PRICES, CountAndSum())
        if not isinstance(prices, CountAndSum):
            raise TypeError("prices are added up")
        if not prices.count and not units.first:
            return []
        return [ExactStep("unit", amount=Fraction(prices.sum), version=version, quantity=units.quantity)]


@dataclass(frozen=True, slots=True)
class _EventPrices:
    """Adds up the prices in the events that another gauge measures."""

    source: Gauge
    path: str

    @property
    def nothing(self) -> CountAndSum:
        return CountAndSum()

    def measure(self, event: Event) -> CountAndSum | None:
        if self.source.measure(event) is None:
            return None
        return CountAndSum(1, number_of(event, self.path))
