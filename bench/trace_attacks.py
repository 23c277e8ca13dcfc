"""Exports of traces that cost as much as is allowed, each with a trace of its own."""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from bench.attack import Attack, Request
from shared.domain.ingestion.calls import microseconds_of
from shared.domain.ingestion.spans import Span
from tests.doubles.worlds.otlp_bodies import protobuf_body
from tests.doubles.worlds.plain_spans import call

PROTOBUF = "application/x-protobuf"
MANY = 10_000
"""Spans of a request, at most."""
LARGEST = 8 * 1024 * 1024
LARGEST_UNPACKED = 16 * 1024 * 1024
STRANGERS = 4
"""Connections of the attacks whose requests are small."""
_ROOM = 4096
"""What the lengths of a body's parts may take besides."""
_TRACE = bytes([0xFE] * 16)
"""Stands for the trace of a request in its prepared body."""


def trace_attacks(key: str) -> Sequence[Attack]:
    def attack(name: str, body: Callable[[], bytes], connections: int = 1) -> Attack:
        def request(number: int) -> Request:
            return Request("POST", "/v1/traces", in_trace(body(), number), PROTOBUF)

        return Attack(name, connections, request, key)

    def unpacked(number: int) -> Request:
        return Request(
            "POST", "/v1/traces", gzip.compress(in_trace(large_unpacked(), number), 1), PROTOBUF, is_packed=True
        )

    return (
        attack("a trace of 8 MiB, 10,000 calls", large),
        Attack("a trace of 16 MiB, packed", 1, unpacked, key),
        attack("10,000 spans below each other", chain),
        Attack(
            "values nested as deep as 8 MiB allow", 1, lambda _: Request("POST", "/v1/traces", nested_values()), key
        ),
        Attack("1,000 traces with one span each", STRANGERS, one_span_traces, key),
        attack("2,000 calls below spans that never come", unknown_parents, STRANGERS),
    )


def in_trace(body: bytes, number: int) -> bytes:
    """The body with a trace of its own."""
    return body.replace(_TRACE, (number + 1).to_bytes(16, "big"))


@cache
def large() -> bytes:
    """Calls in one trace that fill the largest body."""
    return _filled([_call(number) for number in range(MANY)], LARGEST)


@cache
def large_unpacked() -> bytes:
    """The same, as large as a body in gzip may become."""
    return _filled([_call(number) for number in range(MANY)], LARGEST_UNPACKED)


@cache
def chain() -> bytes:
    """Each span below the one before."""
    ids = [f"{number:016x}" for number in range(1, MANY + 1)]
    return protobuf_body(
        [
            replace(_call(number), span_id=ids[number], parent_id=ids[number - 1] if number else "")
            for number in range(MANY)
        ]
    )


@cache
def nested_values() -> bytes:
    """Attributes in JSON with arrays in arrays, as deep as a body is long."""
    depth = LARGEST // 64
    opened, closed = '{"arrayValue":{"values":[', "]}}"
    span_of = (
        '{"traceId":"%s","spanId":"00000000000000aa","name":"deep","startTimeUnixNano":"1","endTimeUnixNano":"%d",'
        '"attributes":[{"key":"deep","value":%s}]}'
    )
    deep = opened * depth + '{"stringValue":""}' + closed * depth
    one = span_of % (_TRACE.hex(), _now() * 1000, deep)
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{one}]}}]}}]}}'.encode()


def one_span_traces(number: int) -> Request:
    """As many traces as spans: all but the last bytes of their ids are those of the request."""
    body = _one_span_traces().replace(_TRACE[2:], (number + 1).to_bytes(14, "big"))
    return Request("POST", "/v1/traces", body, PROTOBUF)


@cache
def _one_span_traces() -> bytes:
    return protobuf_body(
        [replace(_call(number), trace_id=(_TRACE[2:] + number.to_bytes(2, "big")).hex()) for number in range(1000)]
    )


@cache
def unknown_parents() -> bytes:
    """Calls in one trace, each below a span that never comes."""
    return protobuf_body([replace(_call(number), parent_id=f"{number + 1:016x}") for number in range(2000)])


def _call(number: int) -> Span:
    made = call(f"{number:08}", tokens=(number + 1, 1))
    return replace(made, trace_id=_TRACE.hex(), start=_now() - 1000, end=_now())


@cache
def _now() -> int:
    return microseconds_of(datetime.now(UTC))


def _filled(spans: Sequence[Span], size: int) -> bytes:
    """A body of nearly that size: every span has a text that nobody reads."""
    missing = size - _ROOM - len(protobuf_body(spans))
    text = "x" * (missing // len(spans) - 40)
    return protobuf_body([replace(one, attributes={**one.attributes, "gen_ai.prompt": text}) for one in spans])
