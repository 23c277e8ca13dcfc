"""Usage totals: the running state of the meters of one agent under one model version in one period."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from shared.domain.charges.charge import Charge
from shared.domain.meters import Event, Reading, quantity_of
from shared.domain.money import ZERO, add, plain

MAXIMUM_TYPES = 200
"""How many event types are told apart where no charge bounds them."""

OTHER_TYPES = "*"
"""Stands for all event types beyond `MAXIMUM_TYPES`."""


class TimedEvent(Event, Protocol):
    @property
    def time(self) -> str:
        """Text of `times.to_text`, whose order is the order of time."""
        ...


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one event adds: (meter, value) for every meter that it matches; without any, it is counted by its type."""

    event_type: str
    time: str
    measures: tuple[tuple[str, Decimal], ...]


def contribution(event: TimedEvent, charges: Iterable[Charge]) -> Contribution:
    """Under a model version. Raises `UnmeterableError`."""
    measures = []
    for charge in charges:
        for name, meter in charge.meters.items():
            value = meter.measure(event)
            if value is not None:
                measures.append((name, value))
    return Contribution(event.type, event.time, tuple(measures))


def unpriced_contribution(event: TimedEvent) -> Contribution:
    """Metered by type: how many events, and the sum of their `data.quantity`. Raises `UnmeterableError`."""
    return Contribution(event.type, event.time, ((event.type, quantity_of(event)),))


class Totals:
    """Counts and exact sums by meter (a charge's key; without a model, the event type), the number of events by type
    that no charge wanted, and the time of the latest event. Mutable: it collects many events, then is written once.
    """

    __slots__ = ("_meters", "_unmatched", "last_event_at")

    def __init__(self) -> None:
        self._meters: dict[str, tuple[int, Decimal]] = {}
        self._unmatched: dict[str, int] = {}
        self.last_event_at: str | None = None

    def add(self, contribution: Contribution) -> None:
        for name, value in contribution.measures:
            self._meter(name, 1, value)
        if not contribution.measures:
            self._count_unmatched(contribution.event_type, 1)
        self._saw(contribution.time)

    def merge(self, other: "Totals") -> None:
        """Add what another shard has collected."""
        for name, (count, value) in other._meters.items():  # noqa: SLF001  of the same class
            self._meter(name, count, value)
        for event_type, count in other.unmatched().items():
            self._count_unmatched(event_type, count)
        self._saw(other.last_event_at)

    def copy(self) -> "Totals":
        copied = Totals()
        copied.merge(self)
        return copied

    def meters(self) -> list[str]:
        return list(self._meters)

    def reading(self, meter: str) -> Reading:
        count, value = self._meters.get(meter, (0, ZERO))
        return Reading(Fraction(count), Fraction(value))

    def unmatched(self) -> dict[str, int]:
        return dict(self._unmatched)

    def document(self) -> dict[str, Any]:
        return {
            "meters": {name: {"count": count, "sum": plain(value)} for name, (count, value) in self._meters.items()},
            "unmatched": dict(self._unmatched),
            "last_event_at": self.last_event_at,
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Totals":
        totals = cls()
        totals._meters = {name: (int(kept["count"]), Decimal(kept["sum"])) for name, kept in document["meters"].items()}
        totals._unmatched = {event_type: int(count) for event_type, count in document["unmatched"].items()}
        totals.last_event_at = document["last_event_at"]
        return totals

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Totals) and self.document() == other.document()

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Totals({self.document()})"

    def _meter(self, name: str, count: int, value: Decimal) -> None:
        kept = self._meters.get(name)
        if (
            kept is None and len(self._meters) >= MAXIMUM_TYPES
        ):  # a version's charges are fewer, so these are event types
            name = OTHER_TYPES
            kept = self._meters.get(name)
        self._meters[name] = (count, value) if kept is None else (kept[0] + count, add(kept[1], value))

    def _count_unmatched(self, event_type: str, count: int) -> None:
        if event_type not in self._unmatched and len(self._unmatched) >= MAXIMUM_TYPES:
            event_type = OTHER_TYPES
        self._unmatched[event_type] = self._unmatched.get(event_type, 0) + count

    def _saw(self, time: str | None) -> None:
        if time is not None and (self.last_event_at is None or time > self.last_event_at):
            self.last_event_at = time
