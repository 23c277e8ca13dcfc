# ruff: noqa: ARG001  the platform passes the request by this name, used or not
"""A small function app with each kind of trigger. What it was given it tells: HTTP in the answer, others in a file."""

import asyncio
import json
import os
import typing
from datetime import datetime
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

MESSAGE_PROPERTIES = (
    "application_properties",
    "content_type",
    "correlation_id",
    "dead_letter_error_description",
    "dead_letter_reason",
    "dead_letter_source",
    "delivery_count",
    "enqueued_sequence_number",
    "enqueued_time_utc",
    "expires_at_utc",
    "label",
    "lock_token",
    "locked_until",
    "message_id",
    "partition_key",
    "reply_to",
    "reply_to_session_id",
    "scheduled_enqueue_time_utc",
    "sequence_number",
    "session_id",
    "state",
    "subject",
    "time_to_live",
    "to",
    "transaction_partition_key",
    "user_properties",
)


def _record(what: object) -> None:
    with Path(os.environ["SAMPLE_RECORD"]).open("a", encoding="utf-8") as record:
        record.write(json.dumps(what) + "\n")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _describe(message: func.ServiceBusMessage) -> dict[str, str]:
    properties = {name: _text(getattr(message, name)) for name in MESSAGE_PROPERTIES}
    return {"type": type(message).__name__, "body": repr(message.get_body()), **properties}


@app.route(route="echo/{first}/{second?}")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "type": f"{type(req).__module__}.{type(req).__name__}",
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "content-type by any case": req.headers.get("Content-Type"),
        "params": dict(req.params),
        "route_params": dict(req.route_params),
        "body": repr(req.get_body()),
        "form": dict(req.form),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json", status_code=201, headers={"X-Answer": "42"})


@app.route(route="json", methods=["POST"])
def take_json(req: func.HttpRequest) -> func.HttpResponse:
    try:
        return func.HttpResponse(repr(req.get_json()))
    except ValueError as error:
        return func.HttpResponse(repr(error), status_code=400)


@app.route(route="cookies", methods=["GET"])
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(b"\x00", mimetype="application/octet-stream")
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly")
    response.headers.add("Set-Cookie", "b=2")
    response.headers.add("X-Repeated", "first")
    response.headers.add("X-Repeated", "last")
    return response


@app.route(route="text", methods=["GET"])
async def text(req: func.HttpRequest) -> str:
    return "plain ü"


@app.route(route="nothing", methods=["GET"])
async def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None  # type: ignore[return-value]  # the fault is the point


@app.route(route="who", methods=["GET"])
async def who(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    trace = context.trace_context
    retry = context.retry_context
    seen = {
        "function_name": context.function_name,
        "function_directory": Path(context.function_directory).name,
        "invocation_id": type(context.invocation_id).__name__,
        "trace": [trace.trace_parent, trace.trace_state, dict(trace.attributes)],
        "retry": [retry.retry_count, retry.max_retry_count],
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route(route="fails", methods=["GET"])
async def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("on purpose")


@app.route(route="waits", methods=["GET"])
async def waits(req: func.HttpRequest) -> func.HttpResponse:
    """Ends when the file in `SAMPLE_GATE` is there.

    It says in the record that it has begun.
    """
    _record("waiting")
    while not await asyncio.to_thread(Path(os.environ["SAMPLE_GATE"]).exists):  # noqa: ASYNC110  a file has no event
        await asyncio.sleep(0.02)
    return func.HttpResponse("done")


@app.service_bus_queue_trigger(
    arg_name="messages",
    queue_name="many",
    connection="ServiceBus",
    is_sessions_enabled=True,
    cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY,
)
async def take_many(messages: typing.List[func.ServiceBusMessage]) -> None:  # noqa: UP006  the worker rejects list
    _record([_describe(message) for message in messages])
    if any(message.get_body() == b"poison" for message in messages):
        raise RuntimeError("on purpose")


@app.service_bus_queue_trigger(arg_name="message", queue_name="one", connection="ServiceBus", is_sessions_enabled=True)
def take_one(message: func.ServiceBusMessage) -> None:
    _record(_describe(message))


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
async def tick(timer: func.TimerRequest) -> None:
    seen: typing.Any = timer  # the schedule is there, but only past_due is declared
    status = sorted(seen.schedule_status)
    _record({"type": type(timer).__name__, "past_due": timer.past_due, "schedule": seen.schedule, "status": status})
