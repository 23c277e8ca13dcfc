"""Money and quantities as exact decimals, and the rounding to a currency.

Nothing rounds by accident: input is read exactly or refused, decimal arithmetic raises where a result would be
inexact, and whatever divides is a `Fraction` until `round_half_up` or `truncate`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction
from functools import cache
from typing import Annotated, Any

import iso4217
from pydantic import AfterValidator, GetJsonSchemaHandler, PlainSerializer, PlainValidator, SerializationInfo
from pydantic_core import CoreSchema

MAXIMUM_DIGITS = 15
"""Digits before the decimal point of an entered number."""

PLACES = 12
"""Decimal places of every stored number."""

EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation])
"""The context of decimal arithmetic: it raises instead of rounding."""

ZERO = Decimal(0)

Exact = Decimal | Fraction
"""An exact number: events carry decimals, estimates and shares are fractions."""

_BEYOND = 10**MAXIMUM_DIGITS
_UNITS_IN_ONE = 10**PLACES
_SMALLEST = Decimal(1).scaleb(-PLACES)
_HALF_UP = Context(prec=200, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow, FloatOperation])
_HALF_EVEN = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow, FloatOperation])
_BOUNDED = Context(prec=MAXIMUM_DIGITS + PLACES, traps=[Inexact, InvalidOperation, Overflow])
_DECIMAL_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,4})?")
_MAXIMUM_TEXT = 100
_PATTERNS = {True: r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$", False: r"^[0-9]{1,15}(\.[0-9]{1,12})?$"}
"""The JSON Schema pattern of an entered decimal, by whether it may be negative."""
_ROUNDED_PATTERN = r"^[0-9]{1,15}(\.[0-9]{1,80})?$"


def bounded(value: Decimal) -> Decimal:
    """The same number without an exponent, refused where it is too large or too precise.

    Raises `ValueError` for more than `MAXIMUM_DIGITS` digits before the point or `PLACES` after it, NaN and infinities.
    """
    if not value.is_finite():
        raise ValueError("is not a number")
    try:
        with_all_places = value.quantize(_SMALLEST, context=_BOUNDED)
    except (Inexact, InvalidOperation):
        raise ValueError(f"has more than {MAXIMUM_DIGITS} digits before the point or {PLACES} after it") from None
    if not value:
        return abs(ZERO if _exponent(value) > 0 or _exponent(value) < -PLACES else value)
    if -PLACES <= _exponent(value) <= 0:
        return value
    return Decimal(plain(with_all_places))


def read_decimal(value: object) -> Decimal:
    """Read a decimal from JSON: a text, an integer, or a number decoded as `Decimal`.

    Raises `ValueError` for anything else, also for floats, which are no longer exact.
    """
    if type(value) is int and abs(value) < _BEYOND:
        return Decimal(value)
    return bounded(_read_unbounded(value))


def read_rounded(value: object) -> Decimal:
    """Read a decimal from JSON, rounded half even to 12 places.

    What senders compute in floats has noise behind its last place. Raises `ValueError` as `read_decimal`.
    """
    number = _read_unbounded(value)
    if number.is_finite() and _exponent(number) < -PLACES and abs(number) < _BEYOND:
        number = number.quantize(_SMALLEST, context=_HALF_EVEN)
    return bounded(number)


def _read_unbounded(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str):
        if len(value) > _MAXIMUM_TEXT or not _DECIMAL_TEXT.fullmatch(value):
            raise ValueError("is not a decimal number")
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise ValueError("is not a decimal number")


def looks_like_decimal(value: object) -> bool:
    """Whether it is a number or its text, be it too large or too precise to be read."""
    if isinstance(value, str):
        return _DECIMAL_TEXT.fullmatch(value) is not None
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def plain(value: Decimal) -> str:
    """The shortest text without an exponent: `26` for 26.00 and for 2.6E+1."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def add(left: Decimal, right: Decimal) -> Decimal:
    return EXACT.add(left, right)


def plus(left: Exact, right: Exact) -> Exact:
    """The exact sum; a decimal where both numbers are."""
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return EXACT.add(left, right)
    return Fraction(left) + Fraction(right)


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum, with the places of the most precise value."""
    result = ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result


def truncate(value: Fraction) -> Decimal:
    """The number with 12 decimal places, the rest dropped without rounding."""
    numerator, denominator = value.as_integer_ratio()
    units = abs(numerator) * _UNITS_IN_ONE // denominator
    return Decimal(plain(_scaled(units if value >= 0 else -units, PLACES)))


def to_places(value: Decimal) -> Decimal:
    """Round half up (away from zero) to 12 decimal places, where there are more."""
    return value if _exponent(value) >= -PLACES else value.quantize(_SMALLEST, context=_HALF_UP)


def round_half_up(value: Decimal | Fraction, currency: str) -> Decimal:
    """Round half up (away from zero) to all places of the currency's minor unit."""
    return round_to(value, exponent_of(currency))


