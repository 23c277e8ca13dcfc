"""Bodies without a length, which the platform does not hand over: refused, never taken as empty."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator

import pytest

from tests.doubles.clients.xyra_client import Client, Xyra

EVENT = {"id": "call-1", "type": "command", "agent": "coder"}
CURL = shutil.which("curl")


async def byte_by_byte(body: bytes) -> AsyncIterator[bytes]:
    for byte in body:
        yield bytes([byte])


async def in_chunks(client: Client, path: str, body: bytes, media_type: str = "application/json") -> tuple[int, str]:
    headers = {"Content-Type": media_type, **client.headers}
    async with client.session.post(path, data=byte_by_byte(body), headers=headers) as response:
        return response.status, await response.text()


def assert_length_required(status: int, text: str) -> None:
    problem = json.loads(text)
    assert (status, problem["type"]) == (411, "urn:xyra:problem:length-required")
    assert "Content-Length" in problem["detail"]
    assert "docs/send-usage.md" in problem["detail"]


async def test_an_event_in_chunks_is_refused_and_counts_once_when_it_is_sent_whole(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent("coder")
    assert_length_required(*await in_chunks(organization.key, "/api/v1/events", json.dumps(EVENT).encode()))
    assert (await organization.key.post("events", EVENT, expect=202))["accepted"] == 1
    await xyra.idle()
    assert len((await organization.key.get("events"))["data"]) == 1


@pytest.mark.parametrize("path", ["auth/signup", "auth/login/access-token"])
async def test_every_route_with_a_body_refuses_it(xyra: Xyra, path: str) -> None:
    form = "application/x-www-form-urlencoded" if path.endswith("token") else "application/json"
    assert_length_required(*await in_chunks(xyra.anonymous, f"/api/v1/{path}", b"{}", form))


async def test_what_a_body_could_be_left_out_of_does_not_ignore_it(xyra: Xyra) -> None:
    """Taken as empty, this would finalize what nobody asked for."""
    organization = await xyra.organization()
    body = json.dumps({"organization_id": organization.id, "period": "2026-01"}).encode()
    assert_length_required(*await in_chunks(xyra.operator, "/api/v1/invoices/generate/monthly", body))


@pytest.mark.skipif(CURL is None, reason="no curl here")
async def test_curl_that_sends_from_its_input_is_told(xyra: Xyra) -> None:
    organization = await xyra.organization()
    async with organization.key.session.get("/health") as response:
        url = str(response.url.with_path("/api/v1/events"))
    (key,) = organization.key.headers.items()
    curl = await asyncio.create_subprocess_exec(
        *(CURL or "curl", "-s", "-w", "\n%{http_code}", "-X", "POST", "-T", "-", "-H", f"{key[0]}: {key[1]}"),
        *("-H", "Content-Type: application/json", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await curl.communicate(json.dumps(EVENT).encode())
    text, _, status = output.decode().rpartition("\n")
    assert_length_required(int(status), text)


async def test_an_empty_post_is_told_that_it_is_empty(xyra: Xyra) -> None:
    organization = await xyra.organization()
    headers = {"Content-Type": "application/json", **organization.key.headers}
    async with organization.key.session.post("/api/v1/events", headers=headers) as response:
        assert response.status == 400
