"""JSON in and out without floats: numbers with a point or an exponent become `Decimal` exactly as written."""

import json
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.errors import FieldError, MalformedError, ValidationError, XyraError

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="string")
_verbatim = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


MAXIMUM_DEPTH = 64
"""Of requests."""
_PLACES_SHOWN = 100


class _NotANumber:
    """Marks where a literal NaN or Infinity stood."""


def decode(raw: bytes | str) -> Any:  # noqa: ANN401  JSON is any of its types
    """Raises `ValidationError` naming the place of a NaN or Infinity, `MalformedError` naming the byte of anything
    else.
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
    try:
        value = json.loads(raw, parse_constant=lambda _: _NotANumber())
    except json.JSONDecodeError as error:
        place = FieldError("", f"line {error.lineno}, column {error.colno}: {error.msg}")
        return MalformedError(f"The body is not JSON: {detail}", errors=(place,))
    except (ValueError, RecursionError):
        return MalformedError(f"The body is not JSON: {detail}", errors=(FieldError("", detail),))
    places = _places_of_not_a_number(value, "")
    if not places:  # what the tolerant reader takes and ours does not, such as half a surrogate pair
        return MalformedError(f"The body is not JSON: {detail}", errors=(FieldError("", detail),))
    return ValidationError(
        "NaN and Infinity are not numbers",
        errors=tuple(FieldError(place, "is not a number") for place in places[:_PLACES_SHOWN]),
    )


def _places_of_not_a_number(value: object, pointer: str) -> list[str]:
    if isinstance(value, _NotANumber):
        return [pointer]
    if isinstance(value, dict):
        parts = [(str(key).replace("~", "~0").replace("/", "~1"), part) for key, part in value.items()]
    elif isinstance(value, list):
        parts = [(str(index), part) for index, part in enumerate(value)]
    else:
        return []
    return [place for key, part in parts for place in _places_of_not_a_number(part, f"{pointer}/{key}")]
