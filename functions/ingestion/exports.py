"""What the routes that take traces have in common."""

from collections.abc import Callable
from typing import Annotated

import azure.functions as func
from pydantic import Field
from typing_extensions import TypedDict

from functions.ingestion.otlp import JSON, PROTOBUF, Binary, OtlpBody, OtlpErrors, message_of, success
from shared.domain.access.identity import Permission
from shared.domain.access.reporting import Reporting
from shared.domain.kernel.errors import LengthRequiredError
from shared.http import BodyLimit, Call, Query, Reply, Schema, endpoint
from shared.http.replies import Handler
from shared.services.ingestion.reading import SentTraces
from shared.services.ingestion.trace_records import TraceCredential

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


def trace_route(
    blueprint: func.Blueprint, path: str, *, summary: str, takes_basic: bool = False
) -> Callable[[Handler], Handler]:
    """Declare a route that takes traces."""
    return endpoint(
        blueprint,
        "POST",
        path,
        summary=summary,
        access=Permission.EVENTS_WRITE,
        query=ExportQuery,
        body=OtlpBody(),
        body_limit=MAXIMUM_BODY,
        answers={200: TracesAnswer},
        other_forms={PROTOBUF.value: Binary},
        error_format=OtlpErrors(),
        takes_basic=takes_basic,
        idempotent=False,
        media_type=JSON.value,
        errors=(LengthRequiredError,),
        example={"resourceSpans": []},
    )


async def take_traces(call: Call[SentTraces, ExportQuery]) -> Reply:
    principal = call.principal
    reporting = principal.key.reporting if principal.key is not None else Reporting()
    making = reporting.make_agents
    credential = TraceCredential(
        id=principal.root_id,
        by_operator=principal.is_operator,
        make_with=making.billing_model_id if making is not None else None,
    )
    taken = await call.services.traces.take(await call.organization_id(), credential, reporting, call.body)
    message = message_of([*taken.rejected, *taken.notices])
    return success(call.headers, rejected=len(taken.rejected), message=message, rejected_name="rejectedSpans")
