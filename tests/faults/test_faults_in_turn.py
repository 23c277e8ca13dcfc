"""Each call to the store and the queue fails in turn, in each way that it can, in each path on which money depends:
after redelivery, what was counted and what was issued is exact. Every path is walked twice, on two hosts.
"""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from shared import json
from shared.bootstrap import Application, Ports
from shared.containers import CONTAINERS, DIRECTORY, INVOICES, LEDGERS, TENANTS
from shared.domain.access.accounts import Account, Membership, email_partition
from shared.domain.access.identity import Permission, Principal
from shared.domain.billing.invoicing import CreditNote, Invoice
from shared.domain.kernel.errors import (
    ConflictError,
    IdempotencyConflictError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from shared.domain.kernel.ids import fingerprint, named_id, new_id
from shared.domain.kernel.times import to_text
from shared.domain.metering.readings import CountAndSum
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.lines import Line
from shared.domain.usage.events import event_key
from shared.domain.usage.outcomes import Verification, outcome_id
from shared.http import Call, NoBody, Query, Reply
from shared.ports.queue import Message, Queue
from shared.ports.store import Document, Item, Operation, Store, StoreError
from shared.services.access.accounts import SignUp
from shared.services.agents.agents import AgentDraft
from shared.services.billing.invoice_runs import Task, read_task
from shared.services.storage.idempotency import Answer
from shared.services.storage.outbox import KIND
from shared.services.storage.retrying import retry_while_unavailable
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.events import ReportedEvent
from shared.services.usage.metering import Delivered
from shared.settings import Settings
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.fault_in_turn import (
    STALENESS,
    Fault,
    FaultInTurnQueue,
    FaultInTurnStore,
    RememberingStore,
    Script,
)
from tests.doubles.fakes.faulty_store import Faults, FaultyStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

ORGANIZATION = named_id("org", "faults")
MODEL = named_id("bm", "faults")
AGENT = named_id("agt", "faults")
SEAT_MODEL = named_id("bm", "seat")
SEAT = named_id("agt", "seat")
JOB = named_id("job", "faults")
JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
CLOSINGS = (datetime(2026, 4, 5, tzinfo=UTC), datetime(2026, 5, 10, tzinfo=UTC))
SETTINGS = Settings()
TRIES = 8
NOT_DONE = (UnavailableError, asyncio.CancelledError)
"""How a task ends that the broker delivers again, and a call that the client repeats."""

COMMANDS = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}
FEE = {"key": "seat", "type": "flat_fee", "amount": "28.00", "timing": "advance"}
"""In advance, so that an agent which ends within the month makes a credit note."""


def model(charge: dict[str, Any]) -> BillingModelDraft:
    return BillingModelDraft.model_validate(
        {"name": "Model", "currency": "USD", "effective_from": JANUARY, "charges": [charge]}
    )


def reported(id_: str, quantity: int, time: datetime | None) -> ReportedEvent:
    return ReportedEvent(
        index=0,
        id=id_,
        type="command",
        agent="a",
        source="test",
        time=time,
        run=None,
        data={"quantity": Decimal(quantity)},
        organization_id=ORGANIZATION,
    )


def january(id_: str, quantity: int) -> ReportedEvent:
    return reported(id_, quantity, datetime(2026, 1, 20, tzinfo=UTC))


def february(id_: str, quantity: int) -> ReportedEvent:
    return reported(id_, quantity, datetime(2026, 2, 10, tzinfo=UTC))


def march(id_: str, quantity: int) -> ReportedEvent:
    return reported(id_, quantity, datetime(2026, 3, 3, tzinfo=UTC))


@dataclass
class Scene:
    """An organization with a history: January was invoiced, then the shards became two, then February was used."""

    clock: SettableClock
    store: RememberingStore
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    redelivered: list[Message] = field(default_factory=list)
    """What is rated: long ago, and again on the path."""

    @classmethod
    async def prepared(cls) -> "Scene":
        clock = SettableClock(datetime(2026, 1, 10, tzinfo=UTC))
        scene = cls(clock, RememberingStore(clock))
        host = scene.host()
        draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", shard_count=1, grace_hours=0)
        await host.organizations.create(ORGANIZATION, draft)
        for name, agent_id, model_id, charge in (("a", AGENT, MODEL, COMMANDS), ("b", SEAT, SEAT_MODEL, FEE)):
            await host.billing_models.create(model_id, ORGANIZATION, model(charge))
            agent = AgentDraft(external_id=name, name=name, billing_model_id=model_id, billing_model_from=JANUARY)
            await host.agents.create(agent_id, ORGANIZATION, agent)
        clock.set(datetime(2026, 1, 21, tzinfo=UTC))
        await host.events.accept([january("j1", 4), january("j2", 4)], partial=False)
        scene.redelivered += scene.queue.waiting["usage"]
        await scene.come_to_rest()
        clock.set(datetime(2026, 2, 2, tzinfo=UTC))
        await host.invoice_runs.run(Task(organization_id=ORGANIZATION))
        await host.organizations.update(ORGANIZATION, {"shard_count": 2}, None)
        clock.set(datetime(2026, 2, 11, tzinfo=UTC))
        await host.events.accept([february("f1", 3), february("f2", 3)], partial=False)
        await scene.come_to_rest()
        clock.set(datetime(2026, 2, 14, 12, tzinfo=UTC))
        await host.agents.delete(ORGANIZATION, SEAT, None)
        clock.set(NOW)
        return scene

    def copy(self) -> "Scene":
        clock = SettableClock(self.clock.now())
        queue = MemoryQueue({name: list(waiting) for name, waiting in self.queue.waiting.items()})
        return Scene(clock, self.store.copy(clock), queue, list(self.redelivered))

    def host(self, script: Script | None = None) -> Application:
        """With a memory of its own; without a script nothing fails for it."""
        store: Store = FaultInTurnStore(self.store, script) if script else self.store
        queue: Queue = FaultInTurnQueue(self.queue, script) if script else self.queue
        return Application(Ports(store=store, queue=queue, clock=self.clock, secrets=NoSecrets()), SETTINGS)

    async def come_to_rest(self) -> None:
        """All is delivered, and swept until nothing is due any more."""
        host = self.host()
        for _ in range(4):
            await self._deliver_all(host)
            self.clock.move(timedelta(minutes=6))
            await host.outbox.sweep()
        await self._deliver_all(host)
        due = [await self.store.due(container, to_text(self.clock.now())) for container in CONTAINERS]
        assert not any(due)

    async def _deliver_all(self, host: Application) -> None:
        while any(self.queue.waiting.values()):
            usage, tasks = self.queue.waiting.pop("usage", []), self.queue.waiting.pop("invoices", [])
            await host.metering.meter(delivered(usage))
            for message in tasks:
                await host.invoice_runs.run(read_task(message.body))

    def state(self) -> Hashable:
        """All that hosts of later on can know."""
        waiting = tuple((name, tuple(messages)) for name, messages in sorted(self.queue.waiting.items()))
        return self.store.contents(), waiting, self.clock.now()

    async def documents(self, container: str, pk: str, kind: str) -> list[Document]:
        return [item.document for item in self.store.items_of(container, pk) if item.document["kind"] == kind]


