"""Readings: the state of meters.

Readings of one meter merge in any order, over events, shards, agents and versions. Each event has a reading of its
own: that of a meter which has read nothing else.
"""

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any, ClassVar, Literal, Self

from shared.domain.kernel.money import ZERO, Exact, plain, plus

Band = Literal["minimum", "between", "maximum", "nothing"]
"""Whether an event pays the minimum, the price of its own value, the maximum, or nothing as it was reversed."""


class Reading(ABC):
    kind: ClassVar[str]

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """The reading of a meter that has read the events of both."""

    def inverse(self) -> Self:
        """The reading that undoes this one when it is merged.

        Raises `TypeError` for kinds without one: the second highest value is not known, for example.
        """
        raise TypeError(f"a reading of the kind {self.kind} has no inverse")

    def replacement(self, new: Self) -> Self | None:
        """The reading that turns this one into the `new` one when merged.

        None for kinds that cannot take an event back.
        """
        del new
        return None

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """As it is stored in a total."""

    @classmethod
    @abstractmethod
    def read(cls, document: Mapping[str, Any]) -> Self: ...


@dataclass(frozen=True, slots=True)
class CountAndSum(Reading):
    """The number of events and the sum of their values.

    `reversed` counts events that were reversed: they are in neither number, and still have their place in the order.
    """

    kind: ClassVar[str] = "tally"

    count: int | Fraction = 0
    sum: Exact = ZERO
    reversed: int = 0

    def merge(self, other: Self) -> Self:
        return type(self)(self.count + other.count, plus(self.sum, other.sum), self.reversed + other.reversed)

    def inverse(self) -> Self:
        return type(self)(-self.count, -self.sum, int(self.count))

    def replacement(self, new: Self) -> Self:
        return type(self)(new.count - self.count, plus(new.sum, -self.sum), new.reversed - self.reversed)

    def document(self) -> dict[str, Any]:
        document = {"count": int(self.count), "sum": _text(self.sum)}
        return document | {"reversed": self.reversed} if self.reversed else document

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(int(document["count"]), Decimal(document["sum"]), int(document.get("reversed", 0)))


@dataclass(frozen=True, slots=True)
class Highest(Reading):
    """The highest of the values; None without events."""

    kind: ClassVar[str] = "highest"

    value: Exact | None = None

    def merge(self, other: Self) -> Self:
        if self.value is None or other.value is None:
            return other if self.value is None else self
        return self if self.value >= other.value else other

    def document(self) -> dict[str, Any]:
        return {"value": None if self.value is None else _text(self.value)}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(None if document["value"] is None else Decimal(document["value"]))


@dataclass(frozen=True, slots=True)
class Latest(Reading):
    """The value of the last event by (time, key)."""

    kind: ClassVar[str] = "latest"

    time: str = ""
    """Text of `times.to_text`; empty without events."""
    key: str = ""
    value: Exact = ZERO

    def merge(self, other: Self) -> Self:
        return self if self._order() >= other._order() else other

    def _order(self) -> tuple[str, str, Exact]:
        """Estimates have no event: the highest of them counts as the last."""
        return self.time, self.key, self.value

    def document(self) -> dict[str, Any]:
        return {"time": self.time, "key": self.key, "value": _text(self.value)}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(document["time"], document["key"], Decimal(document["value"]))


@dataclass(frozen=True, slots=True)
class Distinct(Reading):
    """The distinct values, each as its fingerprint.

    `estimate` is a number of further values, which are not known. The values are stored as items of their own beside
    the total, so that a total does not grow with them.
    """

    kind: ClassVar[str] = "distinct"

    values: frozenset[str] = frozenset()
    estimate: Exact = ZERO

    def merge(self, other: Self) -> Self:
        return type(self)(self.values | other.values, plus(self.estimate, other.estimate))

    def document(self) -> dict[str, Any]:
        return {}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:  # noqa: ARG003  the values are stored beside it
        return cls()


@dataclass(frozen=True, slots=True)
class Weighted(Reading):
    """The sum of the values, and of each value times its time (microseconds since 1970)."""

    kind: ClassVar[str] = "weighted"

    sum: Exact = ZERO
    moments: Exact = ZERO

    def merge(self, other: Self) -> Self:
        return type(self)(plus(self.sum, other.sum), plus(self.moments, other.moments))

    def replacement(self, new: Self) -> Self:
        return type(self)(plus(new.sum, -self.sum), plus(new.moments, -self.moments))

    def document(self) -> dict[str, Any]:
        return {"sum": _text(self.sum), "moments": _text(self.moments)}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(Decimal(document["sum"]), Decimal(document["moments"]))


@dataclass(frozen=True, slots=True)
class OrderedEvent:
    """An event's value and band, with its place in the order of (time, key)."""

    time: str
    key: str
    value: Exact
    band: Band
    is_inverse: bool = False
    """Whether it undoes the event at the same place. Never stored."""


