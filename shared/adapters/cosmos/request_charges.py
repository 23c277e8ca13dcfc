"""What the store's requests cost, in request units (RU), by the purpose of the call."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

Purpose = Literal["get", "get_many", "create", "replace", "upsert", "delete", "batch", "query", "due"]
WriteOperation = Literal["create", "replace", "upsert", "delete"]


@dataclass(frozen=True, slots=True)
class Weight:
    """What a write carries."""

    writes: Counter[WriteOperation] = field(default_factory=Counter)
    bytes: int = 0
    indexed_terms: int = 0


@dataclass(slots=True)
class Charge:
    requests: int = 0
    """Over the wire, repeated ones and further pages included."""
    throttled: int = 0
    """Of these, how many were told to come later."""
    unstated: int = 0
    """Of these, how many have an unknown charge: the answer did not say, or none came."""
    units: float = 0.0
    """Request units, as Cosmos DB said."""
    documents: int = 0
    """Documents read."""
    writes: Counter[WriteOperation] = field(default_factory=Counter)
    """Documents written or deleted, by attempts."""
    bytes: int = 0
    """Of the documents sent."""
    indexed_terms: int = 0
    """What the indexes take in of the documents sent: a term for each value of a path, and for each composite."""

    @property
    def operations(self) -> int:
        return self.writes.total()

    def add(self, other: "Charge") -> None:
        self.requests += other.requests
        self.throttled += other.throttled
        self.unstated += other.unstated
        self.units += other.units
        self.documents += other.documents
        self.writes.update(other.writes)
        self.bytes += other.bytes
        self.indexed_terms += other.indexed_terms

    def summary(self) -> dict[str, Any]:
        """For a log line. The charge is None where it is not known whole."""
        return {
            "requests": self.requests,
            "request_units": None if self.unstated else round(self.units, 2),
            "documents": self.documents,
            "writes": dict(self.writes),
            "bytes": self.bytes,
            "indexed_terms": self.indexed_terms,
        }


class RequestCharges:
    """Counts from its making on. One per process; it is no part of any decision."""

    def __init__(self) -> None:
        self._by_purpose: defaultdict[Purpose, Charge] = defaultdict(Charge)

    def add(self, purpose: Purpose, charge: Charge) -> None:
        self._by_purpose[purpose].add(charge)

    def of(self, purpose: Purpose) -> Charge:
        return self._by_purpose[purpose]

    def total(self) -> Charge:
        total = Charge()
        for charge in self._by_purpose.values():
            total.add(charge)
        return total
