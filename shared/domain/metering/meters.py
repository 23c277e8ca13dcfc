"""Meters: how events become one number."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, model_validator

from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.money import NonNegativeQuantity, plain, read_decimal
from shared.domain.kernel.validation import Length, refusal
from shared.domain.metering.aggregations import AGGREGATIONS, Aggregation, AggregationName, Sample
from shared.domain.metering.meanings import Meaning, meaning_at
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Span

EVENT_TYPE_PATTERN = r"^[A-Za-z0-9_.:/-]{1,200}$"

QUANTITY_PATH = "data.quantity"
TOKEN_COUNTS = frozenset(
    f"data.{name}"
    for name in ("input_tokens", "cached_input_tokens", "uncached_input_tokens", "output_tokens", "reasoning_tokens")
)
LLM_CALL = "llm_call"
_KINDS = ("cost.", "outcome.", "workflow.")
"""Of events whose type has their own name after this."""

_PATH = re.compile(r"data(\.[A-Za-z0-9_:/-]{1,64}){1,8}")
_SMALL_INTEGER = 10**15
_MAXIMUM_SCALAR = 256
_INCOMPARABLE = object()
_ONE = Decimal(1)


class UnmeterableError(XyraError):
    """An event matches a meter and its value is not a number that can be metered."""

    code = "unmeterable"
    title = "The event cannot be metered"


class Event(Protocol):
    """What a meter looks at of an event."""

    @property
    def type(self) -> str: ...

    @property
    def data(self) -> Mapping[str, Any]: ...

    @property
    def time(self) -> str:
        """Text of `times.to_text`, whose order is the order of time."""
        ...

    @property
    def key(self) -> str:
        """The identity, which orders events of one time."""
        ...

    @property
    def cost(self) -> Decimal | None:
        """What it cost at a provider, in the organization's currency; None where it cost nothing or nobody knows."""
        ...

    @property
    def cost_category(self) -> str | None: ...

    @property
    def exchange_rate(self) -> Decimal | None:
        """What one unit of another currency that it names is worth in the organization's; None where nobody knows."""
        ...

    @property
    def amounts(self) -> Mapping[str, Decimal]:
        """What is read at paths of its data instead of what stands there: amounts in the organization's currency."""
        ...


class Gauge(Protocol):
    """Turns events into a reading: a meter, or what a pricing needs to know besides."""

    @property
    def nothing(self) -> Reading:
        """The reading without events."""
        ...

    def measure(self, event: Event) -> Reading | None:
        """The event's own reading; None where it does not matter here. Raises `UnmeterableError`."""
        ...


class Measure(Gauge, Protocol):
    """A gauge whose reading people see, as a quantity."""

    @property
    def event_type(self) -> str: ...

    @property
    def aggregation(self) -> str: ...

    def quantity(self, reading: Reading, span: Span) -> Fraction:
        """What it has come to in that period."""
        ...


def _named(event_type: str) -> str:
    if event_type in _KINDS:
        raise ValueError(f"needs a name after {event_type}")
    return event_type


def _known_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError("is not a path such as data.quantity")
    return path


def _scalar(value: object) -> str | bool | None:
    if isinstance(value, str) and len(value) > _MAXIMUM_SCALAR:
        raise ValueError(f"is longer than {_MAXIMUM_SCALAR} characters")
    if value is None or isinstance(value, bool | str):
        return value
    try:
        return plain(read_decimal(value))
    except ValueError:
        raise ValueError("is neither a text, a number, a truth value nor null") from None


Path = Annotated[str, AfterValidator(_known_path)]
"""Where a value stands in an event: `data` and the names below it, joined by points."""

EventType = Annotated[str, Field(pattern=EVENT_TYPE_PATTERN), AfterValidator(_named)]

Scalar = Annotated[str | bool | None, PlainValidator(_scalar, json_schema_input_type=str | bool | float | None)]
"""A value that a filter accepts; a number is kept as its plain text, which is what it is compared by."""