def delivered(messages: list[Message]) -> list[Delivered]:
    return [Delivered(each.body, each.message_id, each.correlation_id) for each in messages]


@dataclass(frozen=True)
class Outcome:
    always: Any
    """What must be so whatever failed."""
    mostly: Any
    """What must be so unless something else happened meanwhile, or a read was stale: an invoice may then say what an
    other one would have said."""


ADA = "ada@example.com"


def signing_up(email: str) -> SignUp:
    return SignUp(
        email=email,
        password="correct horse battery staple",
        full_name="Ada",
        organization_name="New",
        currency="USD",
        timezone="UTC",
    )


async def assert_signed_up(scene: Scene) -> Account:
    """There is an account with one organization of its own, whose owner it is, and no other was made on the way."""
    host = scene.host()
    item = await scene.store.get(DIRECTORY.name, email_partition(ADA), "account")
    assert item is not None
    account = Account.read(item.document)
    organizations = (await host.organizations.list(1000, None))[0]
    own = [one for one in organizations if one.billing_email == ADA]
    assert [(one.id, one.name) for one in own] == [(account.organization_ids[0], "New")]
    assert await host.organizations.find(own[0].slug) == own[0].id
    members = await scene.documents(TENANTS.name, own[0].id, Membership.kind)
    assert [(member["id"], member["role"]) for member in members] == [(account.user_id, "owner")]
    slugs = [one.slug for one in organizations]
    assert len(slugs) == len(set(slugs))
    return account


class Path(ABC):
    """Something that is done, and what comes of it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    async def prepare(self) -> None:  # noqa: B027  most need nothing
        """Between the history and the path."""

    @abstractmethod
    async def walk(self, host: Application) -> None:
        """Safe to repeat as a whole; raises what the broker or the client repeats it for."""

    async def do_other(self, host: Application) -> None:
        """Usage of three months is rated."""
        queue = MemoryQueue()
        accepting = Application(Ports(self.scene.store, queue, self.scene.clock, NoSecrets()), SETTINGS)
        events = [january("j-other", 1), february("f-other", 1), march("m-other", 5)]
        await accepting.events.accept(events, partial=False)
        await host.metering.meter(delivered(queue.waiting["usage"]))

    async def outcome(self) -> Outcome:
        """All months are closed."""
        await self.scene.come_to_rest()
        await self.do_other(self.scene.host())
        for closing in CLOSINGS:
            self.scene.clock.set(closing)
            await self.scene.host().invoice_runs.run(Task(organization_id=ORGANIZATION))
        await self.scene.come_to_rest()
        documents = [*await issued(self.scene, Invoice, "INV"), *await issued(self.scene, CreditNote, "CN")]
        totals = [(document.number, document.total) for document, _ in documents]
        return Outcome((await counted(self.scene), billed(documents)), totals)


class Usage(Path):
    """Reports, rates or bills 4 units of January and 6 of March that were not known before, beside 4 that were."""

    known = (
        {"2026-01": (4, 13), "2026-02": (3, 7), "2026-03": (8, 15)},
        {"2026-01": Decimal("41.00"), "2026-02": Decimal("21.00"), "2026-03": Decimal("15.00")},
    )
    """Totals, and what is billed: the units, the seat for January whole and for February by half."""

    async def prepare(self) -> None:
        """Every shard has totals of March, written so recently that a read may not show them yet."""
        host = self.scene.host()
        await host.events.accept([march(f"m-early{number}", 1) for number in range(4)], partial=False)
        messages = self.scene.queue.waiting.pop("usage")
        assert len(messages) == 2
        await host.metering.meter(delivered(messages))

    async def outcome(self) -> Outcome:
        outcome = await super().outcome()
        totals, amounts = outcome.always
        assert (totals["months"], amounts) == self.known
        return outcome


class Accept(Usage):
    """A client reports usage of three months; one event has no time of its own."""

    async def walk(self, host: Application) -> None:
        self.scene.clock.move(timedelta(seconds=1))
        events = [january("j3", 4), march("m1", 1), march("m2", 2), reported("m3", 3, None)]
        await host.events.accept(events, partial=False)


class Rate(Usage):
    """A batch with late usage, usage that was rated long ago under fewer shards, and an identity used twice."""

    async def prepare(self) -> None:
        await super().prepare()
        host = self.scene.host()
        await host.events.accept([january("j3", 4), march("m1", 1), march("m2", 2), march("m3", 3)], partial=False)
        await host.events.accept([march("m1", 9)], partial=False)
        self.scene.redelivered += self.scene.queue.waiting.pop("usage")

    async def walk(self, host: Application) -> None:
        await host.metering.meter(delivered(self.scene.redelivered))


class AcceptForNewAgent(Path):
    """A client reports usage of an agent whose model and which itself were made a moment ago."""

    async def prepare(self) -> None:
        host = self.scene.host()
        model_id = named_id("bm", "new")
        await host.billing_models.create(model_id, ORGANIZATION, model(COMMANDS))
        draft = AgentDraft(external_id="new", name="New", billing_model_id=model_id, billing_model_from=JANUARY)
        await host.agents.create(named_id("agt", "new"), ORGANIZATION, draft)

    async def walk(self, host: Application) -> None:
        try:
            await host.events.accept(self._events(), partial=False)
        except ValidationError as error:
            raise UnavailableError("The client knows that there is such an agent") from error

    def _events(self) -> list[ReportedEvent]:
        return [replace(each, agent="new") for each in (january("j3", 4), march("m1", 1), march("m2", 2))]


class RateForNewAgent(AcceptForNewAgent):
    """A host that knows neither the agent nor its model rates what another accepted."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.scene.host().events.accept(self._events(), partial=False)
        self.scene.redelivered += self.scene.queue.waiting.pop("usage")

    async def walk(self, host: Application) -> None:
        await host.metering.meter(delivered(self.scene.redelivered))


