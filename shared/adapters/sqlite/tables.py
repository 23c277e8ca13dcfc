"""One table for each container of `containers.py`, with its indexes and statements."""
# ruff: noqa: S608  names come from containers.py, values are parameters

from functools import cache

from shared.adapters.documents.rules import container_named
from shared.adapters.sqlite.query import column
from shared.containers import CONTAINERS, Container

Parameters = tuple[str | int | None, ...]

_CONTENT = ("kind", "body", "etag", "expires_at", "due_at")
_COLUMNS = ("pk", "id", *_CONTENT)
_IS_ALIVE = "(expires_at IS NULL OR expires_at > ?)"


class Table:
    """`expires_at` is in microseconds since 1970; an expired row counts as deleted.

    Keys of mass data (events) are hashes: each index in their order costs a write to a random page for every row. So
    only rows that do not expire are indexed by (kind, id); the other indexes order equal keys by arrival.
    """

    def __init__(self, container: Container) -> None:
        self.container = container
        name = f'"{container.name}"'
        self._name = name
        self.definitions = _definitions(container, name)
        self.get = f"SELECT id, etag, body FROM {name} WHERE pk = ? AND id = ? AND {_IS_ALIVE}"
        """pk, id, now"""
        self.get_many = (
            f"SELECT id, etag, body FROM {name} WHERE pk = ? AND id IN (SELECT value FROM json_each(?)) AND {_IS_ALIVE}"
        )
        """pk, JSON array of ids, now"""
        self.etag = f"SELECT etag FROM {name} WHERE pk = ? AND id = ?"
        """pk, id"""
        self.due = (
            f"SELECT pk, etag, body FROM {name} WHERE due_at IS NOT NULL AND due_at < ? AND {_IS_ALIVE}"
            " ORDER BY due_at, sequence LIMIT ?"
        )
        """before, now, limit"""
        self.replace = (
            f"UPDATE {name} SET ({', '.join(_CONTENT)}) = ({_marks(_CONTENT)})"
            f" WHERE pk = ? AND id = ? AND etag = ? AND {_IS_ALIVE}"
        )
        """kind, body, etag, expires_at, due_at, pk, id, the etag before, now"""
        self.upsert = f"{self._insert(1)} ON CONFLICT (pk, id) DO UPDATE SET {self._taken_over()}"
        """pk, id, kind, body, etag, expires_at, due_at"""
        self.delete = f"DELETE FROM {name} WHERE pk = ? AND id = ?"
        """pk, id"""
        self.delete_guarded = f"DELETE FROM {name} WHERE pk = ? AND id = ? AND etag = ? AND {_IS_ALIVE}"
        """pk, id, etag, now"""
        self.purge = f"DELETE FROM {name} WHERE sequence IN (SELECT sequence FROM {name} WHERE expires_at <= ? LIMIT ?)"
        """now, limit"""

    @cache  # noqa: B019  tables are never released
    def create(self, count: int) -> str:
        """Takes the parameters of `upsert` for each row, then now. Skips documents that exist and have not expired."""
        return (
            f"{self._insert(count)} ON CONFLICT (pk, id) DO UPDATE SET {self._taken_over()}"
            f" WHERE {self._name}.expires_at <= ?"
        )

    def _insert(self, count: int) -> str:
        rows = ", ".join([f"({_marks(_COLUMNS)})"] * count)
        return f"INSERT INTO {self._name} ({', '.join(_COLUMNS)}) VALUES {rows}"

    def _taken_over(self) -> str:
        return ", ".join(f"{name} = excluded.{name}" for name in _CONTENT)


def _marks(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))


def _definitions(container: Container, name: str) -> list[str]:
    def index(suffix: str, columns: str, condition: str) -> str:
        return f'CREATE INDEX IF NOT EXISTS "{container.name}_{suffix}" ON {name} ({columns}) WHERE {condition}'

    return [
        f"""CREATE TABLE IF NOT EXISTS {name} (
            sequence INTEGER PRIMARY KEY, pk TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
            etag TEXT NOT NULL, expires_at INTEGER, due_at TEXT, UNIQUE (pk, id))""",
        index("staying", "pk, kind, id", "expires_at IS NULL"),
        index("expiring", "pk, kind", "expires_at IS NOT NULL"),
        index("expires_at", "expires_at", "expires_at IS NOT NULL"),
        index("due_at", "due_at", "due_at IS NOT NULL"),
        *(
            index(f"by_{field}", ", ".join(_key(container, field)), f"{column(field)} IS NOT NULL")
            for field in container.indexed
        ),
    ]


def _key(container: Container, field: str) -> list[str]:
    """Rows with an equal value of the field are ordered by the container's ordered fields."""
    return ["pk", "kind", *(column(name) for name in dict.fromkeys((field, *container.ordered)))]


TABLES = {name: Table(container) for name, container in CONTAINERS.items()}


def table_of(container: str) -> Table:
    return TABLES[container_named(container).name]
