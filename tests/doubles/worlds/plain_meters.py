"""Meters and percentages computed plainly, over the whole list of events at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period

Json = dict[str, Any]
OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
MIDDLE = datetime(2026, 10, 12, 6, tzinfo=UTC)
"""The time from which the second version is in force."""
USERS = {
    "ada": "ada",
    "Ada": "Ada",
    "a number": 1,
    "its text": "1",
    "written otherwise": Decimal("1.0"),
    "a truth": True,
    "its word": "true",
    "nobody": "",
}
SAME_USER = {"its text": "a number", "written otherwise": "a number", "its word": "a truth"}


@dataclass(frozen=True)
class Happened:
    """An event of an agent, caused by one of `USERS`."""

    key: str
    type: str
    agent: str
    at: datetime
    user: str
    data: Json

    @property
    def time(self) -> str:
        return to_text(self.at)

    @property
    def version(self) -> int:
        return 1 if self.at < MIDDLE else 2


@st.composite
def histories(draw: st.DrawFn) -> list[Happened]:
    """Histories of events, some at the same time or at a very beginning.

    Beginnings are those of the period and of the second version.
    """
    moments = st.sampled_from([OCTOBER.start, MIDDLE, OCTOBER.start + timedelta(days=3)]) | st.integers(
        0, 31 * 24 * 3600 - 1
    ).map(lambda seconds: OCTOBER.start + timedelta(seconds=seconds))
    amount = st.decimals(0, 400, places=3)
    events = []
    for number in range(draw(st.integers(0, 16))):
        user = draw(st.sampled_from(sorted(USERS)))
        data = {
            "status": draw(st.sampled_from(["ok", "ok", "failed", None])),
            "plan": {"tier": draw(st.sampled_from(["pro", "free"]))},
            "level": draw(amount | amount.map(str)),
            "change": draw(st.decimals(-200, 400, places=3)),
            "user": USERS[user],
        }
        events.append(
            Happened(
                key=f"evt_{number * 7 % 17:02}",  # not in the order of the times
                type=draw(st.sampled_from(["command", "command", "query"])),
                agent=draw(st.sampled_from(["a", "b"])),
                at=draw(moments),
                user=user,
                data=data,
            )
        )
    return events


FILTERS: dict[str, tuple[Json, Callable[[Json], bool]]] = {
    "all": ({}, lambda _: True),
    "good": ({"data.status": ["ok"]}, lambda data: data["status"] == "ok"),
    "good or unknown, paid": (
        {"data.status": ["ok", None], "data.plan.tier": ["pro"]},
        lambda data: data["status"] != "failed" and data["plan"]["tier"] == "pro",
    ),
}
UNITS: dict[str, tuple[Json | None, Callable[[Fraction], Fraction]]] = {
    "as it is": (None, lambda number: number),
    "thirds": ({"divide_by": "3"}, lambda number: number / 3),
    "minutes": ({"multiply_by": "60"}, lambda number: number * 60),
    "begun tens": ({"divide_by": "10", "rounding": "up"}, lambda number: Fraction(-(-number // 10))),
    "full tens": ({"divide_by": "10", "rounding": "down"}, lambda number: Fraction(number // 10)),
    "rounded": ({"rounding": "half_up"}, lambda number: Fraction((2 * number + 1) // 2)),
}


def counted(events: Sequence[Happened]) -> Fraction:
    return Fraction(len(events))


def added_up(events: Sequence[Happened]) -> Fraction:
    return sum((Fraction(event.data["level"]) for event in events), Fraction(0))


def highest(events: Sequence[Happened]) -> Fraction:
    return max((Fraction(event.data["level"]) for event in events), default=Fraction(0))


def last(events: Sequence[Happened]) -> Fraction:
    by_time = sorted(events, key=lambda event: (event.at, event.key))
    return Fraction(by_time[-1].data["level"]) if by_time else Fraction(0)


def different_users(events: Sequence[Happened]) -> Fraction:
    return Fraction(len({SAME_USER.get(event.user, event.user) for event in events}))


def average_level(events: Sequence[Happened]) -> Fraction:
    """The integral of the level over the period, by the period's length.

    It is added up step by step from change to change.
    """
    changes: dict[datetime, Fraction] = {OCTOBER.start: Fraction(0), OCTOBER.end: Fraction(0)}
    for event in events:
        changes[event.at] = changes.get(event.at, Fraction(0)) + Fraction(event.data["change"])
    level = area = Fraction(0)
    for begin, end in pairwise(sorted(changes)):
        level += changes[begin]
        area += level * ((end - begin) // timedelta(microseconds=1))
    return max(Fraction(0), area / ((OCTOBER.end - OCTOBER.start) // timedelta(microseconds=1)))


PLAIN: dict[str, tuple[str | None, Callable[[Sequence[Happened]], Fraction]]] = {
    "count": (None, counted),
    "sum": ("data.level", added_up),
    "max": ("data.level", highest),
    "last": ("data.level", last),
    "unique": ("data.user", different_users),
    "weighted_sum": ("data.change", average_level),
}


@dataclass(frozen=True)
class Metered:
    """A meter, with the plain computation of what it comes to."""

    aggregation: str
    filter: str
    unit: str

    def written(self) -> Json:
        return {
            "event_type": "command",
            "aggregation": self.aggregation,
            "value": PLAIN[self.aggregation][0],
            "filter": FILTERS[self.filter][0],
            "unit": UNITS[self.unit][0],
        }

    def expected(self, events: Sequence[Happened]) -> Fraction:
        matching = [event for event in events if event.type == "command" and FILTERS[self.filter][1](event.data)]
        return UNITS[self.unit][1](PLAIN[self.aggregation][1](matching))


meters = st.builds(
    Metered, st.sampled_from(sorted(PLAIN)), st.sampled_from(sorted(FILTERS)), st.sampled_from(sorted(UNITS))
)


@dataclass(frozen=True)
class Share:
    """A percentage under two versions, with its parts per event.

    Its values are converted by a factor.
    """

    kind: str
    unit: str
    prices: tuple[Json, Json]

    def charge(self, version: int) -> Json:
        pricing = {"type": "percentage", **self.prices[version - 1]}
        if self.kind == "outcome":
            meter = {"event_type": "outcome.sale", "aggregation": "sum", "value": "data.level"}
            more = {"type": "outcome", "verification": "none"}
        else:
            meter = {"event_type": "command", "aggregation": "sum", "value": "data.level"}
            more = {"type": "activity", "scope": "organization"}
        return {"key": "share", **more, "meter": {**meter, "unit": UNITS[self.unit][0]}, "pricing": pricing}

    def reported(self, events: Sequence[Happened]) -> list[Happened]:
        return [event for event in events if event.type == "command"]

    def expected(self, events: Sequence[Happened]) -> Fraction:
        in_order = sorted(self.reported(events), key=lambda event: (event.at, event.key))
        return sum((self._price(place, event) for place, event in enumerate(in_order)), Fraction(0))

    def _price(self, place: int, event: Happened) -> Fraction:
        prices = self.prices[event.version - 1]
        if place < prices["free_events"]:
            return Fraction(0)
        value = UNITS[self.unit][1](Fraction(event.data["level"]))
        price = value * Fraction(prices["rate"]) / 100 + Fraction(prices["fixed_per_event"])
        if prices["minimum_per_event"] is not None:
            price = max(price, Fraction(prices["minimum_per_event"]))
        if prices["maximum_per_event"] is not None:
            price = min(price, Fraction(prices["maximum_per_event"]))
        return price


prices = st.fixed_dictionaries(
    {
        "rate": st.sampled_from(["0", "2.5", "7"]),
        "fixed_per_event": st.sampled_from(["0", "0.3"]),
        "free_events": st.integers(0, 5),
        "minimum_per_event": st.sampled_from([None, "0", "1.25"]),
        "maximum_per_event": st.sampled_from([None, "1.25", "9"]),
    }
)
shares = st.builds(
    Share,
    st.sampled_from(["activity", "outcome"]),
    st.sampled_from(["as it is", "thirds", "minutes"]),
    st.tuples(prices, prices),
)
