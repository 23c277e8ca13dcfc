"""What meters read of an event, and what every gauge does with it."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from http import HTTPStatus
from typing import Any, Protocol

from shared.domain.kernel.errors import XyraError
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Span


class UnmeterableError(XyraError):
    """An event matches a meter, but the meter cannot read its value."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unmeterable"
    title = "The event cannot be metered"


class Event(Protocol):
    """An event as gauges read it."""

    @property
    def type(self) -> str: ...

    @property
    def data(self) -> Mapping[str, Any]: ...

    @property
    def time(self) -> str:
        """Text of `times.to_text`, which sorts by time."""
        ...

    @property
    def key(self) -> str:
        """Identifies the event, and orders events of the same time."""
        ...

    @property
    def cost(self) -> Decimal | None:
        """The provider cost in the organization's currency; None without one, or if unknown."""
        ...

    @property
    def cost_category(self) -> str | None: ...

    @property
    def exchange_rate(self) -> Decimal | None:
        """From its currency to the organization's; None if not needed, or unknown."""
        ...

    @property
    def returned_at(self) -> str | None:
        """When its agent came back to its billing model in this period, text of `to_text`; None if it never left."""
        ...

    @property
    def amounts(self) -> Mapping[str, Decimal]:
        """By path, amounts in the organization's currency, read in place of the data's."""
        ...


class Gauge(Protocol):
    """Turns events into one reading: a meter, or something else that a pricing reads."""

    @property
    def nothing(self) -> Reading:
        """The reading without events."""
        ...

    def measure(self, event: Event) -> Reading | None:
        """The reading of this event alone; None where the event does not match. Raises `UnmeterableError`."""
        ...


class Measure(Gauge, Protocol):
    """A gauge whose reading is shown to people, as a quantity."""

    @property
    def event_type(self) -> str: ...

    @property
    def aggregation(self) -> str: ...

    def quantity(self, reading: Reading, span: Span) -> Fraction:
        """The quantity of a period with this reading, after the unit conversion."""
        ...
