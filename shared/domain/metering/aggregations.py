"""Aggregations: how the values of events become one reading, and a reading becomes one number."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, Generic, Literal, TypeVar, cast

from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import EXACT
from shared.domain.kernel.times import from_text, to_text
from shared.domain.metering.readings import CountAndSum, Distinct, Highest, Latest, Reading, Weighted
from shared.domain.periods.periods import Span

AggregationName = Literal["count", "sum", "max", "last", "unique", "weighted_sum"]

R = TypeVar("R", bound=Reading)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ONE = Decimal(1)
_FINGERPRINT = 32


@dataclass(frozen=True, slots=True)
class Sample:
    """The value that one event adds: a number, or for unique meters a text."""

    value: Decimal | str
    time: str
    """Of the event: text of `times.to_text`."""
    key: str
    """Identifies the event."""
    returned_at: str | None = None
    """As `gauges.Event.returned_at`."""


class Aggregation(ABC, Generic[R]):
    """One way to aggregate. It reads numbers from 0 on, unless `values` says otherwise."""

    values: ClassVar[Literal["none", "numbers", "changes", "scalars"]] = "numbers"
    """What is read at the meter's path: nothing, numbers from 0 on, numbers of either sign, or any scalar."""

    adjective: ClassVar[str] = ""
    """What people call its numbers, to tell them from a sum."""

    nothing: R
    """The reading without events."""

    @abstractmethod
    def reading_of(self, sample: Sample) -> R:
        """The reading of one event."""

    @abstractmethod
    def number(self, reading: R, span: Span) -> Fraction:
        """The number of a period with this reading."""

    @abstractmethod
    def estimated(self, number: Fraction, span: Span) -> R:
        """A reading with this number: for estimates."""

    def numbers(self, readings: Iterable[R], span: Span) -> Iterator[Fraction]:
        """The number after each reading, merged with all before it."""
        merged = self.nothing
        for reading in readings:
            merged = merged.merge(reading)
            yield self.number(merged, span)


class Count(Aggregation[CountAndSum]):
    values = "none"
    nothing = CountAndSum()

    def reading_of(self, sample: Sample) -> CountAndSum:  # noqa: ARG002  whatever its value is
        return _COUNTED

    def number(self, reading: CountAndSum, span: Span) -> Fraction:  # noqa: ARG002  the same in any period
        return Fraction(reading.count)

    def estimated(self, number: Fraction, span: Span) -> CountAndSum:  # noqa: ARG002  the same in any period
        return CountAndSum(count=number)


class Sum(Aggregation[CountAndSum]):
    nothing = CountAndSum()

    def reading_of(self, sample: Sample) -> CountAndSum:
        return CountAndSum(1, _number(sample))

    def number(self, reading: CountAndSum, span: Span) -> Fraction:  # noqa: ARG002  the same in any period
        return Fraction(reading.sum)

    def estimated(self, number: Fraction, span: Span) -> CountAndSum:  # noqa: ARG002  the same in any period
        return CountAndSum(count=1, sum=number)


class Maximum(Aggregation[Highest]):
    adjective = "highest"
    nothing = Highest()

    def reading_of(self, sample: Sample) -> Highest:
        return Highest(_number(sample))

    def number(self, reading: Highest, span: Span) -> Fraction:  # noqa: ARG002  the same in any period
        return Fraction(reading.value or 0)

    def estimated(self, number: Fraction, span: Span) -> Highest:  # noqa: ARG002  the same in any period
        return Highest(number)


class Last(Aggregation[Latest]):
    adjective = "last"
    nothing = Latest()

    def reading_of(self, sample: Sample) -> Latest:
        return Latest(sample.time, sample.key, _number(sample))

    def number(self, reading: Latest, span: Span) -> Fraction:  # noqa: ARG002  the same in any period
        return Fraction(reading.value)

    def estimated(self, number: Fraction, span: Span) -> Latest:
        return Latest(to_text(span.start), value=number)


class UniqueCount(Aggregation[Distinct]):
    values = "scalars"
    adjective = "distinct"
    nothing = Distinct()

    def reading_of(self, sample: Sample) -> Distinct:
        return Distinct(frozenset({fingerprint(str(sample.value))[:_FINGERPRINT]}))

    def number(self, reading: Distinct, span: Span) -> Fraction:  # noqa: ARG002  the same in any period
        return len(reading.values) + Fraction(reading.unlisted)

    def estimated(self, number: Fraction, span: Span) -> Distinct:  # noqa: ARG002  the same in any period
        return Distinct(unlisted=number, unlisted_in_line=number)

    def numbers(self, readings: Iterable[Distinct], span: Span) -> Iterator[Fraction]:  # noqa: ARG002  as above
        """With one set for all: merging one by one would copy it every time."""
        seen: set[str] = set()
        unlisted = Fraction(0)
        for reading in readings:
            seen |= reading.values
            unlisted += Fraction(reading.unlisted_in_line)
            yield len(seen) + unlisted


class WeightedSum(Aggregation[Weighted]):
    """The average over the period of a level that each event's value changes (docs/billing.md, "Levels").

    The level starts at 0. A value counts for the share of the period that is left when its event happens. The average
    is never below 0.
    """

    values = "changes"
    adjective = "average"
    nothing = Weighted()

    def reading_of(self, sample: Sample) -> Weighted:
        value = _number(sample)
        moment = EXACT.multiply(value, Decimal(_microseconds(from_text(sample.time))))
        change = Weighted(value, moment, sample.time)
        return change if sample.returned_at is None else Weighted(returns={sample.returned_at: change})

    def number(self, reading: Weighted, span: Span) -> Fraction:
        start, end = _microseconds(span.start), _microseconds(span.end)
        lasting = reading.together() if reading.returns else reading
        weighted = end * Fraction(lasting.sum) - Fraction(lasting.moments)
        return max(Fraction(0), weighted / (end - start))

    def estimated(self, number: Fraction, span: Span) -> Weighted:
        return Weighted(number, number * _microseconds(span.start))


def bounded_level(reading: Weighted, level: Fraction, start: datetime, end: datetime) -> Weighted:
    """A level's changes in [start, end), as if it were 0 before and after.

    It is `level` at the start, and changed by the reading. The average over a period around it is then that of the
    bounded time.
    """
    left = level + Fraction(reading.sum)
    moments = Fraction(reading.moments) + level * _microseconds(start) - left * _microseconds(end)
    return Weighted(Fraction(0), moments)


def _number(sample: Sample) -> Decimal:
    if isinstance(sample.value, str):
        raise TypeError("the aggregation reads numbers")
    return sample.value


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


_COUNTED = CountAndSum(1, _ONE)

AGGREGATIONS = cast(
    "Mapping[AggregationName, Aggregation[Reading]]",  # each gets only readings of its own kind
    {
        "count": Count(),
        "sum": Sum(),
        "max": Maximum(),
        "last": Last(),
        "unique": UniqueCount(),
        "weighted_sum": WeightedSum(),
    },
)
