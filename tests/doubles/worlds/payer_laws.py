"""Changes of payers in random histories: two hosts with wrong clocks, lost answers, stale reads and hosts that die.

What counts is worked out a second time, from the transfers of all wallets and the usage that was metered.
"""

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, cast

import msgspec

from shared.adapters.credits.wallet_items import COUNTED_USAGE, TRANSFER, partition_of
from shared.adapters.usage.metered_sums import METERED_SUMS
from shared.bootstrap import Application, Ports
from shared.containers import CONTAINERS, LEDGERS
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.budgets import run_budget_id
from shared.domain.credits.counters import Context, counter_id
from shared.domain.credits.grants import Terms
from shared.domain.credits.metered_usage import CountedUsage, MeteredSums, counted_id, sums_id
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.windows import windows_at
from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError, XyraError
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Calendar
from shared.ports.store import Upsert
from shared.ports.wallets import Wanted
from shared.services.agents.agents import AgentDraft
from shared.services.credits.budgets import BudgetDraft
from shared.services.credits.counter_shares import COUNTERS_MOVED
from shared.services.credits.metered_counting import DueMeteredSums
from shared.services.credits.spending import ActionDone, Caller, RequestedUse, SpentFor
from shared.services.storage import Stored
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_secrets import MemorySecrets
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.post_box import PostBox
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.credit_hosts import FaultyStore

CHILD, PARENT, OTHER = (named_id("org", f"payer laws {name}") for name in ("child", "parent", "other"))
WALLETS = (CHILD, PARENT, OTHER)
AGENT = named_id("agt", "payer laws")
START = datetime(2026, 3, 31, 20, tzinfo=UTC)
PRINCIPAL = Principal("usr_1", CHILD, frozenset(Permission))
SETTINGS = Settings()
CALENDARS = History[Calendar].starting(Calendar(timezone="UTC"))
MOST_BEHIND = 20
"""Seconds by which clocks of hosts are wrong at most."""
KEYS_REPEATED = timedelta(hours=20)
"""Keys are looked for in earlier wallets for a day after a change."""

OF_RUNS, OF_AGENT = Decimal(25), Decimal(70)
CAPS: Mapping[str, tuple[str, str, Decimal]] = {
    "runs": ("run", "once", OF_RUNS),
    "agent": ("agent", "month", OF_AGENT),
}
RUNS = ("run 1", "run 2", "limited 1", "limited 2")
VALUE = Decimal("0.5")
ADMITTED = ("use", "reserve", "lease", "lease_extension")

Counted = dict[tuple[str, str, str], Decimal]
"""What counts, by scope, thing and key of a window."""


@dataclass
class Sent:
    """A command of the client, which it may repeat with its key."""

    at: datetime
    act: Callable[[Application], Any]
    answer: Transfer | None = None


