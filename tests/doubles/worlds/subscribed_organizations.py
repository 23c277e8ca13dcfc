"""Organizations whose subscriptions change at random, and what their documents have to come to (`FeeOracle`)."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from shared.bootstrap import Application, Ports
from shared.containers import INVOICES
from shared.domain.access.identity import Permission, Principal
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.kernel.errors import ConflictError, UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.lines import Line
from shared.domain.pricing.plans import PlanDraft, Trial
from shared.domain.usage.events import event_key
from shared.domain.usage.outcomes import Outcome, outcome_id
from shared.services.agents.agents import AgentDraft
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
from shared.services.usage.metering import Delivered
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes.faulty_store import QUIET, Faults, FaultyStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import SOURCE, NoSecrets
from tests.doubles.worlds.fee_oracle import BY_KEY, PLANS, START, Agreed, Deal, FeeOracle, Key, Priced

T = TypeVar("T")
TIMEZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland")
CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3}
MAXIMUM_AGENTS = 5
OPERATOR = Principal("usr_1", None, frozenset(Permission))
NOT_DONE = (UnavailableError, asyncio.CancelledError, ConflictError)


class Subscribed:
    """One organization, served by two hosts whose store may fail, and watched by one whose store does not."""

    def __init__(self, seed: int, faults: Faults = QUIET) -> None:
        self.chance = Random(seed)
        self.clock = SettableClock(START + timedelta(minutes=self.chance.randrange(60 * 24 * 20)))
        self.store, self.queue = MemoryStore(), MemoryQueue()
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
        self._luck = Random(seed + 2)
        """Of deals, beside which all else happens as without them."""
        self._lines: dict[str, list[Line]] = {}
        """By issued document."""

    def _host(self, store: object) -> Application:
        ports = Ports(store=store, queue=self.queue, clock=self.clock, secrets=NoSecrets())  # type: ignore[arg-type]  either store
        return Application(ports, Settings(invoice_grace_hours=24))

    async def set_up(self) -> None:
        draft = OrganizationDraft(name="Acme", slug="acme", currency=self.currency, timezone=self.oracle.timezone)
        await self.observer.organizations.create(self.id, draft)
        for plan in PLANS:
            model_id = named_id("bm", "plan", plan.key)
            charges = charges_of(plan)
            model = {"name": plan.key, "currency": self.currency, "charges": charges}
            if plan.committed:
                counted = ["calls", "seats"]
                committed = {"key": "committed", "amount": str(plan.committed), "charges": counted}
                model["commitments"] = [committed]
            await self.observer.billing_models.create(model_id, None, BillingModelDraft.model_validate(model))
            self.models[model_id] = plan.key
            kind = "base" if plan.place == "base" else "addon"
            prices = {self.currency: named_id("bmv", model_id, 1)}
            trial = Trial(days=plan.trial_days, then=plan.then) if plan.trial_days else None
            offered = PlanDraft.model_validate(
                {
                    "key": plan.key,
                    "name": plan.key,
                    "kind": kind,
                    "prices": prices,
                    "trial": trial,
                    "interval": plan.interval,
                    "anchor": plan.anchor if plan.interval != "month" else None,
                }
            )
            await self.observer.plans.create(named_id("plan", plan.key), offered)
        await self._create_agent()
        self._faulty.faults = self._faults

    async def _create_agent(self) -> None:
        """Without a billing model of its own."""
        name = f"agent-{len(self.oracle.agents)}"
        await self.observer.agents.create(
            named_id("agt", self.id, name), self.id, AgentDraft(external_id=name, name=name)
        )
        self.oracle.agents.append(self.clock.now())

    # What happens

    async def live(self, days: int) -> None:
        """Commands at random times, and the timers between them; at the end all is invoiced and at rest."""
        until = self.clock.now() + timedelta(days=days)
        while self.clock.now() < until:
            before = self._commands
            await self._act()
            if self._commands != before:
                self.oracle.follow(self.clock.now())
            for _ in range(self.chance.randrange(3)):
                await self._use()
            await self._luck.choice((self._close_deal, self._close_deal, self._reverse_deal))()
            step = timedelta(minutes=self.chance.choice((1, 60, 7 * 60, 26 * 60, 9 * 24 * 60)))
            await self.pass_until(self.clock.now() + step)
        self._faulty.faults = QUIET
        following = self.oracle.month_of(self.clock.now()).end
        await self._timers()
        await self._preview(following)
        await self.pass_until(self._at_rest(following + timedelta(days=3)))

    def _at_rest(self, moment: datetime) -> datetime:
        """The first moment from this one on at which the invoice of the month before is issued."""
        while self.oracle.month_of(moment).start > moment - timedelta(days=2):
            moment += timedelta(days=1)
        return moment

    async def _preview(self, end: datetime) -> None:
        """What the invoice of the open period would say, after the interim invoices of what begins before its issue."""
        del end
        organization = await self.observer.organizations.get(self.id)
        period = await self.observer.periods.would_contain(organization, self.clock.now())
        self.previewed_span = (period.start, period.end)
        bill = await self.observer.bills.preview(organization, period)
        composed = bill.composed()
        self.previewed = [[*lines] for lines in (composed.invoice, composed.correction) if lines]

    async def issued_last(self) -> list[list[Line]] | None:
        """The lines of the documents that the previewed invoice was."""
        documents = await self.documents()
        interims = [header for header, _ in documents if isinstance(header, Invoice) and header.revision == 0]
        if self.previewed_span is None:
            return None
        return [
            lines for header, lines in documents if header.start == self.previewed_span[0] and header not in interims
        ]

    async def pass_until(self, until: datetime) -> None:
        """The timers fire every few hours, and when something is due."""
        while self.clock.now() < until:
            month = self.oracle.month_of(self.clock.now())
            starts = (month.start, month.end)
            moments = self._moments()
            due = [*moments, *(moment + timedelta(minutes=1) for moment in moments)]
            due += [start + timedelta(hours=hours) for start in starts for hours in (1, 25)]
            later = [moment for moment in due if self.clock.now() < moment < until]
            self.clock.set(min([until, *later]))
            await self._timers()

    def _moments(self) -> list[datetime]:
        """When something that is agreed on begins, and each quarter or year."""
        moments = [entry.moment for history in self.oracle.agreed.values() for entry in history]
        moments += [moment for moment, _ in self.oracle.seats]
        for place in self.oracle.agreed:
            for months in (3, 12):
                cycles = self.oracle.cycles(place, months, self.clock.now() + timedelta(days=45))
                moments += [cycle.start for cycle in cycles]
        return moments

    async def _timers(self) -> None:
        await self._insisted(lambda host: host.outbox.sweep())
        await self._insisted(lambda host: host.invoice_runs.run(Task(organization_id=self.id)))

    async def _act(self) -> None:
        place = self.chance.choice(("base", "base", "base", "extra", "vault"))
        if place in self.subscriptions and self._in_force(place) is None:
            del self.subscriptions[place]
        if place not in self.subscriptions:
            await self._subscribe(place)
            return
        await self.chance.choice(
            (
                *(self._change, self._change, self._seats, self._cancel, self._withdraw, self._pause),
                *(self._reset_anchor, self._move_timezone, self._join),
            )
        )(place)

    async def _join(self, place: str) -> None:
        """Another agent, which counts from then on."""
        del place
        if len(self.oracle.agents) < MAXIMUM_AGENTS:
            await self._create_agent()

    async def _use(self) -> None:
        """An event of some agent that there was at its time, which may be days ago."""
        time = self._recently(self.chance)
        units = self.chance.randrange(1, 90)
        agent = self._agent_at(time, self.chance)
        await self._report(f"event-{len(self.oracle.calls)}", "call", agent, time, {"quantity": units})
        self.oracle.calls.append((time, units))

    async def _close_deal(self) -> None:
        """An outcome, which counts as it arrives."""
        time = self._recently(self._luck)
        deal = Deal(f"deal-{len(self.oracle.deals)}", time)
        await self._report(deal.id, "outcome.deal", self._agent_at(time, self._luck), time, {})
        self.oracle.deals.append(deal)

    async def _reverse_deal(self) -> None:
        """An outcome of any time, also of a month that is invoiced. What nothing priced cannot be reversed."""
        if not self.oracle.deals:
            return
        deal = self._luck.choice(self.oracle.deals)
        reversed_id = outcome_id(event_key(self.id, SOURCE, deal.id))
        organization = await self.observer.organizations.get(self.id)

        async def reverse(host: Application) -> Outcome:
            decided = await host.outcome_decisions.reverse(organization, reversed_id, "It was a mistake", OPERATOR)
            if isinstance(decided, UnavailableError):
                raise decided
            return (await self.observer.outcomes.find(organization, [reversed_id]))[reversed_id].outcome

        deal.is_reversed = (await self._insisted(reverse)).status == "reversed"

    def _recently(self, chance: Random) -> datetime:
        return self.clock.now() - timedelta(minutes=chance.choice((0, 1, 9, 60, 6 * 24 * 60)))

    def _agent_at(self, time: datetime, chance: Random) -> str:
        """One that there was."""
        agents = [index for index, created in enumerate(self.oracle.agents) if created <= time] or [0]
        return f"agent-{chance.choice(agents)}"

    async def _report(self, event_id: str, event_type: str, agent: str, time: datetime, data: dict[str, Any]) -> None:
        event = ReportedEvent(
            index=0,
            id=event_id,
            type=event_type,
            agent=agent,
            source=SOURCE,
            time=time,
            run=None,
            data=data,
            organization_id=self.id,
        )
        accepted = await self._insisted(lambda host: host.events.accept([event], partial=True))
        assert not accepted.rejected
        for sent in self.queue.waiting.pop("usage"):
            delivered = Delivered(sent.body, sent.message_id, sent.correlation_id)
            await self._insisted(lambda host, delivered=delivered: host.metering.meter([delivered]))

    async def _withdraw(self, place: str) -> None:
        await self.command(place, Withdraw())
        self.oracle.take_back(place, self.clock.now())

    async def _subscribe(self, place: str) -> None:
        plan = self.chance.choice([plan for plan in PLANS if plan.place == place])
        quantity = 1 if place == "base" else self.chance.choice((1, 1, 3))
        now = self.clock.now()
        self._commands += 1
        self.subscriptions[place] = (named_id("sub", self.id, self._commands), plan.key)
        commanded = await self.command(place, Subscribe(plan.key, quantity=quantity))
        if plan.trial_days and place not in self.oracle.trials:
            self.oracle.try_out(plan, now, quantity)
        else:
            self.oracle.agree(place, Agreed(now, plan.key, quantity), now)
        await self.check_after(commanded)

    async def _pause(self, place: str) -> None:
        """What is active; sometimes until a time."""
        now = self.clock.now()
        plan, quantity = self._in_force(place), self._quantity(place)
        if plan is None or plan == "paused" or plan.startswith("trial:"):
            return
        until = self.chance.choice((None, now + timedelta(minutes=self.chance.randrange(1, 60 * 24 * 20))))
        await self.command(place, Pause(until=until))
        self.oracle.agree(place, Agreed(now, "paused", quantity), now)
        if until is not None:
            self.oracle.agreed[place].append(Agreed(until, plan, quantity))
        self.subscriptions[place] = (self.subscriptions[place][0], plan)

    def _moment(self, place: str) -> tuple[str | datetime, datetime]:
        """When a command takes effect, as it is said and as it is."""
        now = self.clock.now()
        plan = self._in_force(place) or ""
        dated = now + timedelta(minutes=self.chance.randrange(1, 60 * 24 * 20))
        if plan.startswith("trial:"):
            end = self.oracle.trials[place].moment
        else:
            priced = BY_KEY[self.subscriptions[place][1] if plan == "paused" else plan]
            end = self.oracle.end_of_cycle(place, priced.interval, now)
        return self.chance.choice((("now", now), ("now", now), ("period_end", end), (dated, dated)))

    async def _change(self, place: str) -> None:
        if self._in_force(place) == "paused":
            await self._resume(place)
        elif place == "base":
            await self._change_plan()
        else:
            await self._change_quantity(place)

    async def _resume(self, place: str) -> None:
        await self.command(place, Resume())
        now, plan, quantity = self.clock.now(), self.subscriptions[place][1], self._quantity(place)
        self.oracle.agree(place, Agreed(now, plan, quantity), now)

    async def _change_plan(self) -> None:
        at, moment = self._moment("base")
        plan = self.chance.choice([plan for plan in PLANS if plan.place == "base"])
        commanded = await self.command("base", Change(plan.key, at=at))  # type: ignore[arg-type]  a time, or a word
        now = self.clock.now()
        entry = self.oracle.entry_at("base", now)
        if entry is not None and entry.plan == plan.key:
            self.oracle.take_back("base", now)
        elif moment == now and self.oracle.tried_today("base", plan.key, now):
            self.oracle.take_back("base", now)
            self.oracle.agreed["base"] += [Agreed(now, f"trial:{plan.key}"), self.oracle.trials["base"]]
        else:
            self.oracle.agree("base", Agreed(moment, plan.key), now)
        await self.check_after(commanded)

    async def _change_quantity(self, place: str) -> None:
        """Of an add-on that is not tried."""
        plan, now = self._in_force(place) or "", self.clock.now()
        if plan.startswith("trial:"):
            return
        at, moment = self._moment(place)
        quantity = self.chance.randrange(1, 5)
        commanded = await self.command(place, Change(quantity=quantity, at=at))  # type: ignore[arg-type]  as above
        if quantity == self._quantity(place):
            self.oracle.take_back(place, now)
        else:
            self.oracle.agree(place, Agreed(moment, plan, quantity), now)
        await self.check_after(commanded)

    async def _reset_anchor(self, place: str) -> None:
        plan, now = self._in_force(place) or "paused", self.clock.now()
        if plan == "paused" or plan.startswith("trial:"):
            return
        commanded = await self.command(place, Change(resets_anchor=True))
        self.oracle.agree(place, Agreed(now, plan, self._quantity(place), resets=True), now)
        if place == "base" and BY_KEY[plan].interval == "month":
            day = now.astimezone(ZoneInfo(self.oracle.timezone)).day
            self.oracle.move_months(now, day=day)
        await self.check_after(commanded)

    async def _move_timezone(self, place: str) -> None:
        """Not where another calendar is to come already."""
        del place
        now = self.clock.now()
        if self.oracle.calendars[-1][0] > now:
            return
        timezone = self.chance.choice(TIMEZONES)
        await self.observer.organizations.update(self.id, {"timezone": timezone}, None)
        self.oracle.move_months(now, timezone=timezone)

    async def check_after(self, commanded: Commanded) -> None:
        """After an interim invoice, all that has begun in advance is billed as it is due, as far as it goes on."""
        if commanded.invoice_id is None or self._faults != QUIET:
            return
        now = self.clock.now()
        open_month = self.oracle.month_of(now).name
        running = await self._running(now)
        due = {key: amount for key, amount in self.oracle.due(now).items() if key[0] == open_month or key in running}
        billed = await self.billed()
        billed = {key: amount for key, amount in billed.items() if key[0] == open_month or key in running}
        if due != billed:
            self.unbilled_after_interims.append((now, due, billed))

    async def _running(self, now: datetime) -> set[Key]:
        """The billed lines of quarters and years that go on."""
        return {
            self._key_of(line)
            for _, lines in await self.documents()
            for line in lines
            if line.covers is not None and line.covers.end > now
        }

    def _in_force(self, place: str) -> str | None:
        return self.oracle.in_force(place, self.clock.now())

    def _quantity(self, place: str) -> int:
        entry = self.oracle.entry_at(place, self.clock.now())
        return 1 if entry is None else entry.quantity

    async def _seats(self, place: str) -> None:
        at, moment = self._moment(place)
        number = self.chance.randrange(9)
        await self.command(place, Change(seats=number, at=at))  # type: ignore[arg-type]  a time, or one of two words
        self.oracle.seat(moment, number, self.clock.now())

    async def _cancel(self, place: str) -> None:
        at, moment = self._moment(place)
        await self.command(place, Cancel(at))  # type: ignore[arg-type]  a time, or one of two words
        self.oracle.agree(place, Agreed(moment, None), self.clock.now())

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
            found += [(each, await self._lines_of(each)) for each in issued]
        return found

    async def _lines_of(self, issued: Invoice | CreditNote) -> list[Line]:
        """What is issued never changes, so it is read once."""
        if issued.id not in self._lines:
            self._lines[issued.id] = await self.observer.billing_documents.lines(self.id, issued)
        return self._lines[issued.id]

    async def billed(self) -> dict[Key, Decimal]:
        """What all documents bill, by line."""
        amounts: dict[Key, Decimal] = defaultdict(Decimal)
        for _, lines in await self.documents():
            for line in lines:
                amounts[self._key_of(line)] += line.amount
        return {key: amount for key, amount in amounts.items() if amount}

    def _key_of(self, line: Line) -> Key:
        return f"{line.period.start:%Y-%m-%dT%H}", self.models[line.model_id or ""], line.charge or ""

    def due(self) -> dict[Key, Decimal]:
        """Of all months that have ended, and what is due in advance in the one that goes on."""
        return self.oracle.due(self.clock.now())


def charges_of(plan: Priced) -> list[dict[str, object]]:
    """What a plan's billing model charges."""
    seats = {"key": "seats", "type": "seat", "quantity": "seats", "timing": "advance"}
    priced = {"type": "per_unit", "unit_amount": str(int(plan.seat))}
    fee = {"key": "fee", "type": "flat_fee", "amount": str(int(plan.fee)), "timing": "advance"}
    setup = {"key": "setup", "type": "setup_fee", "amount": str(int(plan.setup))}
    support = {"key": "support", "type": "flat_fee", "amount": str(int(plan.support)), "interval": "year"}
    agents = {"key": "agents", "type": "agent", "timing": "advance"}
    per_agent = {"type": "per_unit", "unit_amount": str(int(plan.agent))}
    calls = {
        "key": "calls",
        "type": "activity",
        "scope": "organization",
        "meter": {"event_type": "call", "aggregation": "sum", "value": "data.quantity"},
        "pricing": {"type": "per_unit", "unit_amount": str(float(plan.call))},
        "included_units": str(plan.included),
        "minimum": str(plan.minimum),
    }
    deals = {
        "key": "deals",
        "type": "outcome",
        "meter": {"event_type": "outcome.deal"},
        "pricing": {"type": "per_unit", "unit_amount": str(float(plan.deal))},
        "verification": "none",
    }
    charges = [fee | {"interval": plan.interval}, seats | {"pricing": priced}, setup]
    charges += [deals] if plan.deal else []
    charges += [support] if plan.support else []
    charges += [agents | {"pricing": per_agent}] if plan.agent else []
    return [*charges, calls] if plan.call else charges


def seeded(seed: int) -> None:
    """Jitter of retries, so that a history can be repeated."""
    random.seed(seed)
