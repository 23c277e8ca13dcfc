"""OTLP's JSON encoding, as exporters write it: numbers as texts, enumerations as numbers or names, ids in two forms."""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from shared.adapters.otlp.span_parts import (
    BYTES_OF_SPAN_ID,
    BYTES_OF_TRACE_ID,
    MAXIMUM_ATTRIBUTES,
    Collected,
    MalformedSpan,
    Origin,
    SpanParts,
    kept,
)
from shared.domain.ingestion.names import KEPT
from shared.domain.ingestion.spans import AttributeValue
from shared.ports.traces import DecodedTraces, MalformedTraces


class _Value(msgspec.Struct, rename="camel"):
    """Arrays and maps are skipped unread. `null` is an empty value."""

    string_value: str | None = None
    int_value: int | str | float | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None


class _Attribute(msgspec.Struct):
    key: str = ""
    value: _Value | None = None


class _Status(msgspec.Struct):
    code: int | str | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    start_time_unix_nano: int | str | float | None = None
    end_time_unix_nano: int | str | float | None = None
    status: _Status | None = None
    attributes: list[_Attribute] | None = None
    dropped_attributes_count: int | str | None = None


class _Scope(msgspec.Struct):
    name: str | None = None


class _ScopeSpans(msgspec.Struct):
    scope: _Scope | None = None
    spans: list[msgspec.Raw] | None = None


class _Resource(msgspec.Struct):
    attributes: list[_Attribute] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


_requests = msgspec.json.Decoder(_Request)
_spans = msgspec.json.Decoder(_Span)

_MAXIMUM_OBJECTS = 2_000_000
_MAXIMUM_OBJECTS_OF_SPAN = 250_000
"""Braces that are opened, in texts as well: each may become an object, while every other thread stands still."""
_ERRORS = frozenset({2, "2", "STATUS_CODE_ERROR"})
_MAXIMUM_DIGITS = 20


def decode_json(body: bytes) -> DecodedTraces:
    """Raises `MalformedTraces`."""
    if body.count(b"{") > _MAXIMUM_OBJECTS:
        raise MalformedTraces(f"The body has more than {_MAXIMUM_OBJECTS} objects; send smaller batches")
    try:
        request = _requests.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedTraces(f"The body is no ExportTraceServiceRequest in JSON: {error}"[:200]) from None
    collected = Collected()
    for of_resource in request.resource_spans or ():
        service = _service_of(of_resource.resource)
        for of_scope in of_resource.scope_spans or ():
            origin = Origin(service, (of_scope.scope.name if of_scope.scope is not None else None) or "")
            for raw in of_scope.spans or ():
                collected.count_one_more()
                try:
                    collected.spans.append(_parts(raw).span(origin))
                except MalformedSpan as error:
                    collected.reject(str(error))
    return collected.decoded()


def _parts(raw: msgspec.Raw) -> SpanParts:
    if bytes(raw).count(b"{") > _MAXIMUM_OBJECTS_OF_SPAN:
        raise MalformedSpan(f"it has more than {_MAXIMUM_OBJECTS_OF_SPAN} objects")
    try:
        span = _spans.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedSpan(str(error)[:200]) from None
    attributes = span.attributes or []
    beyond = max(0, len(attributes) - MAXIMUM_ATTRIBUTES)
    return SpanParts(
        trace_id=_id_of(span.trace_id, BYTES_OF_TRACE_ID),
        span_id=_id_of(span.span_id, BYTES_OF_SPAN_ID),
        parent_id=_id_of(span.parent_span_id, BYTES_OF_SPAN_ID),
        name=span.name or "",
        start=_number_of(span.start_time_unix_nano),
        end=_number_of(span.end_time_unix_nano),
        failed=span.status is not None and span.status.code in _ERRORS,
        attributes=kept(_attributes(attributes)),
        dropped_attributes=_number_of(span.dropped_attributes_count) + beyond,
    )


def _attributes(attributes: list[_Attribute]) -> Iterator[tuple[str, AttributeValue | None]]:
    for attribute in islice(attributes, MAXIMUM_ATTRIBUTES):
        if attribute.key in KEPT and attribute.value is not None:
            yield attribute.key, _value_of(attribute.value)


def _value_of(value: _Value) -> AttributeValue | None:
    if isinstance(value.int_value, str):
        return _number_of(value.int_value) if value.int_value.isdigit() else value.int_value
    for known in (value.string_value, value.int_value, value.double_value, value.bool_value):
        if known is not None:
            return known
    return None


def _service_of(resource: _Resource | None) -> str:
    service = ""
    for attribute in (resource.attributes if resource is not None else None) or ():
        if attribute.key == "service.name" and attribute.value is not None:
            service = attribute.value.string_value or ""
    return service


def _id_of(text: str | None, size: int) -> bytes:
    """An id in hexadecimal, as OTLP says, or in base64, as protobuf's JSON has it."""
    if not text:
        return b""
    try:
        if len(text) == 2 * size:
            return bytes.fromhex(text)
        return b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_" if {"-", "_"} & set(text) else None, validate=True
        )
    except (ValueError, binascii.Error):
        raise MalformedSpan(f"an id is neither hexadecimal nor base64: {text[:40]}") from None


def _number_of(value: Any) -> int:  # noqa: ANN401  a number in one of three types, or nothing
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= _MAXIMUM_DIGITS else 0
    return int(value) if value is not None and abs(value) < 10**_MAXIMUM_DIGITS else 0
