"""Bands: events in their order, by what they pay."""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import Any, ClassVar, Literal, Self

from shared.domain.kernel.money import Exact
from shared.domain.metering.readings import CountAndSum, Reading, stored_number

_NO_EVENTS = CountAndSum()

Band = Literal["minimum", "between", "maximum", "nothing"]
"""Whether an event pays the minimum, the price of its own value, the maximum, or nothing as it was reversed."""


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
    between: CountAndSum = _NO_EVENTS
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
            "first": [[event.time, event.key, stored_number(event.value), event.band] for event in self.first],
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
