"""What has arrived of whom: counters for people to look at, by credential, source and type."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import from_text, to_text

MAXIMUM_PAIRS = 50
"""Of source and type, told apart for each credential."""
MAXIMUM_ROWS = 1000
MAXIMUM_WARNINGS = 200
"""Rows and warnings of one bucket."""
OTHERS = "*"
"""Stands for all credentials, sources and types beyond these bounds."""
MAXIMUM_SHOWN = 256
"""Characters of a source, type, library or service."""

REFUSED = "refused:"
"""With a reason, the counter of events that were not taken."""

Window = Literal["hour", "day", "month"]

_STEPS: Mapping[Window, timedelta] = {
    "hour": timedelta(minutes=5),
    "day": timedelta(hours=1),
    "month": timedelta(days=1),
}
_LENGTHS: Mapping[Window, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "month": timedelta(days=30),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sender(NamedTuple):
    """Who sent events of what."""

    reporter: str
    """The id of the root API key, or of the user."""
    source: str
    type: str


class WarningKind(NamedTuple):
    """Warnings that are counted together."""

    code: str
    library: str | None = None
    """What made the trace."""
    service: str | None = None
    """The `service.name` of the trace."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SenderCounts(_Row):
    """The counters of one sender."""

    sender: Sender
    counts: Mapping[str, int]
    """By name: `accepted`, `duplicates`, `parked`, `unpriced`, `priced_at_0`, `without_model`, `refused:{reason}`."""
    last_seen: str
    """Text of `times.to_text`."""


class WarningCount(_Row):
    warning: WarningKind
    count: int
    last: str
    """Text of `times.to_text`."""


class IngestionTotals:
    """Adds up counters within the bounds. It is mutable."""

    def __init__(self) -> None:
        self._counts: dict[Sender, dict[str, int]] = {}
        self._last_seen: dict[Sender, datetime] = {}
        self._pairs: dict[str, int] = {}
        self._warnings: dict[WarningKind, tuple[int, datetime]] = {}

    def count(self, sender: Sender, name: str, number: int, at: datetime) -> None:
        """Add to a counter of a sender that was seen at that time."""
        place = self._place(sender)
        counts = self._counts[place]
        counts[name] = counts.get(name, 0) + number
        self._last_seen[place] = max(self._last_seen.get(place, at), at)

    def warn(self, warning: WarningKind, number: int, at: datetime) -> None:
        """Add to the number of warnings of a kind."""
        if warning not in self._warnings and len(self._warnings) >= MAXIMUM_WARNINGS:
            warning = WarningKind(warning.code)
        if warning not in self._warnings and len(self._warnings) >= 2 * MAXIMUM_WARNINGS:
            return
        count, last = self._warnings.get(warning, (0, at))
        self._warnings[warning] = (count + number, max(last, at))

    def add(self, rows: Iterable[SenderCounts], warnings: Iterable[WarningCount]) -> None:
        """Add what was counted elsewhere."""
        for row in rows:
            for name, number in row.counts.items():
                self.count(row.sender, name, number, from_text(row.last_seen))
        for each in warnings:
            self.warn(each.warning, each.count, from_text(each.last))

    @property
    def rows(self) -> tuple[SenderCounts, ...]:
        return tuple(
            SenderCounts(sender=sender, counts=dict(counts), last_seen=to_text(self._last_seen[sender]))
            for sender, counts in self._counts.items()
        )

    @property
    def warnings(self) -> tuple[WarningCount, ...]:
        return tuple(
            WarningCount(warning=warning, count=count, last=to_text(last))
            for warning, (count, last) in self._warnings.items()
        )

    def _place(self, sender: Sender) -> Sender:
        """The sender, or what stands for those beyond the bounds."""
        if sender in self._counts:
            return sender
        place = sender
        if self._pairs.get(sender.reporter, 0) >= MAXIMUM_PAIRS:
            place = Sender(sender.reporter, OTHERS, OTHERS)
        if place not in self._counts and len(self._counts) >= MAXIMUM_ROWS:
            place = Sender(OTHERS, OTHERS, OTHERS)
        if place not in self._counts:
            self._counts[place] = {}
            if (place.source, place.type) != (OTHERS, OTHERS):
                self._pairs[place.reporter] = self._pairs.get(place.reporter, 0) + 1
        return place


class IngestionBucket(Entity):
    """The counters of a step of time."""

    kind: ClassVar[str] = "ingestion"
    audit: ClassVar[Audit] = OWN_TRAIL

    rows: tuple[SenderCounts, ...] = ()
    warnings: tuple[WarningCount, ...] = ()
    ttl: int
    """In seconds, from the last write: no shorter than the window that reads it."""

    def with_more(self, totals: IngestionTotals) -> "IngestionBucket":
        added = IngestionTotals()
        added.add(self.rows, self.warnings)
        added.add(totals.rows, totals.warnings)
        return self.model_copy(update={"rows": added.rows, "warnings": added.warnings})


def buckets_at(now: datetime) -> Iterator[IngestionBucket]:
    """Empty buckets of what arrives now, one for each window."""
    for window, step in _STEPS.items():
        lifetime = _LENGTHS[window] + 2 * step
        yield IngestionBucket(id=_bucket_id(window, _floor(now, step)), ttl=int(lifetime.total_seconds()))


def bucket_ids(window: Window, now: datetime) -> list[str]:
    """The buckets of a window that ends now, newest first. The oldest may begin before it, by less than a step."""
    step, start = _STEPS[window], window_start(window, now)
    newest = _floor(now, step)
    return [_bucket_id(window, newest - step * number) for number in range((newest - start) // step + 1)]


def window_start(window: Window, now: datetime) -> datetime:
    """Where the oldest step of a window begins."""
    return _floor(now - _LENGTHS[window], _STEPS[window])


def shown(text: str) -> str:
    """A name as it is counted, which a sender chose."""
    return text[:MAXIMUM_SHOWN]


def _floor(instant: datetime, step: timedelta) -> datetime:
    return _EPOCH + (instant - _EPOCH) // step * step


def _bucket_id(window: Window, start: datetime) -> str:
    return f"{window}:{to_text(start)}"
