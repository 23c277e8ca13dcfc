"""Transfers: immutable entries of the ledger, chained by their hashes.

One item is the transfer, the record of its idempotency key and the answer. Refusals are entries like successes.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from shared.domain.credits.accounts import Line
from shared.domain.credits.counters import Context
from shared.domain.credits.grants import DEFAULT_KIND, Part
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import ZERO

TransferType = Literal[
    "grant",
    "use",
    "reserve",
    "capture",
    "release",
    "hold_expiry",
    "lease",
    "lease_extension",
    "lease_settlement",
    "lease_expiry",
    "lease_write_off",
    "grant_expiry",
    "rollover",
    "refund",
    "clawback",
    "top_up_failure",
    "draw",
]

BEFORE_THE_FIRST = "0" * 64
"""The hash that the first transfer of a wallet names."""


class UseEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One use of a list, with what it was for."""

    amount: Decimal
    context: Context
    agent_type: str | None = None
    action: str | None = None
    quantity: Decimal | None = None
    metadata: str = "{}"
    """JSON of the caller's own."""


class Refusal(msgspec.Struct, frozen=True):
    """A decision that is final for its key."""

    code: Literal[
        "insufficient_credits",
        "limit_exceeded",
        "hold_resolved",
        "hold_expired",
        "window_ended",
        "payer_changed",
        "conflict",
        "validation",
    ]
    detail: str
    members: dict[str, Any] = {}
    """What the answer says beside the detail."""


class Transfer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one command did, or why it did nothing."""

    id: str
    """Made from the organization and the key."""
    organization_id: str
    type: TransferType
    sequence: int = 0
    previous_hash: str = ""
    hash: str = ""
    time: datetime
    credit_kind: str = DEFAULT_KIND
    amount: Decimal = ZERO
    lines: tuple[Line, ...] = ()
    available_after: dict[str, Decimal] = {}
    """The available credits of each kind after it, so that a statement begins anywhere."""
    parts: tuple[Part, ...] = ()
    """Which grants it burnt, pinned, freed, filled or took from."""
    burnt_at: datetime | None = None
    """When the credits left their grants: the admission of a captured hold."""
    admitted_at: datetime | None = None
    """In whose windows it counts, where that is not when the credits left their grants: of leases."""
    credit_value: Decimal | None = None
    """What a credit was worth in money then."""
    entries: tuple[UseEntry, ...] = ()
    corrects: str | None = None
    """The hold, lease, transfer or grant that it is about."""
    reason: str | None = None
    principal: str = ""
    """Who sent it; empty for what the system does by itself."""
    request_hash: str = ""
    answer: dict[str, Any] = {}
    refusal: Refusal | None = None

    def computed_hash(self) -> str:
        """The hash of all fields but itself, in a form without regard to the order of fields."""
        return fingerprint(msgspec.json.encode(msgspec.structs.replace(self, hash=""), order="sorted"))

    @property
    def is_refused(self) -> bool:
        return self.refusal is not None


def chained(transfer: Transfer, sequence: int, previous_hash: str) -> Transfer:
    """The transfer at its place in the chain."""
    placed = msgspec.structs.replace(transfer, sequence=sequence, previous_hash=previous_hash)
    return msgspec.structs.replace(placed, hash=placed.computed_hash())
