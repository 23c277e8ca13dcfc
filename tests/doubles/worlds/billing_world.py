"""Plays a history with faults on the real services, until all is at rest."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from shared.bootstrap import Application, Ports
from shared.containers import LEDGERS, TENANTS
from shared.domain.access.accounts import Membership
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import (
    ConflictError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
    ValidationError,
    XyraError,
)
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import to_text
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import content_hash, event_key, with_derived_fields
from shared.domain.usage.outcomes import Verification, outcome_id
from shared.ports.clock import Clock
from shared.ports.queue import Message
from shared.ports.store import Document, Store
from shared.services.agents.agents import AgentDraft
from shared.services.billing.invoice_runs import Task, read_task
from shared.services.storage.audit.keys import SECRET_NAME
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.metering import Delivered
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes.faulty_store import QUIET, Faults, FaultyStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_steps import (
    ChangeOrganization,
    CreateAgent,
    CreateModel,
    Decide,
    DeleteAgent,
    DeleteOrganization,
    History,
    MoveAgent,
    PublishVersion,
    Report,
    RunInvoices,
    Sent,
    Step,
    Wait,
)

T = TypeVar("T")

STORM = Faults(unavailable=0.02, unknown=0.03, crash=0.01, lagging=0.15, pauses=3)
SOURCE = "test"
_TRIES = 1000
_NOT_DONE = (UnavailableError, asyncio.CancelledError)
"""Ends of a task after which the broker delivers its message again."""
_HOSTS = 3


class NoSecrets:
    """Has only the key of the audit trail, without which nothing can be changed. All hosts have the same."""

    async def get(self, name: str) -> str:
        if name == SECRET_NAME:
            return json.dumps({"keys": [{"id": "test", "key": base64.b64encode(bytes(32)).decode()}]})
        raise NotFoundError(f"There is no secret {name}")

    async def set_if_absent(self, name: str, value: str) -> str:  # noqa: ARG002  the port's signature
        return value


@dataclass(frozen=True, slots=True)
class Variant:
    """What may differ between repeats of one event: its time, and the hash of its content."""

    time: str
    content: str


class World:
    """One organization, its history, and the hosts that serve it.

    Each host remembers what it has seen.
    """

    def __init__(
        self,
        history: History,
        faults: Faults,
        faulty: type[FaultyStore] = FaultyStore,
        stored: Callable[[Clock], Store] = lambda _: MemoryStore(),
    ) -> None:
        self.history = history
        self.clock = SettableClock(history.steps[0].at)
        self.store = stored(self.clock)
        self.queue = MemoryQueue()
        self.organization_id = named_id("org", history.seed)
        self.decisions: list[tuple[Decide, str]] = []
        """The decisions in their order, each with the key of the event."""
        self.accepted: dict[str, set[Variant]] = {}
        """All variants of each event that were acknowledged, by event key."""
        self._storm = faults
        self._calm = faults == QUIET
        self._random = Random(history.seed)
        self._faulty = faulty(self.store, self.clock, Random(history.seed + 1))
        self._hosts = [self._host(self._faulty) for _ in range(_HOSTS)]
        self.observer = self._host(self.store)
        """A host whose store never fails: it sees what is stored."""

    def _host(self, store: Any) -> Application:
        ports = Ports(store=store, queue=self.queue, clock=self.clock, secrets=NoSecrets())
        return Application(ports, Settings(invoice_grace_hours=self.history.grace_hours))

    @property
    def _anyone(self) -> Application:
        return self._hosts[0] if self._calm else self._random.choice(self._hosts)

    async def organization(self) -> Organization:
        return await self.observer.organizations.get(self.organization_id)

    # The history

    async def play(self, variants: Mapping[str, Variant] | None = None) -> None:
        """Play the whole history. With `variants`, only that variant of each event is reported."""
        random.seed(self.history.seed)  # jitter
        draft = OrganizationDraft(
            name="Acme", currency=self.history.currency, timezone=self.history.timezone, seats=self.history.seats
        )
        await self.observer.organizations.create(self.organization_id, draft)
        for name in ("owner", "developer"):
            member = Membership(id=named_id("usr", self.history.seed, name), role="owner", joined_at=self.clock.now())
            await self.store.upsert(TENANTS.name, self.organization_id, member.document())
        self._faulty.faults = self._storm
        for step in self.history.steps:
            self.clock.set(step.at)
            await asyncio.gather(self._do(step, variants), *self._meanwhile())
            if self._calm:
                await self.deliver_all()
                await self.observer.outbox.sweep()
            await self._stragglers()
        self._faulty.faults = QUIET

    async def _stragglers(self) -> None:
        """Wait for tasks that a crashed task had started."""
        others = asyncio.all_tasks() - {task for task in (asyncio.current_task(),) if task}
        if others:
            await asyncio.wait(others)

    async def _do(self, step: Step, variants: Mapping[str, Variant] | None) -> None:
        match step:
            case CreateModel():
                await self._insist(
                    lambda host: host.billing_models.create(
                        self.model_id(step.model), self._owner(step.model), step.draft
                    )
                )
            case PublishVersion():
                await self._insist(lambda host: self._publish(host, step))
            case CreateAgent():
                draft = AgentDraft(
                    external_id=step.agent,
                    name=step.agent,
                    billing_model_id=self.model_id(step.model) if step.model else None,
                    billing_model_from=step.since,
                )
                await self._insist(
                    lambda host: host.agents.create(self.agent_id(step.agent), self.organization_id, draft)
                )
            case MoveAgent():
                model_id = self.model_id(step.model) if step.model else None
                changes = {"billing_model_id": model_id, "billing_model_from": step.since}
                await self._insist_twice(
                    lambda host: host.agents.update(self.organization_id, self.agent_id(step.agent), changes, None)
                )
            case DeleteAgent() | DeleteOrganization():
                await self._insist(lambda host: self._delete(host, step))
            case ChangeOrganization():
                # A timezone may have been chosen for the next period already.
                with suppress(ValidationError) if "timezone" in step.changes else nullcontext():
                    await self._insist_twice(
                        lambda host: host.organizations.update(self.organization_id, step.changes, None)
                    )
            case _:
                await self._go_on(step, variants)

    async def _go_on(self, step: Step, variants: Mapping[str, Variant] | None) -> None:
        """The steps that happen often: reports, invoice runs, decisions, waiting."""
        match step:
            case Report():
                await asyncio.gather(*(self._report(request, variants) for request in step.requests))
            case RunInvoices():
                await asyncio.gather(*(self._run_invoices(step) for _ in range(1 if self._calm else step.times)))
            case Decide():
                keys = sorted({self.key(sent) for sent in step.outcomes} & self.accepted.keys())
                times = 1 if self._calm else step.times
                await asyncio.gather(*(self._decide(step, key) for key in keys for _ in range(times)))
                self.decisions += [(step, key) for key in keys]
            case Wait():
                await asyncio.gather(self.deliver(), self._tolerate(self._anyone.outbox.sweep()))

    def agent_id(self, name: str) -> str:
        return named_id("agt", self.history.seed, name)

    def model_id(self, name: str) -> str:
        return named_id("bm", self.history.seed, name)

    def _owner(self, model: str) -> str | None:
        """The organization that owns the model; None for `m`, which is the operator's."""
        return None if model == "m" else self.organization_id

    async def _publish(self, host: Application, step: PublishVersion) -> None:
        """Try until it is done. Where the answer was lost, look whether it was done before trying again."""
        if not await self._is_published(host, step):
            try:
                await host.billing_models.publish(self._owner(step.model), self.model_id(step.model), step.draft, None)
            except ValidationError:
                assert await self._is_published(self.observer, step)

    async def _is_published(self, host: Application, step: PublishVersion) -> bool:
        model, _ = await host.billing_models.get(self._owner(step.model), self.model_id(step.model))
        return model.versions.entries[-1].effective_from == step.draft.effective_from

    async def _delete(self, host: Application, step: DeleteAgent | DeleteOrganization) -> None:
        if isinstance(step, DeleteOrganization):
            await host.organizations.delete(self.organization_id, None)
            return
        with suppress(NotFoundError):
            await host.agents.delete(self.organization_id, self.agent_id(step.agent), None)

    async def _insist(self, act: Callable[[Application], Awaitable[T]]) -> T:
        """Try until there is an answer, as a client does."""
        for _ in range(_TRIES):
            with suppress(*_NOT_DONE, PreconditionFailedError, ConflictError):
                return await act(self._anyone)
        raise AssertionError("It cannot be done")

    async def _insist_twice(self, act: Callable[[Application], Awaitable[T]]) -> T:
        """As a client that repeats a change a moment later, when reads no longer lag behind."""
        with suppress(ValidationError):
            await self._insist(act)
        return await act(self.observer)

    async def _report(self, request: tuple[Sent, ...], variants: Mapping[str, Variant] | None) -> None:
        chosen = [sent for sent in request if variants is None or variants.get(self.key(sent)) == self.variant(sent)]
        events = [
            ReportedEvent(
                index=index,
                id=sent.id,
                type=sent.type,
                agent=sent.agent,
                source=SOURCE,
                time=sent.time,
                run=None,
                data=sent.data,
                organization_id=self.organization_id,
            )
            for index, sent in enumerate(chosen)
        ]
        if not events:
            return
        acceptance = await self._insist(lambda host: host.events.accept(events, partial=True))
        for _, event in acceptance.accepted:
            self.accepted.setdefault(event.key, set()).add(Variant(event.time, event.content))

    def key(self, sent: Sent) -> str:
        return event_key(self.organization_id, SOURCE, sent.id)

    def variant(self, sent: Sent) -> Variant:
        data = with_derived_fields(sent.type, sent.data, self.history.currency)
        return Variant(to_text(sent.time), content_hash(sent.type, self.agent_id(sent.agent), None, data))

    async def _decide(self, step: Decide, key: str) -> None:
        """Who is refused tries again on a host whose reads do not lag behind."""
        for _ in range(_TRIES):
            try:
                await self._decide_by(self._anyone, step, key)
            except _NOT_DONE:
                continue
            except NotFoundError:  # it is on its way
                await self.deliver()
            except (ConflictError, ValidationError):
                with suppress(ConflictError, ValidationError):
                    await self._decide_by(self.observer, step, key)
                return
            else:
                return
        raise AssertionError("The outcome never arrives")

    async def _decide_by(self, host: Application, step: Decide, key: str) -> None:
        by = Principal("usr_1", None, frozenset(Permission))
        organization, id_ = await host.organizations.get(self.organization_id), outcome_id(key)
        match step.decision:
            case "verify":
                verification = Verification(value=step.value)
                result = (await host.outcome_decisions.verify(organization, [id_], verification, by))[id_]
            case "reject":
                result = await host.outcome_decisions.reject(organization, id_, "Rejected", by)
            case "reverse":
                result = await host.outcome_decisions.reverse(organization, id_, "Reversed", by)
        if isinstance(result, XyraError):
            raise result

    async def _run_invoices(self, step: RunInvoices) -> None:
        if step.month is None:
            await self._catch_up()
            return
        job_id = named_id("job", self.history.seed, to_text(step.at))

        async def request(host: Application) -> None:
            with suppress(ValidationError):  # the period has not ended
                await host.invoice_runs.request(job_id, self.organization_id, step.month or "", finalize=step.finalize)

        await self._insist(request)
        await self.deliver("invoices")

    async def _catch_up(self) -> None:
        await self._tolerate(self._anyone.invoice_runs.run(Task(organization_id=self.organization_id)))

    # What happens beside it

    def _meanwhile(self) -> list[Coroutine[Any, Any, Any]]:
        if self._calm:
            return []
        kinds: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            self.deliver,
            self.deliver,
            lambda: self.deliver("invoices"),
            self._catch_up,
            lambda: self._tolerate(self._anyone.outbox.sweep()),
        ]
        return [self._random.choice(kinds)() for _ in range(self._random.randint(0, 4))]

    async def _tolerate(self, task: Awaitable[Any]) -> bool:
        with suppress(*_NOT_DONE):
            await task
            return True
        return False

    async def deliver(self, queue: str = "usage") -> None:
        """Deliver some messages, in any order, to one host.

        They wait again where it fails, and sometimes where it does not.
        """
        waiting = self.queue.waiting.get(queue, [])
        if waiting:
            batch = self._random.sample(waiting, self._random.randint(1, min(len(waiting), 6)))
            if await self._handle(queue, batch) and self._random.random() < 0.8:
                self._done(queue, batch)

    async def deliver_all(self) -> None:
        for queue in ("usage", "invoices"):
            while batch := self.queue.waiting.get(queue, [])[:64]:
                assert await self._handle(queue, batch)
                self._done(queue, batch)

    def _done(self, queue: str, batch: list[Message]) -> None:
        self.queue.waiting[queue] = [
            each for each in self.queue.waiting[queue] if not any(each is one for one in batch)
        ]

    async def _handle(self, queue: str, batch: list[Message]) -> bool:
        host = self._anyone
        if queue == "usage":
            return await self._tolerate(
                host.metering.meter([Delivered(each.body, each.message_id, each.correlation_id) for each in batch])
            )
        return all([await self._tolerate(host.invoice_runs.run(read_task(each.body))) for each in batch])

    # Rest

    async def settle_down(self) -> None:
        """Deliver everything, until every effect has taken place."""
        await self.deliver_all()
        for _ in range(10):
            self.clock.move(timedelta(minutes=6))
            if not await self.observer.outbox.sweep():
                return
        raise AssertionError("The outbox is never empty")

    async def sweep_before(self, now: datetime) -> None:
        """Sweep the outbox as the timer does every minute."""
        self.clock.set(now - timedelta(minutes=20))
        await self.observer.outbox.sweep()
        self.clock.set(now)

    async def invoice_all(self, now: datetime) -> None:
        self.clock.set(now)
        await self.observer.invoice_runs.run(Task(organization_id=self.organization_id))

    async def documents(self, container: str, partitions: list[str], kind: str) -> list[Document]:
        found: list[Document] = []
        for pk in partitions:
            cursor: str | None = None
            while True:
                page = await self.store.query(container, pk, kind, limit=1000, cursor=cursor)
                found += [item.document for item in page.items]
                cursor = page.cursor
                if cursor is None:
                    break
        return found

    async def usage_documents(self, kind: str) -> list[Document]:
        shards = (await self.organization()).largest_shard_count
        partitions = [f"{self.organization_id}:usage:{shard}" for shard in range(shards)]
        return await self.documents(LEDGERS.name, [*partitions, f"{self.organization_id}:parked:0"], kind)
