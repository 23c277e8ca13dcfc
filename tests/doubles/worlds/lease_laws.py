"""The laws of caps and leases over random histories, with clients that spend by themselves, and die.

What is counted is worked out a second time, from plain journals: of what the ledger admitted, and of what clients
really spent. A lost pack is a host that died before it stored anything; a repeated command is an answer that was lost.
Clocks of hosts may be wrong: then what clients spend has its instant by the clock of the ledger, as caps count by that.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import (
    AnyCommand,
    Capture,
    ExpireHold,
    ExpireLease,
    ExtendLease,
    GiveGrant,
    Reserve,
    SettleLease,
    TakeLease,
    Use,
    WriteOffLease,
)
from shared.domain.credits.counters import Context, Counter
from shared.domain.credits.grants import Terms
from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.credits.windows import Window, windows_at
from tests.doubles.worlds.credit_laws import BUDGETS, CALENDARS, CREDIT_VALUE, ORDER, START
from tests.doubles.worlds.credit_ledger import PAYER, CreditLedger

CONTEXTS = (
    Context(PAYER, agent_id="agt_1"),
    Context(PAYER, department_id="dep_1", agent_id="agt_1"),
    Context(PAYER, department_id="dep_1", agent_id="agt_2", run="run 1"),
    Context(PAYER, run="run 1"),
    Context(PAYER),
)
FEW_CONTEXTS = CONTEXTS[:2]
"""Among which caps are reached soon, to find out what is naive."""


@dataclass
class Spent:
    """What was really spent, when, and for what."""

    context: Context
    at: datetime
    amount: Decimal


@dataclass
class Counted:
    """What the second computation knows of an admission: it counts at `at` for good."""

    context: Context
    at: datetime
    spent: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    unreported: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.spent + self.held + self.unreported


@dataclass
class Client:
    """Holds a lease. It counts its time from its first sending, spends by itself, and reports totals."""

    lease_id: str
    context: Context
    deadline: datetime
    slice: Decimal
    journal: list[Spent] = field(default_factory=list)
    is_alive: bool = True
    is_excused: bool = False
    """Whether what it spent is no matter of caps: it was written off or given up, or went beyond the slice."""

    @property
    def spent(self) -> Decimal:
        return sum((each.amount for each in self.journal), Decimal(0))

    def may_spend(self, now: datetime) -> Decimal:
        return max(Decimal(0), self.slice - self.spent) if self.is_alive and now < self.deadline else Decimal(0)


class LeaseLaws(RuleBasedStateMachine):
    """One pack for each command, so that each is held against exactly what was before it."""

    make_ledger: ClassVar[Callable[[], Any]] = CreditLedger
    deadline_from_repeat: ClassVar[bool] = False
    """A naive client counts its time from the answer that it got."""
    contexts: ClassVar[Sequence[Context]] = CONTEXTS
    budgets: Sequence[Budget] = BUDGETS
    clock_difference: ClassVar[timedelta] = timedelta(0)
    """How far the clocks of hosts are behind at most."""
    lost_answers: ClassVar[float] = 0.1
    """How many of the answers are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = type(self).make_ledger()
        self.ledger.budgets = self.budgets
        self.now = START
        self.taken = 0
        """Up to which transfer the second computation has come."""
        self.before: dict[str, Lease] = {}
        """Leases as they were before the transfer that is taken."""
        self.number = 0
        self.counted: dict[str, Counted] = {}
        """By use, hold or lease."""
        self.uses: list[Spent] = []
        self.clients: dict[str, Client] = {}
        self.lost: list[tuple[AnyCommand, datetime]] = []
        """Commands without an answer, and when they were first sent."""
        self.done: list[AnyCommand] = []
        self.is_broken = False

    @initialize()
    def begin(self) -> None:
        self._run(GiveGrant(organization_id=PAYER, key="grant", amount=Decimal(500), terms=Terms("purchase")))

    @rule(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=30, max_size=50))
    def play(self, seeds: list[int]) -> None:
        for seed in seeds:
            random = Random(seed)
            (step,) = random.choices(list(self.steps), weights=list(self.steps.values()))
            step(self, random)
            self.the_laws_hold()

    @property
    def steps(self) -> Mapping[Callable[[Any, Random], None], int]:
        """What may happen, and how often it does."""
        return STEPS

    # What happens

    def use(self, random: Random) -> None:
        entry = UseEntry(_amount(random), random.choice(self.contexts))
        self._send(random, Use, entries=(entry,), credit_value=CREDIT_VALUE)

    def reserve(self, random: Random) -> None:
        expires_in = timedelta(minutes=random.choice([5, 90, 600]))
        fields = {"amount": _amount(random), "context": random.choice(self.contexts), "expires_in": expires_in}
        self._send(random, Reserve, **fields, credit_value=CREDIT_VALUE)

    def capture(self, random: Random) -> None:
        holds = [hold for hold in self.ledger.all(Hold) if hold.state == "open" and not hold.is_due(self.now)]
        if holds:
            hold = random.choice(holds)
            self._send(random, Capture, hold_id=hold.id, amount=random.choice([None, hold.amount / 2]))

    def take(self, random: Random) -> None:
        expires_in = timedelta(minutes=random.choice([1, 5, 20, 60, 180, 1000]))
        fields = {"amount": _amount(random), "context": random.choice(self.contexts), "expires_in": expires_in}
        self._send(random, TakeLease, **fields, credit_value=CREDIT_VALUE)

    def extend(self, random: Random) -> None:
        client = self._some_client(random)
        if client is not None:
            amount = random.choice([Decimal(0), _amount(random)])
            expires_in = timedelta(minutes=random.choice([1, 20, 180]))
            self._send(random, ExtendLease, lease_id=client.lease_id, amount=amount, expires_in=expires_in)

    def spend(self, random: Random) -> None:
        client = self._some_client(random)
        if client is not None and (most := client.may_spend(self.now)):
            amount = random.choice([most, most / 2, min(most, Decimal("0.5"))]).quantize(Decimal("0.000001"))
            client.journal.append(Spent(client.context, self._by_the_ledger(client), amount))

    def spend_too_much(self, random: Random) -> None:
        client = self._some_client(random)
        if client is not None:
            client.is_excused = True
            client.journal.append(Spent(client.context, self._by_the_ledger(client), client.slice))

    def _by_the_ledger(self, client: Client) -> datetime:
        """The present instant by the clock of the ledger, as far as the clocks of hosts explain it."""
        lease = self.ledger.find(Lease, client.lease_id)
        assert lease is not None
        instant = max(lease.admitted_at, min(self.now, lease.expires_at - timedelta(microseconds=1)))
        return instant if abs(instant - self.now) <= self.clock_difference else self.now

    def report(self, random: Random) -> None:
        """What was spent, or what had been spent earlier, as a message that comes late does."""
        client = self._some_client(random)
        if client is None:
            return
        final = random.random() < 0.3
        total = random.choice([client.spent, client.spent, client.spent / 2]).quantize(Decimal("0.000001"))
        if final:
            client.is_alive = False
            client.is_excused = client.is_excused or total < client.spent
        self._send(random, SettleLease, lease_id=client.lease_id, total=total, final=final)

    def die(self, random: Random) -> None:
        client = self._some_client(random)
        if client is not None:
            client.is_alive = False

    def report_after_death(self, random: Random) -> None:
        """Somebody finds its journal."""
        if self.clients:
            client = random.choice(list(self.clients.values()))
            self._send(random, SettleLease, lease_id=client.lease_id, total=client.spent)

    def write_off(self, random: Random) -> None:
        if self.clients:
            client = random.choice(list(self.clients.values()))
            lease = self.ledger.find(Lease, client.lease_id)
            client.is_excused = client.is_excused or (lease is not None and lease.at(self.now).state != "open")
            self._send(random, WriteOffLease, lease_id=client.lease_id, reason="gone")

    def expire(self, _: Random) -> None:
        for hold in self.ledger.all(Hold):
            if hold.is_due(self.now):
                self._run(self._command(ExpireHold, f"expiry {hold.id}", hold_id=hold.id))
        for lease in self.ledger.all(Lease):
            if lease.is_due(self.now):
                self._run(self._command(ExpireLease, f"expiry {lease.id}", lease_id=lease.id))

    def repeat(self, random: Random) -> None:
        """What had no answer is sent again, or what had one."""
        if self.lost:
            command, first_sent = self.lost.pop(random.randrange(len(self.lost)))
            self._run(command, first_sent)
        elif self.done:
            self._run(random.choice(self.done[-20:]))

    def pass_time(self, random: Random) -> None:
        self.now += timedelta(minutes=random.choice([1, 2, 5, 5, 20, 40, 55, 90, 600]))

    def _some_client(self, random: Random) -> Client | None:
        alive = [client for client in self.clients.values() if client.is_alive]
        return random.choice(alive) if alive else None

    # Sending

    def _command(self, make: Any, key: str, **fields: Any) -> Any:
        return make(organization_id=PAYER, key=key, calendars=CALENDARS, **fields)

    def _send(self, random: Random, make: Any, **fields: Any) -> None:
        self.number += 1
        command = self._command(make, f"key {self.number}", **fields)
        fate = random.random()
        self.ledger.crashes = fate < 0.05
        self._run(command, is_answer_lost=0.05 <= fate < 0.05 + self.lost_answers)

    def _run(self, command: AnyCommand, first_sent: datetime | None = None, *, is_answer_lost: bool = False) -> None:
        self.is_broken = True
        sent_at = first_sent or self.now
        self.before = {lease.id: lease for lease in self.ledger.all(Lease)}
        (transfer,) = self.ledger.run([command], self.now)
        self._take_new(command)
        if transfer is None or is_answer_lost:
            self.lost.append((command, sent_at))
        else:
            self.done.append(command)
            self._answered(command, transfer, sent_at)
        self.is_broken = False

    def _answered(self, command: AnyCommand, transfer: Transfer, sent_at: datetime) -> None:
        if transfer.refusal is not None or not isinstance(command, TakeLease | ExtendLease):
            return
        counts_from = self.now if self.deadline_from_repeat else sent_at
        deadline = counts_from + timedelta(seconds=transfer.answer["expires_in"])
        lease_id, amount = transfer.answer["lease_id"], Decimal(transfer.answer["amount"])
        if isinstance(command, TakeLease):
            self.clients.setdefault(lease_id, Client(lease_id, command.context, deadline, amount))
        elif (client := self.clients.get(lease_id)) is not None:
            client.deadline, client.slice = max(client.deadline, deadline), max(client.slice, amount)

    # The second computation

    def _take_new(self, command: AnyCommand | None = None) -> None:
        """What new transfers change: that of a command, and of holds and leases that a host has found to be over."""
        for transfer in self.ledger.transfers():
            if transfer.sequence > self.taken:
                self.taken = transfer.sequence
                if command is not None and transfer.id == command.transaction_id:
                    self._take(command, transfer)
                elif transfer.type in ("hold_expiry", "lease_expiry"):
                    self._take_expiry(transfer)
                self.took(transfer)

    def took(self, transfer: Transfer) -> None:
        """For what else is worked out a second time."""

    def _take(self, command: AnyCommand, transfer: Transfer) -> None:
        if isinstance(command, Use | Reserve | TakeLease | ExtendLease):
            self._take_admission(command, transfer)
        elif transfer.refusal is None:
            self._take_change(command, transfer)

    def _take_admission(self, command: Use | Reserve | TakeLease | ExtendLease, transfer: Transfer) -> None:
        if transfer.refusal is not None and transfer.refusal.code not in ("limit_exceeded", "insufficient_credits"):
            return
        at = transfer.time
        match command:
            case Use():
                (entry,) = command.entries
                if self._admits(entry.context, at, entry.amount, transfer):
                    self.counted[transfer.id] = Counted(entry.context, at, spent=entry.amount)
                    self.uses.append(Spent(entry.context, at, entry.amount))
            case ExtendLease():
                lease = self.counted[command.lease_id]
                if command.amount and self._admits(lease.context, lease.at, command.amount, transfer):
                    lease.held += command.amount
            case Reserve() | TakeLease():
                id_ = command.hold_id if isinstance(command, Reserve) else command.lease_id
                if self._admits(command.context, at, command.amount, transfer):
                    self.counted[id_] = Counted(command.context, at, held=command.amount)

    def _take_expiry(self, transfer: Transfer) -> None:
        expired = self.counted[transfer.corrects or ""]
        if transfer.type == "lease_expiry":
            expired.unreported = expired.held
            self.before[transfer.corrects or ""] = self.before[transfer.corrects or ""].expired()
        expired.held = Decimal(0)

    def _take_change(self, command: AnyCommand, transfer: Transfer) -> None:
        match command:
            case Capture():
                hold = self.counted[command.hold_id]
                hold.spent, hold.held = transfer.amount, Decimal(0)
                self.uses.append(Spent(hold.context, hold.at, transfer.amount))
            case ExpireHold() | ExpireLease():
                self._take_expiry(transfer)
            case SettleLease():
                self._report(command, transfer, self.before[command.lease_id])
            case WriteOffLease():
                lease = self.counted[command.lease_id]
                lease.held, lease.unreported = Decimal(0), Decimal(0)
            case _:
                pass

    def _report(self, command: SettleLease, transfer: Transfer, before: Lease) -> None:
        lease = self.counted[command.lease_id]
        increase = max(Decimal(0), command.total - lease.spent)
        assert transfer.amount == increase, "law 4: a report is the total"
        lease.spent += increase
        is_open = before.state == "open"
        kept = "held" if is_open else "unreported"
        setattr(lease, kept, max(Decimal(0), getattr(lease, kept) - increase))
        if command.final:
            lease.held = lease.unreported = Decimal(0)
        elif is_open and before.returns_at <= transfer.time:
            lease.held, lease.unreported = Decimal(0), lease.held
        assert transfer.answer["late"] == (before.returns_at <= transfer.time)

    def _admits(self, context: Context, at: datetime, amount: Decimal, transfer: Transfer) -> bool:
        """Whether it was admitted, after checking that it had to be, or must not have been."""
        if transfer.refusal is not None and transfer.refusal.code == "insufficient_credits":
            return False
        passed = self._passed_cap(context, at, amount)
        if passed is None:
            assert transfer.refusal is None, "law 15: refusals are true"
            return True
        assert transfer.refusal is not None, "law 5: no admission passes a hard cap"
        assert transfer.refusal.members["budget_id"] == passed
        return False

    def _passed_cap(self, context: Context, at: datetime, amount: Decimal) -> str | None:
        for budget in sorted(self.budgets, key=lambda budget: (ORDER.index(budget.scope), budget.id)):
            thing = dict(context.references()).get(budget.scope)
            if budget.enforcement == "soft" or thing is None or budget.reference not in ("each", thing):
                continue
            used = sum(
                (
                    each.total
                    for each in self.counted.values()
                    if dict(each.context.references()).get(budget.scope) == thing
                    and _window_of(budget.window, each.at) == _window_of(budget.window, at)
                ),
                Decimal(0),
            )
            if used + amount > budget.limit:
                return budget.id
        return None

    # The laws

    def the_laws_hold(self) -> None:
        self.is_broken = True
        self._what_is_set_aside_is_in_open_leases()
        self._counters_are_exact()
        self._real_spending_passes_no_cap()
        self.is_broken = False

    def _what_is_set_aside_is_in_open_leases(self) -> None:
        leases = self.ledger.all(Lease)
        leased = self.ledger.head.accounts.get("default", {}).get("leased", Decimal(0))
        assert leased == sum((lease.set_aside for lease in leases), Decimal(0)), "law 4"
        pinned = sum((pin.amount for each in leases for pin in each.pins if pin.grant_id), Decimal(0))
        held = [hold for hold in self.ledger.all(Hold) if hold.state == "open"]
        pinned += sum((pin.amount for hold in held for pin in hold.pins if pin.grant_id), Decimal(0))
        assert pinned == sum((grant.pinned for grant in self.ledger.grants()), Decimal(0)), "law 4"

    def plain_sums(self) -> dict[tuple[str, str, Window], list[Decimal]]:
        """What is spent, held and unreported of each thing in each window."""
        plain: dict[tuple[str, str, Window], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
        for each in self.counted.values():
            for scope, thing in each.context.references():
                for window in windows_at(each.at, CALENDARS):
                    sums = plain[scope, thing, window]
                    more = (each.spent, each.held, each.unreported)
                    plain[scope, thing, window] = [one + other for one, other in zip(sums, more, strict=True)]
        return plain

    def _counters_are_exact(self) -> None:
        plain = {(scope, thing, window.key): sums for (scope, thing, window), sums in self.plain_sums().items()}
        for counter in self.ledger.all(Counter):
            for key, spending in counter.windows.get("default", {}).items():
                counted = [spending.spent, spending.held, spending.unreported]
                assert counted == plain[counter.scope, counter.reference, key], "law 11: counters are exact"
                money = spending.money_spent + spending.money_held + spending.money_unreported
                assert money == sum(counted, Decimal(0)) * CREDIT_VALUE, "law 11: in money, too"

    def _real_spending_passes_no_cap(self) -> None:
        """Also what the dead have spent, at the instants at which it was spent."""
        real: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for spent in self._really_spent():
            things = dict(spent.context.references())
            for budget in self.budgets:
                thing = things.get(budget.scope)
                if budget.enforcement == "hard" and thing is not None and budget.reference in ("each", thing):
                    real[budget.id, thing, _window_of(budget.window, spent.at)] += spent.amount
        limits = {budget.id: budget.limit for budget in self.budgets}
        assert all(amount <= limits[id_] for (id_, _, _), amount in real.items()), "law 6: real spending passes no cap"

    def _really_spent(self) -> Iterator[Spent]:
        yield from self.uses
        for client in self.clients.values():
            if not client.is_excused:
                yield from client.journal

    def teardown(self) -> None:
        """What was lost is sent again; the dead are written off, and their caps are free of them."""
        if self.is_broken:
            return
        self.ledger.crashes, self.ledger.is_quiet = False, True
        while self.lost:
            self._run(*self.lost.pop())
        self.now += timedelta(days=2)
        self.expire(Random(0))
        for lease_id in self.clients:
            self._run(self._command(WriteOffLease, f"at last {lease_id}", lease_id=lease_id, reason="gone"))
        self._counters_are_exact()
        counters = self.ledger.all(Counter)
        left = [each for counter in counters for each in counter.windows.get("default", {}).values() if each.held]
        assert left == [], "law 4: everything set aside has returned"


def _amount(random: Random) -> Decimal:
    return random.choice([Decimal(random.randint(1, 6)), Decimal(random.randint(1, 6_000_000)).scaleb(-6)])


def _window_of(name: str, instant: datetime) -> str:
    return next(window.key for window in windows_at(instant, CALENDARS) if window.name == name)


STEPS: Mapping[Callable[[LeaseLaws, Random], None], int] = {
    LeaseLaws.take: 14,
    LeaseLaws.spend: 22,
    LeaseLaws.report: 14,
    LeaseLaws.use: 14,
    LeaseLaws.pass_time: 14,
    LeaseLaws.extend: 7,
    LeaseLaws.reserve: 4,
    LeaseLaws.capture: 4,
    LeaseLaws.repeat: 8,
    LeaseLaws.expire: 6,
    LeaseLaws.die: 4,
    LeaseLaws.report_after_death: 3,
    LeaseLaws.write_off: 2,
    LeaseLaws.spend_too_much: 1,
}


def tried(
    make_ledger: Callable[[], Any],
    *,
    examples: int,
    is_naive: bool = False,
    laws: type[LeaseLaws] = LeaseLaws,
    **of_clients: Any,
) -> None:
    """Try random histories, as many as `XYRA_LEASE_HISTORIES` says where it is set; always the same for a naive one."""
    if not is_naive:
        examples = int(os.environ.get("XYRA_LEASE_HISTORIES", examples))
    if is_naive:
        of_clients["contexts"] = FEW_CONTEXTS
    machine = type("Tried", (laws,), {"make_ledger": staticmethod(make_ledger), **of_clients})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  hypothesis has no types for it
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=3,
            deadline=None,
            derandomize=is_naive,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate] if is_naive else list(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )
