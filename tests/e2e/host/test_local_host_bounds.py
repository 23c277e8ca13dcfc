"""What strangers may hold of the host: connections, time and memory."""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.host import Bounds
from tests.doubles.clients.running_host import PROBLEM, SAFE_HEADERS, Options, RunningHost, hosted

UNFINISHED = b"POST /text HTTP/1.1\r\nHost: localhost\r\nContent-Le"
IN_CHUNKS = b"POST /text HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
PATIENCE = 10
MEBIBYTE = 1024 * 1024


def announced(length: int) -> bytes:
    return b"POST /text HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % length


def text_app() -> func.FunctionApp:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="text")
    async def text(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(f"{len(req.get_body())}")

    return app


class Connection:
    """Bytes over one socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, running: RunningHost, stack: AsyncExitStack) -> "Connection":
        reader, writer = await asyncio.open_connection("127.0.0.1", running.host.port)
        stack.callback(writer.close)
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            return  # what was answered before is still read

    async def send_unfinished(self, length: int) -> None:
        """A request without the end of its body; less where the host closes before."""
        await self.send(announced(length))
        chunk = bytes(64 * 1024)
        for _ in range(length // len(chunk) - 1):
            await self.send(chunk)

    async def end(self) -> None:
        """Say that nothing more comes."""
        self._writer.write_eof()

    async def everything(self) -> bytes:
        """What arrives until the host closes the connection."""
        answer = b""
        async with asyncio.timeout(PATIENCE):
            try:
                while data := await self._reader.read(65536):
                    answer += data
            except ConnectionError:
                return answer
        return answer


def problem_of(answer: bytes) -> dict[str, Any]:
    """The problem document of an answer that browsers neither guess at, frame nor keep."""
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert {name: fields[name] for name in SAFE_HEADERS} == SAFE_HEADERS
    assert (fields["Content-Type"], fields["Connection"]) == (PROBLEM, "close")
    assert len(body) == int(fields["Content-Length"])
    problem: dict[str, Any] = json.loads(body)
    return problem


async def answers(running: RunningHost) -> bool:
    async with running.client.get("/text") as response:
        return response.status == 200


async def test_requests_that_never_end_their_headers_are_closed(tmp_path: Path) -> None:
    options = Options(bounds=Bounds(header_seconds=0.5))
    async with hosted(text_app(), tmp_path, options) as running, AsyncExitStack() as stack:
        connections = [await Connection.to(running, stack) for _ in range(100)]
        for number, connection in enumerate(connections):
            await connection.send(UNFINISHED if number % 2 else b"")
        assert {await connection.everything() for connection in connections} == {b""}
        assert await answers(running)


async def test_a_connection_that_asks_nothing_more_is_closed(tmp_path: Path) -> None:
    options = Options(bounds=Bounds(header_seconds=0.5))
    async with hosted(text_app(), tmp_path, options) as running, AsyncExitStack() as stack:
        connection = await Connection.to(running, stack)
        await connection.send(b"GET /text HTTP/1.1\r\nHost: localhost\r\n\r\n" + UNFINISHED)
        assert (await connection.everything()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_body_that_does_not_end_in_time_is_answered_with_408(tmp_path: Path) -> None:
    options = Options(bounds=Bounds(body_seconds=0.5))
    async with hosted(text_app(), tmp_path, options) as running, AsyncExitStack() as stack:
        connection = await Connection.to(running, stack)
        await connection.send(announced(10) + b"12345")
        told = problem_of(await connection.everything())
        assert (told["status"], told["detail"]) == (408, "The body did not arrive within 0.5 seconds")


async def test_a_body_that_makes_no_progress_is_answered_with_408(tmp_path: Path) -> None:
    options = Options(bounds=Bounds(progress_seconds=0.5))
    async with hosted(text_app(), tmp_path, options) as running, nothing_left(), AsyncExitStack() as stack:
        for head in (announced(10), IN_CHUNKS):
            connection = await Connection.to(running, stack)
            await connection.send(head + b"5\r\n123")
            told = problem_of(await connection.everything())
            assert (told["status"], told["detail"]) == (408, "Nothing of the body arrived for 0.5 seconds")


async def test_a_body_in_chunks_that_never_ends_is_answered_with_413(tmp_path: Path) -> None:
    async with hosted(text_app(), tmp_path) as running, nothing_left(), AsyncExitStack() as stack:
        connection = await Connection.to(running, stack)
        await connection.send(IN_CHUNKS)
        chunk = b"100000\r\n" + bytes(MEBIBYTE) + b"\r\n"
        for _ in range(18):
            await connection.send(chunk)
        assert problem_of(await connection.everything())["status"] == 413


async def test_a_connection_that_ends_within_its_body_leaves_nothing_behind(tmp_path: Path) -> None:
    async with hosted(text_app(), tmp_path) as running, nothing_left(), AsyncExitStack() as stack:
        for head in (announced(10), IN_CHUNKS):
            await (await Connection.to(running, stack)).send(head + b"5\r\n123")


@pytest.mark.parametrize("head", [announced(10), IN_CHUNKS], ids=["of a length", "in chunks"])
async def test_a_body_without_its_end_is_answered_with_400(head: bytes, tmp_path: Path) -> None:
    async with hosted(text_app(), tmp_path) as running, nothing_left(), AsyncExitStack() as stack:
        connection = await Connection.to(running, stack)
        await connection.send(head + b"5\r\n123")
        await connection.end()
        assert problem_of(await connection.everything())["status"] == 400


async def test_a_client_that_says_no_more_is_still_answered(tmp_path: Path) -> None:
    async with hosted(text_app(), tmp_path) as running, nothing_left(), AsyncExitStack() as stack:
        connection = await Connection.to(running, stack)
        await connection.send(announced(5) + b"12345")
        await connection.end()
        assert (await connection.everything()).startswith(b"HTTP/1.1 200 OK\r\n")


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """What a request begins within the block ends with it."""
    yield
    async with asyncio.timeout(PATIENCE):
        while any(is_of_a_request(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110  the host learns later
            await asyncio.sleep(0.01)


def is_of_a_request(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "").startswith(("RequestHandler.", "Invoker."))


@pytest.mark.parametrize(
    "bounds", [Bounds(connections_per_address=5), Bounds(connections=5)], ids=["of an address", "of all"]
)
async def test_connections_beyond_the_bound_are_refused_until_others_end(bounds: Bounds, tmp_path: Path) -> None:
    async with hosted(text_app(), tmp_path, Options(bounds=bounds)) as running:
        async with AsyncExitStack() as stack:
            for _ in range(5):
                await (await Connection.to(running, stack)).send(UNFINISHED)
            for _ in range(20):
                refused = await (await Connection.to(running, stack)).everything()
                assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
                assert b"\r\nRetry-After: 1\r\n" in refused
                assert problem_of(refused)["status"] == 503
        async with asyncio.timeout(PATIENCE):
            while not await answers(running):  # noqa: ASYNC110  the host learns in its own time that they are gone
                await asyncio.sleep(0.01)


async def test_unfinished_bodies_hold_no_more_memory_than_the_bound(tmp_path: Path) -> None:
    bounds = Bounds(buffered_bytes=32 * MEBIBYTE)
    async with hosted(text_app(), tmp_path, Options(bounds=bounds)) as running:
        before = resident_mebibytes()
        async with AsyncExitStack() as stack:
            connections = [await Connection.to(running, stack) for _ in range(30)]
            async with asyncio.timeout(60):
                await asyncio.gather(*(connection.send_unfinished(14 * MEBIBYTE) for connection in connections))
            assert resident_mebibytes() - before < 100  # the client's buffers are in it, too
            async with running.client.post("/text", data=bytes(64 * 1024)) as response:  # a small one finds room
                assert (response.status, await response.text()) == (200, str(64 * 1024))
        async with asyncio.timeout(PATIENCE):
            while not await takes(running, 14 * MEBIBYTE):  # noqa: ASYNC110  as above
                await asyncio.sleep(0.01)


async def takes(running: RunningHost, length: int) -> bool:
    async with running.client.post("/text", data=io.BytesIO(bytes(length))) as response:
        assert response.status == 200 or (response.status, response.headers["Retry-After"]) == (503, "1")
        assert response.status == 200 or response.content_type == PROBLEM
        return response.status == 200


def resident_mebibytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024
