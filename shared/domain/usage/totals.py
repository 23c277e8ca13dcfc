"""Usage totals: the running state of the meters of one agent under one model version in one period."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.metering.meters import Event, quantity_of
from shared.domain.metering.readings import Bands, CountAndSum, Distinct, Reading, document_of, read_reading
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.conversion import events_by_charge

MAXIMUM_TYPES = 200
"""How many event types are told apart where no charge bounds them."""

SYSTEM = "$"
"""Begins the name of a reading that no charge asked for: provider cost, values of outcomes and the like."""

MAXIMUM_SYSTEM_TOTALS = 50
"""How many members of a family of standing readings (`$cost.llm` is one of `$cost`) are told apart; the others come
to `$cost.*`.
"""

OTHER_TYPES = "*"
"""Stands for all event types beyond `MAXIMUM_TYPES`."""

_KEPT_BYTES = 120
"""About those of an event that a reading keeps one by one."""


NamedReadings = tuple[tuple[str, Reading], ...]
"""By name."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one event adds: (name, its own reading) for every gauge that it matters to; without any, it is counted by
    its type.
    """

    event_type: str
    time: str
    measures: tuple[tuple[str, Reading], ...]
    awaited: bool = False
    """Whether a charge waits for what is decided about it."""
    events: int = 1
    """0 where it adds something to an event that has been counted before."""

    system_totals: NamedReadings = ()
    """The same for what every event may move, whatever its agent's model; names start with `SYSTEM`."""

    @property
    def kept_bytes(self) -> int:
        """About the bytes of events that totals keep one by one; all else of them hardly grows."""
        return sum(_KEPT_BYTES * len(reading.first) for _, reading in self.measures if type(reading) is Bands)

    def distinct(self) -> Iterator[tuple[str, str]]:
        """(name, value) for the values of unique meters."""
        for name, reading in self.measures:
            if type(reading) is Distinct:  # by far quicker than isinstance, of an abstract class's
                for value in reading.values:
                    yield name, value


def contribution(
    event: Event, charges: Sequence[Charge], currency: str, system_totals: NamedReadings = ()
) -> Contribution:
    """What it adds on arrival under a model version, whose prices are in that currency. Raises `UnmeterableError`,
    `NoExchangeRateError`.
    """
    counting, awaited = [], False
    for charge, seen in events_by_charge(charges, event, currency):
        if charge.counts_on_arrival(seen):
            counting.append((charge, seen))
        else:
            awaited = awaited or charge.awaits(seen)
    return Contribution(event.type, event.time, measures(counting), awaited=awaited, system_totals=system_totals)


def measures(seen_by_charges: Iterable[tuple[Charge, Event]]) -> NamedReadings:
    """The own reading of an event for every gauge of these charges that it matters to. Raises `UnmeterableError`."""
    found = []
    for charge, seen in seen_by_charges:
        for name, gauge in charge.gauges.items():
            reading = gauge.measure(seen)
            if reading is not None:
                found.append((name, reading))
    return tuple(found)


def unpriced_contribution(event: Event, system_totals: NamedReadings = ()) -> Contribution:
    """Metered by type: how many events, and the sum of their `data.quantity`. Raises `UnmeterableError`."""
    return Contribution(
        event.type, event.time, ((event.type, CountAndSum(1, quantity_of(event))),), system_totals=system_totals
    )


