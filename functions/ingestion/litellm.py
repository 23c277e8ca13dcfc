"""LiteLLM's generic API callback, with its standard logging payload."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import azure.functions as func
from pydantic import WithJsonSchema

from functions.ingestion.exports import MAXIMUM_BODY
from functions.ingestion.senders import NotTakenError, Sender
from shared.domain.access.identity import Permission
from shared.domain.ingestion.reported_calls import COMPARED, LITELLM, ReportedCall
from shared.domain.kernel.errors import Rejection
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.provider_costs.findings import FindingCode
from shared.http import Call, Projects, Query, Reply, Schema, endpoint
from shared.services.ingestion.protocol_events import ProtocolEvent, Taken
from shared.unpacking import PackedBody

blueprint = func.Blueprint()

DETAILED = 20
"""Refused payloads that are shown with their errors."""
ERRORS_PER_PAYLOAD = 5
MAXIMUM_WARNINGS = 100

Payloads = Annotated[
    bytes, WithJsonSchema({"description": "A StandardLoggingPayload of LiteLLM, a list of them, or one a line"})
]


class LiteLlmQuery(Query):
    """An operator's credential names the organization by `organization_id`, unless its `litellm_mapping` does."""


class PayloadProblem(Schema):
    pointer: str
    """A JSON pointer (RFC 6901), relative to the event that the payload became."""
    detail: str
    """What is wrong there."""


class RejectedPayload(Schema):
    index: int
    """The place of the payload in the request, from 0."""
    errors: list[PayloadProblem]
    """At most 5. Of all but the first 20 refused payloads they are left out."""


class PayloadWarning(Schema):
    index: int | None
    """The place of the payload in the request; null where it is about several."""
    code: FindingCode | Literal["agent_made", "agent_unknown"]
    """What it is about: an agent, a price, or a count."""
    detail: str
    """What to look at."""


class LiteLlmAnswer(Schema):
    accepted: int
    """How many calls will be metered."""
    duplicates_in_request: int
    """How many repeat another call of the request."""
    skipped: int
    """How many tell of no call: answers from a cache, failures without usage, look-ups."""
    rejected: list[RejectedPayload]
    """Every payload that was not taken. It fails alone."""
    warnings: list[PayloadWarning]
    """At most 100."""


class PayloadsBody:
    """A body as it came: it is unpacked and read where that holds nobody up."""

    content: Mapping[str, Any] = {"application/json": Payloads}

    @property
    def required(self) -> bool:
        return True

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> PackedBody:  # noqa: ARG002
        return PackedBody.of(headers, raw)


@endpoint(
    blueprint,
    "POST",
    "/ingest/litellm",
    summary="Report LLM calls by LiteLLM's generic API callback",
    access=Permission.EVENTS_WRITE,
    projects=Projects.CHECKED,
    query=LiteLlmQuery,
    body=PayloadsBody(),
    body_limit=MAXIMUM_BODY,
    answers={202: LiteLlmAnswer},
    idempotent=False,
    example=[
        {
            "id": "chatcmpl-1",
            "call_type": "acompletion",
            "status": "success",
            "custom_llm_provider": "openai",
            "model": "gpt-5",
            "prompt_tokens": 1200,
            "completion_tokens": 90,
            "total_tokens": 1290,
            "metadata": {"user_api_key_user_id": "coder"},
        }
    ],
)
async def ingest_litellm_payloads(call: Call[PackedBody, LiteLlmQuery]) -> Reply:
    sender = Sender(call)
    read = await call.services.litellm_reader.read(call.body)
    events: list[ProtocolEvent] = []
    rejected = read.rejected
    for index, reported in read.calls:
        try:
            events.append(await _event(sender, index, reported))
        except NotTakenError as error:
            rejected.append(Rejection(index, (error.error,)))
    await sender.count_malformed([(LITELLM, LLM_CALL)] * len(rejected))
    taken = await call.services.protocol_events.take(sender.credential, events)
    rejected = sorted([*rejected, *taken.acceptance.rejected], key=lambda rejection: rejection.index)
    return Reply(
        {
            "accepted": len(taken.acceptance.accepted),
            "duplicates_in_request": len(taken.acceptance.duplicates),
            "skipped": read.skipped,
            "rejected": [
                {"index": each.index, "errors": each.errors[:ERRORS_PER_PAYLOAD] if number < DETAILED else ()}
                for number, each in enumerate(rejected)
            ],
            "warnings": list(_warnings(taken))[:MAXIMUM_WARNINGS],
        }
    )


async def _event(sender: Sender, index: int, reported: ReportedCall) -> ProtocolEvent:
    """Raises `NotTakenError`."""
    destination = sender.destination(reported.data)
    return ProtocolEvent(
        index=index,
        id=reported.id,
        source=LITELLM,
        type=LLM_CALL,
        agent=sender.agent(reported.user, None, LITELLM),
        time=reported.time,
        run=reported.run,
        data=reported.data,
        organization_id=await sender.mapped_organization_id(destination, reported.user),
        project_id=None if destination is None else destination.project_id,
        compared=COMPARED,
    )


def _warnings(taken: Taken) -> Iterator[dict[str, Any]]:
    for name in sorted(taken.made):
        yield {"index": None, "code": "agent_made", "detail": f"agent {name} was made"}
    for name, reason in sorted(taken.unknown.items()):
        yield {"index": None, "code": "agent_unknown", "detail": f"calls of agent {name} are parked: {reason}"}
    for index, finding in taken.acceptance.findings:
        yield {"index": index, "code": finding.code, "detail": finding.detail}
