"""JSON in and out without floats: numbers with a point or an exponent become `Decimal` exactly as written."""

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from shared.domain.kernel.errors import (
    MAXIMUM_ERRORS,
    FieldError,
    MalformedError,
    TooLargeError,
    ValidationError,
    XyraError,
)
from shared.domain.kernel.validation import FieldPath, pointer

Type = TypeVar("Type")

MAXIMUM_DEPTH = 64
"""How deep objects and lists may be nested in a request."""
MAXIMUM_VALUES = 50_000
"""Of a request, the values in its objects and lists. Each costs time in every step, however short it is."""
MAXIMUM_CONTAINERS = 20_000
"""Of a request, its objects and lists, which cost more than other values."""
MAXIMUM_DECIMALS = 20_000
"""Of a request, its numbers with a point or an exponent, each of which is read by a call."""
MAXIMUM_EXPONENT = 400
"""The largest power of ten of a number, up or down: more than a double has, and small enough to compute with."""
MAXIMUM_NUMBER = 100
"""Characters of a number in a request: several times what money, and what a double, has."""
MAXIMUM_STORED_NUMBER = 1_000
"""Characters of a number with a point or an exponent that was taken in before."""


_SMALL = 3 * MAXIMUM_DECIMALS
"""Bytes of a request that cannot have too many decimals: each takes three and what is between them."""


def _stored_decimal(text: str) -> Decimal:
    return _decimal(text, MAXIMUM_STORED_NUMBER)


def _sent_decimal(text: str) -> Decimal:
    return _decimal(text, MAXIMUM_NUMBER)


def _decimal(text: str, maximum: int) -> Decimal:
    if len(text) > maximum:
        raise ValueError(_too_long(maximum))
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(_TOO_FAR) from None
    if abs(number.adjusted()) > MAXIMUM_EXPONENT:
        raise ValueError(_TOO_FAR)
    return number


def _too_long(maximum: int) -> str:
    return f"has more than {maximum} characters: send it with fewer digits"


_TOO_FAR = f"is beyond 1e{MAXIMUM_EXPONENT} or 1e-{MAXIMUM_EXPONENT}"
_decoder = msgspec.json.Decoder(float_hook=_stored_decimal)
_small_decoder = msgspec.json.Decoder(float_hook=_sent_decimal)
_encoder = msgspec.json.Encoder(decimal_format="string")
_verbatim = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


@dataclass(frozen=True, slots=True)
class _Refused:
    """Marks where a number stood that is not taken."""

    detail: str


class _Numbers:
    """Reads the numbers of one text, and counts the decimals."""

    def __init__(self, maximum: int = MAXIMUM_NUMBER) -> None:
        """`maximum`: characters of a number."""
        self._count = 0
        self._maximum = maximum

    def exact(self, text: str) -> Decimal:
        """Raises `TooLargeError`; `ValueError` for a number that is not taken."""
        self._counted()
        return _decimal(text, self._maximum)

    def marked(self, text: str) -> Decimal | _Refused:
        """As `exact`, with a mark in place of a number that is not taken."""
        try:
            return self.exact(text)
        except ValueError as error:
            return _Refused(str(error))

    def marked_integer(self, text: str) -> int | _Refused:
        """As `marked`, for a number without a point and an exponent."""
        return int(text) if len(text) <= self._maximum else _Refused(_too_long(self._maximum))

    def marked_constant(self, _: str) -> _Refused:
        """NaN or an Infinity."""
        self._counted()
        return _NO_NUMBER

    def _counted(self) -> None:
        self._count += 1
        if self._count > MAXIMUM_DECIMALS:
            raise _too_many(f"{MAXIMUM_DECIMALS} numbers with a point or an exponent")


_NO_NUMBER = _Refused("is not a number")


def decode(raw: bytes | str) -> Any:  # noqa: ANN401  JSON is any of its types
    """Decode JSON, with exact decimals for numbers that are not integers.

    Raises `ValidationError` naming the place of a NaN, an Infinity or a number beyond `MAXIMUM_EXPONENT`, and
    `MalformedError` naming the byte of anything else.
    """
    return _decoded(raw, _decoder, MAXIMUM_STORED_NUMBER)


def decode_request(raw: bytes) -> Any:  # noqa: ANN401
    """As `decode`, within bounds: what is taken in must be readable again by everyone, and cost little to look at.

    Raises `TooLargeError` for more values, objects and lists, or decimals than are allowed, before they are read.
    """
    _refuse_many_values(raw)
    if _has_long_number(raw):
        raise _refusal(raw, _too_long(MAXIMUM_NUMBER), MAXIMUM_NUMBER)
    decoder = _small_decoder if len(raw) <= _SMALL else msgspec.json.Decoder(float_hook=_Numbers().exact)
    value = _decoded(raw, decoder, MAXIMUM_NUMBER)
    if raw.count(b"[") + raw.count(b"{") > MAXIMUM_DEPTH:
        _refuse_deep(value)
    return value


