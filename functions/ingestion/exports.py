"""What the routes that take traces have in common."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import azure.functions as func
from pydantic import Field
from typing_extensions import TypedDict

from functions.ingestion.otlp import JSON, PROTOBUF, Binary, OtlpBody, OtlpErrors, message_of, success
from functions.ingestion.senders import Sender
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import LengthRequiredError
from shared.http import BodyLimit, Call, Projects, Query, Reply, Schema, endpoint
from shared.http.replies import Handler
from shared.services.ingestion.reading import SentTraces

MAXIMUM_BODY = BodyLimit(16 * 1024 * 1024, unpacked=64 * 1024 * 1024, is_left_packed=True)
"""What settings may allow at most; they allow less by default."""


class ExportQuery(Query):
    """An operator's credential names the organization by `organization_id`."""


class PartialTraces(Schema):
    """What is said about traces that were taken in part, or with something to look at."""

    rejected_spans: str = Field(alias="rejectedSpans")
    """How many spans were not taken."""
    error_message: str = Field(alias="errorMessage")
    """Why, and what else to look at."""


class TracesAnswer(TypedDict, total=False):
    """Empty where there is nothing to say."""

    partialSuccess: Annotated[PartialTraces, Field(description="Only where there is something to say.")]


def export_route(  # noqa: PLR0913  what differs between signals
    blueprint: func.Blueprint,
    path: str,
    *,
    summary: str,
    answer: type,
    signal: str,
    takes_basic: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare a route of OTLP. `signal` is the field of its list: `resourceSpans`, and the like."""
    return endpoint(
        blueprint,
        "POST",
        path,
        summary=summary,
        access=Permission.EVENTS_WRITE,
        projects=Projects.CHECKED,
        query=ExportQuery,
        body=OtlpBody(),
        body_limit=MAXIMUM_BODY,
        answers={200: answer},
        other_forms={PROTOBUF.value: Binary},
        error_format=OtlpErrors(),
        takes_basic=takes_basic,
        idempotent=False,
        media_type=JSON.value,
        errors=(LengthRequiredError,),
        example={signal: []},
    )


trace_route = partial(export_route, answer=TracesAnswer, signal="resourceSpans")


async def take_traces(call: Call[SentTraces, ExportQuery]) -> Reply:
    sender = Sender(call)
    taken = await call.services.traces.take(
        await call.organization_id(), sender.credential, sender.reporting, call.body
    )
    message = message_of([*taken.rejected, *taken.notices])
    return success(call.headers, rejected=len(taken.rejected), message=message, rejected_name="rejectedSpans")
