"""OTLP's protobuf encoding: of each span, what is read of it, and nothing else.

The numbers of fields are those of the messages that the project publishes:
https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto (`trace`, `common`, `resource`).
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from shared.adapters.otlp.span_parts import (
    MAXIMUM_ATTRIBUTES,
    Collected,
    MalformedSpan,
    Origin,
    SpanParts,
    kept,
)
from shared.adapters.otlp.wire_format import (
    BrokenWireFormat,
    Place,
    double,
    fields,
    fixed64,
    number,
    signed,
    text,
)
from shared.domain.ingestion.names import KEPT
from shared.domain.ingestion.spans import AttributeValue
from shared.ports.traces import DecodedTraces, MalformedTraces

# Numbers of fields, by message
_RESOURCE_SPANS = 1
_RESOURCE, _SCOPE_SPANS = 1, 2
_RESOURCE_ATTRIBUTES = 1
_SCOPE, _SPANS = 1, 2
_SCOPE_NAME = 1
_TRACE_ID, _SPAN_ID, _PARENT_SPAN_ID = 1, 2, 4
_NAME, _START, _END, _ATTRIBUTES, _DROPPED_ATTRIBUTES, _STATUS = 5, 7, 8, 9, 10, 15
_STATUS_CODE = 3
_KEY, _VALUE = 1, 2
_STRING, _BOOL, _INTEGER, _DOUBLE = 1, 2, 3, 4

_ERROR = 2
"""STATUS_CODE_ERROR."""
_NAMES = {name.encode(): name for name in KEPT}
_SERVICE = {b"service.name": "service.name"}


def decode_protobuf(body: bytes) -> DecodedTraces:
    """Raises `MalformedTraces`."""
    collected = Collected()
    try:
        for field, start, end in fields(body, 0, len(body)):
            if field == _RESOURCE_SPANS:
                _read_resource_spans(body, (start, end), collected)
    except BrokenWireFormat as error:
        raise MalformedTraces(f"The body is no ExportTraceServiceRequest in protobuf: {error}") from None
    return collected.decoded()


def _read_resource_spans(body: bytes, place: Place, collected: Collected) -> None:
    collected.count_group()
    resources, scopes = [], []
    for field, start, end in fields(body, *place):
        if field == _RESOURCE:
            resources.append((start, end))
        elif field == _SCOPE_SPANS:
            collected.count_group()
            scopes.append((start, end))
    try:
        service = _service_of(body, resources[-1]) if resources else ""
    except BrokenWireFormat as error:
        for scope in scopes:
            _reject_spans(body, scope, f"its resource cannot be read: {error}", collected)
        return
    for scope in scopes:
        _read_scope_spans(body, scope, service, collected)


def _reject_spans(body: bytes, place: Place, reason: str, collected: Collected) -> None:
    for field, _, _ in fields(body, *place):
        if field == _SPANS:
            collected.count_one_more()
            collected.reject(reason)


def _read_scope_spans(body: bytes, place: Place, service: str, collected: Collected) -> None:
    scopes = [(start, end) for field, start, end in fields(body, *place) if field == _SCOPE]
    try:
        origin = Origin(service, _name_of(body, scopes[-1]) if scopes else "")
    except BrokenWireFormat as error:
        _reject_spans(body, place, f"its scope cannot be read: {error}", collected)
        return
    for field, start, end in fields(body, *place):
        if field == _SPANS:
            collected.count_one_more()
            try:
                collected.spans.append(_parts(body, (start, end)).span(origin))
            except (MalformedSpan, BrokenWireFormat) as error:
                collected.reject(str(error))


def _name_of(body: bytes, place: Place) -> str:
    names = [text(body, (start, end)) for field, start, end in fields(body, *place) if field == _SCOPE_NAME]
    return names[-1] if names else ""


def _service_of(body: bytes, place: Place) -> str:
    """The resource's `service.name`, where that is a text."""
    found = ((start, end) for field, start, end in fields(body, *place) if field == _RESOURCE_ATTRIBUTES)
    attributes = list(islice(found, MAXIMUM_ATTRIBUTES))
    name = kept(_attributes(body, attributes, _SERVICE)).get("service.name")
    return name if isinstance(name, str) else ""


def _parts(body: bytes, place: Place) -> SpanParts:
    """Of a field that comes twice, the last value holds."""
    ids = {_TRACE_ID: b"", _SPAN_ID: b"", _PARENT_SPAN_ID: b""}
    times = {_START: 0, _END: 0}
    name, failed, dropped, beyond = "", False, 0, 0
    attributes: list[Place] = []
    for field, start, end in fields(body, *place):
        if field == _ATTRIBUTES:
            if len(attributes) < MAXIMUM_ATTRIBUTES:
                attributes.append((start, end))
            else:
                beyond += 1
        elif field in ids:
            ids[field] = body[start:end]
        elif field in times:
            times[field] = fixed64(body, (start, end))
        elif field == _NAME:
            name = text(body, (start, end))
        elif field == _DROPPED_ATTRIBUTES:
            dropped = number(body, (start, end))
        elif field == _STATUS:
            failed = _is_error(body, (start, end))
    return SpanParts(
        trace_id=ids[_TRACE_ID],
        span_id=ids[_SPAN_ID],
        parent_id=ids[_PARENT_SPAN_ID],
        name=name,
        start=times[_START],
        end=times[_END],
        failed=failed,
        attributes=kept(_attributes(body, attributes, _NAMES)),
        dropped_attributes=dropped + beyond,
    )


def _is_error(body: bytes, place: Place) -> bool:
    codes = [number(body, (start, end)) for field, start, end in fields(body, *place) if field == _STATUS_CODE]
    return codes[-1:] == [_ERROR]


def _attributes(
    body: bytes, places: Sequence[Place], names: dict[bytes, str]
) -> Iterator[tuple[str, AttributeValue | None]]:
    for start, end in places:
        name, value = None, None
        for field, at, to in fields(body, start, end):
            if field == _KEY:
                name = names.get(body[at:to])
                if name is None:
                    break
            elif field == _VALUE:
                value = (at, to)
        if name is not None:
            yield name, None if value is None else _value_of(body, value)


def _value_of(body: bytes, place: Place) -> AttributeValue | None:
    """None for an empty value, and for arrays, maps and bytes, which are skipped unread."""
    value: AttributeValue | None = None
    for field, start, end in fields(body, *place):
        if field == _STRING:
            value = text(body, (start, end))
        elif field == _BOOL:
            value = number(body, (start, end)) != 0
        elif field == _INTEGER:
            value = signed(body, (start, end))
        elif field == _DOUBLE:
            value = double(body, (start, end))
        else:
            value = None
    return value
