"""Cursors of lists that are merged from several partitions: where a page ended, and of which query."""

import base64
import binascii

from shared import json
from shared.domain.kernel.errors import MalformedError, ValidationError
from shared.domain.kernel.ids import fingerprint
from shared.ports.store import Position


def shape_of(*query: object) -> str:
    """A fingerprint that tells queries apart."""
    return fingerprint(repr(query))[:16]


def cursor_to(position: Position, shape: str) -> str:
    """The cursor of a page of that query which ended at this place."""
    return base64.urlsafe_b64encode(json.encode([shape, position.value, position.id])).decode().rstrip("=")


def position_after(cursor: str, shape: str) -> Position:
    """Where the page before ended. Raises `MalformedError` for a cursor that a query of this shape did not give."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        given, value, id_ = json.decode(raw)
    except (binascii.Error, ValueError, TypeError, MalformedError, ValidationError) as error:
        raise MalformedError("The cursor cannot be read") from error
    if given != shape or not isinstance(value, str) or not isinstance(id_, str):
        raise MalformedError("The cursor belongs to another query")
    return Position(value, id_)
