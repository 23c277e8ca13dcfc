"""Traces over OTLP: the calls of models in them become usage."""

import azure.functions as func

from functions.ingestion.exports import ExportQuery, take_traces, trace_route
from shared.http import Call, Reply
from shared.services.ingestion.reading import SentTraces

blueprint = func.Blueprint()


@trace_route(blueprint, "/v1/traces", summary="Report LLM calls as OpenTelemetry traces (OTLP over HTTP)")
async def export_traces(call: Call[SentTraces, ExportQuery]) -> Reply:
    return await take_traces(call)
