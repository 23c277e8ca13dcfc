"""Traces that come in several requests."""

from dataclasses import replace
from datetime import timedelta

from shared.bootstrap import Application
from shared.domain.access.reporting import AgentMaking, Reporting
from shared.domain.ingestion.calls import SOURCE
from shared.domain.ingestion.spans import Span
from shared.domain.usage.events import event_key
from shared.ports.traces import TraceEncoding
from shared.services.ingestion.reading import SentTraces
from shared.services.ingestion.trace_records import TraceCredential
from tests.doubles.worlds.invoiced_organization import MODEL, ORGANIZATION
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
        recorded = await self._recorded()
        assert recorded.keys() == keys
        assert len(totals["events"]) == len(set(totals["events"]))
        agents = {agent.id: agent.external_id for agent in await self.scene.host().agents.all(ORGANIZATION)}
        assert sorted(agents[agent_id] for agent_id in recorded.values()) == ["helpdesk", "helper", "helper"]
        assert sorted(agents.values()) == ["a", "b", "helpdesk", "helper"]
        return Result((totals["months"], sorted(recorded)), result.undisturbed)

    async def _recorded(self) -> dict[str, str]:
        """The agent of each recorded call, by key."""
        organization = await self.scene.host().organizations.get(ORGANIZATION)
        documents = [
            document
            for shard in range(organization.largest_shard_count)
            for document in await self.scene.documents("ledgers", f"{ORGANIZATION}:usage:{shard}", "event")
            if document["source"] == SOURCE
        ]
        return {document["id"]: document["agent_id"] for document in documents}

    async def _send(self, host: Application, *spans: Span) -> None:
        ago = NOON - self.scene.clock.now() + timedelta(seconds=30)
        moved = [_moved(span, -ago) for span in spans]
        sent = SentTraces(TraceEncoding.JSON, json_body(moved), is_packed=False)
        await host.traces.take(ORGANIZATION, CREDENTIAL, REPORTING, sent)


def _moved(span: Span, by: timedelta) -> Span:
    offset = by // timedelta(microseconds=1)
    return replace(span, start=span.start + offset, end=span.end + offset)
