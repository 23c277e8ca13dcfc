"""How services store entities, and how they write several in one batch."""

from shared.ports.store import (
    AlreadyExistsError,
    Between,
    Document,
    Operation,
    Position,
    StaleEtagError,
    Store,
)
from shared.services.storage.claims import Claim, UniqueField, name_claim
from shared.services.storage.kept_records import KeptRecords
from shared.services.storage.operations import creating, deleting, noting, putting, replacing
from shared.services.storage.outbox import Outbox, OutboxEntry, Sender
from shared.services.storage.owners import OPERATOR, Owners
from shared.services.storage.records import Records
from shared.services.storage.retrying import (
    look_twice,
    retry_lost_races,
    retry_while_unavailable,
    within_deadline,
)
from shared.services.storage.stored import Page, Stored
from shared.services.storage.together import get_two

__all__ = [
    "OPERATOR",
    "AlreadyExistsError",
    "Between",
    "Claim",
    "Document",
    "KeptRecords",
    "Operation",
    "Outbox",
    "OutboxEntry",
    "Owners",
    "Page",
    "Position",
    "Records",
    "Sender",
    "StaleEtagError",
    "Store",
    "Stored",
    "UniqueField",
    "creating",
    "deleting",
    "get_two",
    "look_twice",
    "name_claim",
    "noting",
    "putting",
    "replacing",
    "retry_lost_races",
    "retry_while_unavailable",
    "within_deadline",
]