def _decoded(raw: bytes | str, decoder: msgspec.json.Decoder[Any], longest_number: int) -> Any:  # noqa: ANN401
    try:
        return decoder.decode(raw)
    except RecursionError as error:
        raise MalformedError("The JSON is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refusal(raw, str(error), longest_number) from error


def _refuse_many_values(raw: bytes) -> None:
    """Count by the marks between values, before anything is read.

    Marks inside of texts count only where the body seems to have too many: telling them apart takes longer.
    """
    if _is_within_bounds(raw):
        return
    if not _is_within_bounds(_outside_of_texts(raw)):
        raise _too_many(f"{MAXIMUM_VALUES} values, or {MAXIMUM_CONTAINERS} objects and lists")


def _outside_of_texts(raw: bytes) -> bytes:
    """What is left without the texts. Raises `TooLargeError` for more texts than there may be values."""
    unescaped = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    if unescaped.count(b'"') > 4 * (MAXIMUM_VALUES + MAXIMUM_CONTAINERS):  # of every value, and of its name
        raise _too_many(f"{MAXIMUM_VALUES} values")
    return b" ".join(unescaped.split(b'"')[::2])


def _is_within_bounds(raw: bytes) -> bool:
    return raw.count(b",") < MAXIMUM_VALUES and raw.count(b"[") + raw.count(b"{") <= MAXIMUM_CONTAINERS


def _has_long_number(raw: bytes) -> bool:
    """Whether any number has more digits in a row than are allowed: reading it takes the square of their number.

    Those with a point or an exponent are counted as a whole when they are read.
    """
    return _has_long_run(raw) and _has_long_run(_outside_of_texts(raw))


def _has_long_run(raw: bytes) -> bool:
    return _LONG_RUN in raw.translate(_ALL_DIGITS_ALIKE)


_ALL_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG_RUN = b"0" * (MAXIMUM_NUMBER + 1)


def _too_many(what: str) -> TooLargeError:
    return TooLargeError(f"The body has more than {what}; send it in several requests")


def _refuse_deep(value: object) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAXIMUM_DEPTH):
        level = [
            part
            for each in level
            for part in (each.values() if type(each) is dict else each)
            if type(part) is dict or type(part) is list
        ]
        if not level:
            return
    raise MalformedError(f"The JSON is nested more than {MAXIMUM_DEPTH} deep")


def decode_as(raw: bytes | msgspec.Raw, type_: type[Type]) -> Type:
    """Decode JSON as a type of msgspec's, with exact decimals where it says `Any`. Other fields are skipped unread.

    Raises `ValueError` that says what is wrong.
    """
    try:
        return msgspec.json.Decoder(type_, float_hook=_Numbers().exact).decode(raw)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read: {error}") from error


def encode(value: Any) -> bytes:  # noqa: ANN401
    """Amounts as decimal strings: the form for the wire and for documents."""
    return _encoder.encode(value)


def verbatim(text: str) -> msgspec.Raw:
    """JSON that goes out as it is, inside what `encode` writes: its numbers neither become texts nor lose a digit."""
    return msgspec.Raw(text.encode())


def encode_verbatim(value: Any) -> bytes:  # noqa: ANN401
    """Numbers as numbers, as they came: `decode` gives the same value again."""
    return _verbatim.encode(value)


def encode_canonical(value: Any) -> bytes:  # noqa: ANN401
    """The same bytes for the same value, whatever the order of its keys: for comparing by hash."""
    return _canonical.encode(value)


def _refusal(raw: bytes | str, detail: str, longest_number: int) -> XyraError:
    """Reads the text again, tolerantly, to name the place."""
    if not raw.strip():
        return MalformedError("The body is empty, and this needs one: send JSON")
    numbers = _Numbers(longest_number)
    try:
        value = json.loads(
            raw,
            parse_int=numbers.marked_integer,
            parse_float=numbers.marked,
            parse_constant=numbers.marked_constant,
        )
    except json.JSONDecodeError as error:
        detail = f"line {error.lineno}, column {error.colno}: {error.msg}"
        return MalformedError(f"The body is not JSON: {detail}", errors=(FieldError("", detail),))
    except (ValueError, RecursionError):
        return MalformedError(f"The body is not JSON: {detail}", errors=(FieldError("", detail),))
    _refuse_deep(value)
    errors = _refused_in(value)
    if not errors:  # what the tolerant reader takes and ours does not, such as half a surrogate pair
        return MalformedError(f"The body is not JSON: {detail}", errors=(FieldError("", detail),))
    return ValidationError("There are numbers that cannot be read", errors=errors)


def _refused_in(value: object) -> tuple[FieldError, ...]:
    """The first numbers that are not taken, in their order in the text."""
    errors: list[FieldError] = []
    waiting: list[tuple[FieldPath, object]] = [((), value)]
    while waiting and len(errors) < MAXIMUM_ERRORS:
        place, part = waiting.pop()
        if isinstance(part, _Refused):
            errors.append(FieldError(pointer(place), part.detail))
            continue
        named = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        looked_into = [((*place, name), each) for name, each in named if type(each) in _LOOKED_INTO]
        waiting.extend(reversed(looked_into))
    return tuple(errors)


_LOOKED_INTO = (dict, list, _Refused)
