"""Organizations whose subscriptions change at random, and what their documents have to come to.

`FeeOracle` works the fees out day by day from the commands alone. It shares no code with what it judges.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

from shared.bootstrap import Application, Ports
from shared.containers import INVOICES
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.kernel.errors import ConflictError, UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.lines import Line
from shared.domain.pricing.plans import PlanDraft, Trial
from shared.services.billing.invoice_runs import Task
from shared.services.billing.subscription_commands import (
    Cancel,
    Change,
    Command,
    Pause,
    Resume,
    Subscribe,
    Withdraw,
)
from shared.services.billing.subscriptions import Commanded
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.faulty_store import QUIET, Faults, FaultyStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

T = TypeVar("T")
Key = tuple[str, str, str]
"""A period's local start, a plan's key, and a charge."""

TIMEZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland")
CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3}
START = datetime(2026, 1, 15, tzinfo=UTC)
LONGEST = 1_500
"""Days that the oracle looks ahead at most."""
NOT_DONE = (UnavailableError, asyncio.CancelledError, ConflictError)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Priced:
    """A plan: its fee and price of a seat by the month, both in advance, and a setup fee."""

    key: str
    place: str
    fee: Fraction
    seat: Fraction
    setup: Fraction
    trial_days: int = 0
    then: str = "active"


PLANS = (
    Priced("small", "base", Fraction(31), Fraction(0), Fraction(0)),
    Priced("large", "base", Fraction(97), Fraction(13), Fraction(0)),
    Priced("huge", "base", Fraction(293), Fraction(7), Fraction(50), 12),
    Priced("extra", "extra", Fraction(19), Fraction(0), Fraction(0), 5, "canceled"),
)
BY_KEY = {plan.key: plan for plan in PLANS}


@dataclass
class FeeOracle:
    """What was agreed on, as (time, plan) by place, and the seats.

    `trial:` stands before a plan that is tried, `paused` for a pause, None for the end of a subscription.
    """

    timezone: str
    exponent: int
    agreed: dict[str, list[tuple[datetime, str | None]]] = field(default_factory=lambda: defaultdict(list))
    seats: list[tuple[datetime, int]] = field(default_factory=list)
    trials: dict[str, tuple[datetime, str | None]] = field(default_factory=dict)
    """By place: when its trial ends, and the plan that follows, if any."""

    def agree(self, place: str, start: datetime, plan: str | None, now: datetime) -> None:
        """In place of what lies ahead. A trial that is in force ends when it ends, unless something is before that."""
        self.take_back(place, now)
        if self.agreed[place] and self.agreed[place][-1][0] > now and start <= self.trials[place][0]:
            self.agreed[place].pop()
        self.agreed[place].append((start, plan))

    def take_back(self, place: str, now: datetime) -> None:
        self.agreed[place] = [entry for entry in self.agreed[place] if entry[0] <= now]
        if (self.in_force(place, now) or "").startswith("trial:"):
            self.agreed[place].append(self.trials[place])

    def try_out(self, place: str, plan: str, start: datetime, days: int, then: str | None) -> None:
        local = start.astimezone(ZoneInfo(self.timezone))
        self.trials[place] = ((local + timedelta(days=days)).astimezone(UTC), then)
        self.agreed[place] += [(start, f"trial:{plan}"), self.trials[place]]

    def in_force(self, place: str, now: datetime) -> str | None:
        begun = [plan for moment, plan in self.agreed[place] if moment <= now]
        return begun[-1] if begun else None

    def tried_today(self, place: str, plan: str, now: datetime) -> bool:
        """Whether a change ended a trial of the plan today that would go on."""
        zone = ZoneInfo(self.timezone)
        begun = [entry for entry in self.agreed[place] if entry[0] <= now]
        for (_, tried), (ended, _) in pairwise(begun):
            is_today = ended.astimezone(zone).date() == now.astimezone(zone).date()
            if tried == f"trial:{plan}" and is_today and self.trials[place][0] > now:
                return True
        return False

    def seat(self, start: datetime, number: int, now: datetime) -> None:
        self.seats = [entry for entry in self.seats if entry[0] <= now] + [(start, number)]

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.timezone)).astimezone(UTC)

    def month_of(self, moment: datetime) -> tuple[date, date]:
        """The first days of the month that contains a time, and of the next one."""
        first = moment.astimezone(ZoneInfo(self.timezone)).date().replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)

    def plan_of_day(self, place: str, day: date) -> str | None:
        """The last plan in force on the day."""
        start, end = self.midnight(day), self.midnight(day + timedelta(days=1))
        owner: str | None = None
        entries = self.agreed[place]
        for index, (begun, plan) in enumerate(entries):
            until = entries[index + 1][0] if index + 1 < len(entries) else end
            if plan not in (None, "paused") and begun < end and until > start and begun < until:
                owner = plan
        return owner

    def seats_at(self, moment: datetime) -> int:
        return ([0] + [number for begun, number in self.seats if begun <= moment])[-1]

    def due(self, first: date, following: date, now: datetime) -> dict[Key, Decimal]:
        """The rounded fees of a month; while it goes on, those in advance of plans that have had a day in it."""
        goes_on = self.midnight(following) > now
        days = [first + timedelta(days=offset) for offset in range((following - first).days)]
        exact: dict[Key, Fraction] = defaultdict(Fraction)
        begun: dict[str, date] = {}
        for place in list(self.agreed):
            for day in days:
                key = self.plan_of_day(place, day)
                if key is None or key.startswith("trial:"):
                    continue
                plan = BY_KEY[key]
                seats = self.seats_at(self.midnight(day + timedelta(days=1)) - _INSTANT)
                begun[key] = begun.get(key, day)
                exact[f"{first}", key, "fee"] += plan.fee / len(days)
                exact[f"{first}", key, "seats"] += plan.seat * seats / len(days)
                if plan.setup and not goes_on and self.first_day(place, key) == day:
                    exact[f"{first}", key, "setup"] += plan.setup
        rounded = {key: self.rounded(amount) for key, amount in exact.items()}
        return {
            key: amount
            for key, amount in rounded.items()
            if amount and not (goes_on and self.midnight(begun[key[1]]) > now)
        }

    def first_day(self, place: str, key: str) -> date | None:
        """The first day that the plan has."""
        begun = [moment for moment, plan in self.agreed[place] if plan == key]
        day = min(begun).astimezone(ZoneInfo(self.timezone)).date()
        for _ in range(LONGEST):
            if self.plan_of_day(place, day) == key:
                return day
            day += timedelta(days=1)
        return None

    def rounded(self, amount: Fraction) -> Decimal:
        exact = Decimal(amount.numerator) / Decimal(amount.denominator)
        return exact.quantize(Decimal(1).scaleb(-self.exponent), rounding=ROUND_HALF_UP)


class Subscribed:
    """One organization, served by two hosts whose store may fail, and watched by one whose store does not."""

    def __init__(self, seed: int, faults: Faults = QUIET) -> None:
        self.chance = Random(seed)
        self.clock = SettableClock(START + timedelta(minutes=self.chance.randrange(60 * 24 * 20)))
        self.store = MemoryStore()
        self._faulty = FaultyStore(self.store, self.clock, Random(seed + 1))
        self._faults = faults
        self._hosts = [self._host(self._faulty) for _ in range(2)]
        self.observer = self._host(self.store)
        self.id = named_id("org", "subscribed", seed)
        self.currency = self.chance.choice([*CURRENCIES])
        self.oracle = FeeOracle(self.chance.choice(TIMEZONES), CURRENCIES[self.currency])
        self.subscriptions: dict[str, tuple[str, str]] = {}
        """By place: the id of its subscription, and its plan."""
        self.models: dict[str, str] = {}
        """By billing model: the plan that it prices."""
        self.unbilled_after_interims: list[tuple[datetime, dict[Key, Decimal], dict[Key, Decimal]]] = []
        """Where an interim invoice left something begun in advance unbilled or uncredited."""
        self.previewed_span: tuple[datetime, datetime] | None = None
        self.previewed: list[list[Line]] | None = None
        """What a preview said of the last period's documents; None where more was to come."""
        self._commands = 0

    def _host(self, store: object) -> Application:
        ports = Ports(store=store, queue=MemoryQueue(), clock=self.clock, secrets=NoSecrets())  # type: ignore[arg-type]  either store
        return Application(ports, Settings(invoice_grace_hours=24))

    async def set_up(self) -> None:
        draft = OrganizationDraft(name="Acme", slug="acme", currency=self.currency, timezone=self.oracle.timezone)
        await self.observer.organizations.create(self.id, draft)
        for plan in PLANS:
            model_id = named_id("bm", "plan", plan.key)
            charges = [
                {"key": "fee", "type": "flat_fee", "amount": str(int(plan.fee)), "timing": "advance"},
                {
                    "key": "seats",
                    "type": "seat",
                    "quantity": "seats",
                    "timing": "advance",
                    "pricing": {"type": "per_unit", "unit_amount": str(int(plan.seat))},
                },
                {"key": "setup", "type": "setup_fee", "amount": str(int(plan.setup))},
            ]
            model = {"name": plan.key, "currency": self.currency, "charges": charges}
            await self.observer.billing_models.create(model_id, None, BillingModelDraft.model_validate(model))
            self.models[model_id] = plan.key
            kind = "base" if plan.place == "base" else "addon"
            prices = {self.currency: named_id("bmv", model_id, 1)}
            trial = Trial(days=plan.trial_days, then=plan.then) if plan.trial_days else None
            offered = PlanDraft(key=plan.key, name=plan.key, kind=kind, prices=prices, trial=trial)  # type: ignore[arg-type]  one of two
            await self.observer.plans.create(named_id("plan", plan.key), offered)
        self._faulty.faults = self._faults

    # What happens

    async def live(self, days: int) -> None:
        """Commands at random times, and the timers between them; at the end all is invoiced and at rest."""
        until = self.clock.now() + timedelta(days=days)
        while self.clock.now() < until:
            await self._act()
            step = timedelta(minutes=self.chance.choice((1, 60, 7 * 60, 26 * 60, 9 * 24 * 60)))
            await self.pass_until(self.clock.now() + step)
        self._faulty.faults = QUIET
        _, following = self.oracle.month_of(self.clock.now())
        await self._timers()
        await self._preview(self.oracle.midnight(following))
        await self.pass_until(self.oracle.midnight(following) + timedelta(days=3))

    async def _preview(self, end: datetime) -> None:
        """What the invoice of the open period would say; nothing where something is still to begin before its issue."""
        moments = [moment for history in self.oracle.agreed.values() for moment, _ in history]
        moments += [moment for moment, _ in self.oracle.seats]
        if any(self.clock.now() < moment < end + timedelta(days=3) for moment in moments):
            return
        organization = await self.observer.organizations.get(self.id)
        period = await self.observer.periods.would_contain(organization, self.clock.now())
        self.previewed_span = (period.start, period.end)
        bill = await self.observer.bills.preview(organization, period)
        composed = bill.composed()
        self.previewed = [[*lines] for lines in (composed.invoice, composed.correction) if lines]

    async def issued_last(self) -> list[list[Line]] | None:
        """The lines of the documents that the previewed invoice was; None where a later interim one was before it."""
        documents = await self.documents()
        interims = [header for header, _ in documents if isinstance(header, Invoice) and header.revision == 0]
        if self.previewed_span is None or any(each.start == self.previewed_span[1] for each in interims):
            return None
        return [
            lines for header, lines in documents if header.start == self.previewed_span[0] and header not in interims
        ]

    async def pass_until(self, until: datetime) -> None:
        """The timers fire every few hours, and when something is due."""
        while self.clock.now() < until:
            due = [moment for history in self.oracle.agreed.values() for moment, _ in history]
            due += [moment for moment, _ in self.oracle.seats]
            months = self.oracle.month_of(self.clock.now())
            due += [self.oracle.midnight(first) + timedelta(hours=hours) for first in months for hours in (1, 25)]
            later = [moment for moment in due if self.clock.now() < moment < until]
            self.clock.set(min([until, *later]))
            await self._timers()

    async def _timers(self) -> None:
        await self._insisted(lambda host: host.outbox.sweep())
        await self._insisted(lambda host: host.invoice_runs.run(Task(organization_id=self.id)))

    async def _act(self) -> None:
        place = self.chance.choice(("base", "base", "extra"))
        if place in self.subscriptions and self._in_force(place) is None:
            del self.subscriptions[place]
        is_paused = self._in_force(place) == "paused"
        if place not in self.subscriptions:
            await self._subscribe(place)
            return
        kind = self.chance.choice(("change", "change", "seats", "cancel", "withdraw", "pause", "nothing"))
        if is_paused and kind == "change":
            await self.command(place, Resume())
            self.oracle.agree(place, self.clock.now(), self.subscriptions[place][1], self.clock.now())
        elif kind == "change" and place == "base":
            await self._change()
        elif kind == "pause":
            await self._pause(place)
        elif kind == "seats":
            await self._seats(place)
        elif kind == "cancel":
            await self._cancel(place)
        elif kind == "withdraw":
            await self.command(place, Withdraw())
            self.oracle.take_back(place, self.clock.now())

    async def _subscribe(self, place: str) -> None:
        plan = self.chance.choice([plan for plan in PLANS if plan.place == place])
        now = self.clock.now()
        self._commands += 1
        self.subscriptions[place] = (named_id("sub", self.id, self._commands), plan.key)
        commanded = await self.command(place, Subscribe(plan.key))
        if plan.trial_days and place not in self.oracle.trials:
            then = plan.key if plan.then == "active" else None
            self.oracle.try_out(place, plan.key, now, plan.trial_days, then)
        else:
            self.oracle.agree(place, now, plan.key, now)
        await self.check_after(commanded)

    async def _pause(self, place: str) -> None:
        """What is active; sometimes until a time."""
        now = self.clock.now()
        plan = self._in_force(place)
        if plan is None or plan == "paused" or plan.startswith("trial:"):
            return
        until = self.chance.choice((None, now + timedelta(minutes=self.chance.randrange(1, 60 * 24 * 20))))
        await self.command(place, Pause(until=until))
        self.oracle.agree(place, now, "paused", now)
        if until is not None:
            self.oracle.agreed[place].append((until, plan))
        self.subscriptions[place] = (self.subscriptions[place][0], plan)

    def _moment(self, place: str) -> tuple[str | datetime, datetime]:
        """When a command takes effect, as it is said and as it is."""
        now = self.clock.now()
        _, following = self.oracle.month_of(now)
        is_trial = (self._in_force(place) or "").startswith("trial:")
        dated = now + timedelta(minutes=self.chance.randrange(1, 60 * 24 * 20))
        at_end = ("period_end", self.oracle.trials[place][0] if is_trial else self.oracle.midnight(following))
        return self.chance.choice((("now", now), ("now", now), at_end, (dated, dated)))

    async def _change(self) -> None:
        at, moment = self._moment("base")
        plan = self.chance.choice([plan for plan in PLANS if plan.place == "base"])
        commanded = await self.command("base", Change(plan.key, at=at))  # type: ignore[arg-type]  a time, or a word
        now = self.clock.now()
        if self._in_force("base") == plan.key:
            self.oracle.take_back("base", now)
        elif moment == now and self.oracle.tried_today("base", plan.key, now):
            self.oracle.take_back("base", now)
            self.oracle.agreed["base"] += [(now, f"trial:{plan.key}"), self.oracle.trials["base"]]
        else:
            self.oracle.agree("base", moment, plan.key, self.clock.now())
        await self.check_after(commanded)

    async def check_after(self, commanded: Commanded) -> None:
        """After an interim invoice, all that has begun in advance in the open month is billed as it is due."""
        if commanded.invoice_id is None or self._faults != QUIET:
            return
        now = self.clock.now()
        first, following = self.oracle.month_of(now)
        due = self.oracle.due(first, following, now)
        billed = {key: amount for key, amount in (await self.billed()).items() if key[0] == f"{first}"}
        if due != billed:
            self.unbilled_after_interims.append((now, due, billed))

    def _in_force(self, place: str) -> str | None:
        return self.oracle.in_force(place, self.clock.now())

    async def _seats(self, place: str) -> None:
        at, moment = self._moment(place)
        number = self.chance.randrange(9)
        await self.command(place, Change(seats=number, at=at))  # type: ignore[arg-type]  a time, or one of two words
        self.oracle.seat(moment, number, self.clock.now())

    async def _cancel(self, place: str) -> None:
        at, moment = self._moment(place)
        await self.command(place, Cancel(at))  # type: ignore[arg-type]  a time, or one of two words
        self.oracle.agree(place, moment, None, self.clock.now())

    async def command(self, place: str, command: Command) -> Commanded:
        """As a client that repeats it until there is an answer; a subscription that has ended is left."""
        self._commands += 1
        subscription_id, _ = self.subscriptions[place]
        command_id = named_id("cmd", self.id, self._commands)
        return await self._insisted(
            lambda host: host.subscriptions.command(self.id, subscription_id, command, command_id)
        )

    async def _insisted(self, act: Callable[[Application], Awaitable[T]]) -> T:
        for _ in range(200):
            with suppress(*NOT_DONE, ValidationError):
                return await act(self.chance.choice(self._hosts))
        raise AssertionError("It is never done")

    # What came of it

    async def documents(self) -> list[tuple[Invoice | CreditNote, list[Line]]]:
        """In the order of their numbers."""
        found: list[tuple[Invoice | CreditNote, list[Line]]] = []
        kinds: tuple[type[Invoice | CreditNote], ...] = (Invoice, CreditNote)
        for kind in kinds:
            page = await self.store.query(INVOICES.name, self.id, kind.kind, limit=1000)
            read = [kind.read(item.document) for item in page.items]
            issued = sorted((each for each in read if each.number), key=lambda each: each.number or "")
            found += [(each, await self.observer.billing_documents.lines(self.id, each)) for each in issued]
        return found

    async def billed(self) -> dict[Key, Decimal]:
        """What all documents bill, by line."""
        amounts: dict[Key, Decimal] = defaultdict(Decimal)
        for _, lines in await self.documents():
            for line in lines:
                first = line.period.start.astimezone(ZoneInfo(self.oracle.timezone)).date()
                amounts[f"{first}", self.models[line.model_id], line.charge or ""] += line.amount
        return {key: amount for key, amount in amounts.items() if amount}

    def due(self) -> dict[Key, Decimal]:
        """Of all months that have ended, and what is due in advance in the one that goes on."""
        return self.due_since(START)

    def due_since(self, start: datetime) -> dict[Key, Decimal]:
        """The same from the month on that contains a time."""
        first, following = self.oracle.month_of(start)
        due: dict[Key, Decimal] = {}
        now = self.clock.now()
        while self.oracle.midnight(first) <= now:
            due |= self.oracle.due(first, following, now)
            first, following = following, (following + timedelta(days=32)).replace(day=1)
        return due


def seeded(seed: int) -> None:
    """Jitter of retries, so that a history can be repeated."""
    random.seed(seed)
