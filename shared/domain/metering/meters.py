"""Meters: how the events of a period become one quantity."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from shared.domain.kernel.validation import refusal
from shared.domain.kernel.value import Value
from shared.domain.metering.aggregations import AGGREGATIONS, Aggregation, AggregationName, Sample
from shared.domain.metering.event_types import EventType
from shared.domain.metering.filters import Condition, Filter, conditions_of
from shared.domain.metering.gauges import Event
from shared.domain.metering.paths import Path, names_in
from shared.domain.metering.readings import Reading
from shared.domain.metering.units import UnitConversion
from shared.domain.metering.values import QUANTITY_PATH, number_of, scalar_of
from shared.domain.periods.periods import Span

_ONE = Decimal(1)


class Meter(Value):
    """Aggregates the events that match: counts them, or reads the values at a path."""

    event_type: EventType
    """Only events of this type match."""
    aggregation: AggregationName = "count"
    """How the events that match become one quantity."""
    value: Path | None = None
    """The path of what it reads of an event, such as `data.quantity`."""
    filter: Filter = Field(default_factory=dict)
    """An event matches when each of these paths has one of its values, or none of those in `{"not": [...]}`."""
    unit: UnitConversion | None = None

    @model_validator(mode="after")
    def _value_where_needed(self) -> Self:
        reads = AGGREGATIONS[self.aggregation].values != "none"
        if reads and self.value is None:
            raise refusal((("value",), f"is required: the path of what {self.aggregation} looks at"))
        if not reads and self.value is not None:
            raise refusal((("value",), f"is not for {self.aggregation}, which needs no value"))
        return self

    @property
    def reads_numbers(self) -> bool:
        """Whether it reads a number at its path."""
        return self._aggregation.values in ("numbers", "changes")

    @property
    def unit_name(self) -> str:
        """What one unit of its quantity is called."""
        name = self.event_type
        if self.value is not None and self.value != QUANTITY_PATH:
            name = names_in(self.value)[-1]
        return name if self.unit is None else self.unit.name_of(name)

    @property
    def described(self) -> str:
        """What it counts, in words: `1,000,000 cached input tokens`, `distinct user id`."""
        names = f"{self._aggregation.adjective} {self.unit_name}".replace("_", " ").split()
        return " ".join(f"{int(name):,}" if name.isdecimal() else name for name in names)

    @property
    def nothing(self) -> Reading:
        return self._aggregation.nothing

    def matches(self, event: Event) -> bool:
        return event.type == self.event_type and all(condition.holds(event.data) for condition in self._conditions)

    def measure(self, event: Event) -> Reading | None:
        """The reading of this event alone; None where it does not match.

        Raises `UnmeterableError` where the value at the path is missing, not a number, negative (save for changes of a
        level) or out of bounds. A missing quantity is 1, a missing token count of an LLM call 0.
        """
        if not self.matches(event):
            return None
        return self._aggregation.reading_of(Sample(self._value_of(event), event.time, event.key, event.returned_at))

    def quantity(self, reading: Reading, span: Span) -> Fraction:
        """The quantity of a period with this reading, after the unit conversion."""
        return self._converted(self._aggregation.number(reading, span))

    def quantities(self, readings: Iterable[Reading], span: Span) -> list[Fraction]:
        """The quantity after each reading, merged with all before it."""
        return [self._converted(number) for number in self._aggregation.numbers(readings, span)]

    def reading_of(self, quantity: Fraction, span: Span) -> Reading:
        """A reading with this quantity, before rounding: for estimates."""
        return self._aggregation.estimated(quantity / self.factor, span)

    @property
    def factor(self) -> Fraction:
        """Of the unit conversion; 1 without one."""
        return Fraction(1) if self.unit is None else self.unit.factor

    def _converted(self, number: Fraction) -> Fraction:
        return number if self.unit is None else self.unit.convert(number)

    def _value_of(self, event: Event) -> Decimal | str:
        match self._aggregation.values:
            case "none":
                return _ONE
            case "scalars":
                return scalar_of(event, self.value or "")
            case kind:
                return number_of(event, self.value or QUANTITY_PATH, signed=kind == "changes")

    @property
    def _aggregation(self) -> Aggregation[Reading]:
        return AGGREGATIONS[self.aggregation]

    @cached_property
    def _conditions(self) -> tuple[Condition, ...]:
        return conditions_of(self.event_type, self.filter)
