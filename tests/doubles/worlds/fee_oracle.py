"""What subscriptions owe, worked out day by day from the commands alone. It shares no code with what it judges."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

Key = tuple[str, str, str]
"""A period's start, a plan's key, and a charge."""

START = datetime(2026, 1, 15, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_LEAD = timedelta(minutes=10)
_THREE_DAYS = timedelta(days=3)
_AHEAD = timedelta(days=400)
_AT_THE_CLOSE = ("setup", "support", "calls", "deals", "committed")
MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Priced:
    """A plan: its fee by its interval in advance, its prices of a seat and of an agent by the month in advance, and a
    setup fee.

    `support` is a fee by the year in arrears, `call` the price of a unit of usage beyond the `included` ones, with a
    `minimum` by the month, and `deal` that of an outcome.
    """

    key: str
    place: str
    fee: Fraction
    seat: Fraction = Fraction(0)
    setup: Fraction = Fraction(0)
    trial_days: int = 0
    then: str = "active"
    interval: str = "month"
    anchor: str = "anniversary"
    support: Fraction = Fraction(0)
    agent: Fraction = Fraction(0)
    call: Fraction = Fraction(0)
    included: int = 0
    minimum: int = 0
    committed: int = 0
    """What its units of usage and its seats come to in a year at least."""
    deal: Fraction = Fraction(0)

    def by_cycle(self) -> Iterator[tuple[str, Fraction, int, bool]]:
        """The charge, amount, months and whether in advance, of fees by quarter and year."""
        if self.interval != "month":
            yield "fee", self.fee, MONTHS[self.interval], True
        if self.support:
            yield "support", self.support, 12, False


PLANS = (
    Priced("small", "base", Fraction(31), call=Fraction("0.75"), included=40, committed=400),
    Priced(
        "large",
        "base",
        Fraction(97),
        Fraction(13),
        agent=Fraction(11),
        call=Fraction("0.25"),
        included=300,
        committed=4000,
        deal=Fraction(17),
    ),
    Priced(
        "huge",
        "base",
        Fraction(293),
        Fraction(7),
        Fraction(50),
        12,
        call=Fraction("0.5"),
        minimum=25,
        deal=Fraction("3.25"),
    ),
    Priced("annual", "base", Fraction(1201), Fraction(5), interval="year"),
    Priced("quarterly", "base", Fraction(301), interval="quarter", anchor="calendar", support=Fraction(113)),
    Priced("extra", "extra", Fraction(19), trial_days=5, then="canceled", call=Fraction("0.125"), deal=Fraction(2)),
    Priced("vault", "vault", Fraction(211), setup=Fraction(3), interval="year"),
)
BY_KEY = {plan.key: plan for plan in PLANS}


@dataclass(frozen=True, eq=False)
class Agreed:
    """What holds at a place from a moment on.

    `trial:` stands before a plan that is tried, `paused` for a pause, None for the end of a subscription.
    """

    moment: datetime
    plan: str | None
    quantity: int = 1
    resets: bool = False

    @property
    def has_plan(self) -> bool:
        return self.plan not in (None, "paused")

    @property
    def is_paid(self) -> bool:
        return self.plan is not None and self.has_plan and not self.plan.startswith("trial:")


@dataclass
class Deal:
    """An outcome, which counts unless it is reversed, whenever that happens."""

    id: str
    time: datetime
    is_reversed: bool = False


@dataclass(frozen=True)
class Day:
    start: datetime
    end: datetime
    date: date


@dataclass(frozen=True)
class Month:
    """A billing period. `whole` is how many days its shares divide by."""

    start: datetime
    end: datetime
    timezone: str
    whole: int

    @property
    def name(self) -> str:
        return f"{self.start:%Y-%m-%dT%H}"


@dataclass
class CallLine:
    """Usage of one plan in one month."""

    plan: Priced
    starts: datetime
    ends_early: bool
    units: Fraction
    included: Fraction
    needed: Fraction
    minimum: Fraction


@dataclass(frozen=True)
class Cycle:
    start: datetime
    end: datetime
    timezone: str
    whole: int
    number: int


@lru_cache(8192)
def midnight(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)


@lru_cache(4096)
def days_between(start: datetime, end: datetime, timezone: str) -> tuple[Day, ...]:
    """Local days, clipped."""
    days: list[Day] = []
    day = start.astimezone(ZoneInfo(timezone)).date()
    while midnight(day, timezone) < end:
        first, last = max(start, midnight(day, timezone)), min(end, midnight(day + _DAY, timezone))
        if first < last:
            days.append(Day(first, last, day))
        day += _DAY
    return tuple(days)


def months_later(day: date, months: int, of_month: int | None = None) -> date:
    """So many months later, on the same day of the month or on the last one."""
    wanted = of_month or day.day
    first = day.replace(day=1)
    for _ in range(months):
        first = (first + timedelta(days=32)).replace(day=1)
    last = (first + timedelta(days=32)).replace(day=1) - _DAY
    return first.replace(day=min(wanted, last.day))


def _begun_by(moment: datetime, months: Sequence[Month]) -> int:
    """How many of the months."""
    return bisect_right(months, moment, key=lambda month: month.start)


@dataclass
class FeeOracle:
    """What was agreed on by place, the seats, and the organization's calendars: (since, timezone, day of the month)."""

    timezone: str
    exponent: int
    agreed: dict[str, list[Agreed]] = field(default_factory=lambda: defaultdict(list))
    seats: list[tuple[datetime, int]] = field(default_factory=list)
    trials: dict[str, Agreed] = field(default_factory=dict)
    """By place: what follows its trial, from its end on."""
    calendars: list[tuple[datetime, str, int]] = field(default_factory=list)
    usage: dict[str, list[tuple[datetime, str | None]]] = field(default_factory=lambda: defaultdict(list))
    """By place: from when on which plan prices usage."""
    calls: list[tuple[datetime, int]] = field(default_factory=list)
    """The units of each event."""
    deals: list[Deal] = field(default_factory=list)
    agents: list[datetime] = field(default_factory=list)
    """When each agent was created."""

    _months: list[Month] = field(default_factory=list)
    _months_by: tuple[tuple[datetime, str, int], ...] = ()
    """The calendars by which `_months` were found."""
    _cycles: dict[object, list[Cycle]] = field(default_factory=dict)
    """By all that they depend on."""
    _anchors: dict[object, list[tuple[Day, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calendars = self.calendars or [(datetime(1, 1, 1, tzinfo=UTC), self.timezone, 1)]

    # What is agreed on

    def agree(self, place: str, entry: Agreed, now: datetime) -> None:
        """In place of what lies ahead. A trial that is in force ends when it ends, unless something is before that."""
        self.take_back(place, now)
        if self.agreed[place] and self.agreed[place][-1].moment > now and entry.moment <= self.trials[place].moment:
            self.agreed[place].pop()
        self.agreed[place].append(entry)

    def take_back(self, place: str, now: datetime) -> None:
        self.agreed[place] = [entry for entry in self.agreed[place] if entry.moment <= now]
        if (self.in_force(place, now) or "").startswith("trial:"):
            self.agreed[place].append(self.trials[place])

    def try_out(self, plan: Priced, start: datetime, quantity: int) -> None:
        local = start.astimezone(ZoneInfo(self.timezone))
        then = plan.key if plan.then == "active" else None
        self.trials[plan.place] = Agreed((local + timedelta(days=plan.trial_days)).astimezone(UTC), then, quantity)
        self.agreed[plan.place] += [Agreed(start, f"trial:{plan.key}", quantity), self.trials[plan.place]]

    def follow(self, now: datetime) -> None:
        """After a command: usage follows what is agreed on from ten minutes on.

        Where a plan is to be replaced within these minutes that stays after all, it comes back an instant after that.
        """
        lead = now + _LEAD
        for place, entries in self.agreed.items():
            kept = [entry for entry in self.usage[place] if entry[0] < lead]
            present = [plan for start, plan in kept if start <= now][-1:]
            wanted = next((entry.plan for entry in reversed(entries) if entry.moment <= lead), None)
            wanted = None if wanted == "paused" else wanted
            start = kept[-1][0] + _INSTANT if kept and kept[-1][0] > now and present == [wanted] else lead
            later = [(entry.moment, None if entry.plan == "paused" else entry.plan) for entry in entries]
            for begun, plan in [(start, wanted), *(entry for entry in later if entry[0] > lead)]:
                if plan != (kept[-1][1] if kept else None):
                    kept.append((begun, plan))
            self.usage[place] = kept

    def entry_at(self, place: str, now: datetime) -> Agreed | None:
        begun = [entry for entry in self.agreed[place] if entry.moment <= now]
        return begun[-1] if begun else None

    def in_force(self, place: str, now: datetime) -> str | None:
        entry = self.entry_at(place, now)
        return None if entry is None else entry.plan

    def tried_today(self, place: str, plan: str, now: datetime) -> bool:
        """Whether a change ended a trial of the plan today that would go on."""
        zone = ZoneInfo(self.timezone)
        begun = [entry for entry in self.agreed[place] if entry.moment <= now]
        for tried, ended in pairwise(begun):
            is_today = ended.moment.astimezone(zone).date() == now.astimezone(zone).date()
            if tried.plan == f"trial:{plan}" and is_today and self.trials[place].moment > now:
                return True
        return False

    def seat(self, start: datetime, number: int, now: datetime) -> None:
        self.seats = [entry for entry in self.seats if entry[0] <= now] + [(start, number)]

    def seats_at(self, moment: datetime) -> int:
        begun = bisect_right(self.seats, moment, key=lambda entry: entry[0])
        return self.seats[begun - 1][1] if begun else 0

    def move_months(self, now: datetime, *, timezone: str | None = None, day: int | None = None) -> None:
        """From the first end of a month on that is ten minutes ahead or more."""
        _, last_timezone, last_day = self.calendars[-1]
        wanted = (timezone or last_timezone, day or last_day)
        if wanted == (last_timezone, last_day):
            return
        begins = self.month_of(now + _LEAD - _INSTANT).end
        self.calendars = [entry for entry in self.calendars if entry[0] < now + _LEAD]
        if self.calendars[-1][1:] != wanted:
            self.calendars.append((begins, *wanted))
        self.timezone = wanted[0]

    # Months and cycles

    def months(self, until: datetime) -> list[Month]:
        """From that of `START` on. They are found once for the same calendars."""
        if self._months_by != tuple(self.calendars):
            self._months, self._months_by = [], tuple(self.calendars)
        start = self._months[-1].end if self._months else self._first_start()
        while start <= until:
            _, timezone, day = [entry for entry in self.calendars if entry[0] <= start][-1]
            month = self._month_from(start, timezone, day)
            self._months.append(month)
            start = month.end
        return self._months[: _begun_by(until, self._months)]

    def _first_start(self) -> datetime:
        _, timezone, day = self.calendars[0]
        local = START.astimezone(ZoneInfo(timezone)).date()
        first = next(
            months_later(local.replace(day=1) - _DAY * back, 0, day)
            for back in (0, 1)
            if midnight(months_later(local.replace(day=1) - _DAY * back, 0, day), timezone) <= START
        )
        return midnight(first, timezone)

    def _month_from(self, start: datetime, timezone: str, day: int) -> Month:
        boundary = months_later(start.astimezone(ZoneInfo(timezone)).date().replace(day=1), 0, day)
        while midnight(boundary, timezone) - start <= timedelta():
            boundary = months_later(boundary, 1, day)
        if midnight(boundary, timezone) - start < _THREE_DAYS:
            boundary = months_later(boundary, 1, day)
        before = months_later(boundary.replace(day=1) - _DAY, 0, day)
        end = midnight(boundary, timezone)
        is_rest = start - midnight(before, timezone) > _THREE_DAYS
        whole = (boundary - before).days if is_rest else len(days_between(start, end, timezone))
        return Month(start, end, timezone, whole)

    def month_of(self, moment: datetime) -> Month:
        return self.months(moment)[-1]

    def owners(self, place: str, days: Sequence[Day]) -> list[Agreed | None]:
        """The last plan in force on each day."""
        owned: list[Agreed | None] = [None] * len(days)
        for entry, following in self._with_following(place):
            if entry.has_plan:
                for index in self._touched(entry, following, days):
                    owned[index] = entry
        return owned

    def _with_following(self, place: str) -> list[tuple[Agreed, Agreed | None]]:
        entries = self.agreed[place]
        return [
            (entry, entries[index + 1] if index + 1 < len(entries) else None) for index, entry in enumerate(entries)
        ]

    @staticmethod
    def _touched(entry: Agreed, following: Agreed | None, days: Sequence[Day]) -> range:
        until = days[-1].end if following is None else following.moment
        if entry.moment >= until:
            return range(0)
        first = bisect_right(days, entry.moment, key=lambda day: day.end)
        return range(first, bisect_left(days, until, key=lambda day: day.start))

    def cycles(self, place: str, months: int, until: datetime) -> list[Cycle]:
        """All quarters or years of a place that begin by then, each cut where the next one begins."""
        months_around = self.months(until + _AHEAD)
        begun = months_around[: _begun_by(until, months_around)]
        known = (place, months, *self._agreed_by(place), len(months_around), len(begun))
        if known not in self._cycles:
            self._cycles[known] = []
            anchors = self._anchors_of(place, months_around)
            for index, (day, kind) in enumerate(anchors):
                cut = anchors[index + 1][0].start if index + 1 < len(anchors) else None
                self._cycles[known] += self._from_anchor(day, kind, months, cut, begun)
        return self._cycles[known]

    def _agreed_by(self, place: str) -> tuple[object, ...]:
        """What the cycles of a place depend on."""
        return tuple(self.agreed[place]), tuple(self.calendars)

    def _anchors_of(self, place: str, months_around: Sequence[Month]) -> list[tuple[Day, str]]:
        """The days from which the cycles of a place are counted, and how."""
        known = (place, *self._agreed_by(place), len(months_around))
        if known not in self._anchors:
            self._anchors[known] = self._found_anchors(place, months_around)
        return self._anchors[known]

    def _found_anchors(self, place: str, months_around: Sequence[Month]) -> list[tuple[Day, str]]:
        days = [day for month in months_around for day in days_between(month.start, month.end, month.timezone)]
        owned = self.owners(place, days)
        taken: set[int] = set()
        for entry, following in self._with_following(place):
            if entry.plan is not None:
                taken |= {*self._touched(entry, following, days)}
        anchors: list[tuple[Day, str]] = []
        previous: Agreed | None = None
        was_empty = False
        for index, (day, entry) in enumerate(zip(days, owned, strict=True)):
            was_empty = was_empty or index not in taken
            if entry is None or not entry.is_paid:
                continue
            plan = BY_KEY[entry.plan or ""]
            is_other = previous is not None and BY_KEY[previous.plan or ""].interval != plan.interval
            if previous is None or is_other or was_empty or (entry.resets and entry is not previous):
                anchors.append((day, plan.anchor))
            previous, was_empty = entry, False
        return anchors

    def _from_anchor(
        self, day: Day, kind: str, months: int, cut: datetime | None, periods: Sequence[Month]
    ) -> Iterator[Cycle]:
        base = (
            day.date if kind == "anniversary" else date(day.date.year, (day.date.month - 1) // months * months + 1, 1)
        )
        start, number = day.start, 0
        while start < periods[-1].end and (cut is None or start < cut):
            timezone = next(month.timezone for month in periods if month.start <= start < month.end)
            end = midnight(months_later(base, (number + 1) * months), timezone)
            uncut_start = min(start, midnight(base, timezone)) if number == 0 else start
            whole = len(days_between(uncut_start, end, timezone))
            yield Cycle(start, end if cut is None else min(end, cut), timezone, whole, number)
            start, number = end, number + 1

    def end_of_cycle(self, place: str, interval: str, now: datetime) -> datetime:
        """Of what a change at the period's end waits for."""
        if interval == "month":
            return self.month_of(now).end
        kept, self.agreed[place] = (
            self.agreed[place],
            [entry for entry in self.agreed[place] if entry.moment <= now],
        )
        cycles = [cycle for cycle in self.cycles(place, MONTHS[interval], now) if cycle.start <= now < cycle.end]
        self.agreed[place] = kept
        return cycles[0].end if cycles else self.month_of(now).end

    # What is due

    def due(self, now: datetime) -> dict[Key, Decimal]:
        """The rounded fees of all months that have ended, and what is due in advance in the one that goes on."""
        exact: dict[Key, Fraction] = defaultdict(Fraction)
        begun: dict[Key, datetime] = {}
        months = self.months(now)
        for place in list(self.agreed):
            for month in months:
                self._add_month(place, month, exact, begun)
            for length in (3, 12):
                for cycle in self.cycles(place, length, now):
                    self._add_cycle(place, length, cycle, months, exact, begun)
            for month in months:
                self._add_calls(place, month, exact)
                self._add_deals(place, month, exact)
        for place in list(self.agreed):
            for cycle in self.cycles(place, 12, now):
                self._add_commitments(place, cycle, months, exact)
        open_month = months[-1].name
        rounded = {key: self.rounded(amount) for key, amount in exact.items()}
        return {
            key: amount
            for key, amount in rounded.items()
            if amount and not (key[0] == open_month and (key[2] in _AT_THE_CLOSE or begun[key] > now))
        }

    def _add_month(self, place: str, month: Month, exact: dict[Key, Fraction], begun: dict[Key, datetime]) -> None:
        days = days_between(month.start, month.end, month.timezone)
        alike: dict[tuple[Agreed, int, int], list[Day]] = defaultdict(list)
        for day, entry in zip(days, self.owners(place, days), strict=True):
            if entry is not None and entry.is_paid:
                agents = sum(created < day.end for created in self.agents)
                alike[entry, self.seats_at(day.end - _INSTANT), agents].append(day)
        for (entry, seats, agents), of_these in alike.items():
            plan = BY_KEY[entry.plan or ""]
            name, share = month.name, Fraction(len(of_these), month.whole)
            monthly = [("seats", plan.seat * seats), ("agents", plan.agent * agents)]
            if plan.interval == "month":
                monthly.append(("fee", plan.fee * entry.quantity))
            for charge, amount in monthly:
                begun.setdefault((name, plan.key, charge), of_these[0].start)
                exact[name, plan.key, charge] += amount * share
            if plan.setup and not any(key[1:] == (plan.key, "setup") for key in exact):
                exact[name, plan.key, "setup"] += plan.setup * entry.quantity

    def _add_cycle(  # noqa: PLR0913  a cycle, and where it is added
        self,
        place: str,
        length: int,
        cycle: Cycle,
        months: Sequence[Month],
        exact: dict[Key, Fraction],
        begun: dict[Key, datetime],
    ) -> None:
        days = days_between(cycle.start, cycle.end, cycle.timezone)
        alike: dict[Agreed, list[Day]] = defaultdict(list)
        for day, entry in zip(days, self.owners(place, days), strict=True):
            if entry is not None and entry.is_paid:
                alike[entry].append(day)
        amounts: dict[tuple[str, str, bool], Fraction] = defaultdict(Fraction)
        first: dict[tuple[str, str, bool], tuple[datetime, datetime]] = {}
        for entry, of_these in alike.items():
            for charge, amount, months_of_charge, is_advance in BY_KEY[entry.plan or ""].by_cycle():
                if months_of_charge == length:
                    line = (entry.plan or "", charge, is_advance)
                    amounts[line] += amount * entry.quantity * Fraction(len(of_these), cycle.whole)
                    first.setdefault(line, (max(entry.moment, cycle.start), of_these[0].start))
        for (plan, charge, is_advance), amount in amounts.items():
            belongs, day_start = first[plan, charge, is_advance]
            belongs = belongs if is_advance else cycle.end - _INSTANT
            for month in months:
                if month.start <= belongs < month.end:
                    key = (month.name, plan, charge)
                    exact[key] += amount
                    begun.setdefault(key, day_start)

    def _add_calls(self, place: str, month: Month, exact: dict[Key, Fraction]) -> None:
        """Usage in the order of its plans: what one does not include comes off what those after it do."""
        lines = sorted(self._lines(place, month), key=lambda line: line.starts)
        for index, line in enumerate(lines):
            for later in lines[index + 1 :] if line.ends_early else ():
                borrowed = max(Fraction(0), min(line.needed - line.included, later.included))
                line.included += borrowed
                later.included -= borrowed
        for line in lines:
            price = line.plan.call * max(Fraction(0), line.units - line.included)
            exact[month.name, line.plan.key, "calls"] += max(price, line.minimum)

    def _add_deals(self, place: str, month: Month, exact: dict[Key, Fraction]) -> None:
        """Those that are not reversed, in the times in which a plan prices usage."""
        deals = [deal.time for deal in self.deals if not deal.is_reversed and month.start <= deal.time < month.end]
        for plan in (plan for plan in PLANS if deals and plan.place == place and plan.deal):
            times = self._times(plan, month)
            number = sum(any(start <= at < end for start, end in times) for at in deals)
            exact[month.name, plan.key, "deals"] += plan.deal * number

    def _times(self, plan: Priced, month: Month) -> list[tuple[datetime, datetime]]:
        """When a plan prices usage in a month."""
        return [
            (max(start, month.start), min(end, month.end))
            for (start, name), (end, _) in pairwise([*self.usage[plan.place], (month.end, None)])
            if name == plan.key and start < min(end, month.end) and end > month.start
        ]

    def _add_commitments(self, place: str, cycle: Cycle, months: Sequence[Month], exact: dict[Key, Fraction]) -> None:
        """What is missing at the end of a year, in the month with its last day."""
        closing = [month for month in months if month.start < cycle.end <= month.end]
        if not closing:
            return
        parts: dict[str, Fraction] = defaultdict(Fraction)
        days = days_between(cycle.start, cycle.end, cycle.timezone)
        for entry in self.owners(place, days):
            if entry is not None and entry.is_paid and BY_KEY[entry.plan or ""].committed:
                parts[entry.plan or ""] += Fraction(BY_KEY[entry.plan or ""].committed, cycle.whole)
        counted = [month for month in months if self._first_paid(place, month, cycle)] if parts else []
        for plan, part in parts.items():
            due = sum(
                self.rounded(exact.get((month.name, plan, charge), Fraction(0)))
                for month in counted
                for charge in ("calls", "seats")
            )
            exact[closing[0].name, plan, "committed"] += max(Fraction(0), part - Fraction(due))

    def _first_paid(self, place: str, month: Month, cycle: Cycle) -> bool:
        """Whether the month's first day that is paid lies in the year."""
        days = days_between(month.start, month.end, month.timezone)
        paid = [
            max(entry.moment, month.start) for entry in self.owners(place, days) if entry is not None and entry.is_paid
        ]
        return bool(paid) and cycle.start <= paid[0] < cycle.end

    def _lines(self, place: str, month: Month) -> Iterator["CallLine"]:
        days = days_between(month.start, month.end, month.timezone)
        owned = [(day, entry) for day, entry in zip(days, self.owners(place, days), strict=True) if entry is not None]
        calls = [(at, units) for at, units in self.calls if month.start <= at < month.end]
        for plan in (plan for plan in PLANS if plan.place == place and plan.call):
            of_plan = [(day, entry) for day, entry in owned if entry.plan == plan.key]
            times = self._times(plan, month)
            starts = [start for start, _ in times] + [max(entry.moment, month.start) for _, entry in of_plan]
            if not starts:
                continue
            share = Fraction(len(of_plan), month.whole)
            units = sum(units for at, units in calls if any(start <= at < end for start, end in times))
            ends = [self._end_of(place, entry) for _, entry in of_plan]
            yield CallLine(
                plan,
                min(starts),
                ends_early=all(end is not None and end < month.end for end in ends),
                units=Fraction(units),
                included=plan.included * share,
                needed=min(Fraction(plan.included * len(days), month.whole), Fraction(units)),
                minimum=plan.minimum * share,
            )

    def _end_of(self, place: str, entry: Agreed) -> datetime | None:
        return next((later.moment for first, later in pairwise(self.agreed[place]) if first is entry), None)

    def rounded(self, amount: Fraction) -> Decimal:
        exact = Decimal(amount.numerator) / Decimal(amount.denominator)
        return exact.quantize(Decimal(1).scaleb(-self.exponent), rounding=ROUND_HALF_UP)
