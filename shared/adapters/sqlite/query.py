"""Queries as SQL, and the cursors that continue them."""
# ruff: noqa: S608  names come from containers.py, values are parameters

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from shared import json
from shared.containers import Container
from shared.domain.errors import MalformedError, ValidationError
from shared.domain.ids import fingerprint
from shared.ports.store import MAXIMUM_PAGE, Between, StoreLimitError

Parameters = dict[str, str | int]


def column(field: str) -> str:
    """SQL for a field of a document. Indexes and queries must say it in the same words."""
    return field if field in {"id", "kind", "due_at"} else f"json_extract(body, '$.{field}')"


@dataclass(frozen=True, slots=True)
class Query:
    """Raises `StoreLimitError` when made over a path that is not indexed."""

    container: Container
    pk: str
    kind: str
    equals: Mapping[str, str]
    between: Between | None
    order_by: str
    descending: bool
    limit: int

    def __post_init__(self) -> None:
        paths = [*self.equals, self.order_by, *([self.between.path] if self.between else [])]
        for path in paths:
            if path not in {"id", "due_at", *self.container.indexed}:
                raise StoreLimitError(f"{path} is not indexed in {self.container.name}")
        if not all(isinstance(value, str) for value in self.equals.values()):
            raise StoreLimitError("Filters are texts")
        if not 1 <= self.limit <= MAXIMUM_PAGE:
            raise StoreLimitError(f"A page has 1 to {MAXIMUM_PAGE} documents")

    def sql(self, now: int, cursor: str | None) -> tuple[str, Parameters]:
        """Rows of (id, etag, body, position, sequence): one more than the limit where there are more."""
        conditions, parameters = self._conditions(cursor)
        parameters |= {"pk": self.pk, "kind": self.kind, "now": now, "limit": self.limit + 1}
        return (self._by_id(conditions) if self.order_by == "id" else self._by_field(conditions)), parameters

    def _by_id(self, conditions: list[str]) -> str:
        """What expires comes in masses (events) and is seldom listed by id, so no index holds it in that order: it is
        sorted when it is asked for, and merged with the rest.
        """
        order = f"ORDER BY position {self._direction}"
        name = self.container.name
        staying = self._select(f'"{name}"', [*conditions, "expires_at IS NULL"])
        expiring = self._select(
            f'"{name}" INDEXED BY "{name}_expiring"', [*conditions, "expires_at IS NOT NULL", "expires_at > :now"]
        )
        halves = (f"SELECT * FROM ({half} {order} LIMIT :limit)" for half in (staying, expiring))
        return f"{' UNION ALL '.join(halves)} {order} LIMIT :limit"

    def _by_field(self, conditions: list[str]) -> str:
        select = self._select(f'"{self.container.name}"', [*conditions, "(expires_at IS NULL OR expires_at > :now)"])
        return f"{select} ORDER BY position {self._direction}, sequence {self._direction} LIMIT :limit"

    def _select(self, table: str, conditions: list[str]) -> str:
        return (
            f"SELECT id, etag, body, {column(self.order_by)} AS position, sequence FROM {table}"
            f" WHERE {' AND '.join(conditions)}"
        )

    @property
    def _direction(self) -> str:
        return "DESC" if self.descending else "ASC"

    def cursor_after(self, position: str, sequence: int) -> str:
        return base64.urlsafe_b64encode(json.encode([self._shape(), position, sequence])).decode().rstrip("=")

    def _conditions(self, cursor: str | None) -> tuple[list[str], Parameters]:
        conditions = ["pk = :pk", "kind = :kind", f"{column(self.order_by)} IS NOT NULL"]
        parameters: Parameters = {}
        for number, (path, value) in enumerate(self.equals.items()):
            conditions.append(f"{column(path)} = :equals{number}")
            parameters[f"equals{number}"] = value
        if self.between is not None and self.between.at_least is not None:
            conditions.append(f"{column(self.between.path)} >= :at_least")
            parameters["at_least"] = self.between.at_least
        if self.between is not None and self.between.below is not None:
            conditions.append(f"{column(self.between.path)} < :below")
            parameters["below"] = self.between.below
        if cursor is not None:
            parameters["position"], parameters["sequence"] = self._read(cursor)
            beyond = "<" if self.descending else ">"
            if self.order_by == "id":
                conditions.append(f"id {beyond} :position")
            else:
                key = column(self.order_by)
                conditions.append(f"{key} {beyond}= :position")
                conditions.append(f"({key} {beyond} :position OR sequence {beyond} :sequence)")
        return conditions, parameters

    def _shape(self) -> str:
        between = self.between and [self.between.path, self.between.at_least, self.between.below]
        shape = [self.container.name, self.pk, self.kind, dict(self.equals), between, self.order_by, self.descending]
        return fingerprint(json.encode_canonical(shape))[:16]

    def _read(self, cursor: str) -> tuple[str, int]:
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            shape, position, sequence = json.decode(raw)
        except (binascii.Error, ValueError, TypeError, MalformedError, ValidationError) as error:
            raise MalformedError("The cursor cannot be read") from error
        if shape != self._shape() or not isinstance(position, str) or type(sequence) is not int:
            raise MalformedError("The cursor belongs to another query")
        return position, sequence
