"""Processes that take traces, on one store and one queue."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from shared.bootstrap import Application, Ports
from shared.domain.access.reporting import AgentMaking, Reporting
from shared.domain.ingestion.spans import Span
from shared.domain.kernel.ids import named_id
from shared.ports.queue import Message
from shared.ports.traces import TraceEncoding
from shared.services.ingestion.reading import SentTraces
from shared.services.ingestion.release_messages import read_release
from shared.services.ingestion.trace_records import TraceCredential
from shared.services.ingestion.traces import TracesAnswer
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.messages import read_message
from shared.services.usage.metering import Delivered
from shared.settings import Settings
from shared.unpacking import PackedBody
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.invoiced_organization import FEE, model
from tests.doubles.worlds.otlp_bodies import protobuf_body
from tests.doubles.worlds.plain_spans import NOON

ORGANIZATION = named_id("org", "traces")
MODEL = named_id("bm", "traces")
CREDENTIAL = TraceCredential(id="key", by_operator=False, make_with=MODEL)
WAITING = Reporting(make_agents=AgentMaking(billing_model_id=MODEL))


@dataclass
class World:
    """Processes on one store and one queue."""

    settings: Settings = field(default_factory=Settings)
    clock: SettableClock = field(default_factory=lambda: SettableClock(NOON + timedelta(seconds=10)))
    queue: MemoryQueue = field(default_factory=MemoryQueue)

    def __post_init__(self) -> None:
        self.store = MemoryStore()
        self.host = self.another_host()

    def another_host(self) -> Application:
        return Application(Ports(self.store, self.queue, self.clock, NoSecrets()), self.settings)

    async def prepared(self) -> "World":
        draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", shard_count=1, grace_hours=0)
        await self.host.organizations.create(ORGANIZATION, draft)
        await self.host.billing_models.create(MODEL, ORGANIZATION, model(FEE))
        return self

    async def send(self, *spans: Span, host: Application | None = None, reporting: Reporting = WAITING) -> TracesAnswer:
        sent = SentTraces(TraceEncoding.PROTOBUF, PackedBody(protobuf_body(spans)))
        return await (host or self.host).traces.take(ORGANIZATION, CREDENTIAL, reporting, sent)

    async def agents_of_calls(self) -> dict[str, str]:
        """The agent of every call that was sent to metering, by its id. Each was sent once."""
        agents = {agent.id: agent.external_id for agent in await self.host.agents.all(ORGANIZATION)}
        events = [event for message in self.messages() for event in read_message(message.body).events]
        assert max(Counter(event.id for event in events).values(), default=1) == 1
        return {event.id: agents.get(event.agent, event.agent) for event in events}

    def messages(self) -> list[Message]:
        return [message for message in self.queue.waiting.get("usage", []) if read_release(message.body) is None]

    def releases(self) -> list[Message]:
        return [message for message in self.queue.waiting.get("usage", []) if read_release(message.body) is not None]

    async def pass_time(self, duration: timedelta) -> None:
        """Deliver what is scheduled for then."""
        self.clock.move(duration)
        for message in self.releases():
            if message.not_before is not None and message.not_before <= self.clock.now():
                self.queue.waiting["usage"].remove(message)
                await self.host.usage_queue.receive(Delivered(message.body, message.message_id, ""))


def identity(answer: str, tokens: tuple[int, int] = (100, 10)) -> str:
    return f"openai:{answer}:{tokens[0]}:{tokens[1]}"
