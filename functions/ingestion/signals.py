"""Logs and metrics over OTLP, which exporters send by themselves: taken, and not metered."""

from typing import Annotated

import azure.functions as func
from pydantic import Field
from typing_extensions import TypedDict

from functions.ingestion.exports import ExportQuery, export_route
from functions.ingestion.otlp import success
from shared.http import Call, Reply, Schema
from shared.services.ingestion.reading import SentTraces

blueprint = func.Blueprint()

_NOT_METERED = "taken, and not metered: only traces are; send these to /v1/traces"


class PartialLogs(Schema):
    """What is said about logs that were taken."""

    rejected_log_records: str = Field(alias="rejectedLogRecords")
    """Always 0."""
    error_message: str = Field(alias="errorMessage")
    """That logs are not metered."""


class PartialMetrics(Schema):
    """What is said about metrics that were taken."""

    rejected_data_points: str = Field(alias="rejectedDataPoints")
    """Always 0."""
    error_message: str = Field(alias="errorMessage")
    """That metrics are not metered."""


class LogsAnswer(TypedDict):
    partialSuccess: Annotated[PartialLogs, Field(description="Always there.")]


class MetricsAnswer(TypedDict):
    partialSuccess: Annotated[PartialMetrics, Field(description="Always there.")]


@export_route(
    blueprint,
    "/v1/logs",
    summary="Take logs of OpenTelemetry, which are not metered",
    answer=LogsAnswer,
    signal="resourceLogs",
)
async def export_logs(call: Call[SentTraces, ExportQuery]) -> Reply:
    await call.organization_id()
    call.body.refuse_empty()
    return success(call.headers, rejected=0, message=f"logs are {_NOT_METERED}", rejected_name="rejectedLogRecords")


@export_route(
    blueprint,
    "/v1/metrics",
    summary="Take metrics of OpenTelemetry, which are not metered",
    answer=MetricsAnswer,
    signal="resourceMetrics",
)
async def export_metrics(call: Call[SentTraces, ExportQuery]) -> Reply:
    await call.organization_id()
    call.body.refuse_empty()
    return success(call.headers, rejected=0, message=f"metrics are {_NOT_METERED}", rejected_name="rejectedDataPoints")
