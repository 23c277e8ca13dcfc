"""Queries in Cosmos DB's SQL."""
# ruff: noqa: S608  names come from containers.py, values are parameters

from collections.abc import Sequence
from typing import Any

from shared.adapters.documents.query import DocumentQuery
from shared.ports.store import Position

Parameters = list[dict[str, Any]]


class SqlQuery(DocumentQuery):
    __slots__ = ()

    def sql(self, cursor: str | Position | None) -> tuple[str, Parameters]:
        """Selects one document more than the limit, which tells whether there is a next page."""
        conditions, values = self._conditions(cursor)
        order = f"c.id {self.direction}"
        if self.order_by != "id":  # the composite index of both serves it
            order = f"c.{self.order_by} {self.direction}, {order}"
        sql = f"SELECT TOP {self.limit + 1} * FROM c WHERE {' AND '.join(conditions)} ORDER BY {order}"
        return sql, parameters(values)

    def cursor_after_document(self, document: dict[str, Any]) -> str:
        return self.cursor_after(document[self.order_by], document["id"])

    def _conditions(self, cursor: str | Position | None) -> tuple[list[str], dict[str, str]]:
        conditions = ["c.pk = @pk", "c.kind = @kind"]
        values = {"pk": self.pk, "kind": self.kind}
        for number, (path, value) in enumerate(self.equals.items()):
            conditions.append(f"c.{path} = @equals{number}")
            values[f"equals{number}"] = value
        if self.between is not None and self.between.at_least is not None:
            conditions.append(f"c.{self.between.path} >= @at_least")
            values["at_least"] = self.between.at_least
        if self.between is not None and self.between.below is not None:
            conditions.append(f"c.{self.between.path} < @below")
            values["below"] = self.between.below
        if cursor is not None:
            position = self.position_of(cursor)
            conditions.append(self._continues())
            values |= {"position": position.value, "tie": position.id}
        elif self.order_by != "id":
            conditions.append(
                f'c.{self.order_by} >= ""'
            )  # true for every string: documents without the field are left out
        return conditions, values

    def _continues(self) -> str:
        if self.order_by == "id":
            return f"c.id {self.beyond} @tie"
        path = f"c.{self.order_by}"
        return f"({path} {self.beyond} @position OR ({path} = @position AND c.id {self.beyond} @tie))"


def by_ids(pk: str, ids: Sequence[str]) -> tuple[str, Parameters]:
    names = [f"id{number}" for number in range(len(ids))]
    sql = f"SELECT * FROM c WHERE c.pk = @pk AND c.id IN ({', '.join(f'@{name}' for name in names)})"
    return sql, parameters({"pk": pk, **dict(zip(names, ids, strict=True))})


def due(before: str, limit: int) -> tuple[str, Parameters]:
    return f"SELECT TOP {limit} * FROM c WHERE c.due_at < @before ORDER BY c.due_at", parameters({"before": before})


def parameters(values: dict[str, str]) -> Parameters:
    return [{"name": f"@{name}", "value": value} for name, value in values.items()]