@dataclass
class PayerHistory:
    random: Random
    now: datetime = START
    sent: list[Sent] = field(default_factory=list)
    sums: dict[tuple[str, str], MeteredSums] = field(default_factory=dict)
    """By partition of the shard and id."""
    limits: dict[str, Decimal] = field(default_factory=dict)
    """Of runs, those that certainly are set."""
    number: int = 0

    def __post_init__(self) -> None:
        self.store = FaultyStore(self.random)
        self.queue, self.secrets, self.post = MemoryQueue(), MemorySecrets({}), PostBox()
        self.clocks = [SettableClock(self.now) for _ in range(2)]
        self.hosts = [self._host(clock) for clock in self.clocks]
        self.sweeping = SettableClock(self.now)
        self.sweeper = self._host(self.sweeping)

    def _host(self, clock: SettableClock) -> Application:
        ports = Ports(
            store=cast("Any", self.store), queue=self.queue, clock=clock, secrets=self.secrets, mail=self.post
        )
        return Application(ports, SETTINGS)

    # What happens

    async def prepare(self) -> None:
        host = self.hosts[0]
        for organization_id, name in ((CHILD, "Child"), (PARENT, "Parent"), (OTHER, "Other")):
            draft = OrganizationDraft(name=name, currency="USD", timezone="UTC")
            await host.organizations.create(organization_id, draft)
            caller = Caller(organization_id, PRINCIPAL, "grant", "grant")
            await host.credits.spending.give(caller, Decimal(5000), Terms("purchase"), "default", None)
        await host.agents.create(AGENT, CHILD, AgentDraft(external_id="a", name="a"))
        for id_, (scope, window, limit) in CAPS.items():
            of: tuple[Any, ...] = (scope, "each", window, limit, "credits", "default", "hard", ())
            await host.credits.budgets.put(CHILD, id_, BudgetDraft(*of), None)

    async def play(self, steps: int) -> None:
        await self.prepare()
        for _ in range(steps):
            (step,) = self.random.choices(list(STEPS), weights=list(STEPS.values()))
            await self._try(step)
        await self._rest()

    async def _try(self, step: "Step") -> None:
        for index, clock in enumerate(self.clocks):
            clock.set(self.now - timedelta(seconds=self.random.randint(0, MOST_BEHIND)))
            if self.random.random() < 0.1:
                self.hosts[index] = self._host(clock)
        quiet = self.random.random() < 0.5
        if quiet:
            await self._sweep()
        is_told = self._is_told()
        before = {transfer.id for transfer in self.transfers()}
        self.store.fails = not quiet
        try:
            await step(self, self.random.choice(self.hosts))
        except XyraError as error:
            if error.status.value not in (404, 429, 503) and not isinstance(error, ConflictError | ValidationError):
                raise
        self.store.fails = False
        fresh = [transfer for transfer in self.transfers() if transfer.id not in before]
        self._admissions_fit(fresh)
        if quiet and is_told:
            self._refusals_are_true(fresh)

    async def _send(self, host: Application, act: Callable[[Application], Any]) -> None:
        sent = Sent(self.now, act)
        self.sent.append(sent)
        await self._repeat(sent, host)

    async def _repeat(self, sent: Sent, host: Application) -> None:
        answer: Transfer = await sent.act(host)
        if sent.answer is not None:
            first = (sent.answer.id, sent.answer.sequence, sent.answer.hash)
            assert (answer.id, answer.sequence, answer.hash) == first, "law 7: one key, one answer"
        sent.answer = answer

    def caller(self) -> Caller:
        self.number += 1
        return Caller(CHILD, PRINCIPAL, f"key {self.number}", f"key {self.number}")

    def amount(self) -> Decimal:
        return Decimal(self.random.choice(["1", "2.5", "4", "7"]))

    def spent_for(self) -> SpentFor:
        return SpentFor(agent=self.random.choice(["a", None]), run=self.random.choice([*RUNS, None]))

    async def use(self, host: Application) -> None:
        caller, uses = self.caller(), [RequestedUse(self.spent_for(), self.amount())]
        await self._send(host, lambda on: on.credits.spending.use(caller, uses, "default", is_list=False))

    async def reserve(self, host: Application) -> None:
        caller, amount, spent_for = self.caller(), self.amount(), self.spent_for()
        lifetime = timedelta(minutes=self.random.choice([2, 60, 600]))
        await self._send(host, lambda on: on.credits.spending.reserve(caller, amount, spent_for, "default", lifetime))

    async def resolve(self, host: Application) -> None:
        hold_id = self._some("hold_id")
        if hold_id is None:
            return
        caller, amount = self.caller(), self.random.choice([None, Decimal(1)])
        if self.random.random() < 0.7:
            await self._send(host, lambda on: on.credits.spending.capture(caller, hold_id, amount, ActionDone()))
        else:
            await self._send(host, lambda on: on.credits.spending.release(caller, hold_id))

    async def lease(self, host: Application) -> None:
        caller, amount, spent_for = self.caller(), self.amount(), self.spent_for()
        await self._send(
            host, lambda on: on.credits.leases.take(caller, amount, spent_for, "default", timedelta(minutes=10))
        )

    async def report(self, host: Application) -> None:
        lease_id = self._some("lease_id")
        if lease_id is None:
            return
        caller, total, final = self.caller(), Decimal(self.random.choice(["0.5", "1"])), self.random.random() < 0.4
        await self._send(host, lambda on: on.credits.leases.settle(caller, lease_id, total, [], final=final))

    async def extend(self, host: Application) -> None:
        lease_id = self._some("lease_id")
        if lease_id is None:
            return
        caller, lifetime = self.caller(), timedelta(minutes=10)
        await self._send(host, lambda on: on.credits.leases.extend(caller, lease_id, Decimal(1), lifetime))

    async def refund(self, host: Application) -> None:
        spent = [each for each in self.transfers() if each.type in ("use", "capture") and each.refusal is None]
        if not spent:
            return
        caller, amount = self.caller(), self.random.choice([None, Decimal("0.5")])
        id_ = self.random.choice(spent[-8:]).id
        await self._send(host, lambda on: on.credits.spending.refund(caller, id_, amount, "a test"))

    async def repeat(self, host: Application) -> None:
        recent = [sent for sent in self.sent if sent.at > self.now - KEYS_REPEATED]
        if recent:
            await self._repeat(self.random.choice(recent[-10:]), host)

    async def meter(self, host: Application) -> None:
        """Usage of one context in one of two shards: told at once, late, or twice."""
        context = Context(CHILD, agent_id=AGENT, run=self.random.choice(["run 1", None]))
        partition, id_ = f"{CHILD}:usage:{self.random.randint(0, 1)}", sums_id(context)
        before = self.sums.get((partition, id_)) or MeteredSums(context)
        worth = Decimal(self.random.choice(["0.5", "1", "-0.25"])) if before.revision else Decimal(1)
        moment = self.now - timedelta(hours=self.random.choice([0, 0, 3]))
        sums = before.plus(worth, VALUE, windows_at(moment, CALENDARS), self.now).next_revision()
        self.sums[partition, id_] = sums
        document = {
            "id": id_,
            "kind": METERED_SUMS,
            "organization_id": CHILD,
            "partition": partition,
            "record": msgspec.to_builtins(sums),
            "due_at": to_text(self.now),
        }
        await MemoryStore.batch(self.store, LEDGERS.name, partition, [Upsert(document)])
        for _ in range(self.random.choice([0, 1, 2])):
            await host.credits.metered_counting.complete_due(Stored(DueMeteredSums.read(document), ""))

    async def limit_run(self, host: Application) -> None:
        run = self.random.choice(RUNS[2:])
        limit = Decimal(10)
        await host.credits.run_limits.set(CHILD, run, named_id("run", run), limit, "credits")
        self.limits[run] = limit

    async def change_payer(self, host: Application) -> None:
        await host.payer_changes.put(CHILD, self.random.choice([PARENT, PARENT, OTHER, None, None]))
        self._forget()

    async def pass_time(self, _: Application) -> None:
        """Often to a few seconds around the end of a month: then payers change."""
        minutes = self.random.choice([0, 1, 5, 30, 300, "month", "month", "month"])
        if isinstance(minutes, int):
            self.now += timedelta(minutes=minutes, seconds=self.random.randint(1, 30))
        else:
            following = (self.now.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=32)).replace(day=1)
            self.now = following + timedelta(seconds=self.random.randint(-30, 10))
        self._forget()

    async def sweep(self, _: Application) -> None:
        await self.random.choice(self.hosts).outbox.sweep()

    def _forget(self) -> None:
        """Records are kept for a minute, and changes hold ten minutes later at the earliest."""
        self.hosts = [self._host(clock) for clock in self.clocks]
        self.sweeper = self._host(self.sweeping)

    async def _sweep(self) -> None:
        self.sweeping.set(self.now)
        await self.sweeper.outbox.sweep()

    def _some(self, name: str) -> str | None:
        made = [
            sent.answer.answer[name] for sent in self.sent if sent.answer is not None and name in sent.answer.answer
        ]
        return self.random.choice(made[-6:]) if made else None

    async def _rest(self) -> None:
        """Nothing fails any more: what was lost is repeated, and everything that is due happens."""
        self._forget()
        for clock in self.clocks:
            clock.set(self.now)
        for sent in self.sent:
            if sent.at > self.now - KEYS_REPEATED:
                with suppress(NotFoundError, ConflictError):
                    await self._repeat(sent, self.hosts[0])
        host = self._host(clock := SettableClock(self.now))
        for _ in range(6):
            clock.move(timedelta(minutes=6))
            await host.outbox.sweep()
        due = [await self.store.due(container, to_text(clock.now())) for container in CONTAINERS]
        assert not any(due), due
        await self._everything_is_exact(host)

    # The laws

    def transfers(self) -> list[Transfer]:
        """Of the child, in all wallets."""
        found = [transfer for wallet in WALLETS for transfer in self._transfers_of(wallet)]
        return sorted(found, key=lambda transfer: (transfer.time, transfer.id))

    def _transfers_of(self, wallet: str) -> list[Transfer]:
        """Also those that lie in the archive by now."""
        partitions = [pk for container, pk in list(self.store._partitions) if container == LEDGERS.name]
        found = {
            transfer.id: transfer
            for pk in partitions
            if pk == partition_of(wallet) or pk.startswith(f"{partition_of(wallet)}:")
            for transfer in self.store.records(LEDGERS.name, pk, TRANSFER, Transfer)
            if transfer.organization_id == CHILD
        }
        return list(found.values())

    def counted(self) -> Counted:
        """What counts by now, from the transfers and the newest usage that any wallet has taken."""
        counted: Counted = defaultdict(Decimal)
        for context, amount, at in (*_spent(self.transfers()), *_leased(self.transfers())):
            for window in windows_at(at, CALENDARS):
                for scope, thing in context.references():
                    counted[scope, thing, window.key] += amount
        for (partition, _), sums in self.sums.items():
            id_ = counted_id(partition, sums.context)
            taken = [
                each
                for wallet in WALLETS
                for each in self.store.records(LEDGERS.name, partition_of(wallet), COUNTED_USAGE, CountedUsage)
                if each.id == id_
            ]
            newest = max(taken, key=lambda each: each.revision, default=None)
            for key, usage in ({} if newest is None else newest.windows).items():
                for scope, thing in sums.context.references():
                    counted[scope, thing, key] += usage.credits
        return counted

    def _admissions_fit(self, fresh: list[Transfer]) -> None:
        admitted = [each for each in fresh if each.type in ADMITTED and each.refusal is None]
        counted = self.counted() if admitted else {}
        for transfer in admitted:
            keys = {window.name: window.key for window in windows_at(transfer.time, CALENDARS)}
            for entry in transfer.entries:
                if transfer.type == "lease_extension":
                    continue  # in the windows of its lease
                for scope, window, limit in self._caps_of(entry.context):
                    thing = dict(entry.context.references())[cast("Any", scope)]
                    assert counted.get((scope, thing, keys[cast("Any", window)]), Decimal(0)) <= limit, (
                        f"law 5: no admission passes a hard cap ({scope} {thing})"
                    )

    def _refusals_are_true(self, fresh: list[Transfer]) -> None:
        """Of limits that name one thing."""
        limits: dict[str, tuple[str, str, str, Decimal]] = {"agent": ("agent", AGENT, "month", OF_AGENT)}
        limits |= {run_budget_id(run): ("run", run, "once", limit) for run, limit in self.limits.items()}
        for transfer in fresh:
            refusal = transfer.refusal
            if refusal is None or refusal.code != "limit_exceeded" or refusal.members["budget_id"] not in limits:
                continue
            scope, thing, window, limit = limits[refusal.members["budget_id"]]
            keys = {each.name: each.key for each in windows_at(transfer.time, CALENDARS)}
            used = self.counted().get((scope, thing, keys[cast("Any", window)]), Decimal(0))
            assert Decimal(refusal.members["left"]) == max(Decimal(0), limit - used), "law 15: refusals are true"

    def _is_told(self) -> bool:
        """Whether nothing of what moved in wallets that were left is still on its way."""
        waiting = [self.store._partition(LEDGERS.name, partition_of(wallet)) for wallet in WALLETS]
        return not any(kept.fields.get("effect") == COUNTERS_MOVED for items in waiting for kept in items.values())

    def _caps_of(self, context: Context) -> Iterator[tuple[str, str, Decimal]]:
        named = dict(context.references())
        for scope, window, limit in CAPS.values():
            if scope in named:
                yield scope, window, limit
        if context.run in self.limits:
            yield "run", "once", self.limits[context.run]

    async def _everything_is_exact(self, host: Application) -> None:
        transfers = self.transfers()
        doubled = [id_ for id_, number in Tally(transfer.id for transfer in transfers).items() if number > 1]
        assert not doubled, "law 7: one key, one effect"
        for (partition, _), sums in self.sums.items():
            assert self._taken(partition, sums) == sums.revision, "law 11: usage is counted"
        counted = self.counted()
        things = {(scope, thing) for scope, thing, _ in counted}
        ids = {counter_id(cast("Any", scope), CHILD, thing): (scope, thing) for scope, thing in things}
        _, wallet = await host.credits.paying.read(CHILD, Wanted(counters=frozenset(ids)))
        for id_, (scope, thing) in ids.items():
            for window in windows_at(self.now, CALENDARS):
                counter = wallet.counters.get(id_)
                total = Decimal(0) if counter is None else counter.spending("default", window).total
                plain = counted.get((scope, thing, window.key), Decimal(0))
                assert total == plain, f"law 11: counters are exact ({scope} {thing} {window.name}: {total} {plain})"
        payers = (await host.organizations.get(CHILD)).payers
        for wallet_id in WALLETS:
            for transfer in self._transfers_of(wallet_id):
                # A host behind pays from the wallet that follows.
                times = (transfer.time, transfer.time + timedelta(seconds=MOST_BEHIND))
                pays = {payers.at(time) or CHILD for time in times}
                is_spent = transfer.type in ("use", "reserve", "lease") and transfer.refusal is None
                assert not is_spent or wallet_id in pays, "the payer of its time pays"
            verified = await host.credits.verifications.request(
                named_id("ver", wallet_id), wallet_id, from_beginning=True
            )
            assert verified.ok, f"law 10: {verified.problems}"

    def _taken(self, partition: str, sums: MeteredSums) -> int:
        id_ = counted_id(partition, sums.context)
        return max(
            (
                each.revision
                for wallet in WALLETS
                for each in self.store.records(LEDGERS.name, partition_of(wallet), COUNTED_USAGE, CountedUsage)
                if each.id == id_
            ),
            default=0,
        )