class UnitConversion(BaseModel):
    """From what events count in to what is priced: tokens to millions of tokens, say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    multiply_by: NonNegativeQuantity | None = None
    divide_by: NonNegativeQuantity | None = None
    rounding: Literal["up", "down", "half_up"] | None = None
    """Of the whole period's quantity, to an integer."""

    @model_validator(mode="after")
    def _one_factor(self) -> Self:
        if self.multiply_by is not None and self.divide_by is not None:
            raise refusal((("divide_by",), "cannot stand beside multiply_by"))
        if self.multiply_by is None and self.divide_by is None and self.rounding is None:
            raise refusal(((), "needs multiply_by, divide_by or rounding"))
        for name in ("multiply_by", "divide_by"):
            if getattr(self, name) == 0:
                raise refusal(((name,), "has to be more than 0"))
        return self

    @property
    def factor(self) -> Fraction:
        if self.divide_by is not None:
            return 1 / Fraction(self.divide_by)
        return Fraction(1 if self.multiply_by is None else self.multiply_by)

    def convert(self, value: Fraction) -> Fraction:
        converted = value * self.factor
        match self.rounding:
            case "up":
                return Fraction(-(-converted // 1))
            case "down":
                return Fraction(converted // 1)
            case "half_up":
                return Fraction((converted + Fraction(1, 2)) // 1)
            case None:
                return converted


class Meter(BaseModel):
    """Events that match, aggregated: `count` counts them, the others look at what stands in them at `value`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_type: EventType
    aggregation: AggregationName = "count"
    value: Path | None = None
    filter: dict[Path, Annotated[tuple[Scalar, ...], Length(1, 100)]] = Field(default_factory=dict, max_length=20)
    """An event matches when each of these paths has one of its values."""
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
        """Whether what stands at the path of its value is a number to it."""
        return self._aggregation.values in ("numbers", "changes")

    @property
    def unit_name(self) -> str:
        """What one of the quantity is, for people."""
        name = self.event_type
        if self.value is not None and self.value != QUANTITY_PATH:
            name = self.value.rpartition(".")[2]
        if self.unit is None or self.unit.factor == 1:
            return name
        if self.unit.divide_by is not None:
            return f"{plain(self.unit.divide_by)} {name}"
        return f"1/{plain(self.unit.multiply_by or Decimal(1))} {name}"

    @property
    def described(self) -> str:
        """What is counted, in words: `1,000,000 cached input tokens`, `distinct user id`."""
        names = f"{self._aggregation.adjective} {self.unit_name}".replace("_", " ").split()
        return " ".join(f"{int(name):,}" if name.isdecimal() else name for name in names)

    @property
    def nothing(self) -> Reading:
        return self._aggregation.nothing

    def matches(self, event: Event) -> bool:
        return event.type == self.event_type and all(
            _comparable(meaning(at_path(event.data, path))) in accepted for path, meaning, accepted in self._conditions
        )

    def measure(self, event: Event) -> Reading | None:
        """The event's own reading; None where it does not match. Raises `UnmeterableError` where what stands at the
        path is missing, no number, negative (but for changes of a level), or beyond the bounds of quantities. A
        quantity that is not given is 1, a token count of an LLM call 0.
        """
        if not self.matches(event):
            return None
        return self._aggregation.sampled(Sample(self._value_of(event), event.time, event.key))

    def quantity(self, reading: Reading, span: Span) -> Fraction:
        """What is priced for that period: the reading after the unit conversion."""
        return self._converted(self._aggregation.number(reading, span))

    def quantities(self, readings: Iterable[Reading], span: Span) -> list[Fraction]:
        """What the readings come to, merged one after the other."""
        return [self._converted(number) for number in self._aggregation.numbers(readings, span)]

    def reading_of(self, quantity: Fraction, span: Span) -> Reading:
        """A reading that comes to this quantity."""
        return self._aggregation.estimated(quantity / self.factor, span)

    @property
    def factor(self) -> Fraction:
        return Fraction(1) if self.unit is None else self.unit.factor

    def _converted(self, number: Fraction) -> Fraction:
        return number if self.unit is None else self.unit.convert(number)

    def _value_of(self, event: Event) -> Decimal | str:
        match self._aggregation.values:
            case "none":
                return _ONE
            case "scalars":
                return _scalar_at(event, self.value or "")
            case kind:
                return number_of(event, self.value or QUANTITY_PATH, signed=kind == "changes")

    @property
    def _aggregation(self) -> Aggregation[Reading]:
        return AGGREGATIONS[self.aggregation]

    @cached_property
    def _conditions(self) -> tuple[tuple[str, Meaning, frozenset[object]], ...]:
        return tuple(
            (path, meaning, frozenset(_comparable(meaning(value)) for value in values))
            for path, values in self.filter.items()
            for meaning in [meaning_at(self.event_type, path)]
        )


def quantity_of(event: Event) -> Decimal:
    """`data.quantity`, 1 where it is not given: what an event without a price adds to its type. Raises
    `UnmeterableError`.
    """
    return number_at(event.data, QUANTITY_PATH, event.type)


def number_at(data: Mapping[str, Any], path: str, event_type: str) -> Decimal:
    """The number from 0 on that stands there. Raises `UnmeterableError`."""
    return _number(at_path(data, path), path, event_type, signed=False)


def number_of(event: Event, path: str, *, signed: bool = False) -> Decimal:
    """The same of an event as gauges see it. Raises `UnmeterableError`."""
    computed = event.amounts.get(path)
    if computed is not None:  # of any size: bounds are for what is entered
        return _of_sign(computed, path, signed=signed)
    value = at_path(event.data, path)
    if type(value) is int and 0 <= value < _SMALL_INTEGER:  # nearly all of them: spare the checks below
        return Decimal(value)
    return _number(value, path, event.type, signed=signed)


def at_path(data: Mapping[str, Any], path: str) -> object:
    """What stands there; None where nothing does."""
    value: object = data
    for step in _steps(path):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _scalar_at(event: Event, path: str) -> str:
    """What tells values apart: the text of a scalar."""
    value = _comparable(meaning_at(event.type, path)(at_path(event.data, path)))
    if value is None:
        raise UnmeterableError(f"{path} is missing")
    if not isinstance(value, str):
        raise UnmeterableError(f"{path} is neither a text, a number nor a truth value")
    if len(value) > _MAXIMUM_SCALAR:
        raise UnmeterableError(f"{path} is longer than {_MAXIMUM_SCALAR} characters")
    return value


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")[1:])


def _comparable(value: object) -> object:
    """Scalars are compared by their text, numbers by the plain text of their value: 1, 1.0 and "1" are equal."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return plain(read_decimal(value))
    except ValueError:
        return _INCOMPARABLE  # a list, an object, or a number that no filter can name


def _number(value: object, path: str, event_type: str, *, signed: bool) -> Decimal:
    if value is None:
        if path == QUANTITY_PATH:
            return _ONE
        if event_type == LLM_CALL and path in TOKEN_COUNTS:
            return Decimal(0)
        raise UnmeterableError(f"{path} is missing")
    try:
        number = read_decimal(value)
    except ValueError as error:
        raise UnmeterableError(f"{path} {error}") from error
    return _of_sign(number, path, signed=signed)


def _of_sign(number: Decimal, path: str, *, signed: bool) -> Decimal:
    if number < 0 and not signed:
        raise UnmeterableError(f"{path} is negative")
    return number