@dataclass(frozen=True, slots=True)
class Bands(Reading):
    """Events by what they pay, for prices that depend on their order.

    The first events are listed one by one, as many as `listed` says; all others are only counted by their bands.
    """

    kind: ClassVar[str] = "bands"

    listed: int = 0
    first: tuple[OrderedEvent, ...] = ()
    minimum: int = 0
    """How many others pay the minimum."""
    between: CountAndSum = CountAndSum()
    """The others that pay the price of their own value."""
    maximum: int = 0
    """How many others pay the maximum."""

    def merge(self, other: Self) -> Self:
        listed = max(self.listed, other.listed)
        events = _in_order(self.first, other.first)
        first = type(self)(
            listed,
            events[:listed],
            self.minimum + other.minimum,
            self.between.merge(other.between),
            self.maximum + other.maximum,
        )
        return first.with_counted(events[listed:])

    def inverse(self) -> Self:
        return type(self)(
            self.listed,
            tuple(replace(event, is_inverse=True) for event in self.first),
            -self.minimum,
            CountAndSum(-self.between.count, -self.between.sum),
            -self.maximum,
        )

    def replacement(self, new: Self) -> Self:
        """The event keeps its place in the order, with its new value and band."""
        inverse = self.inverse()
        return type(self)(
            self.listed,
            (*inverse.first, *new.first),
            inverse.minimum + new.minimum,
            inverse.between.merge(new.between),
            inverse.maximum + new.maximum,
        )

    def with_counted(self, events: Sequence[OrderedEvent]) -> Self:
        """With these events counted by their bands, not listed."""
        if not events:
            return self
        between = self.between
        numbers: dict[Band, int] = {"minimum": self.minimum, "maximum": self.maximum}
        for event in events:
            sign = -1 if event.is_inverse else 1
            if event.band == "between":
                between = between.merge(CountAndSum(sign, sign * event.value))
            elif event.band != "nothing":
                numbers[event.band] += sign
        return type(self)(self.listed, self.first, numbers["minimum"], between, numbers["maximum"])

    def without_first(self, free: int) -> Self:
        """All events but the first `free`, counted by their bands."""
        return type(self)(0, (), self.minimum, self.between, self.maximum).with_counted(self.first[free:])

    def document(self) -> dict[str, Any]:
        return {
            "keeps": self.listed,
            "first": [[event.time, event.key, _text(event.value), event.band] for event in self.first],
            "minimum": self.minimum,
            "between": self.between.document(),
            "maximum": self.maximum,
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            int(document["keeps"]),
            tuple(OrderedEvent(time, key, Decimal(value), band) for time, key, value, band in document["first"]),
            int(document["minimum"]),
            CountAndSum.read(document["between"]),
            int(document["maximum"]),
        )


_KINDS: Mapping[str, type[Reading]] = {
    kind.kind: kind for kind in (CountAndSum, Highest, Latest, Distinct, Weighted, Bands)
}


def merge_all(readings: Sequence[Reading]) -> Reading:
    """Readings of one kind, at least one, merged into one.

    They are merged pair by pair, so that a reading that lists many events is copied less often.
    """
    rest = list(readings)
    while len(rest) > 1:
        pairs = [left.merge(right) for left, right in zip(rest[::2], rest[1::2], strict=False)]
        rest = [*pairs, rest[-1]] if len(rest) % 2 else pairs
    return rest[0]


def document_of(reading: Reading) -> dict[str, Any]:
    return {"kind": reading.kind, **reading.document()}


def read_reading(document: Mapping[str, Any]) -> Reading:
    return _KINDS[document["kind"]].read(document)


def _in_order(left: Sequence[OrderedEvent], right: Sequence[OrderedEvent]) -> tuple[OrderedEvent, ...]:
    """Both are in order already; usually one of them is a single event."""
    shorter, longer = sorted((left, right), key=len)
    events = list(longer)
    for event in shorter:
        insort(events, event, key=_place)
    if any(event.is_inverse for event in events):
        return _with_reversed(events)
    return tuple(events)


def _with_reversed(events: Sequence[OrderedEvent]) -> tuple[OrderedEvent, ...]:
    """Each inverse takes back the event that it undoes.

    What the event was replaced by takes its place; else it stays there as one that pays nothing.
    """
    paired: list[OrderedEvent] = []
    for _, at_place in groupby(events, key=_place):
        paired += _taken_back(list(at_place))
    return tuple(paired)


def _taken_back(at_place: Sequence[OrderedEvent]) -> list[OrderedEvent]:
    """The events at one place after their inverses. An inverse stays where what it undoes is not listed."""
    events = [event for event in at_place if not event.is_inverse]
    inverses = []
    for inverse in (event for event in at_place if event.is_inverse):
        undone = replace(inverse, is_inverse=False)
        if undone not in events:
            inverses.append(inverse)
            continue
        events.remove(undone)
        if not events:
            events.append(replace(undone, band="nothing"))
    return inverses + events


def _place(event: OrderedEvent) -> tuple[str, str]:
    return event.time, event.key


def _text(value: Exact) -> str:
    """Only estimates have fractions, and they are never stored."""
    if isinstance(value, Fraction):
        raise TypeError("a fraction cannot be stored as a decimal")
    return plain(value)
