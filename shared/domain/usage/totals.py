"""Usage totals: the readings of one agent's usage under one model version in one period."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from shared.domain.metering.bands import Bands
from shared.domain.metering.gauges import Event
from shared.domain.metering.readings import CountAndSum, Distinct, Reading, Weighted
from shared.domain.metering.stored_readings import document_of, read_reading
from shared.domain.metering.values import quantity_of
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.conversion import events_by_charge

MAXIMUM_TYPES = 200
"""How many event types a total tells apart where no charge limits them."""

SYSTEM = "$"
"""Begins the name of a system total: a reading that no charge asks for, such as the provider cost."""

MAXIMUM_SYSTEM_TOTALS = 50
"""How many system totals of one family are told apart, such as `$cost.llm` of `$cost`; the others add up in `$cost.*`.
"""

OTHER_TYPES = "*"
"""Stands for all event types beyond `MAXIMUM_TYPES`."""

_LISTED_BYTES = 120
"""About the size of an event that a reading lists one by one."""


NamedReadings = tuple[tuple[str, Reading], ...]
"""By name."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one event adds to a total: its reading for every gauge that it matches.

    An event that matches none is counted by its type.
    """

    event_type: str
    time: str
    measures: tuple[tuple[str, Reading], ...]
    awaited: bool = False
    """Whether a charge waits for a decision about it."""
    events: int = 1
    """How many events it counts: 0 for an event that has been counted before."""

    system_totals: NamedReadings = ()
    """Readings for the system totals, which do not depend on the agent's model. Their names start with `SYSTEM`."""
    matched_late: bool = False
    """Whether it takes back that no charge matched the event, as was counted before."""

    @property
    def listed_bytes(self) -> int:
        """About how much it adds to the events that the total lists one by one. All else in a total hardly grows."""
        return sum(_LISTED_BYTES * len(reading.first) for _, reading in self.measures if type(reading) is Bands)

    def distinct(self) -> Iterator[tuple[str, Distinct]]:
        """The readings of unique meters, by name."""
        for name, reading in self.measures:
            if type(reading) is Distinct:  # far quicker than isinstance with an abstract class
                yield name, reading


def contribution(
    event: Event, charges: Sequence[Charge], currency: str, system_totals: NamedReadings = ()
) -> Contribution:
    """What an event adds under a model version with these charges.

    `currency` is the organization's, in which the charges are priced. Raises `UnmeterableError`, `NoExchangeRateError`.
    """
    counting, awaited = [], False
    for charge, seen in events_by_charge(charges, event, currency):
        if charge.counts_on_arrival(seen):
            counting.append((charge, seen))
        else:
            awaited = awaited or charge.awaits(seen)
    return Contribution(event.type, event.time, measures(counting), awaited=awaited, system_totals=system_totals)


def measures(seen_by_charges: Iterable[tuple[Charge, Event]]) -> NamedReadings:
    """The event's reading for every gauge of these charges that it matches. Raises `UnmeterableError`."""
    readings = []
    for charge, seen in seen_by_charges:
        for name, gauge in charge.gauges.items():
            reading = gauge.measure(seen)
            if type(reading) is Distinct and charge.scope == "organization":
                reading = replace(reading, pooled=True)
            if reading is not None:
                readings.append((name, reading))
    return tuple(readings)


def unpriced_contribution(event: Event, system_totals: NamedReadings = ()) -> Contribution:
    """Of an event without a billing model: the count and sum of `data.quantity` by type. Raises `UnmeterableError`."""
    return Contribution(
        event.type, event.time, ((event.type, CountAndSum(1, quantity_of(event))),), system_totals=system_totals
    )


def paid_contribution(event: Event, system_totals: NamedReadings = ()) -> Contribution:
    """Of an event that credits have paid: it counts by its type and provider cost, and in no price."""
    return Contribution(event.type, event.time, (), awaited=True, system_totals=system_totals)


