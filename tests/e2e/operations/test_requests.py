"""What holds for requests to any route."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from tests.doubles.clients.xyra_client import Xyra

ON_EVERY_ANSWER = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


async def raw_answer(xyra: Xyra, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """What the host answers to bytes that no HTTP client would send."""
    address = urlsplit(str(xyra.anonymous.session._base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head.decode().strip().split("\r\n")
    headers = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["Content-Length"]))
    writer.close()
    await writer.wait_closed()
    return int(status.split()[1]), headers, body


async def test_a_correlation_id_comes_back(xyra: Xyra) -> None:
    answer = await xyra.anonymous.send("GET", "/health", headers={"X-Correlation-Id": "mine-1"})
    assert answer.headers["X-Correlation-Id"] == "mine-1"
    made = (await xyra.anonymous.send("GET", "/health")).headers["X-Correlation-Id"]
    assert len(made) >= 16


async def test_a_trailing_slash_is_accepted(xyra: Xyra) -> None:
    assert (await xyra.operator.send("GET", "organizations/")).status == 200


@pytest.mark.parametrize("path", [b"/health", b"/api/v1/agents", b"/nowhere"])
@pytest.mark.parametrize(
    "header", [b"X-Anything: caf\xe9", b"X-Correlation-Id: \xff", b"Authorization: Bearer \xff\xfe"]
)
async def test_a_header_that_is_not_utf_8_is_malformed(xyra: Xyra, path: bytes, header: bytes) -> None:
    status, _, body = await raw_answer(xyra, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
    problem = json.loads(body)
    assert (status, problem["type"]) == (400, "urn:xyra:problem:malformed")
    assert problem["detail"] == "The header has bytes that are not UTF-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/health"), ("GET", "agents"), ("DELETE", "agents"), ("OPTIONS", "agents"), ("GET", "/nowhere")],
)
async def test_every_answer_says_what_browsers_may_do_with_it(xyra: Xyra, method: str, path: str) -> None:
    answer = await xyra.anonymous.send(method, path)
    assert {name: answer.headers.get(name) for name in ON_EVERY_ANSWER} == ON_EVERY_ANSWER


async def test_the_page_and_its_script_keep_their_own_rules(xyra: Xyra) -> None:
    page = await xyra.anonymous.send("GET", "docs")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    script = await xyra.anonymous.send("GET", "docs/scalar.js")
    assert (script.headers["X-Content-Type-Options"], script.headers["Cache-Control"]) == (
        "nosniff",
        "public, max-age=31536000, immutable",
    )


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        (b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\nHost: x", "is longer than 8,190 bytes"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 8200, "is longer than 8,190 bytes"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno header", "cannot be read"),
        (b"GET /caf\xe9 HTTP/1.1\r\nHost: x", "cannot be read"),
        (b"nonsense", "cannot be read"),
    ],
    ids=["request line", "header line", "no header", "path", "nonsense"],
)
async def test_what_is_no_request_gets_a_problem_document(xyra: Xyra, lines: bytes, detail: str) -> None:
    status, headers, body = await raw_answer(xyra, lines + b"\r\n\r\n")
    problem = json.loads(body)
    assert (status, problem["status"], headers["Content-Type"].partition(";")[0]) == (
        400,
        400,
        "application/problem+json",
    )
    assert detail in problem["detail"]
    assert {name: headers[name] for name in ON_EVERY_ANSWER} == ON_EVERY_ANSWER
    assert b"caf" not in body
