"""Reads protobuf's wire format, field by field, without making objects of what is not needed.

The messages of generated code become objects as a whole: a body of 16 MiB that is packed into 16 KB may have eight
million of them, which take most of a gigabyte, and stop every other thread for half a second.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from struct import Struct

_VARINT, _EIGHT_BYTES, _WITH_LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_MORE = 0x80
"""Set in all bytes of a variable integer but the last."""
_LONGEST_VARINT = 10
_SIGN, _MODULUS = 1 << 63, 1 << 64
_DOUBLE, _FIXED64 = Struct("<d"), Struct("<Q")

Place = tuple[int, int]
"""Where a value begins and ends in the body."""


class BrokenWireFormat(ValueError):  # noqa: N818  a reason, told to the sender
    """Bytes that are no message."""


def fields(body: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The number of each field in a message, and where its value begins and ends, without its length.

    Raises `BrokenWireFormat`.
    """
    at = start
    while at < end:
        tag, at = body[at], at + 1
        if tag >= _MORE:  # rare, as numbers of fields are small
            tag, at = _varint(body, at - 1)
        kind = tag & 7
        if kind == _WITH_LENGTH:
            size, at = _varint(body, at)
            stop = at + size
        elif kind == _VARINT:
            stop = _varint(body, at)[1]
        elif kind == _EIGHT_BYTES:
            stop = at + 8
        elif kind == _FOUR_BYTES:
            stop = at + 4
        else:
            raise BrokenWireFormat(f"there is no field of the kind {kind}")
        if stop > end:
            raise BrokenWireFormat("a field goes on after its message")
        yield tag >> 3, at, stop
        at = stop


def number(body: bytes, place: Place) -> int:
    """A variable integer from 0 on."""
    return _varint(body, place[0])[0]


def signed(body: bytes, place: Place) -> int:
    """A variable integer in two's complement."""
    value = number(body, place)
    return value - _MODULUS if value >= _SIGN else value


def fixed64(body: bytes, place: Place) -> int:
    return int(_FIXED64.unpack(_bytes(body, place, _FIXED64.size))[0])


def double(body: bytes, place: Place) -> float:
    return float(_DOUBLE.unpack(_bytes(body, place, _DOUBLE.size))[0])


def text(body: bytes, place: Place) -> str:
    """Raises `BrokenWireFormat`."""
    try:
        return body[place[0] : place[1]].decode()
    except UnicodeDecodeError:
        raise BrokenWireFormat("a text is not UTF-8") from None


def _bytes(body: bytes, place: Place, size: int) -> bytes:
    if place[1] - place[0] != size:
        raise BrokenWireFormat(f"a number has not {size} bytes")
    return body[place[0] : place[1]]


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A variable integer, and where it ends."""
    try:
        byte = body[at]
        if byte < _MORE:
            return byte, at + 1
        value, shift = byte & 0x7F, 7
        for after in range(at + 1, at + _LONGEST_VARINT):
            byte = body[after]
            value |= (byte & 0x7F) << shift
            if byte < _MORE:
                return value % _MODULUS, after + 1
            shift += 7
    except IndexError:
        raise BrokenWireFormat("it is cut off") from None
    raise BrokenWireFormat("an integer is too long")