def _spent(transfers: list[Transfer]) -> Iterator[tuple[Context, Decimal, datetime]]:
    """What uses and holds count, and refunds take off, each at its admission."""
    held: dict[str, Transfer] = {}
    by_id = {transfer.id: transfer for transfer in transfers}
    for transfer in transfers:
        if transfer.refusal is not None:
            continue
        match transfer.type:
            case "use":
                for entry in transfer.entries:
                    yield entry.context, entry.amount, transfer.time
            case "reserve":
                held[transfer.corrects or ""] = transfer
                yield transfer.entries[0].context, transfer.amount, transfer.time
            case "capture" | "release" | "hold_expiry":
                admitted = held[transfer.corrects or ""]
                kept = transfer.amount if transfer.type == "capture" else Decimal(0)
                yield admitted.entries[0].context, kept - admitted.amount, admitted.time
            case "refund":
                original = by_id[transfer.corrects or ""]
                at = held[original.corrects or ""].time if original.type == "capture" else original.time
                for entry in transfer.entries:
                    yield entry.context, -entry.amount, at
            case _:
                pass


def _leased(transfers: list[Transfer]) -> Iterator[tuple[Context, Decimal, datetime]]:
    """What leases count: the slice, or what was reported where they have ended or more was."""
    taken: dict[str, Transfer] = {}
    slices: dict[str, Decimal] = defaultdict(Decimal)
    reported: dict[str, Decimal] = defaultdict(Decimal)
    ended: set[str] = set()
    for transfer in transfers:
        lease_id = transfer.corrects or ""
        if transfer.refusal is not None:
            continue
        if transfer.type == "lease":
            taken[lease_id] = transfer
        if transfer.type in ("lease", "lease_extension"):
            slices[lease_id] += transfer.amount
        if transfer.type == "lease_settlement":
            reported[lease_id] += transfer.amount
            if transfer.answer["state"] == "ended":
                ended.add(lease_id)
    for lease_id, transfer in taken.items():
        counts = reported[lease_id] if lease_id in ended else max(slices[lease_id], reported[lease_id])
        yield transfer.entries[0].context, counts, transfer.time


Step = Callable[[PayerHistory, Application], Any]
STEPS: Mapping[Step, int] = {
    PayerHistory.use: 26,
    PayerHistory.reserve: 12,
    PayerHistory.resolve: 12,
    PayerHistory.lease: 5,
    PayerHistory.report: 6,
    PayerHistory.extend: 2,
    PayerHistory.refund: 5,
    PayerHistory.repeat: 12,
    PayerHistory.meter: 10,
    PayerHistory.limit_run: 4,
    PayerHistory.change_payer: 9,
    PayerHistory.pass_time: 18,
    PayerHistory.sweep: 4,
}


def tried(seeds: range, steps: int = 60) -> None:
    """Play random histories. Raises `AssertionError` with the seed of the first that breaks a law."""
    for seed in seeds:
        try:
            virtual_time.run(PayerHistory(Random(seed)).play(steps))
        except AssertionError as broken:
            raise AssertionError(f"history {seed}: {broken}") from broken
