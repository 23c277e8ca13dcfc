"""Traces that come in several requests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared.bootstrap import Application
from shared.domain.access.reporting import AgentMaking, Reporting
from shared.domain.ingestion.calls import SOURCE
from shared.domain.ingestion.reported_calls import COMPARED, LITELLM
from shared.domain.ingestion.spans import Span
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.usage.events import event_key
from shared.ports.traces import TraceEncoding
from shared.services.ingestion.protocol_events import ProtocolEvent
from shared.services.ingestion.reading import SentTraces
from shared.services.ingestion.trace_records import TraceCredential
from shared.unpacking import PackedBody
from tests.doubles.worlds.invoiced_organization import MODEL, ORGANIZATION, Scene
from tests.doubles.worlds.otlp_bodies import json_body
from tests.doubles.worlds.plain_spans import NOON, agent_run, call
from tests.faults.in_turn.path import Path, Result

CREDENTIAL = TraceCredential(id="key_faults", by_operator=False, make_with=MODEL)
REPORTING = Reporting(make_agents=AgentMaking(billing_model_id=MODEL))


class TakeTraces(Path):
    """Two calls of an agent that nobody made come before the span that names it; a third never learns its agent."""

    calls = (
        ("first", call("first", "helper", (100, 10), answer="answer-1")),
        ("second", call("second", "helper", (200, 20), answer="answer-2")),
        ("lost", call("lost", "gone", (300, 30), answer="answer-3")),
    )
    ids = ("openai:answer-1:100:10", "openai:answer-2:200:20", "openai:answer-3:300:30")

    async def walk(self, host: Application) -> None:
        await self._send(host, *(span for _, span in self.calls))
        await self._send(host, agent_run("helper"))

    async def result(self) -> Result:
        """The calls are recorded once each, the last one under the service's name once its wait is over."""
        result = await super().result()
        totals, _ = result.exact
        keys = {event_key(ORGANIZATION, SOURCE, call_id) for call_id in self.ids}
        recorded = await recorded_agents(self.scene, SOURCE)
        assert recorded.keys() == keys
        assert len(totals["events"]) == len(set(totals["events"]))
        agents = {agent.id: agent.external_id for agent in await self.scene.host().agents.all(ORGANIZATION)}
        assert sorted(agents[agent_id] for agent_id in recorded.values()) == ["helpdesk", "helper", "helper"]
        assert sorted(agents.values()) == ["a", "b", "helpdesk", "helper"]
        return Result((totals["months"], sorted(recorded)), result.undisturbed)

    async def _send(self, host: Application, *spans: Span) -> None:
        ago = NOON - self.scene.clock.now() + timedelta(seconds=30)
        moved = [_moved(span, -ago) for span in spans]
        sent = SentTraces(TraceEncoding.JSON, PackedBody(json_body(moved)))
        await host.traces.take(ORGANIZATION, CREDENTIAL, REPORTING, sent)


class TakeLiteLlmCalls(Path):
    """Two calls of an agent that nobody made, the second of which LiteLLM's other callback tells otherwise."""

    ids = ("chatcmpl-1", "chatcmpl-2")

    async def walk(self, host: Application) -> None:
        calls = [self._call(call_id, input_tokens=100) for call_id in self.ids]
        taken = await host.protocol_events.take(CREDENTIAL, calls)
        assert taken.acceptance.rejected == []
        await self.scene.drain()
        await host.protocol_events.take(CREDENTIAL, [self._call(self.ids[1], input_tokens=99)])

    async def result(self) -> Result:
        """Each is recorded once, as it was told first; one agent was made."""
        result = await super().result()
        totals, _ = result.exact
        recorded = await recorded_agents(self.scene, LITELLM)
        assert recorded.keys() == {event_key(ORGANIZATION, LITELLM, call_id) for call_id in self.ids}
        assert len(totals["events"]) == len(set(totals["events"]))
        agents = {agent.id: agent.external_id for agent in await self.scene.host().agents.all(ORGANIZATION)}
        assert {agents[agent_id] for agent_id in recorded.values()} == {"new"}
        assert sorted(agents.values()) == ["a", "b", "new"]
        return Result((totals["months"], sorted(recorded)), result.undisturbed)

    @staticmethod
    def _call(call_id: str, **data: int) -> ProtocolEvent:
        time = datetime(2026, 1, 20, tzinfo=UTC)
        said = {"model": "gpt-5", **data}
        return ProtocolEvent(0, call_id, LITELLM, LLM_CALL, "new", time, None, said, ORGANIZATION, COMPARED)


async def recorded_agents(scene: Scene, source: str) -> dict[str, str]:
    """The agent of each recorded event of a source, by key."""
    organization = await scene.host().organizations.get(ORGANIZATION)
    documents = [
        document
        for shard in range(organization.largest_shard_count)
        for document in await scene.documents("ledgers", f"{ORGANIZATION}:usage:{shard}", "event")
        if document["source"] == source
    ]
    return {document["id"]: document["agent_id"] for document in documents}


def _moved(span: Span, by: timedelta) -> Span:
    offset = by // timedelta(microseconds=1)
    return replace(span, start=span.start + offset, end=span.end + offset)
