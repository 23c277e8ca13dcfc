"""The store and the queue of one machine, in one SQLite file."""

from shared.adapters.sqlite.database import Database
from shared.adapters.sqlite.store import SqliteStore

__all__ = ["Database", "SqliteStore"]
