"""Values and amounts that events report, and the gauge that adds them up."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.money import ZERO
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.gauges import Event, UnmeterableError
from shared.domain.metering.meters import Meter
from shared.domain.metering.readings import CountAndSum
from shared.domain.metering.values import at_path, number_of
from shared.domain.provider_costs.costs import AMOUNT_PATH, COST_TYPE, REPORTED_COST_PATH, CostedEvent

OUTCOME_TYPE = "outcome."
VALUE_PATH = "data.value"

_VALUE = frozenset({VALUE_PATH})
_AMOUNT = frozenset({AMOUNT_PATH})
_REPORTED_COST = frozenset({REPORTED_COST_PATH})
_NONE = frozenset[str]()


@dataclass(frozen=True, slots=True)
class ValueGauge:
    """Counts the events of a meter and adds up their values, the numbers at `path`.

    It leaves out events whose value, converted by the unit conversion `factor`, is less than `minimum`.
    """

    meter: Meter
    path: str = VALUE_PATH
    factor: Fraction = Fraction(1)
    minimum: Fraction = Fraction(0)

    @property
    def nothing(self) -> CountAndSum:
        return CountAndSum()

    def measure(self, event: Event) -> CountAndSum | None:
        if not self.meter.matches(event):
            return None
        value = value_of(event, self.path)
        return None if Fraction(value) * self.factor < self.minimum else CountAndSum(1, value)


def value_of(event: Event, path: str) -> Decimal:
    """The value of an event, 0 where `data.value` is missing. Raises `UnmeterableError`."""
    if path == VALUE_PATH and at_path(event.data, path) is None:
        return ZERO
    return number_of(event, path)


def reported_amount_paths(event_type: str) -> frozenset[str]:
    """The paths that are amounts of money in every event of a type."""
    if event_type.startswith(OUTCOME_TYPE):
        return _VALUE
    if event_type.startswith(COST_TYPE):
        return _AMOUNT
    return _REPORTED_COST if event_type == LLM_CALL else _NONE


def amount_at(event: Event, path: str) -> Decimal | None:
    """The number at a path, None where there is none."""
    try:
        return number_of(event, path, signed=True)
    except UnmeterableError:
        return None


def with_amounts(event: Event, amounts: Mapping[str, Decimal]) -> CostedEvent:
    """The event with these amounts, by path, in place of the reported ones."""
    return CostedEvent(
        event.type,
        event.data,
        event.time,
        event.key,
        event.cost,
        event.cost_category,
        event.exchange_rate,
        {**event.amounts, **amounts},
        event.returned_at,
    )
