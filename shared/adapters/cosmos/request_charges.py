"""What the store's requests cost, in request units (RU), by the purpose of the call."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

Purpose = Literal["get", "get_many", "create", "replace", "upsert", "delete", "batch", "query", "due"]


@dataclass(slots=True)
class Charge:
    requests: int = 0
    """Over the wire, repeated ones and further pages included."""
    throttled: int = 0
    """Of these, how many were told to come later."""
    units: float = 0.0
    """Request units, as Cosmos DB said."""
    operations: int = 0
    """Documents written or deleted, by attempts."""
    bytes: int = 0
    """Of the documents sent."""


class RequestCharges:
    """Counts from its making on. One per process; it is no part of any decision."""

    def __init__(self) -> None:
        self._by_purpose: defaultdict[Purpose, Charge] = defaultdict(Charge)

    def of(self, purpose: Purpose) -> Charge:
        return self._by_purpose[purpose]

    def total(self) -> Charge:
        charges = self._by_purpose.values()
        return Charge(
            requests=sum(charge.requests for charge in charges),
            throttled=sum(charge.throttled for charge in charges),
            units=sum(charge.units for charge in charges),
            operations=sum(charge.operations for charge in charges),
            bytes=sum(charge.bytes for charge in charges),
        )
