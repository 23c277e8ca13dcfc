"""Readings: what meters have come to. Readings of one meter merge, in any order, over events, shards, agents and
versions; an event's own is the reading of a meter that saw just it.
"""

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Literal, Self

from shared.domain.kernel.money import ZERO, Exact, plain, plus

Band = Literal["minimum", "between", "maximum", "nothing"]
"""Whether an event pays the least, the price of its own value, the most, or nothing, because it was taken back."""


class Reading(ABC):
    kind: ClassVar[str]

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """What the meter would have come to, had it seen both."""

    def taken_back(self) -> Self:
        """What undoes it, once merged. Raises `TypeError` for what cannot be undone: which value was the highest
        before, say.
        """
        raise TypeError(f"a reading of the kind {self.kind} cannot be taken back")

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """What totals keep of it."""

    @classmethod
    @abstractmethod
    def read(cls, document: Mapping[str, Any]) -> Self: ...


@dataclass(frozen=True, slots=True)
class CountAndSum(Reading):
    """How many events, and the sum of their values. `reversed` of them were taken back and are not in either; they
    keep their place in the order.
    """

    kind: ClassVar[str] = "tally"

    count: int | Fraction = 0
    sum: Exact = ZERO
    reversed: int = 0

    def merge(self, other: Self) -> Self:
        return type(self)(self.count + other.count, plus(self.sum, other.sum), self.reversed + other.reversed)

    def taken_back(self) -> Self:
        return type(self)(-self.count, -self.sum, int(self.count))

    def document(self) -> dict[str, Any]:
        kept = {"count": int(self.count), "sum": _text(self.sum)}
        return kept | {"reversed": self.reversed} if self.reversed else kept

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(int(document["count"]), Decimal(document["sum"]), int(document.get("reversed", 0)))


@dataclass(frozen=True, slots=True)
class Highest(Reading):
    """The highest of the values; without events there is none."""

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
    """The value of the last event by (time, identity)."""

    kind: ClassVar[str] = "latest"

    time: str = ""
    """Text of `times.to_text`; empty without events."""
    key: str = ""
    value: Exact = ZERO

    def merge(self, other: Self) -> Self:
        return self if self._order() >= other._order() else other

    def _order(self) -> tuple[str, str, Exact]:
        """Events of one identity are one event; of values that are merely stated, the highest is the last."""
        return self.time, self.key, self.value

    def document(self) -> dict[str, Any]:
        return {"time": self.time, "key": self.key, "value": _text(self.value)}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(document["time"], document["key"], Decimal(document["value"]))


@dataclass(frozen=True, slots=True)
class Distinct(Reading):
    """The distinct values, each by its fingerprint. They are items of their own beside the totals, so that totals do
    not grow with them. `stated` counts values that are not told apart.
    """

    kind: ClassVar[str] = "distinct"

    values: frozenset[str] = frozenset()
    estimate: Exact = ZERO

    def merge(self, other: Self) -> Self:
        return type(self)(self.values | other.values, plus(self.estimate, other.estimate))

    def document(self) -> dict[str, Any]:
        return {}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:  # noqa: ARG003  the values are not in it
        return cls()


@dataclass(frozen=True, slots=True)
class Weighted(Reading):
    """The sum of the values, and the sum of each value times its moment, in microseconds since 1970."""

    kind: ClassVar[str] = "weighted"

    sum: Exact = ZERO
    moments: Exact = ZERO

    def merge(self, other: Self) -> Self:
        return type(self)(plus(self.sum, other.sum), plus(self.moments, other.moments))

    def document(self) -> dict[str, Any]:
        return {"sum": _text(self.sum), "moments": _text(self.moments)}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(Decimal(document["sum"]), Decimal(document["moments"]))


@dataclass(frozen=True, slots=True)
class Placed:
    """An event's value with its place in the order of (time, identity), and the band that it is in. One that is
    `taken_back` undoes the event of the same place; it is never kept.
    """

    time: str
    key: str
    value: Exact
    band: Band
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class Bands(Reading):
    """Events by what they pay. The first `keeps` in their order are kept one by one; the others are folded (billing
    rules, "Order-dependent prices").
    """

    kind: ClassVar[str] = "bands"

    keeps: int = 0
    first: tuple[Placed, ...] = ()
    minimum: int = 0
    between: CountAndSum = CountAndSum()
    maximum: int = 0

    def merge(self, other: Self) -> Self:
        keeps = max(self.keeps, other.keeps)
        placed = _in_order(self.first, other.first)
        together = type(self)(
            keeps,
            placed[:keeps],
            self.minimum + other.minimum,
            self.between.merge(other.between),
            self.maximum + other.maximum,
        )
        return together.folded(placed[keeps:])

    def taken_back(self) -> Self:
        return type(self)(
            self.keeps,
            tuple(replace(event, taken_back=True) for event in self.first),
            -self.minimum,
            CountAndSum(-self.between.count, -self.between.sum),
            -self.maximum,
        )

    def folded(self, events: Sequence[Placed]) -> Self:
        """With these events beside those that were folded before."""
        if not events:
            return self
        between = self.between
        numbers: dict[Band, int] = {"minimum": self.minimum, "maximum": self.maximum}
        for event in events:
            sign = -1 if event.taken_back else 1
            if event.band == "between":
                between = between.merge(CountAndSum(sign, sign * event.value))
            elif event.band != "nothing":
                numbers[event.band] += sign
        return type(self)(self.keeps, self.first, numbers["minimum"], between, numbers["maximum"])

    def without_first(self, free: int) -> Self:
        """All of it folded, but for the first `free` events."""
        return type(self)(0, (), self.minimum, self.between, self.maximum).folded(self.first[free:])

    def document(self) -> dict[str, Any]:
        return {
            "keeps": self.keeps,
            "first": [[each.time, each.key, _text(each.value), each.band] for each in self.first],
            "minimum": self.minimum,
            "between": self.between.document(),
            "maximum": self.maximum,
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            int(document["keeps"]),
            tuple(Placed(time, key, Decimal(value), band) for time, key, value, band in document["first"]),
            int(document["minimum"]),
            CountAndSum.read(document["between"]),
            int(document["maximum"]),
        )


_KINDS: Mapping[str, type[Reading]] = {
    kind.kind: kind for kind in (CountAndSum, Highest, Latest, Distinct, Weighted, Bands)
}


def together(readings: Sequence[Reading]) -> Reading:
    """All of one kind, at least one, merged two by two: readings that keep many events would be copied too often one
    after the other.
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


def _in_order(left: Sequence[Placed], right: Sequence[Placed]) -> tuple[Placed, ...]:
    """Both are in order; usually one of them is a single event."""
    shorter, longer = sorted((left, right), key=len)
    placed = list(longer)
    for event in shorter:
        insort(placed, event, key=_place)
    if any(event.taken_back for event in placed):
        return _with_nothing_to_pay(placed)
    return tuple(placed)


def _with_nothing_to_pay(placed: Sequence[Placed]) -> tuple[Placed, ...]:
    """An event and what undoes it become one that keeps the place and pays nothing."""
    found: list[Placed] = []
    for event in placed:
        before = found[-1] if found else None
        if before is not None and _place(before) == _place(event) and before.taken_back != event.taken_back:
            found[-1] = replace(event, band="nothing", taken_back=False)
        else:
            found.append(event)
    return tuple(found)


def _place(event: Placed) -> tuple[str, str]:
    return event.time, event.key


def _text(value: Exact) -> str:
    """Only what-ifs have fractions, and they are never kept."""
    if isinstance(value, Fraction):
        raise TypeError("a fraction cannot be kept as a decimal")
    return plain(value)
