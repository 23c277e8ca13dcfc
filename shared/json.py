"""JSON in and out without floats: numbers with a point or an exponent become `Decimal` exactly as written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

import msgspec

from shared.domain.kernel.errors import FieldError, MalformedError, ValidationError, XyraError
from shared.domain.kernel.validation import FieldPath, pointer

MAXIMUM_DEPTH = 64
"""How deep objects and lists may be nested in a request."""
MAXIMUM_EXPONENT = 400
"""The largest power of ten of a number, up or down: more than a double has, and small enough to compute with."""
_PLACES_SHOWN = 100


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(_TOO_FAR) from None
    if abs(number.adjusted()) > MAXIMUM_EXPONENT:
        raise ValueError(_TOO_FAR)
    return number


_TOO_FAR = f"is beyond 1e{MAXIMUM_EXPONENT} or 1e-{MAXIMUM_EXPONENT}"
_decoder = msgspec.json.Decoder(float_hook=_decimal)
_encoder = msgspec.json.Encoder(decimal_format="string")
_verbatim = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


@dataclass(frozen=True, slots=True)
class _Refused:
    """Marks where a number stood that is not taken."""

    detail: str


def decode(raw: bytes | str) -> Any:  # noqa: ANN401  JSON is any of its types
    """Decode JSON, with exact decimals for numbers that are not integers.

    Raises `ValidationError` naming the place of a NaN, an Infinity or a number beyond `MAXIMUM_EXPONENT`, and
    `MalformedError` naming the byte of anything else.
    """
    try:
        return _decoder.decode(raw)
    except RecursionError as error:
        raise MalformedError("The JSON is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refusal(raw, str(error)) from error


def decode_request(raw: bytes | str) -> Any:  # noqa: ANN401
    """As `decode`, and refuses what is nested too deeply: what is taken in must be readable again by everyone."""
    value = decode(raw)
    _refuse_deep(value)
    return value


def _refuse_deep(value: object) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAXIMUM_DEPTH):
        parts = (part for each in level for part in (each.values() if isinstance(each, dict) else each))
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return
    raise MalformedError(f"The JSON is nested more than {MAXIMUM_DEPTH} deep")


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


def _refusal(raw: bytes | str, detail: str) -> XyraError:
    """Reads the text again, tolerantly, to name the place."""
    if not raw.strip():
        return MalformedError("The body is empty, and this needs one: send JSON")
    try:
        value = json.loads(raw, parse_float=_number, parse_constant=lambda _: _Refused("is not a number"))
    except json.JSONDecodeError as error:
        detail = f"line {error.lineno}, column {error.colno}: {error.msg}"
        return MalformedError(f"The body is not JSON: {detail}", errors=(FieldError("", detail),))
    except (ValueError, RecursionError):
        return MalformedError(f"The body is not JSON: {detail}", errors=(FieldError("", detail),))
    _refuse_deep(value)
    errors = tuple(islice(_errors_in(value, ()), _PLACES_SHOWN))
    if not errors:  # what the tolerant reader takes and ours does not, such as half a surrogate pair
        return MalformedError(f"The body is not JSON: {detail}", errors=(FieldError("", detail),))
    return ValidationError("There are numbers that cannot be read", errors=errors)


def _number(text: str) -> Decimal | _Refused:
    try:
        return _decimal(text)
    except ValueError as error:
        return _Refused(str(error))


def _errors_in(value: object, place: FieldPath) -> Iterator[FieldError]:
    if isinstance(value, _Refused):
        yield FieldError(pointer(place), value.detail)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _errors_in(part, (*place, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _errors_in(part, (*place, index))
