"""Bodies of OTLP requests with the spans of a test, in both encodings."""

import json
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shared.domain.ingestion.spans import Span

Json = dict[str, Any]

_ERROR = 2


def json_body(spans: Iterable[Span]) -> bytes:
    return json.dumps({"resourceSpans": [_resource(span) for span in spans]}).encode()


def protobuf_body(spans: Iterable[Span]) -> bytes:
    request = ExportTraceServiceRequest()
    for span in spans:
        of_resource = request.resource_spans.add()
        _set(of_resource.resource.attributes.add(), "service.name", span.service)
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = span.scope
        message = of_scope.spans.add(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=bytes.fromhex(span.span_id),
            parent_span_id=bytes.fromhex(span.parent_id),
            name=span.name,
            start_time_unix_nano=span.start * 1000,
            end_time_unix_nano=span.end * 1000,
            dropped_attributes_count=span.dropped_attributes,
        )
        message.status.code = _ERROR if span.failed else 0
        for name, value in span.attributes.items():
            _set(message.attributes.add(), name, value)
    return bytes(request.SerializeToString())


def _set(attribute: Any, name: str, value: object) -> None:
    attribute.key = name
    kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
    setattr(attribute.value, kind, value)


def _resource(span: Span) -> Json:
    scope_spans = [{"scope": {"name": span.scope}, "spans": [_span(span)]}]
    return {"resource": {"attributes": [_attribute("service.name", span.service)]}, "scopeSpans": scope_spans}


def _span(span: Span) -> Json:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "startTimeUnixNano": str(span.start * 1000),
        "endTimeUnixNano": str(span.end * 1000),
        "attributes": [_attribute(name, value) for name, value in span.attributes.items()],
        "droppedAttributesCount": span.dropped_attributes,
        "status": {"code": _ERROR} if span.failed else {},
    }


def _attribute(name: str, value: object) -> Json:
    if isinstance(value, bool):
        return {"key": name, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": name, "value": {"doubleValue": value}}
    return {"key": name, "value": {"stringValue": value}}
