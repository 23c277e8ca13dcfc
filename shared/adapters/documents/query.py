"""Queries with the limits that every store enforces, and the cursors of their pages."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from shared import json
from shared.containers import Container
from shared.domain.kernel.errors import MalformedError, ValidationError
from shared.domain.kernel.ids import fingerprint
from shared.ports.store import MAXIMUM_PAGE, Between, Position, StoreLimitError


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """A query over one kind of document in one partition. Raises `StoreLimitError` for a path that is not indexed."""

    container: Container
    pk: str
    kind: str
    equals: Mapping[str, str]
    between: Between | None
    order_by: str
    descending: bool
    limit: int

    def __post_init__(self) -> None:
        for path in (*self.equals, *([self.between.path] if self.between else [])):
            if path not in {"id", "due_at", *self.container.indexed}:
                raise StoreLimitError(f"{path} is not indexed in {self.container.name}")
        if self.order_by not in {"id", *self.container.ordered}:
            raise StoreLimitError(f"{self.container.name} has no order by {self.order_by}")
        if not all(isinstance(value, str) for value in self.equals.values()):
            raise StoreLimitError("A filter compares with a string")
        check_limit(self.limit)

    @property
    def direction(self) -> str:
        return "DESC" if self.descending else "ASC"

    @property
    def beyond(self) -> str:
        """The operator between a position and what follows it."""
        return "<" if self.descending else ">"

    def cursor_after(self, value: str, id_: str) -> str:
        return base64.urlsafe_b64encode(json.encode([self._shape(), value, id_])).decode().rstrip("=")

    def position_of(self, cursor: str | Position) -> Position:
        """Where the page before ended. Raises `MalformedError` for a cursor of another query."""
        if isinstance(cursor, Position):
            return cursor
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            shape, value, id_ = json.decode(raw)
        except (binascii.Error, ValueError, TypeError, MalformedError, ValidationError) as error:
            raise MalformedError("The cursor cannot be read") from error
        if shape != self._shape() or not isinstance(value, str) or not isinstance(id_, str):
            raise MalformedError("The cursor belongs to another query")
        return Position(value, id_)

    def _shape(self) -> str:
        between = self.between and [self.between.path, self.between.at_least, self.between.below]
        shape = [self.container.name, self.pk, self.kind, dict(self.equals), between, self.order_by, self.descending]
        return fingerprint(json.encode_canonical(shape))[:16]


def check_limit(limit: int) -> None:
    """Raises `StoreLimitError` for a page size out of bounds."""
    if not 1 <= limit <= MAXIMUM_PAGE:
        raise StoreLimitError(f"A page has 1 to {MAXIMUM_PAGE} documents")