class CatchUp(Usage):
    """What the timer starts: February is invoiced, January corrected."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.scene.host().events.accept(
            [january("j3", 4), march("m1", 1), march("m2", 2), march("m3", 3)], partial=False
        )
        await self.scene.host().metering.meter(delivered(self.scene.queue.waiting.pop("usage")))

    async def walk(self, host: Application) -> None:
        await host.invoice_runs.run(Task(organization_id=ORGANIZATION))


class RunOnRequest(CatchUp):
    """The same as a job: requested by a client, fanned out and done through the queue."""

    async def walk(self, host: Application) -> None:
        await host.invoice_runs.request(JOB, ORGANIZATION, "2026-02", finalize=True)
        while self.scene.queue.waiting.get("invoices"):
            message = self.scene.queue.waiting["invoices"][0]
            await host.invoice_runs.run(read_task(message.body))
            self.scene.queue.waiting["invoices"] = [
                each for each in self.scene.queue.waiting["invoices"] if each is not message
            ]


class BlindToOutbox(FaultyStore):
    """Its reads do not show an outbox entry yet, so that what was to be done at once is left for the sweep."""

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        return None if id.startswith(KIND) else await super().get(container, pk, id)


class Sweep(Usage):
    """What the timer does: late usage moves its period, and an agent that starts in the past every one since then; a
    sign-up and a job were cut short.
    """

    async def prepare(self) -> None:
        await super().prepare()
        blind = BlindToOutbox(self.scene.store, self.scene.clock, random.Random(1))
        host = Application(Ports(blind, self.scene.queue, self.scene.clock, NoSecrets()), SETTINGS)
        await host.events.accept([january("j3", 4), march("m1", 1), march("m2", 2), march("m3", 3)], partial=False)
        await host.metering.meter(delivered(self.scene.queue.waiting.pop("usage")))
        draft = AgentDraft(external_id="c", name="c", billing_model_id=MODEL, billing_model_from=JANUARY)
        await host.agents.create(named_id("agt", "late"), ORGANIZATION, draft)
        with suppress(asyncio.CancelledError):
            await self.scene.host(Script(1, Fault.DIES_AFTER)).accounts.sign_up(signing_up(ADA))
        refusing = FaultInTurnQueue(self.scene.queue, Script(1, Fault.BEFORE))
        host = Application(Ports(self.scene.store, refusing, self.scene.clock, NoSecrets()), SETTINGS)
        with suppress(UnavailableError):
            await host.invoice_runs.request(JOB, ORGANIZATION, "2026-02", finalize=True)
        self.scene.clock.move(timedelta(seconds=10))

    async def walk(self, host: Application) -> None:
        """Twice, as the timer does: at first not everything is due."""
        await host.outbox.sweep()
        self.scene.clock.move(timedelta(minutes=2))
        await host.outbox.sweep()

    async def outcome(self) -> Outcome:
        outcome = await super().outcome()
        await assert_signed_up(self.scene)
        _, done, _ = await self.scene.host().invoice_runs.job(JOB)
        return Outcome((outcome.always, done), outcome.mostly)


class ParkedUsage(Usage):
    """The same usage was parked, as the agent was not to be found; then it was."""

    async def prepare(self) -> None:
        await super().prepare()
        host = self.scene.host()
        await host.events.accept([january("j3", 4), march("m1", 1), march("m2", 2), march("m3", 3)], partial=False)
        hidden = await self.scene.store.get(TENANTS.name, ORGANIZATION, AGENT)
        assert hidden is not None
        await self.scene.store.delete(TENANTS.name, ORGANIZATION, AGENT)
        await self.scene.host().metering.meter(delivered(self.scene.queue.waiting.pop("usage")))
        await self.scene.store.create(TENANTS.name, ORGANIZATION, hidden.document)
        assert len(await self.parked(host)) == 4
        self.scene.clock.move(timedelta(minutes=1))

    async def parked(self, host: Application) -> list[str]:
        page, _ = await host.parked_events.page(ORGANIZATION, "parked", 100, None)
        return [each.id for each in page]

    async def replay(self, host: Application) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        await host.parked_events.replay(organization, await self.parked(host), "usr_1")

    async def discard(self, host: Application) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        for id_ in await self.parked(host):
            with suppress(ConflictError):  # it has been rated, or is being changed; then it is shown again
                await host.parked_events.discard(organization, id_, "Not wanted", "usr_1")

    async def deliver(self, host: Application) -> None:
        while waiting := self.scene.queue.waiting.get("usage"):
            message = waiting[0]
            await host.metering.meter(delivered([message]))
            self.scene.queue.waiting["usage"] = [
                each for each in self.scene.queue.waiting["usage"] if each is not message
            ]


class Replay(ParkedUsage):
    """An operator replays it, until nothing is parked any more."""

    async def walk(self, host: Application) -> None:
        await self.replay(host)
        await self.deliver(host)

    async def outcome(self) -> Outcome:
        host = self.scene.host()
        await self.walk(host)  # closes what was found rated
        assert await self.parked(host) == []
        statuses = await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:parked:0", "rated")
        assert len(statuses) == 4
        return await super().outcome()


class DiscardWhileReplayed(ParkedUsage):
    """An operator replays it; another discards it while it is on its way, and a third replays what is still there."""

    quantities: ClassVar = {"j3": 4, "m1": 1, "m2": 2, "m3": 3}

    async def walk(self, host: Application) -> None:
        await self.replay(host)
        await self.discard(host)
        await self.deliver(host)

    async def do_other(self, host: Application) -> None:
        """It is replayed, and what is on its way is rated."""
        await self.replay(host)
        await self.deliver(host)

    async def outcome(self) -> Outcome:
        """Each event is either rated or discarded, its entry says which, and it counts where it is rated."""
        await self.scene.come_to_rest()
        host = self.scene.host()
        await self.replay(host)
        await self.deliver(host)
        await self.discard(host)
        assert await self.parked(host) == []
        found = await counted(self.scene)
        entries = {
            kind: {
                json.decode(entry["subject"])["id"]
                for entry in await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:parked:0", kind)
            }
            for kind in ("rated", "discarded")
        }
        assert entries["rated"] | entries["discarded"] == set(self.quantities)
        assert entries["rated"] & entries["discarded"] == set()
        assert entries["rated"] == set(self.quantities) & set(found["events"])
        march_rated = [self.quantities[id_] for id_ in entries["rated"] if id_.startswith("m")]
        assert found["months"] == {
            "2026-01": (3, 12) if "j3" in entries["rated"] else (2, 8),
            "2026-02": (2, 6),
            "2026-03": (4 + len(march_rated), 4 + sum(march_rated)),
        }
        return Outcome(None, entries)


RESOLVED = {
    "key": "resolved",
    "type": "outcome",
    "meter": {"event_type": "outcome.resolved"},
    "pricing": {"type": "percentage", "rate": "10", "free_events": 1, "minimum_per_event": "2"},
}
OUTCOMES = {"j-first": JANUARY, "j-second": JANUARY, "f-first": FEBRUARY, "m-first": MARCH, "m-second": MARCH}


class DecideOutcomes(Path):
    """Outcomes of three months, two of which have ended, one of these long ago; where a read lags behind so far that a
    decision is refused, the client tries again.
    """

    by = Principal("usr_1", None, frozenset(Permission))
    expected: ClassVar[dict[str, str]]
    """What has become of each outcome."""
    due: ClassVar[dict[str, Decimal]]
    """The units, the seat, and the outcomes but for the first of each month."""

    async def prepare(self) -> None:
        host = self.scene.host()
        model_id = named_id("bm", "outcomes")
        await host.billing_models.create(model_id, ORGANIZATION, model(RESOLVED))
        draft = AgentDraft(external_id="r", name="r", billing_model_id=model_id, billing_model_from=JANUARY)
        await host.agents.create(named_id("agt", "outcomes"), ORGANIZATION, draft)
        await self._report(host, OUTCOMES)

    async def _report(self, host: Application, outcomes: Mapping[str, datetime]) -> None:
        queue = MemoryQueue()
        accepting = Application(Ports(self.scene.store, queue, self.scene.clock, NoSecrets()), SETTINGS)
        events = [
            replace(
                reported(name, 0, month + timedelta(days=1 + number % 2)),
                type="outcome.resolved",
                agent="r",
                data={"value": Decimal(50)},
            )
            for number, (name, month) in enumerate(outcomes.items())
        ]
        await accepting.events.accept(events, partial=False)
        await host.metering.meter(delivered(queue.waiting["usage"]))

    async def do_other(self, host: Application) -> None:
        """More of the same agent is rated in these months, and one of it verified."""
        await super().do_other(host)
        await self._report(host, {"j-more": JANUARY, "m-more": MARCH})
        await self.decide(host, "verify", "m-more")

    async def decide(self, host: Application, decision: str, *names: str) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        ids = [outcome_id(event_key(ORGANIZATION, "test", name)) for name in names]
        if decision == "verify":
            results = list((await host.outcomes.verify(organization, ids, Verification(), self.by)).values())
        else:
            results = [await host.outcomes.reverse(organization, id_, "Refunded", self.by) for id_ in ids]
        for result in results:
            if isinstance(result, ConflictError | NotFoundError) and "outcome" in result.detail:
                raise UnavailableError("The client knows better") from result
            assert not isinstance(result, Exception), result

    async def outcome(self) -> Outcome:
        outcome = await super().outcome()
        shards = [
            await self.scene.documents(LEDGERS.name, f"{ORGANIZATION}:usage:{shard}", "outcome") for shard in (0, 1)
        ]
        statuses = {each["event_id"]: each["status"] for kept in shards for each in kept}
        assert statuses == self.expected | {"j-more": "pending", "m-more": "verified"}
        _, amounts = outcome.always
        assert amounts == self.due
        return Outcome((outcome.always, await self._totals()), outcome.mostly)

    async def _totals(self) -> dict[str, Any]:
        """What repairing them would have to find."""
        found: dict[str, Any] = {}
        for month in (JANUARY, FEBRUARY, MARCH):
            for total in await self.scene.host().usage.totals(ORGANIZATION, 2, month):
                document = total.totals.document()
                found[f"{month:%Y-%m} {total.key.agent_id}"] = document["meters"]
        return found


class VerifyOutcomes(DecideOutcomes):
    expected = dict.fromkeys(OUTCOMES, "verified")
    due: ClassVar = {"2026-01": Decimal("42.00"), "2026-02": Decimal("21.00"), "2026-03": Decimal("15.00")}

    async def walk(self, host: Application) -> None:
        await self.decide(host, "verify", *OUTCOMES)


class ReverseOutcomes(DecideOutcomes):
    """One that was billed, and one that was the free one of its month: another is not free instead."""

    expected: ClassVar = {
        "j-first": "verified",
        "j-second": "reversed",
        "f-first": "verified",
        "m-first": "verified",
        "m-second": "reversed",
    }
    due: ClassVar = {"2026-01": Decimal("37.00"), "2026-02": Decimal("21.00"), "2026-03": Decimal("15.00")}

    async def prepare(self) -> None:
        await super().prepare()
        await self.decide(self.scene.host(), "verify", *OUTCOMES)

    async def walk(self, host: Application) -> None:
        await self.decide(host, "reverse", "j-second", "m-second")


class SignUpPath(Path):
    """Somebody signs up; another takes the same name for an organization at the same time."""

    async def walk(self, host: Application) -> None:
        await self._sign_up(host, ADA)

    async def do_other(self, host: Application) -> None:
        await self._sign_up(host, "bob@example.com")

    async def _sign_up(self, host: Application, email: str) -> None:
        with suppress(ConflictError):  # it was made, and who made it signs in
            await host.accounts.sign_up(signing_up(email))

    async def outcome(self) -> Outcome:
        await self.scene.come_to_rest()
        account = await assert_signed_up(self.scene)
        made = await self.scene.host().organizations.get(account.organization_ids[0])
        return Outcome(account.status, made.slug)


class CreateApiKey(Path):
    """A client makes an API key; where its token was lost on the way, it deletes the key and makes another."""

    creator = Principal("usr_1", ORGANIZATION, frozenset(Permission))

    key_id = named_id("key", "new")
    token = ""

    async def walk(self, host: Application) -> None:
        try:
            self.token = await self._create(host, self.key_id)
        except ConflictError as error:
            with suppress(NotFoundError):
                await host.api_keys.delete(ORGANIZATION, self.key_id, None)
            raise UnavailableError("The client begins anew") from error

    async def do_other(self, host: Application) -> None:
        await self._create(host, named_id("key", "other"))

    async def _create(self, host: Application, key_id: str) -> str:
        _, token = await host.api_keys.create(
            key_id,
            organization_id=ORGANIZATION,
            name="Key",
            scopes=(Permission.EVENTS_WRITE,),
            expires_at=None,
            creator=self.creator,
        )
        return token

    async def outcome(self) -> Outcome:
        """The token works, and each key that works is listed."""
        await self.scene.come_to_rest()
        host = self.scene.host()
        principal = await host.authentication.authenticate(self.token, for_events=False)
        documents = [item.document for item in (await host.api_keys.page(ORGANIZATION, 100, None)).items]
        listed = {document["fingerprint"] for document in documents}
        working = {
            item.document["key"]["fingerprint"]
            for pk in self.scene.store.partitions_of(DIRECTORY.name)
            if (item := await self.scene.store.get(DIRECTORY.name, pk, "key"))
        }
        assert working <= listed
        assert await host.owners.of(self.key_id) == ORGANIZATION
        own = [document for document in documents if document["id"] != named_id("key", "other")]
        return Outcome((principal.id == self.key_id, len(own)), None)


class CreateAgent(Path):
    """A client creates an agent on a model, from the beginning of the year."""

    agent_id = named_id("agt", "new")

    async def walk(self, host: Application) -> None:
        await self._create(host, self.agent_id, "new")

    async def do_other(self, host: Application) -> None:
        await self._create(host, named_id("agt", "other"), "other")

    async def _create(self, host: Application, agent_id: str, name: str) -> None:
        draft = AgentDraft(external_id=name, name=name, billing_model_id=MODEL, billing_model_from=JANUARY)
        made, _ = await host.agents.create(agent_id, ORGANIZATION, draft)
        assert made.id == agent_id

    async def outcome(self) -> Outcome:
        base = await super().outcome()
        host = self.scene.host()
        found = await host.agents.resolve(ORGANIZATION, {"new", "other", self.agent_id})
        owner = await host.owners.of(self.agent_id)
        return Outcome((base.always, {name: agent.id for name, agent in found.items()}, owner), base.mostly)


class CreateModel(Path):
    """A client creates a billing model."""

    model_id = named_id("bm", "new")

    async def walk(self, host: Application) -> None:
        made, version, _ = await host.billing_models.create(self.model_id, ORGANIZATION, model(COMMANDS))
        assert (made.id, version.number) == (self.model_id, 1)

    async def outcome(self) -> Outcome:
        base = await super().outcome()
        made, _ = await self.scene.host().billing_models.get_item(ORGANIZATION, self.model_id)
        owner = await self.scene.host().owners.of(self.model_id)
        return Outcome((base.always, made, owner), base.mostly)


class CreateOrganization(Path):
    """A client creates an organization that takes its slug from its name, as another one does."""

    organization_id = named_id("org", "new")

    async def walk(self, host: Application) -> None:
        await self._create(host, self.organization_id)

    async def do_other(self, host: Application) -> None:
        await self._create(host, named_id("org", "other"))

    async def _create(self, host: Application, organization_id: str) -> None:
        draft = OrganizationDraft(name="New", currency="USD", timezone="UTC", external_id=organization_id)
        made = await host.organizations.create(organization_id, draft)
        assert made.id == organization_id

    async def outcome(self) -> Outcome:
        await self.scene.come_to_rest()
        host = self.scene.host()
        made = await host.organizations.get(self.organization_id)
        found = [await host.organizations.find(name) for name in (made.id, made.slug, made.external_id or "")]
        listed = [one.id for one in (await host.organizations.list(1000, None))[0]]
        assert listed.count(made.id) == 1
        claims = [
            item.document["organization_id"]
            for slug in self.scene.store.partitions_of(DIRECTORY.name)
            if slug.startswith("slug:") and (item := await self.scene.store.get(DIRECTORY.name, slug, "organization"))
        ]
        return Outcome((found, claims.count(made.id)), made.slug)


class UseOneKeyTwice(Path):
    """Two requests under one Idempotency-Key: each makes an organization. The second comes whatever became of the
    first, also where that is not known.
    """

    operator = Principal("usr_1", None, frozenset(Permission))

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.answers: list[bytes] = []

    async def walk(self, host: Application) -> None:
        try:
            await self._request(host, "First")
        finally:
            await self._request(host, "Second")

    async def do_other(self, host: Application) -> None:
        await self._request(host, "Second")

    async def _request(self, host: Application, name: str) -> None:
        call = self._call(host, name)

        async def act() -> Answer:
            draft = OrganizationDraft(name=name, currency="USD", timezone="UTC")
            made = await host.organizations.create(call.new_id("org"), draft)
            return Reply({"id": made.id, "answer": new_id("answer")}).answer()

        with suppress(IdempotencyConflictError):
            answer = await host.idempotency.once(owner=None, key="key", request_hash=call.request_hash, act=act)
            self.answers.append(answer.body)

    def _call(self, host: Application, name: str) -> Call[NoBody, Query]:
        return Call(
            services=host,
            principal=self.operator,
            body=NoBody(),
            query=Query(),
            path={},
            headers={},
            now=self.scene.clock.now(),
            if_match=None,
            idempotency_key="key",
            request_hash=fingerprint(name),
        )

    async def outcome(self) -> Outcome:
        """One thing was made, whichever request came first, and everyone who was answered was told the same of it."""
        await self.scene.come_to_rest()
        host = self.scene.host()
        await until_done(self, host)
        (answer,) = set(self.answers)
        listed = (await host.organizations.list(1000, None))[0]
        (made,) = [one for one in listed if one.name in ("First", "Second")]
        assert json.decode(answer)["id"] == made.id
        return Outcome(None, None)


async def counted(scene: Scene) -> dict[str, Any]:
    """Totals by month, the recorded events with how often each is there, and how many are parked."""
    host = scene.host()
    months: dict[str, tuple[Decimal, Decimal]] = {}
    for month in (JANUARY, FEBRUARY, MARCH):
        count = total = Decimal(0)
        for each in await host.usage.totals(ORGANIZATION, 2, month):
            reading = each.totals.reading("commands") or CountAndSum()
            assert isinstance(reading, CountAndSum)
            count += reading.count
            total += reading.sum
        months[f"{month:%Y-%m}"] = (count, total)
    shards = [await scene.documents(LEDGERS.name, f"{ORGANIZATION}:usage:{shard}", "event") for shard in range(2)]
    parked = await scene.documents(LEDGERS.name, f"{ORGANIZATION}:parked:0", "parked")
    return {
        "months": months,
        "events": sorted(event["event_id"] for events in shards for event in events),
        "parked": [item["reason"] for item in parked],
    }


Documents = list[tuple[Invoice | CreditNote, list[Line]]]


async def issued(scene: Scene, kind: type[Invoice | CreditNote], series: str) -> Documents:
    """With their lines; the numbers have no gap, and nothing is left as a draft."""
    host = scene.host()
    read = [kind.read(found) for found in await scene.documents(INVOICES.name, ORGANIZATION, kind.kind)]
    read.sort(key=lambda document: document.number or "")
    numbers = [document.number for document in read]
    assert numbers == [f"{series}-ACME-2026-{number:06d}" for number in range(1, len(numbers) + 1)]
    return [(each, await host.invoices.lines(ORGANIZATION, each.id, each.lines_hash, each.line_count)) for each in read]


def billed(documents: Documents) -> dict[str, Decimal]:
    """By month, over all documents; each of these adds up."""
    amounts: dict[str, Decimal] = {}
    for document, lines in documents:
        assert document.total == sum(line.amount for line in lines)
        for line in lines:
            month = f"{line.period.start:%Y-%m}"
            amounts[month] = amounts.get(month, Decimal(0)) + line.amount
    return amounts


PATHS: dict[str, type[Path]] = {
    "accept": Accept,
    "rate": Rate,
    "accept for a new agent": AcceptForNewAgent,
    "rate for a new agent": RateForNewAgent,
    "issue what is due": CatchUp,
    "issue on request": RunOnRequest,
    "sweep the outbox": Sweep,
    "replay": Replay,
    "discard while it is replayed": DiscardWhileReplayed,
    "verify outcomes": VerifyOutcomes,
    "reverse outcomes": ReverseOutcomes,
    "sign up": SignUpPath,
    "create an API key": CreateApiKey,
    "create an agent": CreateAgent,
    "create a billing model": CreateModel,
    "create an organization": CreateOrganization,
    "use one idempotency key twice": UseOneKeyTwice,
}
LENIENT = {*STALENESS, Fault.OTHER_MEANWHILE}


async def walked(path: Path, script: Script, known: dict[Hashable, Outcome]) -> Outcome:
    """Twice, by two hosts, as if the first had not been able to say that it was done.

    Most faults leave no trace: where it ends as it did before, so does what comes of it, which is `known` then.
    """

    async def meanwhile(fault: Fault) -> None:
        another = path.scene.host()
        await (until_done(path, another) if fault is Fault.SAME_MEANWHILE else path.do_other(another))

    script.meanwhile = meanwhile
    for host in (path.scene.host(script), path.scene.host(script)):
        await until_done(path, host)
    kept_by_client = repr({name: value for name, value in vars(path).items() if value is not path.scene})
    state = (path.scene.state(), kept_by_client)
    if state not in known:
        known[state] = await path.outcome()
    return known[state]


async def until_done(path: Path, host: Application) -> None:
    for _ in range(TRIES):
        with suppress(*NOT_DONE):
            return await path.walk(host)
    raise AssertionError("It is never done")


@pytest.mark.parametrize("name", PATHS)
def test_whatever_call_fails_in_whatever_way_the_outcome_is_exact(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.CRITICAL, "shared")  # to print a thousand warnings takes most of the time
    hash_quickly(monkeypatch)  # as well
    random.seed(1)  # jitter
    kind = PATHS[name]
    scene = virtual_time.run(prepared(kind))
    known: dict[Hashable, Outcome] = {}

    def played(script: Script) -> Outcome:
        return virtual_time.run(walked(kind(scene.copy()), script, known))

    unharmed = Script()
    expected = played(unharmed)
    cases = [
        (number, call, fault)
        for number, (call, possible) in enumerate(unharmed.calls, 1)
        for fault in Fault
        if fault in possible
    ]
    wrong: list[str] = []
    for number, call, fault in cases:
        case = f"{fault.name} at call {number}, {call}"
        try:
            found = played(Script(number, fault))
        except Exception as error:  # noqa: BLE001  all cases are tried
            wrong.append(f"{case}: {error!r}")
            continue
        if found.always != expected.always:
            wrong.append(f"{case}: {found.always}")
        elif fault not in LENIENT and found.mostly != expected.mostly:
            wrong.append(f"{case}: {found.mostly}")
    print(f"{name}: {len(unharmed.calls)} calls, {len(cases)} cases, {len(known)} ends, {len(wrong)} wrong")  # noqa: T201  figures
    assert not wrong, "\n".join(wrong)


async def prepared(kind: type[Path]) -> Scene:
    scene = await Scene.prepared()
    await kind(scene).prepare()
    return scene


def test_a_sweep_that_lags_behind_undoes_nothing_that_came_later() -> None:
    virtual_time.run(completed_late())


async def completed_late() -> None:
    """The sweep was shown a sign-up as it was before it was complete."""
    scene = await Scene.prepared()
    with suppress(asyncio.CancelledError):
        await scene.host(Script(1, Fault.DIES_AFTER)).accounts.sign_up(signing_up(ADA))
    begun = await scene.store.get(DIRECTORY.name, email_partition(ADA), "account")
    assert begun is not None
    await scene.host().accounts.complete_due(begun)
    account = await assert_signed_up(scene)
    disabled = account.changed(status="disabled").document()
    await scene.store.upsert(DIRECTORY.name, email_partition(ADA), disabled)
    member = Membership(id=account.user_id, role="viewer", joined_at=NOW).document()
    await scene.store.upsert(TENANTS.name, account.organization_ids[0], member)
    await scene.host().accounts.complete_due(begun)
    kept = await scene.store.get(DIRECTORY.name, email_partition(ADA), "account")
    assert kept is not None
    assert kept.document == disabled
    assert await scene.documents(TENANTS.name, account.organization_ids[0], Membership.kind) == [member]


# Two raters at once


class ContestedStore(FaultyStore):
    """Counts the batches that lost against another."""

    lost = 0

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        try:
            return await super().batch(container, pk, operations)
        except StoreError:
            self.lost += 1
            raise


def test_two_raters_of_one_session_count_each_event_once() -> None:
    """As after a lock that expired while its holder still worked."""
    lost = sum(virtual_time.run(rated_by_two(seed)) for seed in range(20))
    print(f"two raters: {lost} batches lost against the other's, in 20 rounds")  # noqa: T201  figures
    assert lost > 20


async def rated_by_two(seed: int) -> int:
    """How many batches lost against the other rater's."""
    random.seed(seed)  # jitter
    scene = await Scene.prepared()
    await scene.host().events.accept([march(f"m{number}", number) for number in range(1, 151)], partial=False)
    await scene.host().events.accept([january("j3", 4)], partial=False)
    messages = delivered([*scene.redelivered, *scene.queue.waiting.pop("usage")])
    stores = [
        ContestedStore(scene.store, scene.clock, random.Random(2 * seed + number), Faults(pauses=4))
        for number in range(2)
    ]

    async def rate(store: Store) -> None:
        rater = Application(Ports(store, scene.queue, scene.clock, NoSecrets()), SETTINGS)
        await retry_while_unavailable(lambda: rater.metering.meter(messages))

    await asyncio.gather(*(rate(store) for store in stores))
    found = await counted(scene)
    assert found["months"] == {"2026-01": (3, 12), "2026-02": (2, 6), "2026-03": (150, sum(range(1, 151)))}
    assert found["events"] == sorted(["f1", "f2", "j1", "j2", "j3", *(f"m{number}" for number in range(1, 151))])
    assert found["parked"] == []
    return sum(store.lost for store in stores)