def round_to(value: Decimal | Fraction, places: int) -> Decimal:
    """Round half up (away from zero) to exactly this many places."""
    numerator, denominator = value.as_integer_ratio()
    units = (2 * abs(numerator) * 10**places + denominator) // (2 * denominator)
    return _scaled(units if value >= 0 else -units, places)


@cache
def exponent_of(currency: str) -> int:
    """The decimal places of a currency's minor unit (ISO 4217): JPY 0, USD 2, KWD 3.

    Raises `ValueError` for an unknown code, and for one without a minor unit, such as gold (XAU).
    """
    try:
        exponent = iso4217.Currency(currency).exponent
    except ValueError:
        raise ValueError("is not a currency code of ISO 4217") from None
    if exponent is None:
        raise ValueError("has no minor unit, so nothing can be billed in it")
    return exponent


def _scaled(units: int, places: int) -> Decimal:
    return Decimal(units).scaleb(-places, context=EXACT)


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "only of finite decimals"  # noqa: S101  narrows the type; bounded() has tested it
    return exponent


def _read_not_negative(value: object) -> Decimal:
    return _not_negative(read_decimal(value))


def _read_reported(value: object) -> Decimal:
    return _not_negative(read_rounded(value))


def _not_negative(number: Decimal) -> Decimal:
    if number < 0:
        raise ValueError("is negative")
    return number


def _currency(code: str) -> str:
    exponent_of(code)
    return code


@dataclass(frozen=True, slots=True)
class _DecimalSchema:
    """The JSON Schema of an entered decimal: a text; input may also be a number."""

    negative: bool
    is_rounded: bool = False
    """Whether more places are taken than are kept."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        pattern = _ROUNDED_PATTERN if self.is_rounded else _PATTERNS[self.negative]
        text: dict[str, Any] = {"type": "string", "format": "decimal", "pattern": pattern}
        number: dict[str, Any] = {"type": "number"} if self.negative else {"type": "number", "minimum": 0}
        return text if handler.mode == "serialization" else {"anyOf": [text, number]}


class _ComputedSchema:
    """The JSON Schema of a computed decimal: a text."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "decimal"}


def as_written(value: Decimal) -> str:
    """The text without an exponent, with all places that the number was written with."""
    return f"{value:f}"


def _written_by(text: Callable[[Decimal], str]) -> PlainSerializer:
    """Serialize to text in JSON and in documents; in Python it stays a decimal."""

    def serialise(value: Decimal, info: SerializationInfo) -> Decimal | str:
        return value if info.mode == "python" else text(value)

    return PlainSerializer(serialise, return_type=Any)


def _read_computed(value: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, str) and _DECIMAL_TEXT.fullmatch(value):
        return Decimal(value)
    raise ValueError("is not a decimal number")


Currency = Annotated[str, AfterValidator(_currency)]
"""A currency code of ISO 4217 that has a minor unit."""

Amount = Annotated[Decimal, PlainValidator(read_decimal), _written_by(as_written), _DecimalSchema(negative=True)]
"""An entered amount of money, in the currency of the object around it. Trailing zeros are kept."""

NonNegativeAmount = Annotated[
    Decimal,
    PlainValidator(_read_not_negative),
    _written_by(as_written),
    _DecimalSchema(negative=False),
]
"""An entered amount of money, 0 or more."""

ReportedAmount = Annotated[
    Decimal,
    PlainValidator(_read_reported),
    _written_by(as_written),
    _DecimalSchema(negative=False, is_rounded=True),
]
"""An amount or quantity that a sender may have computed in floats, 0 or more; rounded half even to 12 places."""

NonNegativeQuantity = NonNegativeAmount
"""An entered quantity, 0 or more."""

ExactDecimal = Annotated[Decimal, PlainValidator(_read_computed), _written_by(plain), _ComputedSchema()]
"""A computed number of any size, written without trailing zeros."""

RoundedAmount = Annotated[Decimal, PlainValidator(_read_computed), _written_by(as_written), _ComputedSchema()]
"""An amount rounded to its currency, written with all places of the currency."""
