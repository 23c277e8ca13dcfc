"""Requests with traces that cannot be taken, or not all: the protocol's answers, in the request's encoding."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from shared.domain.ingestion.calls import microseconds_of
from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.xyra_client import Answer, Client, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.worlds.otlp_bodies import json_body, protobuf_body
from tests.doubles.worlds.otlp_captures import body_of
from tests.doubles.worlds.plain_spans import call

TRACES = "/v1/traces"
JSON, PROTOBUF = "application/json", "application/x-protobuf"
MIB = 1024 * 1024
SECOND = 1_000_000
DAY = 24 * 3600 * SECOND
END = microseconds_of(NOW) - SECOND
SPAN = replace(call("call", answer="answer-1"), start=END - SECOND, end=END)


async def export(client: Client, body: bytes, media_type: str = PROTOBUF, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.send("POST", TRACES, raw=body, headers={"Content-Type": media_type, **named})


def status_of(answer: Answer) -> tuple[int, str]:
    """Code and message of the `google.rpc.Status` in an answer."""
    if answer.media_type == JSON:
        status = answer.json()
        return status["code"], status["message"]
    assert answer.media_type == PROTOBUF
    body = answer.body
    assert (body[0], body[2]) == (1 << 3, 2 << 3 | 2)
    size, start = body[3], 4
    if size > 0x7F:
        size, start = (size & 0x7F) | body[4] << 7, 5
    assert len(body) == start + size
    return body[1], body[start:].decode()


PACKED = {"Content_Encoding": "gzip"}
UNREADABLE: dict[str, tuple[bytes, dict[str, str], int, int, str]] = {
    "empty": (b"", {}, 411, 3, "length-required: The body is empty. One that is sent in chunks"),
    "no message": (b"\x0a\xff\xff", {}, 400, 3, "malformed: "),
    "cut": (body_of("openai_v2")[:2000], {}, 400, 3, "malformed: "),
    "no gzip": (b"no gzip", PACKED, 400, 3, "malformed: The body is not gzip"),
    "cut gzip": (gzip.compress(b"x" * 1000)[:-12], PACKED, 400, 3, "malformed: The body is not one whole"),
    "large": (b"\0" * (10 * MIB), {}, 413, 8, "too_large: The body has 10485760 bytes"),
    "large unpacked": (gzip.compress(b"\0" * (17 * MIB)), PACKED, 413, 8, "too_large: The body has more than"),
    "brotli": (b"x", {"Content_Encoding": "br"}, 415, 3, "unsupported_media_type: Content-Encoding is br"),
}


@pytest.mark.parametrize("media_type", [JSON, PROTOBUF])
@pytest.mark.parametrize("kind", UNREADABLE)
async def test_a_body_that_cannot_be_read(xyra: Xyra, media_type: str, kind: str) -> None:
    body, headers, status, code, said = UNREADABLE[kind]
    organization = await xyra.organization()
    answer = await export(organization.key, body, media_type, **headers)
    assert answer.status == status
    assert answer.media_type == media_type
    grpc_code, message = status_of(answer)
    assert grpc_code == code
    assert message.startswith(said)


async def in_chunks(client: Client, body: bytes) -> tuple[int, bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    headers = {"Content-Type": PROTOBUF, **client.headers}
    async with client.session.post(TRACES, data=chunks(), headers=headers) as response:
        return response.status, await response.read()


async def test_a_body_in_chunks_is_never_a_success_where_the_platform_loses_it(xyra: Xyra) -> None:
    organization = await xyra.organization()
    status, body = await in_chunks(organization.key, protobuf_body([SPAN]))
    assert status == 411
    assert b"length-required: The body was sent in chunks" in body
    assert b"docs/send-usage.md" in body


async def test_a_body_in_chunks_is_taken_where_it_arrives(new_process: Callable[..., XyraProcess]) -> None:
    served = await Served.by(new_process(LOCAL_HOST_LOSES_CHUNKED_BODIES="0"))
    async with served.clients() as xyra:
        organization = await xyra.organization()
        await organization.agent("helpdesk")
        assert await in_chunks(organization.key, protobuf_body([SPAN])) == (200, b"")
        await xyra.idle()
        assert len((await organization.key.get("events"))["data"]) == 1


@pytest.mark.parametrize("media_type", [JSON, PROTOBUF])
async def test_credentials_are_refused_in_the_encoding_of_the_request(xyra: Xyra, media_type: str) -> None:
    unknown = await export(xyra.anonymous, b"x", media_type)
    assert (unknown.status, status_of(unknown)[0]) == (401, 16)
    assert status_of(unknown)[1].startswith("unauthenticated: ")
    organization = await xyra.organization()
    reader = await xyra.key_of(organization.id, ["events:read"])
    refused = await export(reader, b"x", media_type)
    assert (refused.status, status_of(refused)[0]) == (403, 7)


async def test_another_media_type_or_method_is_refused_as_a_status(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await export(organization.key, b"x", "text/plain")
    assert answer.status == 415
    assert status_of(answer)[1].startswith("unsupported_media_type: Content-Type is text/plain")
    unknown = await organization.key.send("GET", TRACES, headers={"Content-Type": PROTOBUF})
    assert (unknown.status, status_of(unknown)[0]) == (405, 12)


async def test_an_operators_key_names_the_organization(xyra: Xyra) -> None:
    organization = await xyra.organization()
    body = protobuf_body([SPAN])
    unnamed = await export(xyra.operator, body)
    assert unnamed.status == 422
    assert "?organization_id" in status_of(unnamed)[1]
    named = await xyra.operator.send(
        "POST", TRACES, raw=body, headers={"Content-Type": PROTOBUF}, organization_id=organization.slug
    )
    assert named.status == 200


@pytest.mark.parametrize("media_type", [JSON, PROTOBUF])
async def test_spans_are_rejected_one_by_one_with_their_reason(xyra: Xyra, media_type: str) -> None:
    organization = await xyra.organization()
    await organization.agent("helpdesk")
    ahead = replace(SPAN, span_id="a" * 16, end=END + DAY)  # the clock moves on meanwhile
    old = replace(SPAN, span_id="b" * 16, start=0, end=END - 91 * DAY)
    spans = [SPAN, ahead, old]
    body = json_body(spans) if media_type == JSON else protobuf_body(spans)
    rejected, message = partial_success(await export(organization.key, body, media_type))
    assert rejected == 2
    assert "span aaaaaaaaaaaaaaaa: it ends at" in message
    assert "span bbbbbbbbbbbbbbbb: it ended at" in message
    await xyra.idle()
    (event,) = (await organization.key.get("events"))["data"]
    assert event["data"]["input_tokens"] == 100


def partial_success(answer: Answer) -> tuple[int, str]:
    assert answer.status == 200
    if answer.media_type == JSON:
        partial: dict[str, Any] = json.loads(answer.body)["partialSuccess"]
        return int(partial["rejectedSpans"]), partial["errorMessage"]
    response = ExportTraceServiceResponse.FromString(answer.body)
    return response.partial_success.rejected_spans, response.partial_success.error_message


@pytest.mark.parametrize(("media_type", "empty"), [(JSON, b"{}"), (PROTOBUF, b"")])
async def test_what_is_taken_as_it_is_has_an_empty_answer(xyra: Xyra, media_type: str, empty: bytes) -> None:
    organization = await xyra.organization()
    await organization.agent("helpdesk")
    body = json_body([SPAN]) if media_type == JSON else protobuf_body([SPAN])
    answer = await export(organization.key, body, media_type)
    assert (answer.status, answer.media_type, answer.body) == (200, media_type, empty)


@pytest.mark.parametrize("signal", ["logs", "metrics"])
@pytest.mark.parametrize("media_type", [JSON, PROTOBUF])
async def test_logs_and_metrics_are_taken_and_not_metered(xyra: Xyra, signal: str, media_type: str) -> None:
    organization = await xyra.organization()
    answer = await organization.key.send("POST", f"/v1/{signal}", raw=b"{}", headers={"Content-Type": media_type})
    assert answer.status == 200
    assert f"{signal} are taken, and not metered".encode() in answer.body
    empty = await organization.key.send("POST", f"/v1/{signal}", raw=b"", headers={"Content-Type": media_type})
    assert empty.status == 411
