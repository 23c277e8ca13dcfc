"""OTLP over HTTP: bodies, answers and errors in protobuf or JSON, each in the encoding of its request.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import WithJsonSchema

from shared.domain.kernel.errors import XyraError
from shared.http import Document, Reply, Schema
from shared.http.replies import serialised
from shared.ports.traces import TraceEncoding
from shared.services.ingestion.reading import SentTraces
from shared.unpacking import PackedBody

PROTOBUF, JSON = TraceEncoding.PROTOBUF, TraceEncoding.JSON

MAXIMUM_MESSAGE = 4_000
"""Characters of what a request is told besides a number."""

Binary = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]
"""A message in protobuf."""


class Status(Schema):
    """Why a request was refused or failed (google.rpc.Status)."""

    code: int
    """Of gRPC."""
    message: str
    """A code of this API, and what is wrong."""


_GRPC_CODES = {
    HTTPStatus.UNAUTHORIZED: 16,
    HTTPStatus.FORBIDDEN: 7,
    HTTPStatus.NOT_FOUND: 5,
    HTTPStatus.METHOD_NOT_ALLOWED: 12,
    HTTPStatus.CONFLICT: 10,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: 8,
    HTTPStatus.TOO_MANY_REQUESTS: 8,
    HTTPStatus.INTERNAL_SERVER_ERROR: 13,
    HTTPStatus.SERVICE_UNAVAILABLE: 14,
}
_INVALID_ARGUMENT = 3
"""Of all other errors."""


def encoding_of(headers: Mapping[str, str]) -> TraceEncoding:
    """The encoding of a request, in which it is answered, too; JSON where it says none."""
    return PROTOBUF if _media_type(headers) == PROTOBUF else JSON


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class OtlpBody:
    """A body as it came: it is unpacked and read where that holds nobody up."""

    @property
    def content(self) -> Mapping[str, Any]:
        return {JSON.value: Document, PROTOBUF.value: Binary}

    @property
    def required(self) -> bool:
        return True

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> SentTraces:
        return SentTraces(TraceEncoding(media_type), PackedBody.of(headers, raw))


@dataclass(frozen=True, slots=True)
class OtlpErrors:
    """Errors as `Status`. Its message begins with the code that a problem document has in its type."""

    @property
    def content(self) -> Mapping[str, Any]:
        return {JSON.value: Status, PROTOBUF.value: Binary}

    def written(self, error: XyraError, headers: Mapping[str, str]) -> tuple[str, bytes]:
        code = _GRPC_CODES.get(error.status, _INVALID_ARGUMENT)
        places = "".join(f"; {place.pointer} {place.detail}" for place in error.errors if place.pointer)
        message = f"{error.code}: {error.public_detail}{places}"[:MAXIMUM_MESSAGE]
        encoding = encoding_of(headers)
        if encoding is JSON:
            return JSON.value, serialised(Status, {"code": code, "message": message})
        return PROTOBUF.value, _number(1, code) + _text(2, message)


def success(headers: Mapping[str, str], *, rejected: int, message: str, rejected_name: str) -> Reply:
    """The answer to an export. Without a message everything was taken, and there is nothing to say about it."""
    if encoding_of(headers) is JSON:
        partial = {rejected_name: str(rejected), "errorMessage": message}
        return Reply({"partialSuccess": partial} if message else {}, media_type=JSON.value)
    partial_message = (_number(1, rejected) + _text(2, message)) if message else b""
    return Reply(_message(1, partial_message) if message else b"", media_type=PROTOBUF.value)


def message_of(reasons: list[str], shown: int = 20) -> str:
    """The first reasons in one text, and how many there are besides."""
    text = "; ".join(reason[:200] for reason in reasons[:shown])
    return f"{text}; and {len(reasons) - shown} more" if len(reasons) > shown else text


# The wire format of protobuf: https://protobuf.dev/programming-guides/encoding/


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004  seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
