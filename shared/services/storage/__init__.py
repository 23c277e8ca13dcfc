"""How services store entities, and the store's own words where they write several in one batch."""

from shared.ports.store import (
    AlreadyExistsError,
    Create,
    Delete,
    Document,
    Operation,
    Place,
    Replace,
    StaleEtagError,
    Store,
    Upsert,
)
from shared.services.storage.claims import Claim, Unique, name_claim
from shared.services.storage.records import Page, Records, Stored
from shared.services.storage.retrying import look_twice, retry_lost_races, retry_while_unavailable

__all__ = [
    "AlreadyExistsError",
    "Claim",
    "Create",
    "Delete",
    "Document",
    "Operation",
    "Page",
    "Place",
    "Records",
    "Replace",
    "StaleEtagError",
    "Store",
    "Stored",
    "Unique",
    "Upsert",
    "look_twice",
    "name_claim",
    "retry_lost_races",
    "retry_while_unavailable",
]
