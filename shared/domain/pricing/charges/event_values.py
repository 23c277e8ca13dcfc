"""What events say that they are worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.money import ZERO
from shared.domain.metering.meters import LLM_CALL, Event, Meter, UnmeterableError, at_path, number_of
from shared.domain.metering.readings import CountAndSum
from shared.domain.provider_costs.costs import AMOUNT_PATH, COST_TYPE, REPORTED_COST_PATH, CostedEvent

OUTCOME_TYPE = "outcome."
VALUE_PATH = "data.value"

_VALUE = frozenset({VALUE_PATH})
_AMOUNT = frozenset({AMOUNT_PATH})
_REPORTED_COST = frozenset({REPORTED_COST_PATH})
_NONE = frozenset[str]()


@dataclass(frozen=True, slots=True)
class ValueGauge:
    """How many events that a meter matches, and what they are worth by the number at `path`: those that are worth, with
    the unit conversion `factor`, no less than `least`.
    """

    meter: Meter
    path: str = VALUE_PATH
    factor: Fraction = Fraction(1)
    least: Fraction = Fraction(0)

    @property
    def nothing(self) -> CountAndSum:
        return CountAndSum()

    def measure(self, event: Event) -> CountAndSum | None:
        if not self.meter.matches(event):
            return None
        value = value_of(event, self.path)
        return None if Fraction(value) * self.factor < self.least else CountAndSum(1, value)


def value_of(event: Event, path: str) -> Decimal:
    """An event that says nothing of its value is worth nothing; any other path is read as a meter reads it. Raises
    `UnmeterableError`.
    """
    if path == VALUE_PATH and at_path(event.data, path) is None:
        return ZERO
    return number_of(event, path)


def reported_amount_paths(event_type: str) -> frozenset[str]:
    """The path of the amount that events of a type are about, which is money whoever reads it."""
    if event_type.startswith(OUTCOME_TYPE):
        return _VALUE
    if event_type.startswith(COST_TYPE):
        return _AMOUNT
    return _REPORTED_COST if event_type == LLM_CALL else _NONE


def amount_at(event: Event, path: str) -> Decimal | None:
    """None where no number stands there; who needs one says so."""
    try:
        return number_of(event, path, signed=True)
    except UnmeterableError:
        return None


def with_amounts(event: Event, amounts: Mapping[str, Decimal]) -> CostedEvent:
    """The same, of which this is read instead of what was reported."""
    return CostedEvent(
        event.type,
        event.data,
        event.time,
        event.key,
        event.cost,
        event.cost_category,
        event.exchange_rate,
        {**event.amounts, **amounts},
    )