# An outage

OUTAGE = (10.0, 70.0)
LOAD_SECONDS = 90
REQUESTS_PER_SECOND = 4
EVENTS_PER_REQUEST = 5
MAXIMUM_DELIVERIES = 100
ANSWER_SECONDS = 0.005
TIME_OUT_SECONDS = 2.0


class LoopClock:
    """The time of the event loop as the time of day."""

    def now(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())


class StoreWithOutage(FaultyStore):
    """Answers after a moment; during the outage not at all, until the caller gives up."""

    async def _before(self) -> None:
        if OUTAGE[0] <= asyncio.get_running_loop().time() < OUTAGE[1]:
            await asyncio.sleep(TIME_OUT_SECONDS)
            raise UnavailableError("The store does not answer")
        await asyncio.sleep(ANSWER_SECONDS)


@dataclass
class SessionBroker:
    """Delivers each session's messages in batches, one batch at a time, again at once where the receiver fails; counts
    deliveries as Service Bus does, and gives up on a message after the maximum.
    """

    receive: Callable[[list[Message]], Awaitable[None]]
    waiting: dict[str, list[tuple[Message, int]]] = field(default_factory=dict)
    """By session, each message with how often it was delivered in vain."""
    dead: list[Message] = field(default_factory=list)
    most_deliveries: int = 0
    _arrived: dict[str, asyncio.Event] = field(default_factory=dict)
    _receivers: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        assert queue == "usage"
        for message in messages:
            session = message.session_id
            if session not in self.waiting:
                self.waiting[session], self._arrived[session] = [], asyncio.Event()
                self._receivers.add(asyncio.create_task(self._deliver(session)))
            self.waiting[session].append((message, 0))
            self._arrived[session].set()

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:  # noqa: ARG002  the port's signature
        return sum(message.count for session in session_ids for message, _ in self.waiting.get(session, []))

    async def _deliver(self, session: str) -> None:
        while True:
            await self._arrived[session].wait()
            batch = self.waiting[session][:64]
            self.most_deliveries = max(self.most_deliveries, *(failures + 1 for _, failures in batch))
            again: list[tuple[Message, int]] = []
            try:
                await self.receive([message for message, _ in batch])
            except UnavailableError:
                failed = [(message, failures + 1) for message, failures in batch]
                self.dead += [message for message, failures in failed if failures >= MAXIMUM_DELIVERIES]
                again = [each for each in failed if each[1] < MAXIMUM_DELIVERIES]
            self.waiting[session][: len(batch)] = again
            if not self.waiting[session]:
                self._arrived[session].clear()

    async def until_empty(self) -> None:
        while any(self.waiting.values()):  # noqa: ASYNC110  of virtual time
            await asyncio.sleep(1)
        for receiver in self._receivers:
            receiver.cancel()


