"""An organization with two months of history, kept in memory.

Readers of its totals and documents come with it.
"""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.bootstrap import Application, Ports
from shared.containers import CONTAINERS, INVOICES, LEDGERS
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.invoicing import total_of
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import to_text
from shared.domain.metering.readings import CountAndSum
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.lines import Line
from shared.ports.mail import Mail
from shared.ports.queue import Message, Queue
from shared.ports.store import Document, Store
from shared.services.agents.agents import AgentDraft
from shared.services.billing.invoice_runs import Task, read_task
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.metering import Delivered
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes.fault_in_turn import FaultInTurnQueue, FaultInTurnStore, RememberingStore, Script
from tests.doubles.fakes.fault_in_turn_mail import FaultInTurnMail
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_secrets import MemorySecrets
from tests.doubles.fakes.post_box import PostBox
from tests.doubles.fakes.settable_clock import SettableClock

ORGANIZATION = named_id("org", "faults")
MODEL = named_id("bm", "faults")
AGENT = named_id("agt", "faults")
FEE_MODEL = named_id("bm", "fee")
FEE_AGENT = named_id("agt", "fee")
JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
SETTINGS = Settings()

COMMANDS = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}
FEE = {"key": "fee", "type": "flat_fee", "amount": "28.00", "timing": "advance"}
"""Charged in advance: an agent that ends within the month is owed a credit note."""


def model(charge: dict[str, Any], effective_from: datetime = JANUARY) -> BillingModelDraft:
    return BillingModelDraft.model_validate(
        {"name": "Model", "currency": "USD", "effective_from": effective_from, "charges": [charge]}
    )


def agent(name: str, model_id: str) -> AgentDraft:
    """An agent on the model since January."""
    return AgentDraft(external_id=name, name=name, billing_model_id=model_id, billing_model_from=JANUARY)


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
    """January was invoiced; then the organization got a second shard.

    February was used and is not yet invoiced.
    """

    clock: SettableClock
    store: RememberingStore
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    post: PostBox = field(default_factory=PostBox)
    redelivered: list[Message] = field(default_factory=list)
    """Messages that were metered in January and are delivered once more."""

    @classmethod
    async def prepared(cls) -> "Scene":
        clock = SettableClock(datetime(2026, 1, 10, tzinfo=UTC))
        scene = cls(clock, RememberingStore(clock))
        host = scene.host()
        draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", shard_count=1, grace_hours=0)
        await host.organizations.create(ORGANIZATION, draft)
        for name, agent_id, model_id, charge in (("a", AGENT, MODEL, COMMANDS), ("b", FEE_AGENT, FEE_MODEL, FEE)):
            await host.billing_models.create(model_id, ORGANIZATION, model(charge))
            await host.agents.create(agent_id, ORGANIZATION, agent(name, model_id))
        clock.set(datetime(2026, 1, 21, tzinfo=UTC))
        await host.events.accept([january("j1", 4), january("j2", 4)], partial=False)
        scene.redelivered += scene.queue.waiting["usage"]
        await scene.drain()
        clock.set(datetime(2026, 2, 2, tzinfo=UTC))
        await host.invoice_runs.run(Task(organization_id=ORGANIZATION))
        await host.organizations.update(ORGANIZATION, {"shard_count": 2}, None)
        clock.set(datetime(2026, 2, 11, tzinfo=UTC))
        await host.events.accept([february("f1", 3), february("f2", 3)], partial=False)
        await scene.drain()
        clock.set(datetime(2026, 2, 14, 12, tzinfo=UTC))
        await host.agents.delete(ORGANIZATION, FEE_AGENT, None)
        clock.set(NOW)
        return scene

    def copy(self) -> "Scene":
        clock = SettableClock(self.clock.now())
        queue = MemoryQueue({name: list(waiting) for name, waiting in self.queue.waiting.items()})
        secrets = MemorySecrets(dict(self.secrets.values))
        return Scene(clock, self.store.copy(clock), queue, secrets, self.post.copy(), list(self.redelivered))

    def host(self, script: Script | None = None) -> Application:
        """A host with a memory of its own. Its calls fail as the script says; without one, none fails."""
        store: Store = FaultInTurnStore(self.store, script) if script else self.store
        queue: Queue = FaultInTurnQueue(self.queue, script) if script else self.queue
        return self.host_with(store, queue, FaultInTurnMail(self.post, script) if script else None)

    def host_with(self, store: Store, queue: Queue, mail: Mail | None = None) -> Application:
        ports = Ports(store=store, queue=queue, clock=self.clock, secrets=self.secrets, mail=mail or self.post)
        return Application(ports, SETTINGS)

    async def drain(self) -> None:
        """Deliver every message and sweep the outbox, until nothing is waiting or due."""
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
            await self.deliver_usage(host)
            await self.deliver_tasks(host)

    async def deliver_usage(self, host: Application) -> None:
        await self._deliver("usage", lambda message: host.usage_queue.receive(*delivered([message])))

    async def deliver_tasks(self, host: Application) -> None:
        await self._deliver("invoices", lambda message: host.invoice_runs.run(read_task(message.body)))

    async def _deliver(self, queue: str, receive: Callable[[Message], Awaitable[None]]) -> None:
        """One message after the other; each leaves the queue only after it was handled."""
        while waiting := self.queue.waiting.get(queue):
            message = waiting[0]
            await receive(message)
            self.queue.waiting[queue] = [other for other in self.queue.waiting[queue] if other is not message]

    def taken(self, queue: str) -> list[Message]:
        """What was waiting, taken out of the queue."""
        return self.queue.waiting.pop(queue)

    def state(self) -> Hashable:
        """Everything that a later host can see."""
        waiting = tuple((name, tuple(messages)) for name, messages in sorted(self.queue.waiting.items()))
        return self.store.contents(), waiting, tuple(self.post.sent), self.clock.now()

    async def documents(self, container: str, pk: str, kind: str) -> list[Document]:
        return [item.document for item in self.store.items_of(container, pk) if item.document["kind"] == kind]


