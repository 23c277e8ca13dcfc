"""The laws of the ledger over random histories, as a state machine of hypothesis.

What each command may do is worked out a second time, from a plain journal of what was admitted.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any, ClassVar

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from shared.domain.credits.accounts import posted
from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import (
    AnyCommand,
    Capture,
    Clawback,
    Draw,
    ExpireHold,
    GiveGrant,
    Refund,
    Release,
    Reserve,
    Use,
)
from shared.domain.credits.counters import Context, Counter
from shared.domain.credits.grants import Source, Terms
from shared.domain.credits.head import Cut, Head
from shared.domain.credits.holds import Hold
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.credits.windows import windows_at
from shared.domain.kernel.histories import Entry, History
from shared.domain.periods.periods import Calendar
from tests.doubles.worlds.credit_ledger import PAYER, CreditLedger

START = datetime(2026, 10, 24, 20, tzinfo=UTC)  # the night in which Berlin's clocks go back
CALENDARS = History[Calendar](
    entries=(
        Entry(effective_from=datetime(1, 1, 1, tzinfo=UTC), value=Calendar(timezone="Europe/Berlin")),
        Entry(effective_from=START + timedelta(hours=30, minutes=20), value=Calendar(timezone="America/New_York")),
    )
)
PACK = 30
OVERDRAFT = Decimal(5)
CREDIT_VALUE = Decimal("0.0123")
CHILD = "org_child"

BUDGETS = (
    Budget("bud_hour", PAYER, "agent", "each", "hour", Decimal(12)),
    Budget("bud_day", PAYER, "department", "dep_1", "day", Decimal(30)),
    Budget("bud_once", PAYER, "run", "each", "once", Decimal(25)),
    Budget("bud_soft", PAYER, "organization", PAYER, "day", Decimal(1), enforcement="soft"),
)

ORDER = ("organization", "project", "department", "agent", "api_key", "run")
"""In which budgets that refuse are named."""

DEPARTMENTS, AGENTS, RUNS = (None, "dep_1"), (None, "agt_1", "agt_2"), (None, "run 1")


@dataclass
class Admission:
    """What the second computation knows of an admission."""

    context: Context
    at: datetime
    spent: Decimal = Decimal(0)
    held: Decimal = Decimal(0)


@dataclass
class Drawn:
    """What the second computation knows of a period that the wallet pays."""

    version: int = 0
    total: Decimal = Decimal(0)
    is_closed: bool = False


class CreditLaws(RuleBasedStateMachine):
    """Commands in packs, with lost packs and repetitions."""

    make_ledger: ClassVar[Callable[[], Any]] = CreditLedger

    def __init__(self) -> None:
        super().__init__()
        self.ledger = type(self).make_ledger()
        self.ledger.budgets, self.ledger.children = BUDGETS, (CHILD,)
        self.now = START
        self.number = 0
        self.is_broken = False
        """Whether a law is broken: what follows from that is of no interest."""
        self.pack = 1
        self.checked = -1
        self.sent: list[AnyCommand] = []
        self.answers: dict[str, Transfer] = {}
        self.waiting: list[AnyCommand] = []
        self.admissions: dict[str, list[Admission]] = {}
        """By the use or hold that was admitted."""
        self.drawn: dict[str, Drawn] = {}
        """By period."""

    # What happens

    def _send(self, make: Any, **fields: Any) -> None:
        self.number += 1
        self.waiting.append(make(**({"organization_id": PAYER} | fields), key=f"key {self.number}"))
        if len(self.waiting) >= self.pack and make is not GiveGrant:
            self.run_pack()

    @initialize(pack=st.integers(1, 3))
    def begin(self, pack: int) -> None:
        """`pack`: how many commands wait until they are done together."""
        self.pack = pack
        for source, amount, hours in (("purchase", 60, None), ("bonus", 40, 30), ("bonus", 20, 3)):
            expires_at = None if hours is None else self.now + timedelta(hours=hours)
            self._send(GiveGrant, amount=Decimal(amount), terms=Terms(source, expires_at=expires_at))
        self.run_pack()

    @rule(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=20, max_size=40))
    def play(self, seeds: list[int]) -> None:
        """One step for each seed, so that a history with fewer of them is a shorter one."""
        for seed in seeds:
            random = Random(seed)
            (step,) = random.choices(list(STEPS), weights=list(STEPS.values()))
            step(self, random)
            self.the_laws_hold()

    def give(self, random: Random) -> None:
        lifetime = random.choice([None, 1, 5, 26, 40])
        expires_at = None if lifetime is None else self.now + timedelta(hours=lifetime)
        terms = Terms(random.choice(SOURCES), random.randint(1, 2), random.random() < 0.5, expires_at)
        self._send(GiveGrant, amount=10 * _amount(random), terms=terms)

    def give_many(self, random: Random) -> None:
        if self.number < 60:
            for _ in range(random.randint(90, 140)):
                self._send(GiveGrant, amount=Decimal("0.01"), terms=Terms("bonus", random.randint(1, 3)))
            self.run_pack()

    def use(self, random: Random) -> None:
        made = tuple(UseEntry(_amount(random), _context(random)) for _ in range(random.choice([1, 1, 2, 3])))
        self._send(Use, entries=made, calendars=CALENDARS, overdraft=OVERDRAFT, credit_value=CREDIT_VALUE)

    def use_by_child(self, random: Random) -> None:
        entries = (UseEntry(_amount(random), _context(random, CHILD)),)
        self._send(
            Use,
            organization_id=CHILD,
            entries=entries,
            calendars=CALENDARS,
            overdraft=OVERDRAFT,
            credit_value=CREDIT_VALUE,
        )

    def use_all(self, random: Random) -> None:
        available = self.ledger.load().available("default")
        if available > 0:
            self._send(
                Use, entries=(UseEntry(available, _context(random)),), calendars=CALENDARS, credit_value=CREDIT_VALUE
            )

    def reserve(self, random: Random) -> None:
        self._send(
            Reserve,
            amount=_amount(random),
            context=_context(random),
            expires_in=timedelta(hours=random.choice([1, 1, 6, 24])),
            calendars=CALENDARS,
            overdraft=OVERDRAFT,
            credit_value=CREDIT_VALUE,
        )

    def capture(self, random: Random) -> None:
        hold = self._some_hold(random)
        part = hold.amount / 2 if hold is not None and random.random() < 0.4 else None
        amount = random.choice([None, part, Decimal(2)])
        self._send(Capture, hold_id="hold_unknown" if hold is None else hold.id, amount=amount, calendars=CALENDARS)

    def release(self, random: Random) -> None:
        hold = self._some_hold(random)
        organization_id = random.choice([PAYER, PAYER, CHILD])
        hold_id = "hold_unknown" if hold is None else hold.id
        self._send(Release, organization_id=organization_id, hold_id=hold_id, calendars=CALENDARS)

    def expire_holds(self, _: Random) -> None:
        for hold in self.ledger.all(Hold):
            if hold.is_due(self.now):
                self._send(ExpireHold, hold_id=hold.id, calendars=CALENDARS)

    def refund(self, random: Random) -> None:
        spent = [transfer.id for transfer in self.ledger.transfers() if transfer.type in ("use", "capture")]
        id_ = random.choice([*spent, "txn_unknown"])
        amount = random.choice([None, _amount(random), Decimal("0.5")])
        self._send(Refund, transaction_id_refunded=id_, amount=amount, reason="bad answer", calendars=CALENDARS)

    def claw_back(self, random: Random) -> None:
        grants = [transfer for transfer in self.ledger.transfers() if transfer.type == "grant"]
        grant = random.choice(grants[:3] + grants[-5:])
        total = (grant.amount * Decimal(random.choice(["0", "0.5", "1"]))).quantize(Decimal("0.000001"))
        version = random.randint(1, 4)
        self._send(Clawback, grant_id=grant.corrects, total=total, version=version, reason="charged back")

    def draw(self, random: Random) -> None:
        period = random.choice(("2026-10", "2026-11"))
        newest = self.drawn.get(period, Drawn()).version
        amounts = {line: Decimal(random.randint(1, 900)).scaleb(-2) for line in ("a", "b") if random.random() < 0.8}
        self._send(
            Draw,
            period=period,
            version=max(1, newest + random.choice((-1, 0, 1, 1, 1, 2))),
            amounts=amounts,
            credit_value=Decimal("0.13"),
            closes=random.random() < 0.2,
            is_after_close=random.random() < 0.3,
        )

    def repeat(self, random: Random) -> None:
        self.waiting.append(random.choice(self.sent[-30:]))

    def pass_time(self, random: Random) -> None:
        self.now += timedelta(minutes=random.choice([1, 5, 20, 40, 90, 90, 600, 60_000]))

    def lose_pack(self, _: Random) -> None:
        self.ledger.crashes = True

    def run_pack(self) -> None:
        waiting, self.waiting = self.waiting, []
        for start in range(0, len(waiting), PACK):
            self._run(waiting[start : start + PACK])

    def _some_hold(self, random: Random) -> Hold | None:
        holds = self.ledger.all(Hold)
        open_ = [hold for hold in holds if hold.state == "open"]
        return random.choice([*open_, *open_, *holds, None])

    def _run(self, commands: list[AnyCommand]) -> None:
        self.is_broken = True
        once = list({command.transaction_id: command for command in commands}.values())
        before = self.ledger.head
        answered = self.ledger.run(once, self.now)
        assert self.ledger.operations <= 100, "law 0: a batch takes 100 operations"
        self.sent += once
        fresh = [transfer for transfer in self.ledger.transfers() if transfer.sequence > before.sequence]
        available = before
        for transfer in fresh:
            self._check(transfer, available.accounts.get("default", {}))
            available = _after(available, transfer)
        for command, transfer in zip(once, answered, strict=True):
            if transfer is not None:
                first = self.answers.setdefault(command.transaction_id, transfer)
                assert transfer == first, "law 7: the same key has the first answer"
                assert self.ledger.find(Transfer, transfer.id) == transfer, "law 7: what is answered is stored"
        self.is_broken = False

    # The laws

    def _check(self, transfer: Transfer, balances: Any) -> None:
        assert sum((line.amount for line in transfer.lines), Decimal(0)) == 0, "law 1"
        assert transfer.id not in self.answers or transfer == self.answers[transfer.id], "law 7: one effect"
        free = balances.get("free", Decimal(0)) + balances.get("debt", Decimal(0))
        if transfer.type in ("use", "reserve"):
            self._check_admission(transfer, free)
        if transfer.type == "draw":
            self._check_draw(transfer)
        hold = self.admissions.get(transfer.corrects or "")
        if transfer.refusal is not None or hold is None:
            return
        if transfer.type in ("capture", "release", "hold_expiry"):
            assert hold[0].held, "law 4: a hold is resolved once"
            hold[0].held = Decimal(0)
            hold[0].spent = transfer.amount if transfer.type == "capture" else Decimal(0)
            if transfer.type == "capture":
                self.admissions[transfer.id] = hold
        if transfer.type == "refund":
            left = transfer.amount
            for admission in reversed(hold):
                returned = min(left, admission.spent)
                admission.spent -= returned
                left -= returned
            assert not left, "no more is refunded than was spent"

    def _check_draw(self, transfer: Transfer) -> None:
        command = next(each for each in reversed(self.sent) if each.transaction_id == transfer.id)
        assert isinstance(command, Draw)
        drawn = self.drawn.setdefault(command.period, Drawn())
        if command.version <= drawn.version or (drawn.is_closed and not command.is_after_close):
            assert not transfer.amount, "law 13: a total that is not the newest moves nothing"
            return
        total = sum(command.amounts.values(), Decimal(0)) / command.credit_value
        total = total.quantize(Decimal("0.000001"), ROUND_HALF_UP)
        assert transfer.amount == total - drawn.total, "law 13: the newest total holds"
        drawn.version, drawn.total, drawn.is_closed = command.version, total, drawn.is_closed or command.closes

    def _check_admission(self, transfer: Transfer, available: Decimal) -> None:
        command = next(each for each in reversed(self.sent) if each.transaction_id == transfer.id)
        assert isinstance(command, Use | Reserve)
        entries = [(entry.context, entry.amount) for entry in command.entries] if isinstance(command, Use) else [
            (command.context, command.amount)
        ]  # fmt: skip
        amount = sum((part for _, part in entries), Decimal(0))
        is_short = available - amount < -command.overdraft
        passed = self._passed_cap(entries, transfer.time)
        if is_short:
            assert transfer.refusal is not None, "law 3: never below the overdraft"
            assert transfer.refusal.code == "insufficient_credits"
        elif passed is not None:
            assert transfer.refusal is not None, "law 5: no admission passes a hard cap"
            assert transfer.refusal.members["budget_id"] == passed
        else:
            assert transfer.refusal is None, "law 15: refusals are true"
            admitted = [
                Admission(context, transfer.time, **{"spent" if isinstance(command, Use) else "held": part})
                for context, part in entries
            ]
            self.admissions[transfer.id if isinstance(command, Use) else command.hold_id] = admitted

    def _passed_cap(self, entries: list[tuple[Context, Decimal]], now: datetime) -> str | None:
        """The first hard budget that these uses would pass, from the journal alone."""
        mine = [Admission(context, now, spent=amount) for context, amount in entries]
        for budget in sorted(BUDGETS, key=lambda budget: (ORDER.index(budget.scope), budget.id)):
            if budget.enforcement == "soft":
                continue
            used: dict[str, Decimal] = defaultdict(Decimal)
            for admission in [*self._journal(), *mine]:
                thing = dict(admission.context.references()).get(budget.scope)
                is_own = admission.context.organization_id == budget.organization_id
                if thing is None or not is_own or budget.reference not in ("each", thing):
                    continue
                if _window_start(budget.window, admission.at) == _window_start(budget.window, now):
                    used[thing] += admission.spent + admission.held
            touched = {dict(context.references()).get(budget.scope) for context, _ in entries}
            if any(used[thing] > budget.limit for thing in touched & used.keys()):
                return budget.id
        return None

    def _journal(self) -> list[Admission]:
        return list({id(each): each for admitted in self.admissions.values() for each in admitted}.values())

    def the_laws_hold(self) -> None:
        if self.checked == self.ledger.head.revision:
            return
        self.checked, self.is_broken = self.ledger.head.revision, True
        self._balances_are_transfers_and_grants()
        self._what_is_set_aside_is_in_open_holds()
        self._counters_are_exact()
        if self.checked % 8 == 0:
            self._the_chain_is_unbroken()
        self.is_broken = False

    def _balances_are_transfers_and_grants(self) -> None:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for transfer in self.ledger.transfers():
            for line in transfer.lines:
                sums[line.account] += line.amount
        balances = self.ledger.head.accounts.get("default", {})
        assert {name: amount for name, amount in balances.items() if amount} == {
            name: amount for name, amount in sums.items() if amount
        }, "law 2: balances are the sum of transfers"
        assert sum(balances.values(), Decimal(0)) == 0, "law 1: accounts sum to zero"
        grants = self.ledger.grants()
        assert sums["free"] == sum((grant.free for grant in grants), Decimal(0)), "law 2"
        assert sums["debt"] <= 0 <= sums["free"]
        assert not (sums["debt"] and sums["free"]), "law 3: what is free pays debt first"
        assert all(grant.free + grant.pinned <= grant.amount for grant in grants)
        assert [grant.place for grant in grants] == sorted(grant.place for grant in grants)

    def _what_is_set_aside_is_in_open_holds(self) -> None:
        held = [hold for hold in self.ledger.all(Hold) if hold.state == "open"]
        reserved = self.ledger.head.accounts.get("default", {}).get("reserved", Decimal(0))
        assert reserved == sum((hold.amount for hold in held), Decimal(0)), "law 4"
        pinned = sum((part.amount for hold in held for part in hold.pins if part.grant_id), Decimal(0))
        assert pinned == sum((grant.pinned for grant in self.ledger.grants()), Decimal(0)), "law 4"

    def _counters_are_exact(self) -> None:
        counted: dict[tuple[str, str, str, str], Decimal] = defaultdict(Decimal)
        for admission in self._journal():
            for scope, thing in admission.context.references():
                for window in windows_at(admission.at, CALENDARS):
                    counted[admission.context.organization_id, scope, thing, window.key] += (
                        admission.spent + admission.held
                    )
        for counter in self.ledger.all(Counter):
            for key, spending in counter.windows.get("default", {}).items():
                plain = counted[counter.organization_id, counter.scope, counter.reference, key]
                assert spending.total == plain, "law 11: counters are exact, and law 8: of their tenant"
                money = spending.money_spent + spending.money_held + spending.money_unreported + spending.money_metered
                assert money == plain * CREDIT_VALUE, "law 11: in money, too"

    def _the_chain_is_unbroken(self) -> None:
        for cut in [None, *self.ledger.all(Cut)[-1:]]:
            assert self.ledger.problems(cut) == [], "law 10"

    def teardown(self) -> None:
        """What was lost is sent again, and everything once more."""
        if self.is_broken:
            return
        self.ledger.crashes, self.ledger.is_quiet = False, True
        self.run_pack()
        sent = list({command.transaction_id: command for command in self.sent}.values())
        for start in range(0, len(sent), PACK):
            self._run(sent[start : start + PACK])
        self.the_laws_hold()
        self._the_chain_is_unbroken()


def _amount(random: Random) -> Decimal:
    return random.choice([Decimal(random.randint(1, 9)), Decimal(random.randint(1, 9_000_000)).scaleb(-6)])


def _context(random: Random, organization_id: str = PAYER) -> Context:
    return Context(
        organization_id,
        department_id=random.choice(DEPARTMENTS),
        agent_id=random.choice(AGENTS),
        run=random.choice(RUNS),
    )


SOURCES: tuple[Source, ...] = ("purchase", "bonus")
STEPS: Mapping[Callable[[CreditLaws, Random], None], int] = {
    CreditLaws.use: 30,
    CreditLaws.reserve: 14,
    CreditLaws.capture: 10,
    CreditLaws.release: 6,
    CreditLaws.pass_time: 10,
    CreditLaws.give: 8,
    CreditLaws.refund: 7,
    CreditLaws.repeat: 7,
    CreditLaws.expire_holds: 4,
    CreditLaws.claw_back: 4,
    CreditLaws.draw: 6,
    CreditLaws.lose_pack: 3,
    CreditLaws.use_by_child: 2,
    CreditLaws.use_all: 2,
    CreditLaws.give_many: 1,
}


def _window_start(name: str, instant: datetime) -> str:
    return next(window.key for window in windows_at(instant, CALENDARS) if window.name == name)


def _after(head: Head, transfer: Transfer) -> Head:
    return msgspec.structs.replace(head, accounts=posted(head.accounts, transfer.lines))


def tried(make_ledger: Callable[[], Any], *, examples: int, is_naive: bool = False) -> None:
    """Try random histories on a ledger, as many as `XYRA_CREDIT_HISTORIES` says where it is set.

    For a naive ledger the first history that breaks a law is enough, always the same one.
    """
    if not is_naive:
        examples = int(os.environ.get("XYRA_CREDIT_HISTORIES", examples))
    machine = type("Tried", (CreditLaws,), {"make_ledger": staticmethod(make_ledger)})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  hypothesis has no types for it
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=4,
            deadline=None,
            derandomize=is_naive,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate] if is_naive else list(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )
