"""Percentage: a rate of the values of events, and a fixed amount for each event."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.kernel.validation import FieldPath, refusal
from shared.domain.metering.bands import Band, Bands, OrderedEvent
from shared.domain.metering.gauges import Event, Gauge
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.per_event import per_event_steps
from shared.domain.pricing.rules.rule import Basis, EstimatedEvents, PricingRule, UnitRange, percent_of

MAXIMUM_FREE_EVENTS = 500
EVENTS = "events"
"""Names the gauge that keeps events by what they pay."""


class Percentage(PricingRule):
    """A percentage of each event's value and a fixed amount, within bounds per event.

    The first `free_events` cost nothing, nor do events that the `free_amount` covers wholly.
    """

    BASIS: ClassVar[Basis] = "values"

    type: Literal["percentage"]
    rate: NonNegativeAmount = ZERO
    """In percent of the values beyond `free_amount`."""
    fixed_per_event: NonNegativeAmount = ZERO
    """Due for every event besides."""
    free_events: Annotated[int, Field(ge=0, le=MAXIMUM_FREE_EVENTS, strict=True)] = 0
    """How many events at the beginning of the period cost nothing."""
    free_amount: NonNegativeAmount = ZERO
    """The value at the beginning of the period that costs nothing."""
    minimum_per_event: NonNegativeAmount | None = None
    """What an event costs at least."""
    maximum_per_event: NonNegativeAmount | None = None
    """What an event costs at most."""

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Self:
        minimum, maximum = self.minimum_per_event, self.maximum_per_event
        if minimum is not None and maximum is not None and minimum > maximum:
            raise refusal((("minimum_per_event",), "is more than maximum_per_event"))
        return self

    @property
    def needs_each_value(self) -> bool:
        return self._depends_on_events or self._depends_on_order

    @property
    def _depends_on_events(self) -> bool:
        """Whether the price depends on single events, not only on their number and sum."""
        return self.free_events > 0 or self.minimum_per_event is not None or self.maximum_per_event is not None

    @property
    def _depends_on_order(self) -> bool:
        """Whether the price depends on each value in order, which totals do not keep.

        See docs/billing.md, "Order-dependent prices".
        """
        return self.free_amount > 0 and (self._depends_on_events or self.fixed_per_event > 0)

    def gauges(self, source: Gauge, factor: Fraction) -> Mapping[str, Gauge]:
        return {EVENTS: _EventBands(self, source, factor)} if self.needs_each_value else {}

    def estimated_readings(self, events: EstimatedEvents, factor: Fraction) -> Mapping[str, Reading]:
        if not self.needs_each_value:
            return {}
        placed = tuple(
            OrderedEvent(events.order, f"{number:09d}", value / factor, self.band(value))
            for number, value in enumerate(events.values)
        )
        return {EVENTS: Bands(listed=len(placed), first=placed)}

    def refusals_when_saved(self) -> Iterator[tuple[FieldPath, str]]:
        if self._depends_on_order:
            detail = "cannot stand beside parts per event, because it would depend on the order of all events"
            yield ("pricing", "free_amount"), detail

    def band(self, value: Fraction) -> Band:
        """Which bound per event applies to an event of this value."""
        price = percent_of(value, self.rate) + Fraction(self.fixed_per_event)
        if self.minimum_per_event is not None and price < self.minimum_per_event:
            return "minimum"
        if self.maximum_per_event is not None and price > self.maximum_per_event:
            return "maximum"
        return "between"

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        bands = units.pricing_readings.get(EVENTS)
        if bands is None:
            return self._steps_of_sum(units, version)
        if not isinstance(bands, Bands):
            raise TypeError("the events of a percentage are read in bands")
        if self._depends_on_order:
            bands = self._beyond_free_amount(bands, units.factor)
        free = max(0, self.free_events - int(units.events_before))
        return self._steps_of_bands(bands.without_first(free), units.factor, version)

    def _steps_of_sum(self, units: UnitRange, version: int) -> list[ExactStep]:
        free = Fraction(self.free_amount)
        value = max(Fraction(0), units.end - free) - max(Fraction(0), units.start - free)
        return self._rate_steps(value, units.events, version, shown=bool(value) or units.first)

    def _steps_of_bands(self, bands: Bands, factor: Fraction, version: int) -> list[ExactStep]:
        value = Fraction(bands.between.sum) * factor
        steps = self._rate_steps(value, Fraction(bands.between.count), version, shown=bool(bands.between.count))
        steps += per_event_steps(self.minimum_per_event or ZERO, Fraction(bands.minimum), version, "minimum")
        return steps + per_event_steps(self.maximum_per_event or ZERO, Fraction(bands.maximum), version, "maximum")

    def _rate_steps(self, value: Fraction, events: Fraction, version: int, *, shown: bool) -> list[ExactStep]:
        fixed = per_event_steps(self.fixed_per_event, events, version)
        if not shown:
            return fixed
        amount = percent_of(value, self.rate)
        return [ExactStep("percentage", amount=amount, version=version, quantity=value, rate=self.rate), *fixed]

    def _beyond_free_amount(self, bands: Bands, factor: Fraction) -> Bands:
        """The events with the values that the free amount leaves.

        Earlier events use it up first.
        """
        left = Fraction(self.free_amount)
        paid = []
        for event in bands.first:
            value = Fraction(event.value) * factor
            covered = min(left, value)
            left -= covered
            if covered < value or not value:
                rest = value - covered
                paid.append(OrderedEvent(event.time, event.key, rest / factor, self.band(rest)))
        return Bands(listed=len(paid), first=tuple(paid))


@dataclass(frozen=True, slots=True)
class _EventBands:
    """Sorts the events of another gauge by which bound per event applies to them."""

    pricing: Percentage
    source: Gauge
    factor: Fraction

    @property
    def nothing(self) -> Bands:
        return Bands(listed=self.pricing.free_events)

    def measure(self, event: Event) -> Bands | None:
        reading = self.source.measure(event)
        if not isinstance(reading, CountAndSum):
            return None
        band = self.pricing.band(Fraction(reading.sum) * self.factor)
        placed = OrderedEvent(event.time, event.key, reading.sum, band)
        if not self.pricing.free_events:
            return self.nothing.with_counted([placed])
        return Bands(listed=self.pricing.free_events, first=(placed,))