class Totals:
    """Readings by the gauge's name (without a model, by the event type), the number of events by type, of all and of
    those that no charge wanted, and the time of the latest event. Mutable: it collects many events, then is written
    once.

    Distinct values are items of their own, so the document leaves them out.
    """

    __slots__ = ("_counts", "_distinct", "_readings", "_unmatched", "last_event_at")

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}
        self._distinct: dict[str, set[str]] = {}
        self._unmatched: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self.last_event_at: str | None = None

    def add(self, contribution: Contribution) -> None:
        for name, reading in contribution.measures:
            self._merge(name, reading)
        for name, reading in contribution.system_totals:
            self._merge(name, reading)
        if contribution.events and not contribution.measures and not contribution.awaited:
            _count(self._unmatched, contribution.event_type, 1)
        if contribution.events:
            _count(self._counts, contribution.event_type, contribution.events)
        self._saw(contribution.time)

    def merge(self, other: "Totals") -> None:
        """Add what another shard has collected."""
        for name in other.meters():
            reading = other.reading(name)
            if reading is not None:
                self._merge(name, reading)
        for event_type, count in other.unmatched().items():
            _count(self._unmatched, event_type, count)
        for event_type, count in other.counts().items():
            _count(self._counts, event_type, count)
        self._saw(other.last_event_at)

    def add_distinct(self, name: str, values: Iterable[str]) -> None:
        """Values of a unique meter, as their items name them."""
        self._distinct.setdefault(name, set()).update(values)

    def take_distinct(self) -> dict[str, set[str]]:
        """The values of unique meters that have been added, by the name of the meter; they are no longer in it."""
        taken, self._distinct = self._distinct, {}
        return taken

    def copy(self) -> "Totals":
        copied = Totals()
        copied.merge(self)
        return copied

    def meters(self) -> list[str]:
        return [*self._readings, *self._distinct]

    def charged(self) -> list[str]:
        """The meters without the standing readings, which nobody pays for."""
        return [name for name in self.meters() if not name.startswith(SYSTEM)]

    def reading(self, name: str) -> Reading | None:
        """None where nothing has come to it."""
        if name in self._distinct:
            return Distinct(frozenset(self._distinct[name]))
        return self._readings.get(name)

    def unmatched(self) -> dict[str, int]:
        return dict(self._unmatched)

    def counts(self) -> dict[str, int]:
        """How many events there were, by type."""
        return dict(self._counts)

    def document(self) -> dict[str, Any]:
        return {
            "meters": {name: document_of(reading) for name, reading in self._readings.items()},
            "unmatched": dict(self._unmatched),
            "counts": dict(self._counts),
            "last_event_at": self.last_event_at,
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Totals":
        totals = cls()
        totals._readings = {name: read_reading(kept) for name, kept in document["meters"].items()}
        totals._unmatched = {event_type: int(count) for event_type, count in document["unmatched"].items()}
        totals._counts = {event_type: int(count) for event_type, count in document.get("counts", {}).items()}
        totals.last_event_at = document["last_event_at"]
        return totals

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Totals) and self.document() == other.document() and self._distinct == other._distinct

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Totals({self.document()}, {self._distinct})"

    def _merge(self, name: str, reading: Reading) -> None:
        if type(reading) is Distinct:
            self.add_distinct(name, reading.values)
            return
        kept = self._readings.get(name)
        if kept is None:
            name = self._place(name)
            kept = self._readings.get(name)
        self._readings[name] = reading if kept is None else kept.merge(reading)

    def _place(self, name: str) -> str:
        """Where a reading goes that has not been there: totals stay small, whatever senders make up."""
        if len(self._readings) < MAXIMUM_SYSTEM_TOTALS:
            return name
        if not name.startswith(SYSTEM):  # a version has fewer than so many, so they are event types
            others = sum(not kept.startswith(SYSTEM) for kept in self._readings)
            return name if others < MAXIMUM_TYPES else OTHER_TYPES
        family, member, _ = name.partition(".")
        if member and sum(kept.startswith(family + member) for kept in self._readings) >= MAXIMUM_SYSTEM_TOTALS:
            return f"{family}.{OTHER_TYPES}"
        return name

    def _saw(self, time: str | None) -> None:
        if time is not None and (self.last_event_at is None or time > self.last_event_at):
            self.last_event_at = time


def _count(counts: dict[str, int], event_type: str, count: int) -> None:
    if event_type not in counts and len(counts) >= MAXIMUM_TYPES:
        event_type = OTHER_TYPES
    counts[event_type] = counts.get(event_type, 0) + count
