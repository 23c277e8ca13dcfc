"""A rate of the values of events, and a fixed amount for each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.kernel.validation import Place, refusal
from shared.domain.metering.meters import Event, Gauge
from shared.domain.metering.readings import Band, Bands, CountAndSum, Placed, Reading
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.per_event import fixed_steps
from shared.domain.pricing.rules.rule import EstimatedEvents, PricingRule, UnitRange, percent_of

MAXIMUM_FREE_EVENTS = 500
EVENTS = "events"


class Percentage(PricingRule):
    """`rate` in percent of the values, beyond the `free_amount` of them, plus `fixed_per_event`. An event pays at least
    `minimum_per_event` and at most `maximum_per_event`; the first `free_events`, and those that the free amount covers
    wholly, pay nothing.
    """

    BY_VALUE: ClassVar[bool] = True
    COUNTS_UNITS: ClassVar[bool] = False

    type: Literal["percentage"]
    rate: NonNegativeAmount = ZERO
    fixed_per_event: NonNegativeAmount = ZERO
    free_events: Annotated[int, Field(ge=0, le=MAXIMUM_FREE_EVENTS, strict=True)] = 0
    free_amount: NonNegativeAmount = ZERO
    minimum_per_event: NonNegativeAmount | None = None
    maximum_per_event: NonNegativeAmount | None = None

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Self:
        least, most = self.minimum_per_event, self.maximum_per_event
        if least is not None and most is not None and least > most:
            raise refusal((("minimum_per_event",), "is more than maximum_per_event"))
        return self

    @property
    def by_event(self) -> bool:
        """Whether the price depends on the single events, not only on their number and sum."""
        return self.free_events > 0 or self.minimum_per_event is not None or self.maximum_per_event is not None

    @property
    def by_order(self) -> bool:
        """Whether the values of all events would be needed, one by one, in their order."""
        return self.free_amount > 0 and (self.by_event or self.fixed_per_event > 0)

    def gauges(self, source: Gauge, factor: Fraction) -> Mapping[str, Gauge]:
        return {EVENTS: _Events(self, source, factor)} if self.needs_values else {}

    def estimated(self, events: EstimatedEvents, factor: Fraction) -> Mapping[str, Reading]:
        if not self.needs_values:
            return {}
        placed = tuple(
            Placed(events.place, f"{number:09d}", value / factor, self.band(value))
            for number, value in enumerate(events.values)
        )
        return {EVENTS: Bands(keeps=len(placed), first=placed)}

    @property
    def needs_values(self) -> bool:
        return self.by_event or self.by_order

    def refusals_when_saved(self) -> Iterator[tuple[Place, str]]:
        if self.by_order:
            detail = "cannot stand beside parts per event, because it would depend on the order of all events"
            yield ("pricing", "free_amount"), detail

    def band(self, value: Fraction) -> Band:
        own = percent_of(value, self.rate) + Fraction(self.fixed_per_event)
        if self.minimum_per_event is not None and own < self.minimum_per_event:
            return "minimum"
        if self.maximum_per_event is not None and own > self.maximum_per_event:
            return "maximum"
        return "between"

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        if EVENTS not in units.pricing_readings:
            return self._of_sums(units, version)
        bands = units.pricing_readings[EVENTS]
        if not isinstance(bands, Bands):
            raise TypeError("the events of a percentage are read in bands")
        if self.by_order:
            bands = self._beyond_free_amount(bands, units.factor)
        free = max(0, self.free_events - int(units.events_before))
        return self._of_bands(bands.without_first(free), units.factor, version)

    def _of_sums(self, units: UnitRange, version: int) -> list[ExactStep]:
        free = Fraction(self.free_amount)
        value = max(Fraction(0), units.end - free) - max(Fraction(0), units.start - free)
        return self._rated(value, units.events, version, shown=bool(value) or units.first)

    def _of_bands(self, bands: Bands, factor: Fraction, version: int) -> list[ExactStep]:
        between = Fraction(bands.between.sum) * factor
        steps = self._rated(between, Fraction(bands.between.count), version, shown=bool(bands.between.count))
        steps += fixed_steps(self.minimum_per_event or ZERO, Fraction(bands.minimum), version, "minimum")
        return steps + fixed_steps(self.maximum_per_event or ZERO, Fraction(bands.maximum), version, "maximum")

    def _rated(self, value: Fraction, events: Fraction, version: int, *, shown: bool) -> list[ExactStep]:
        fixed = fixed_steps(self.fixed_per_event, events, version)
        if not shown:
            return fixed
        rated = ExactStep(
            "percentage", amount=percent_of(value, self.rate), version=version, quantity=value, rate=self.rate
        )
        return [rated, *fixed]

    def _beyond_free_amount(self, bands: Bands, factor: Fraction) -> Bands:
        """The events with what the free amount leaves of them, used up in their order."""
        left = Fraction(self.free_amount)
        paid = []
        for event in bands.first:
            value = Fraction(event.value) * factor
            covered = min(left, value)
            left -= covered
            if covered < value or not value:
                rest = value - covered
                paid.append(Placed(event.time, event.key, rest / factor, self.band(rest)))
        return Bands(keeps=len(paid), first=tuple(paid))


@dataclass(frozen=True, slots=True)
class _Events:
    """The bands of events under one version's prices."""

    pricing: Percentage
    source: Gauge
    factor: Fraction

    @property
    def nothing(self) -> Bands:
        return Bands(keeps=self.pricing.free_events)

    def measure(self, event: Event) -> Bands | None:
        reading = self.source.measure(event)
        if not isinstance(reading, CountAndSum):
            return None
        band = self.pricing.band(Fraction(reading.sum) * self.factor)
        placed = Placed(event.time, event.key, reading.sum, band)
        if not self.pricing.free_events:
            return self.nothing.folded([placed])
        return Bands(keeps=self.pricing.free_events, first=(placed,))