def test_an_outage_of_the_store_under_load_sends_nothing_to_the_dead_letters() -> None:
    virtual_time.run(through_an_outage())


async def through_an_outage() -> None:
    random.seed(1)  # jitter
    scene = await Scene.prepared()
    clock = LoopClock()
    store = StoreWithOutage(scene.store, clock, random.Random(1))
    rater = Application(Ports(store, scene.queue, clock, NoSecrets()), SETTINGS)
    broker = SessionBroker(lambda messages: retry_while_unavailable(lambda: rater.metering.meter(delivered(messages))))
    accepting = Application(Ports(store, broker, clock, NoSecrets()), SETTINGS)
    refused = 0

    async def report(request: int) -> None:
        nonlocal refused
        await asyncio.sleep(request / REQUESTS_PER_SECOND)
        first = request * EVENTS_PER_REQUEST
        events = [march(f"m{first + number}", 1) for number in range(EVENTS_PER_REQUEST)]
        while True:
            try:
                await accepting.events.accept(events, partial=False)
            except UnavailableError as error:
                refused += 1
                await asyncio.sleep(error.retry_after)
            else:
                return

    requests = LOAD_SECONDS * REQUESTS_PER_SECOND
    await asyncio.gather(*(report(request) for request in range(requests)))
    await broker.until_empty()
    count = requests * EVENTS_PER_REQUEST
    print(  # noqa: T201  figures for the report
        f"{count} events, {refused} requests refused and repeated, at most {broker.most_deliveries} deliveries, "
        f"all rated at {asyncio.get_running_loop().time():.1f} s"
    )
    assert broker.dead == []
    assert broker.most_deliveries > 1
    found = await counted(scene)
    assert found["months"]["2026-03"] == (count, count)
    assert found["events"] == sorted(["f1", "f2", "j1", "j2", *(f"m{number}" for number in range(count))])
    assert found["parked"] == []
