"""What events say that they are worth."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.costs import CostedEvent
from shared.domain.meters import Event, Meter, at_path, number_at
from shared.domain.money import ZERO, read_decimal
from shared.domain.readings import Tally

OUTCOME_TYPE = "outcome."
VALUE_PATH = "data.value"
_VALUE = VALUE_PATH.removeprefix("data.")


@dataclass(frozen=True, slots=True)
class Worth:
    """How many events that a meter matches, and what they are worth by the number at `path`: those that are worth, with
    the unit conversion `factor`, no less than `least`.
    """

    meter: Meter
    path: str = VALUE_PATH
    factor: Fraction = Fraction(1)
    least: Fraction = Fraction(0)

    @property
    def nothing(self) -> Tally:
        return Tally()

    def measure(self, event: Event) -> Tally | None:
        if not self.meter.matches(event):
            return None
        value = worth_of(event, self.path)
        return None if Fraction(value) * self.factor < self.least else Tally(1, value)


def worth_of(event: Event, path: str) -> Decimal:
    """An event that says nothing of its value is worth nothing; any other path is read as a meter reads it. Raises
    `UnmeterableError`.
    """
    if path == VALUE_PATH and at_path(event.data, path) is None:
        return ZERO
    return number_at(event.data, path, event.type)


def amount_at(event: Event, path: str) -> Decimal | None:
    """None where no number stands there; who needs one says so."""
    try:
        return read_decimal(at_path(event.data, path))
    except ValueError:
        return None


def without_worth(event: Event) -> CostedEvent:
    """The same that says nothing of its value."""
    data = {name: value for name, value in event.data.items() if name != _VALUE}
    return CostedEvent(event.type, data, event.time, event.key, event.cost, event.cost_category, event.exchange_rate)


def with_worth(event: Event, value: Decimal) -> CostedEvent:
    """The same that is worth this, in the currency that it names."""
    data = {**event.data, _VALUE: value}
    return CostedEvent(event.type, data, event.time, event.key, event.cost, event.cost_category, event.exchange_rate)
