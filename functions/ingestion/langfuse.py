"""Traces from exporters that are made for Langfuse."""

import azure.functions as func

from functions.ingestion.exports import ExportQuery, take_traces, trace_route
from shared.http import Call, Reply
from shared.services.ingestion.reading import SentTraces

blueprint = func.Blueprint()


@trace_route(
    blueprint,
    "/api/public/otel/v1/traces",
    summary="Report LLM calls by an exporter for Langfuse, whose secret key is the API key",
    takes_basic=True,
)
async def export_langfuse_traces(call: Call[SentTraces, ExportQuery]) -> Reply:
    return await take_traces(call)