def delivered(messages: list[Message]) -> list[Delivered]:
    return [Delivered(message.body, message.message_id, message.correlation_id) for message in messages]


async def counted(scene: Scene) -> dict[str, Any]:
    """Totals by month, ids of recorded events, and why others are parked.

    A total is (count, sum).
    """
    host = scene.host()
    shards = range((await host.organizations.get(ORGANIZATION)).largest_shard_count)
    months: dict[str, tuple[Decimal, Decimal]] = {}
    for month in (JANUARY, FEBRUARY, MARCH):
        count = total = Decimal(0)
        for stored in await host.usage.totals(ORGANIZATION, len(shards), month):
            reading = stored.totals.reading("commands") or CountAndSum()
            assert isinstance(reading, CountAndSum)
            count += reading.count
            total += reading.sum
        months[f"{month:%Y-%m}"] = (count, total)
    events = [await scene.documents(LEDGERS.name, f"{ORGANIZATION}:usage:{shard}", "event") for shard in shards]
    parked = await scene.documents(LEDGERS.name, f"{ORGANIZATION}:parked:0", "parked")
    return {
        "months": months,
        "events": sorted(event["event_id"] for shard in events for event in shard),
        "parked": [entry["reason"] for entry in parked],
    }


Documents = list[tuple[Invoice | CreditNote, list[Line]]]


async def issued(scene: Scene) -> Documents:
    """All invoices and credit notes with their lines. No draft is left, and no number is missing."""
    return [*await _numbered(scene, Invoice, "INV"), *await _numbered(scene, CreditNote, "CN")]


async def _numbered(scene: Scene, kind: type[Invoice | CreditNote], series: str) -> Documents:
    documents = scene.host().billing_documents
    read = [kind.read(document) for document in await scene.documents(INVOICES.name, ORGANIZATION, kind.kind)]
    read.sort(key=lambda document: document.number or "")
    numbers = [document.number for document in read]
    assert numbers == [f"{series}-ACME-2026-{number:06d}" for number in range(1, len(numbers) + 1)]
    return [(document, await documents.lines(ORGANIZATION, document)) for document in read]


def billed(documents: Documents) -> dict[str, Decimal]:
    """The amount of each month over all documents. Each document's lines and their tax add up to its total."""
    amounts: dict[str, Decimal] = {}
    for document, lines in documents:
        assert document.total == total_of(lines, document.currency)
        for line in lines:
            month = f"{line.period.start:%Y-%m}"
            amounts[month] = amounts.get(month, Decimal(0)) + line.amount
    return amounts
