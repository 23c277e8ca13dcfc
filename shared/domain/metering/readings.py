"""Readings: the state of meters.

Readings of one meter merge in any order, over events, shards, agents and versions. Each event has a reading of its
own: that of a meter which has read nothing else.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Self, TypeVar

from shared.domain.kernel.money import ZERO, Exact, plain, plus

R = TypeVar("R", bound="Reading")


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
        document = {"count": int(self.count), "sum": stored_number(self.sum)}
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
        return {"value": None if self.value is None else stored_number(self.value)}

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
        return {"time": self.time, "key": self.key, "value": stored_number(self.value)}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(document["time"], document["key"], Decimal(document["value"]))


@dataclass(frozen=True, slots=True)
class Distinct(Reading):
    """The distinct values: each as its fingerprint, or only how many there are.

    `unlisted` is a number of further values that nothing else lists or counts: an estimate, or what a total counts.
    `unlisted_in_line` is how many of them a line over several readings counts here, so that a value of several agents
    is counted once. The values are stored as items of their own beside the total, so that a total does not grow with
    them.
    """

    kind: ClassVar[str] = "distinct"

    values: frozenset[str] = frozenset()
    unlisted: Exact = ZERO
    unlisted_in_line: Exact = ZERO
    pooled: bool = False
    """Whether it is of a pooled charge. Only said of an event's own reading."""

    def merge(self, other: Self) -> Self:
        return type(self)(
            self.values | other.values,
            plus(self.unlisted, other.unlisted),
            plus(self.unlisted_in_line, other.unlisted_in_line),
        )

    def document(self) -> dict[str, Any]:
        return {}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:  # noqa: ARG003  the values are stored beside it
        return cls()


@dataclass(frozen=True, slots=True)
class Weighted(Reading):
    """The sum of the values, and of each value times its time (microseconds since 1970).

    An agent that comes back to its billing model within a period starts from nothing: what happens from then on is
    kept apart.
    """

    kind: ClassVar[str] = "weighted"

    sum: Exact = ZERO
    moments: Exact = ZERO
    last: str = ""
    """The time of the last of these events, text of `times.to_text`; empty without events."""
    returns: "Mapping[str, Weighted]" = field(default_factory=dict)
    """What happened after each return of the agent, by the time of the return, text of `times.to_text`."""

    def merge(self, other: Self) -> Self:
        returns = {
            time: self.returns.get(time, _NO_CHANGES).merge(other.returns.get(time, _NO_CHANGES))
            for time in {**self.returns, **other.returns}
        }
        last = max(self.last, other.last)
        return type(self)(plus(self.sum, other.sum), plus(self.moments, other.moments), last, returns)

    def inverse(self) -> Self:
        returns = {time: reading.inverse() for time, reading in self.returns.items()}
        return type(self)(-self.sum, -self.moments, self.last, returns)

    def replacement(self, new: Self) -> Self:
        return self.inverse().merge(new)

    def together(self) -> "Weighted":
        """With what happened after returns, as if the agent had never left."""
        return merge_all([replace(self, returns={}), *self.returns.values()])

    def document(self) -> dict[str, Any]:
        document = {"sum": stored_number(self.sum), "moments": stored_number(self.moments), "last": self.last}
        if not self.returns:
            return document
        return document | {"returns": {time: reading.document() for time, reading in self.returns.items()}}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        returns = {time: Weighted.read(kept) for time, kept in document.get("returns", {}).items()}
        return cls(Decimal(document["sum"]), Decimal(document["moments"]), document.get("last", ""), returns)


_NO_CHANGES = Weighted()


def merge_all(readings: Sequence[R]) -> R:
    """Readings of one kind, at least one, merged into one.

    They are merged pair by pair, so that a reading that lists many events is copied less often.
    """
    rest = list(readings)
    while len(rest) > 1:
        pairs = [left.merge(right) for left, right in zip(rest[::2], rest[1::2], strict=False)]
        rest = [*pairs, rest[-1]] if len(rest) % 2 else pairs
    return rest[0]


def stored_number(value: Exact) -> str:
    """Only estimates have fractions, and they are never stored."""
    if isinstance(value, Fraction):
        raise TypeError("a fraction cannot be stored as a decimal")
    return plain(value)
