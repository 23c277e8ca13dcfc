"""The messages between the platform's host and its Python worker.

They are modelled as far as these tests use them. The names are those of the host's RPC protocol, in which the worker is
written; `http_request`, `queue_batch`, `queue_message` and `timer` put things into it as the host does. That code is
public (azure-functions-host, WebJobs.Script.Grpc; azure-sdk-for-net, WebJobs.Extensions.ServiceBus), and these are its
rules:

- HTTP: repeated query parameters and headers are joined by a comma, query names are equal without regard to case,
  parameters without a value are left out, header names are in lower case, a body is bytes, none is nothing at all.
- A batch: bodies are one collection (of bytes, where the binding says BINARY), properties are arrays beside it. Texts
  that are empty or missing are left out of their array. Times are written without a zone.
"""

import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class TypedData:
    """One value of one kind; without any it stands for null."""

    def __init__(self, **value: Any) -> None:
        self.kind: str | None = next(iter(value), None)
        self.value: Any = value.get(self.kind) if self.kind else None

    def __getattr__(self, name: str) -> Any:
        if name == self.__dict__.get("kind"):
            return self.value
        raise AttributeError(name)

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802  protobuf's name
        return self.kind


class ParameterBinding(SimpleNamespace):
    def WhichOneof(self, _: str) -> str:  # noqa: N802  protobuf's name
        return "data"


class StatusResult(SimpleNamespace):
    Failure = 0
    Success = 1


class BindingInfo(SimpleNamespace):
    out = 1
    inout = 2
    undefined = 0


class RpcHttpCookie(SimpleNamespace):
    SameSite = SimpleNamespace(**{"None": "None", "Lax": "Lax", "Strict": "Strict", "ExplicitNone": "ExplicitNone"})


class Timestamp(SimpleNamespace):
    pass


MESSAGES = SimpleNamespace(
    BindingInfo=BindingInfo,
    ParameterBinding=ParameterBinding,
    RpcHttpCookie=RpcHttpCookie,
    StatusResult=StatusResult,
    Timestamp=Timestamp,
    TypedData=TypedData,
    **dict.fromkeys(
        (
            "FunctionLoadResponse",
            "FunctionMetadataResponse",
            "InvocationResponse",
            "NullableBool",
            "NullableDouble",
            "NullableString",
            "NullableTimestamp",
            "RpcException",
            "RpcFunctionMetadata",
            "RpcHttp",
            "RpcRetryOptions",
            "WorkerInitResponse",
            "WorkerMetadata",
        ),
        SimpleNamespace,
    ),
)


def http_request(request: dict[str, Any]) -> TypedData:
    """From `method`, `url`, `headers` (pairs), `route_params`, `body` (latin-1 text)."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(request["url"]).query, keep_blank_values=True):
        known = next((each for each in query if each.lower() == name.lower()), name)
        query[known] = f"{query[known]},{value}" if known in query else value
    headers: dict[str, str] = {}
    for name, value in request.get("headers", []):
        headers[name.lower()] = f"{headers[name.lower()]},{value}" if name.lower() in headers else value
    body = request.get("body", "").encode("latin-1")
    return TypedData(
        http=SimpleNamespace(
            method=request.get("method", "GET"),
            url=request["url"],
            headers=headers,
            query={name: value for name, value in query.items() if value},
            params=request.get("route_params", {}),
            body=TypedData(bytes=body) if body else TypedData(),
        )
    )


def queue_batch(messages: list[dict[str, Any]]) -> tuple[TypedData, dict[str, TypedData]]:
    """The trigger's value and its metadata, for cardinality many."""

    def texts(name: str) -> TypedData:
        return TypedData(collection_string=SimpleNamespace(string=[each[name] for each in messages if each.get(name)]))

    def values(name: str) -> TypedData:
        return TypedData(json=json.dumps([each[name] for each in messages]))

    metadata = {
        "DeliveryCountArray": values("delivery_count"),
        "EnqueuedTimeUtcArray": values("enqueued_time_utc"),
        "ExpiresAtUtcArray": values("expires_at_utc"),
        "ApplicationPropertiesArray": TypedData(json=json.dumps([{} for _ in messages])),
        "UserPropertiesArray": TypedData(json=json.dumps([{} for _ in messages])),
        "SequenceNumberArray": TypedData(
            collection_sint64=SimpleNamespace(sint64=[each["sequence_number"] for each in messages])
        ),
    }
    for name, key in _TEXTS.items():
        metadata[f"{name}Array"] = texts(key)
    bodies = [each["body"].encode("latin-1") for each in messages]
    return TypedData(collection_bytes=SimpleNamespace(bytes=bodies)), metadata


def queue_message(message: dict[str, Any], *, is_binary: bool) -> tuple[TypedData, dict[str, TypedData]]:
    """The trigger's value and its metadata, for cardinality one: without the data type BINARY the body is a text."""
    metadata = {
        "DeliveryCount": TypedData(json=json.dumps(message["delivery_count"])),
        "EnqueuedTimeUtc": TypedData(json=json.dumps(message["enqueued_time_utc"])),
        "ExpiresAtUtc": TypedData(json=json.dumps(message["expires_at_utc"])),
        "ApplicationProperties": TypedData(json="{}"),
        "UserProperties": TypedData(json="{}"),
        "SequenceNumber": TypedData(json=json.dumps(message["sequence_number"])),
    }
    metadata |= {name: TypedData(string=message[key]) for name, key in _TEXTS.items() if message.get(key) is not None}
    body = message["body"]
    return TypedData(bytes=body.encode("latin-1")) if is_binary else TypedData(string=body), metadata


def timer(request: dict[str, Any]) -> TypedData:
    """From `past_due`."""
    moments = {"Last": "2026-10-02T09:00:00+00:00", "LastUpdated": "2026-10-02T09:00:00+00:00"}
    status = moments | {"Next": "2026-10-03T09:00:00+00:00"}
    document = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status,
        "IsPastDue": request.get("past_due", False),
    }
    return TypedData(json=json.dumps(document))


_TEXTS = {
    "ContentType": "content_type",
    "CorrelationId": "correlation_id",
    "DeadLetterSource": "dead_letter_source",
    "Label": "subject",
    "LockToken": "lock_token",
    "MessageId": "message_id",
    "PartitionKey": "partition_key",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "SessionId": "session_id",
    "Subject": "subject",
    "To": "to",
}
