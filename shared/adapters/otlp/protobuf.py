"""OTLP's protobuf encoding, by the messages that its project publishes.

They are imported at the first request that needs them: most processes never do.
"""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from shared.adapters.otlp.span_parts import (
    MAXIMUM_ATTRIBUTES,
    Collected,
    MalformedSpan,
    Origin,
    SpanParts,
    kept,
)
from shared.domain.ingestion.names import KEPT
from shared.ports.traces import DecodedTraces, MalformedTraces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

    from shared.domain.ingestion.spans import AttributeValue

_ERROR = 2
"""STATUS_CODE_ERROR."""


def decode_protobuf(body: bytes) -> DecodedTraces:
    """Raises `MalformedTraces`."""
    collected = Collected()
    for of_resource in _parser()(body).resource_spans:
        service = _text_of(of_resource.resource.attributes, "service.name")
        for of_scope in of_resource.scope_spans:
            origin = Origin(service, of_scope.scope.name)
            for message in of_scope.spans:
                collected.count_one_more()
                try:
                    collected.spans.append(_parts(message).span(origin))
                except MalformedSpan as error:
                    collected.reject(str(error))
    return collected.decoded()


@cache
def _parser() -> Callable[[bytes], ExportTraceServiceRequest]:
    from google.protobuf.message import DecodeError  # noqa: PLC0415  see above
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415

    def parse(body: bytes) -> ExportTraceServiceRequest:
        try:
            return trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        except DecodeError:
            raise MalformedTraces("The body is no ExportTraceServiceRequest in protobuf, or is cut off") from None

    return parse


def _parts(message: SpanMessage) -> SpanParts:
    beyond = max(0, len(message.attributes) - MAXIMUM_ATTRIBUTES)
    return SpanParts(
        trace_id=message.trace_id,
        span_id=message.span_id,
        parent_id=message.parent_span_id,
        name=message.name,
        start=message.start_time_unix_nano,
        end=message.end_time_unix_nano,
        failed=message.status.code == _ERROR,
        attributes=kept(_attributes(message.attributes)),
        dropped_attributes=message.dropped_attributes_count + beyond,
    )


def _attributes(attributes: Iterable[KeyValue]) -> Iterator[tuple[str, AttributeValue | None]]:
    for attribute in islice(attributes, MAXIMUM_ATTRIBUTES):
        name = attribute.key
        if name in KEPT:
            yield name, _value_of(attribute)


def _value_of(attribute: KeyValue) -> AttributeValue | None:
    kind = attribute.value.WhichOneof("value")
    if kind in {"string_value", "int_value", "double_value", "bool_value"}:
        value: AttributeValue = getattr(attribute.value, kind)
        return value
    return None


def _text_of(attributes: Iterable[KeyValue], name: str) -> str:
    found = ""
    for attribute in islice(attributes, MAXIMUM_ATTRIBUTES):
        if attribute.key == name:
            found = attribute.value.string_value
    return found