class Totals:
    """Collects the contributions of many events, and is written once; so it is mutable.

    It holds readings by the gauge's name (by the event type without a model), the number of events by type, of all
    events and of those that no charge matched, and the time of the latest event. The values of unique meters are not
    in its document, only their number: they are stored as items of their own.
    """

    __slots__ = ("_counts", "_distinct", "_pooled", "_readings", "_unlisted", "_unmatched", "last_event_at", "numbers")

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}
        self._distinct: dict[str, set[str]] = {}
        self._unlisted: dict[str, Distinct] = {}
        self._pooled: set[str] = set()
        self._unmatched: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self.last_event_at: str | None = None
        self.numbers: dict[str, int] | None = {}
        """How many values of each unique meter are stored beside it. None where it was begun before these were counted.
        """

    def add(self, contribution: Contribution) -> None:
        for name, reading in contribution.measures:
            self._merge(name, reading)
        for name, reading in contribution.system_totals:
            self._merge(name, reading)
        if contribution.events and not contribution.measures and not contribution.awaited:
            _count(self._unmatched, contribution.event_type, 1)
        if contribution.matched_late:
            _count(self._unmatched, contribution.event_type, -1)
        if contribution.events:
            _count(self._counts, contribution.event_type, contribution.events)
        self._saw(contribution.time)

    def merge(self, other: "Totals") -> None:
        """Add the totals of another shard, but for the numbers of values: some may be the same."""
        self._pooled |= other.pooled
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
        """Add values of a unique meter, as fingerprints."""
        self._distinct.setdefault(name, set()).update(values)

    def take_distinct(self) -> dict[str, set[str]]:
        """Take out the values of unique meters, by the meter's name."""
        taken, self._distinct = self._distinct, {}
        return taken

    def set_unlisted(self, name: str, number: int, in_line: int) -> None:
        """Say how many values of a unique meter there are, in place of the values."""
        self._unlisted[name] = Distinct(unlisted=Decimal(number), unlisted_in_line=Decimal(in_line))

    def count_value(self, name: str) -> None:
        """Count one more value that is stored beside it."""
        if self.numbers is not None:
            self.numbers[name] = self.numbers.get(name, 0) + 1

    def count_values(self) -> None:
        """Take the number of the values at hand for that of the values stored beside it, where these are counted."""
        if self.numbers is not None:
            self.numbers = {name: len(values) for name, values in self._distinct.items()}

    @property
    def pooled(self) -> frozenset[str]:
        """The names of its unique meters whose values a pooled line counts, too."""
        return frozenset(self._pooled)

    def copy(self) -> "Totals":
        copied = Totals()
        copied.merge(self)
        copied.numbers = None if self.numbers is None else dict(self.numbers)
        return copied

    def meters(self) -> list[str]:
        return [*self._readings, *self._distinct, *(self._unlisted.keys() - self._distinct.keys())]

    def charged(self) -> list[str]:
        """The meters without the system totals, which nobody pays for."""
        return [name for name in self.meters() if not name.startswith(SYSTEM)]

    def reading(self, name: str) -> Reading | None:
        """None where nothing was added to it."""
        if name in self._distinct:
            values = Distinct(frozenset(self._distinct[name]))
            return values.merge(self._unlisted[name]) if name in self._unlisted else values
        return self._unlisted.get(name) or self._readings.get(name)

    def unmatched(self) -> dict[str, int]:
        """How many events no charge matched, by type."""
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
            **({} if self.numbers is None else {"distinct": dict(self.numbers)}),
            **({"pooled": sorted(self._pooled)} if self._pooled else {}),
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Totals":
        totals = cls()
        last = document["last_event_at"] or ""
        totals._readings = {
            # Levels of before do not say when they last changed: with the last event at the latest.
            name: read_reading(reading if reading["kind"] != Weighted.kind else {"last": last} | reading)
            for name, reading in document["meters"].items()
        }
        totals._unmatched = {event_type: int(count) for event_type, count in document["unmatched"].items()}
        totals._counts = {event_type: int(count) for event_type, count in document.get("counts", {}).items()}
        totals.last_event_at = document["last_event_at"]
        numbers = document.get("distinct")
        totals.numbers = None if numbers is None else {name: int(number) for name, number in numbers.items()}
        totals._pooled = set(document.get("pooled", ()))
        return totals

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Totals) and self.document() == other.document() and self._distinct == other._distinct

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Totals({self.document()}, {self._distinct})"

    def _merge(self, name: str, reading: Reading) -> None:
        if type(reading) is Distinct:
            self._merge_distinct(name, reading)
            return
        before = self._readings.get(name)
        if before is None:
            name = self._name_for(name)
            before = self._readings.get(name)
        self._readings[name] = reading if before is None else before.merge(reading)

    def _merge_distinct(self, name: str, reading: Distinct) -> None:
        if reading.pooled:
            self._pooled.add(name)
        if reading.unlisted:
            unlisted = replace(reading, values=frozenset())
            self._unlisted[name] = self._unlisted.get(name, Distinct()).merge(unlisted)
        else:
            self.add_distinct(name, reading.values)

    def _name_for(self, name: str) -> str:
        """The name for a new reading: totals stay small, whatever types senders make up."""
        if len(self._readings) < MAXIMUM_SYSTEM_TOTALS:
            return name
        if not name.startswith(SYSTEM):  # a version has fewer gauges than that, so these are event types
            others = sum(not known.startswith(SYSTEM) for known in self._readings)
            return name if others < MAXIMUM_TYPES else OTHER_TYPES
        family, member, _ = name.partition(".")
        if member and sum(known.startswith(family + member) for known in self._readings) >= MAXIMUM_SYSTEM_TOTALS:
            return f"{family}.{OTHER_TYPES}"
        return name

    def _saw(self, time: str | None) -> None:
        if time is not None and (self.last_event_at is None or time > self.last_event_at):
            self.last_event_at = time


def _count(counts: dict[str, int], event_type: str, count: int) -> None:
    if event_type not in counts and len(counts) >= MAXIMUM_TYPES:
        event_type = OTHER_TYPES
    counts[event_type] = counts.get(event_type, 0) + count
