"""Document queries as SQL."""
# ruff: noqa: S608  names come from containers.py, values are parameters

from shared.adapters.documents.query import DocumentQuery
from shared.ports.store import Position

Parameters = dict[str, str | int]


def column(field: str) -> str:
    """SQL for a field of a document.

    An index is used only where it has the same expression.
    """
    return field if field in {"id", "kind", "due_at"} else f"json_extract(body, '$.{field}')"


class SqlQuery(DocumentQuery):
    __slots__ = ()

    def sql(self, now: int, cursor: str | Position | None) -> tuple[str, Parameters]:
        """SQL that selects (id, etag, body, position) of a page and one row more.

        The additional row tells whether there is a next page.
        """
        conditions, parameters = self._conditions(cursor)
        parameters |= {"pk": self.pk, "kind": self.kind, "now": now, "limit": self.limit + 1}
        return (self._by_id(conditions) if self.order_by == "id" else self._by_field(conditions)), parameters

    def _by_id(self, conditions: list[str]) -> str:
        """Two halves, merged: what expires has no index by id and is sorted here.

        Documents that expire are many (events) and seldom listed by id, so that index would cost more than it saves.
        """
        order = f"ORDER BY position {self.direction}"
        name = self.container.name
        staying = self._select(f'"{name}"', [*conditions, "expires_at IS NULL"])
        expiring = self._select(
            f'"{name}" INDEXED BY "{name}_expiring"', [*conditions, "expires_at IS NOT NULL", "expires_at > :now"]
        )
        halves = (f"SELECT * FROM ({half} {order} LIMIT :limit)" for half in (staying, expiring))
        return f"{' UNION ALL '.join(halves)} {order} LIMIT :limit"

    def _by_field(self, conditions: list[str]) -> str:
        select = self._select(f'"{self.container.name}"', [*conditions, "(expires_at IS NULL OR expires_at > :now)"])
        return f"{select} ORDER BY position {self.direction}, id {self.direction} LIMIT :limit"

    def _select(self, table: str, conditions: list[str]) -> str:
        return (
            f"SELECT id, etag, body, {column(self.order_by)} AS position FROM {table} WHERE {' AND '.join(conditions)}"
        )

    def _conditions(self, cursor: str | Position | None) -> tuple[list[str], Parameters]:
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
            position = self.position_of(cursor)
            parameters |= {"position": position.value, "after": position.id}
            if self.order_by == "id":
                conditions.append(f"id {self.beyond} :after")
            else:
                key = column(self.order_by)
                conditions.append(f"{key} {self.beyond}= :position")
                conditions.append(f"({key} {self.beyond} :position OR id {self.beyond} :after)")
        return conditions, parameters
