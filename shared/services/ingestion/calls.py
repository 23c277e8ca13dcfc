"""Sends calls that were found in traces on to metering, as events like all others."""

from collections.abc import Sequence
from typing import Any

from shared.domain.ingestion.calls import SOURCE, LlmCall
from shared.domain.metering.event_types import LLM_CALL
from shared.services.agents.agent_making import AgentMaking, first_times
from shared.services.ingestion.answers import Answers
from shared.services.ingestion.trace_records import TraceCredential, decode_calls
from shared.services.provider_costs.llm_calls import LlmCallReader
from shared.services.usage.events import Events
from shared.services.usage.reported_event import ReportedEvent
from shared.turns import Turns

_ACCEPTED_AT_ONCE = 256
"""Calls that are accepted as the events of one request would be: four messages full."""
_COUNTS = ("model", "provider", "service_tier")
"""What is left of a call whose counts contradict each other."""


class CallSender:
    def __init__(
        self, events: Events, agents: AgentMaking, llm_calls: LlmCallReader, answers: Answers, turns: Turns
    ) -> None:
        self._events = events
        self._answers = answers
        self._agents = agents
        self._llm_calls = llm_calls
        self._turns = turns

    async def send(self, organization_id: str, credential: TraceCredential, calls: Sequence[LlmCall]) -> list[str]:
        """Hand calls to the broker. Sending them again changes nothing: the first of an identity stands.

        Returns what their sender should know: agents that were made, and those that are missing, whose calls are
        parked. Raises `UnavailableError`.
        """
        if not calls:
            return []
        await self._answers.note(organization_id, calls)
        made = await self._agents.make(
            organization_id, first_times((call.agent, call.time) for call in calls), credential.make_with
        )
        for start in range(0, len(calls), _ACCEPTED_AT_ONCE):
            some = calls[start : start + _ACCEPTED_AT_ONCE]
            events: list[ReportedEvent] = []
            with self._turns.begun() as turn:
                for index, call in enumerate(some):
                    if turn.is_over:
                        await turn.pause()
                    events.append(self._event(index, organization_id, credential, call))
            await self._events.accept(events, partial=False)
        return [
            *(f"agent {name} was made" for name in made.names),
            *(f"calls of agent {name} are parked: {reason}" for name, reason in made.refused.items()),
        ]

    async def receive(self, organization_id: str, credential: str, calls: str) -> None:
        """What happens for `CALLS_DECIDED`."""
        await self.send(organization_id, TraceCredential.model_validate_json(credential), decode_calls(calls))

    def _event(self, index: int, organization_id: str, credential: TraceCredential, call: LlmCall) -> ReportedEvent:
        return ReportedEvent(
            index,
            call.id,
            LLM_CALL,
            call.agent,
            SOURCE,
            call.time,
            call.run,
            self._data(call),
            organization_id,
            credential.id,
            credential.by_operator,
            by_protocol=True,
            is_taken=True,
            projects=credential.project_set,
        )

    def _data(self, call: LlmCall) -> dict[str, Any]:
        """What the call says. Counts that cannot all be true are left out: the call is kept, without a price."""
        names = [name for name in call.data if name != "units"]
        for kept in (list(call.data), names, [name for name in names if name in _COUNTS]):
            data = {name: call.data[name] for name in kept}
            if not self._llm_calls.read(data).errors:
                return data
        return {}
