"""Spans out of OTLP's two encodings, as strange as exporters and proxies write them."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from shared.adapters.otlp.decoder import OtlpDecoder
from shared.domain.ingestion.accepting import rejection_of
from shared.domain.ingestion.calls import instant_of
from shared.domain.ingestion.names import KEPT
from shared.domain.ingestion.spans import Span, count_of
from shared.ports.traces import DecodedTraces, MalformedTraces, TraceEncoding
from tests.doubles.worlds.otlp_captures import CAPTURES, body_of, encoding_of, spans_of
from tests.doubles.worlds.plain_spans import call

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
INPUT = "gen_ai.usage.input_tokens"
END = 1_796_040_000_123_456_789

CAPTURE_NAMES = sorted(json.loads((CAPTURES / "content_types.json").read_text()))


def request(*spans: dict[str, Any], service: object = "helpdesk") -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    scope = {"name": "library", "version": "1.2"}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}]}


def span(**changes: Any) -> dict[str, Any]:
    plain = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": "chat",
        "startTimeUnixNano": "1",
        "endTimeUnixNano": str(END),
    }
    return plain | changes


def decoded(body: object) -> DecodedTraces:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OtlpDecoder().decode(text, TraceEncoding.JSON)


def only(body: dict[str, Any]) -> Span:
    (found,) = decoded(body).spans
    return found


def counted(sent: dict[str, Any]) -> int | None:
    """The input tokens of a span."""
    return count_of(only(request(sent)).attributes.get(INPUT))


def attribute(name: str, value: object) -> dict[str, object]:
    return {"key": name, "value": value}


@pytest.mark.parametrize("capture", CAPTURE_NAMES)
def test_both_encodings_say_the_same(capture: str):
    if encoding_of(capture) is TraceEncoding.JSON:
        pytest.skip("was sent as JSON")
    message = ExportTraceServiceRequest.FromString(body_of(capture))
    assert tuple(decoded(MessageToDict(message)).spans) == spans_of(capture)


@pytest.mark.parametrize("capture", CAPTURE_NAMES)
def test_only_what_is_read_is_kept(capture: str):
    for found in spans_of(capture):
        assert found.attributes.keys() <= KEPT


class TestJson:
    def test_a_plain_span(self):
        found = only(request(span(parentSpanId="EEE19B7EC3C1B173")))
        assert (found.trace_id, found.span_id, found.parent_id) == (TRACE_ID, SPAN_ID, "eee19b7ec3c1b173")
        assert (found.service, found.scope) == ("helpdesk", "library")
        assert (found.start, found.end) == (0, END // 1000)

    def test_ids_in_base64(self):
        ids = {
            "traceId": b64encode(bytes.fromhex(TRACE_ID)).decode(),
            "spanId": b64encode(bytes.fromhex(SPAN_ID)).decode(),
        }
        found = only(request(span(**ids)))
        assert (found.trace_id, found.span_id) == (TRACE_ID, SPAN_ID)

    def test_times_as_numbers(self):
        assert only(request(span(endTimeUnixNano=END))).end == END // 1000

    @pytest.mark.parametrize("code", [2, "STATUS_CODE_ERROR", "2"])
    def test_the_status_as_number_or_name(self, code: object):
        assert only(request(span(status={"code": code}))).failed

    @pytest.mark.parametrize("status", [{}, None, {"code": 0}, {"code": "STATUS_CODE_OK"}, {"message": "x"}])
    def test_other_statuses_are_no_failure(self, status: object):
        assert not only(request(span(status=status))).failed

    @pytest.mark.parametrize("kind", [3, "SPAN_KIND_CLIENT", None])
    def test_the_kind_does_not_matter(self, kind: object):
        assert only(request(span(kind=kind))).name == "chat"

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"intValue": "5"}, 5),
            ({"intValue": 5}, 5),
            ({"doubleValue": 5.0}, 5),
            ({"doubleValue": "5"}, 5),
            ({"stringValue": "5"}, 5),
            ({}, None),
            (None, None),
            ({"stringValue": ""}, None),
            ({"boolValue": True}, None),
            ({"arrayValue": {"values": [{"intValue": "5"}]}}, None),
        ],
    )
    def test_a_count_in_every_form(self, value: object, expected: int | None):
        assert counted(span(attributes=[attribute(INPUT, value)])) == expected

    def test_of_a_key_that_comes_twice_the_last_value_holds_that_is_none_empty(self):
        values = [{"intValue": "1"}, {"intValue": "2"}, {}]
        assert counted(span(attributes=[attribute(INPUT, value) for value in values])) == 2

    def test_what_goes_beyond_the_limits_counts_as_dropped(self):
        many = [attribute("x", {"intValue": "1"})] * 1_500
        assert only(request(span(attributes=many, droppedAttributesCount=3))).dropped_attributes == 503

    @pytest.mark.parametrize(
        "changes",
        [
            {"traceId": ""},
            {"traceId": "0" * 32},
            {"traceId": "no id"},
            {"traceId": None},
            {"spanId": "0" * 16},
            {"spanId": TRACE_ID},
            {"parentSpanId": "12"},
            {"endTimeUnixNano": "0"},
            {"endTimeUnixNano": "soon"},
            {"endTimeUnixNano": str(2**64 - 1)},
            {"startTimeUnixNano": "-1", "endTimeUnixNano": None},
            {"attributes": 5},
            {"name": 5},
        ],
    )
    def test_a_malformed_span_is_rejected_alone(self, changes: dict[str, object]):
        found = decoded(request(span(), span(**changes), span(spanId="aaaaaaaaaaaaaaaa")))
        assert (len(found.spans), len(found.rejected)) == (2, 1)
        assert found.rejected[0].startswith("span 2: ")

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[]", b"nothing", b"\xff\xfe", b'{"resourceSpans": 5}', b'{"resourceSpans": [5]}', b"[" * 100_000],
    )
    def test_a_body_that_is_no_export(self, body: bytes):
        with pytest.raises(MalformedTraces):
            decoded(body)

    @pytest.mark.parametrize("body", [{}, {"resourceSpans": []}, {"resourceSpans": None}, {"resourceSpans": [{}]}])
    def test_an_empty_export(self, body: dict[str, Any]):
        assert decoded(body) == DecodedTraces((), ())

    def test_too_many_spans(self):
        with pytest.raises(MalformedTraces, match="at most 10000 spans"):
            decoded(request(*[span()] * 10_001))

    def test_objects_without_end(self):
        found = decoded(request(span(attributes=[{}] * 250_000), span()))
        assert (len(found.spans), found.rejected) == (1, ("span 1: it has more than 250000 objects",))
        with pytest.raises(MalformedTraces, match="more than 2000000 objects"):
            decoded(b'{"resourceSpans": [' + b"{}," * 2_000_000 + b"{}]}")

    def test_deep_values_do_no_harm(self):
        deep: dict[str, object] = {"stringValue": "x"}
        for _ in range(200):
            deep = {"arrayValue": {"values": [deep]}}
        assert only(request(span(attributes=[attribute("gen_ai.usage.input_tokens", deep)]))).attributes == {}


class TestProtobuf:
    def decoded(self, body: bytes) -> DecodedTraces:
        return OtlpDecoder().decode(body, TraceEncoding.PROTOBUF)

    def test_a_body_that_is_cut_off(self):
        whole = body_of("dotnet/agents_ai")
        with pytest.raises(MalformedTraces):
            self.decoded(whole[: len(whole) // 2])

    def test_a_body_that_is_no_export(self):
        with pytest.raises(MalformedTraces):
            self.decoded(b"\xff" * 50)

    @pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**62, 2**63 - 1, -1, -(2**63)])
    def test_integers_of_any_length(self, value: int):
        message = ExportTraceServiceRequest()
        sent = (
            message.resource_spans.add()
            .scope_spans.add()
            .spans.add(trace_id=b"x" * 16, span_id=b"y" * 8, end_time_unix_nano=END, dropped_attributes_count=2**32 - 1)
        )
        sent.attributes.add(key=INPUT).value.int_value = value
        (found,) = self.decoded(message.SerializeToString()).spans
        assert (found.attributes, found.dropped_attributes) == ({INPUT: value}, 2**32 - 1)

    @pytest.mark.parametrize("cut", range(1, 40))
    def test_bytes_that_are_no_span_are_rejected_alone(self, cut: int):
        def body(span: bytes) -> bytes:
            scope = b"\x12" + bytes([len(span)]) + span
            resource = b"\x12" + bytes([len(scope)]) + scope
            return b"\x0a" + bytes([len(resource)]) + resource

        whole = b"\x0a\x10" + b"x" * 16 + b"\x12\x08" + b"y" * 8 + b"\x41" + END.to_bytes(8, "little")
        assert len(self.decoded(body(whole)).spans) == 1
        assert len(self.decoded(body(whole[:-cut])).rejected) == 1
        assert len(self.decoded(body(whole + b"\x2a\x01\xff")).rejected) == 1  # a name that is not UTF-8

    def test_attributes_without_end_cost_no_more_than_a_look(self):
        span = b"\x0a\x10" + b"x" * 16 + b"\x12\x08" + b"y" * 8 + b"\x41" + END.to_bytes(8, "little")
        span += b"\x4a\x00" * 300_000

        def field(number: int, content: bytes) -> bytes:
            size = len(content)
            return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) + content

        (found,) = self.decoded(field(1, field(2, field(2, span)))).spans
        assert (found.attributes, found.dropped_attributes) == ({}, 299_000)

    @pytest.mark.parametrize(
        "value",
        [
            AnyValue(int_value=42),
            AnyValue(bool_value=True),
            AnyValue(double_value=1.5),
            AnyValue(bytes_value=b"helpdesk"),
            AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="helpdesk")])),
            AnyValue(),
        ],
    )
    def test_a_service_name_that_is_no_text_is_none_in_both_encodings(self, value: AnyValue):
        message = ExportTraceServiceRequest()
        of_resource = message.resource_spans.add()
        of_resource.resource.attributes.add(key="service.name", value=value)
        of_resource.scope_spans.add().spans.add(trace_id=b"x" * 16, span_id=b"y" * 8, end_time_unix_nano=END)
        (found,) = self.decoded(message.SerializeToString()).spans
        assert found.service == ""
        assert decoded(MessageToDict(message)).spans == (found,)

    @pytest.mark.parametrize("broken", ["resource", "scope"])
    def test_spans_of_a_service_or_scope_that_is_not_utf_8_are_rejected_alone(self, broken: str):
        message = ExportTraceServiceRequest()
        for name in ("helpdesk", "NAMED"):
            of_resource = message.resource_spans.add()
            service = name if broken == "resource" else "helpdesk"
            of_resource.resource.attributes.add(key="service.name").value.string_value = service
            of_scope = of_resource.scope_spans.add()
            of_scope.scope.name = name
            for number in (b"1", b"2"):
                of_scope.spans.add(trace_id=b"x" * 16, span_id=number * 8, end_time_unix_nano=END)
        found = self.decoded(message.SerializeToString().replace(b"NAMED", b"\xff" * 5))
        reason = f"its {broken} cannot be read: a text is not UTF-8"
        assert [span.service for span in found.spans] == ["helpdesk"] * 2
        assert found.rejected == (f"span 3: {reason}", f"span 4: {reason}")

    def test_resources_and_scopes_without_end(self):
        for group in (b"\x0a\x00", b"\x0a\x02\x12\x00"):
            with pytest.raises(MalformedTraces, match="at most 100000 resources"):
                self.decoded(group * 100_001)

    def test_an_empty_body_is_an_empty_export(self):
        assert self.decoded(b"") == DecodedTraces((), ())

    def test_a_malformed_span_is_rejected_alone(self):
        message = ExportTraceServiceRequest()
        spans = message.resource_spans.add().scope_spans.add().spans
        spans.add(trace_id=b"x" * 16, span_id=b"y" * 8, end_time_unix_nano=END)
        spans.add(trace_id=b"x" * 15, span_id=b"y" * 8, end_time_unix_nano=END)
        found = self.decoded(message.SerializeToString())
        assert (len(found.spans), found.rejected) == (1, ("span 2: its trace id has not 16 bytes, or only zeros",))


class TestTimes:
    NOW = instant_of(call("one").end)

    @pytest.mark.parametrize(
        ("now", "is_taken"),
        [
            (NOW, True),
            (NOW - timedelta(minutes=5), True),
            (NOW - timedelta(minutes=5, seconds=1), False),
            (NOW + timedelta(days=90), True),
            (NOW + timedelta(days=90, seconds=1), False),
        ],
    )
    def test_spans_far_ahead_or_older_than_the_late_window_are_rejected(self, now: Any, is_taken: bool):
        reason = rejection_of(call("one"), now, timedelta(days=90))
        assert (reason is None) is is_taken
