"""Request units (RU) and sizes of the store's requests, by purpose of the call."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Purpose = Literal["get", "get_many", "create", "replace", "upsert", "delete", "batch", "query", "due"]
WriteOperation = Literal["create", "replace", "upsert", "delete"]

REPORT_SECONDS = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a write sends."""

    writes: Counter[WriteOperation] = field(default_factory=Counter)
    bytes: int = 0
    indexed_terms: int = 0


@dataclass(slots=True)
class RequestCharge:
    requests: int = 0
    """HTTP requests, with retries and further pages."""
    throttled: int = 0
    """How many of them were answered with 429."""
    unstated: int = 0
    """How many of them have an unknown charge: the answer did not contain it, or none came."""
    units: float = 0.0
    """Request units, as Cosmos DB reports them."""
    documents: int = 0
    """Documents read."""
    writes: Counter[WriteOperation] = field(default_factory=Counter)
    """Documents written or deleted; every attempt counts."""
    bytes: int = 0
    """Total size of the documents sent."""
    indexed_terms: int = 0
    """Index entries of the documents sent: one for each value of a path and for each composite index."""

    @property
    def operations(self) -> int:
        return self.writes.total()

    def add(self, other: "RequestCharge") -> None:
        self.requests += other.requests
        self.throttled += other.throttled
        self.unstated += other.unstated
        self.units += other.units
        self.documents += other.documents
        self.writes.update(other.writes)
        self.bytes += other.bytes
        self.indexed_terms += other.indexed_terms

    def summary(self) -> dict[str, Any]:
        """Fields of a log line about one request. The charge is None where part of it is unknown."""
        return {
            "requests": self.requests,
            "request_units": None if self.unstated else round(self.units, 2),
            "documents": self.documents,
            "writes": dict(self.writes),
            "bytes": self.bytes,
            "indexed_terms": self.indexed_terms,
        }

    def report(self) -> dict[str, Any]:
        """Fields of a log line about many requests. The charge sums those that are known."""
        return {
            **self.summary(),
            "request_units": round(self.units, 2),
            "throttled": self.throttled,
            "unstated": self.unstated,
        }


class RequestCharges:
    """Counts and logs the request units of this process, by purpose.

    It logs a line for each purpose once a minute and at the end. The line is written with the first call after the
    minute. No decision depends on the counts.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._by_purpose: defaultdict[Purpose, RequestCharge] = defaultdict(RequestCharge)
        self._unreported: defaultdict[Purpose, RequestCharge] = defaultdict(RequestCharge)
        self._seconds = seconds
        self._reported_at = seconds()

    def add(self, purpose: Purpose, charge: RequestCharge) -> None:
        self._by_purpose[purpose].add(charge)
        self._unreported[purpose].add(charge)
        if self._seconds() - self._reported_at >= REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        """Log what was counted since the last report."""
        now = self._seconds()
        passed = now - self._reported_at
        for purpose, charge in self._unreported.items():
            _log.info("store requests", extra={"purpose": purpose, "seconds": round(passed, 1), **charge.report()})
        self._unreported.clear()
        self._reported_at = now

    def of(self, purpose: Purpose) -> RequestCharge:
        return self._by_purpose[purpose]

    def total(self) -> RequestCharge:
        total = RequestCharge()
        for charge in self._by_purpose.values():
            total.add(charge)
        return total
