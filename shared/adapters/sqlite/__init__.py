"""Everything of one machine in one SQLite file: the database, and the document store in it."""

from shared.adapters.sqlite.database import Database
from shared.adapters.sqlite.store import SqliteStore

__all__ = ["Database", "SqliteStore"]
