"""What a host asked of its store, as its adapter counted and logged it."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

_EVENT_CONTAINER = "ledgers"


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """One call's attempt; a query may take several requests."""

    at: datetime
    """When it was answered, in this machine's local time."""
    purpose: str
    container: str
    is_ok: bool
    requests: int
    documents: int
    writes: Counter[str]
    bytes: int
    indexed_terms: int

    @classmethod
    def read(cls, line: dict[str, Any]) -> Self:
        return cls(
            at=datetime.strptime(line["time"], "%Y-%m-%d %H:%M:%S,%f"),  # noqa: DTZ007  local, like the other ones
            purpose=line["purpose"],
            container=line["container"],
            is_ok=line["outcome"] == "ok",
            requests=line["requests"],
            documents=line["documents"],
            writes=Counter(line["writes"]),
            bytes=line["bytes"],
            indexed_terms=line["indexed_terms"],
        )

    @property
    def events(self) -> int:
        """That were recorded by it; the totals beside them are replaced, or created once."""
        return self.writes["create"] if self.is_ok and self.container == _EVENT_CONTAINER else 0


def store_requests(log: Path) -> Iterator[StoreRequest]:
    with log.open(encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            if line["message"] == "store request":
                yield StoreRequest.read(line)
