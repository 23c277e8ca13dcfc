"""The platform's own worker with HTTP streams: what they cost, and what stays behind when something goes wrong.

Needs Python 3.13 with `azure-functions-runtime` and `azurefunctions-extensions-http-fastapi`. It does what the host
does: an invocation over the worker's own entry, with route parameters only, and beside it the request over HTTP with
the invocation's id as `x-ms-invocation-id`. Runs the scenario that is named and writes one JSON document:

    python streams_driver.py SCENARIO APP [NUMBER]

Requests of the scenarios that measure come from another process, so that only the worker is measured.
"""

import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import azure_functions_runtime as worker  # type: ignore[import-not-found]  # only where Python is 3.13
from azure_functions_runtime.http_v2 import http_coordinator  # type: ignore[import-not-found]
from protocol import MESSAGES, ParameterBinding, http_request

BODY = b"x" * 400
LARGE_BODY_BYTES = 1024 * 1024
CONNECTIONS = 8
WAITED_SECONDS = 2.0
"""After so long an invocation is said to hang: one that does not takes milliseconds."""


def message(**content: Any) -> SimpleNamespace:
    return SimpleNamespace(request=SimpleNamespace(**content), properties={"host": "127.0.0.1", "protos": MESSAGES})


class App:
    """An indexed app, invoked as the host does."""

    def __init__(self, uri: str | None, functions: dict[str, Any]) -> None:
        self.uri = uri
        self.invoked = 0
        """By the scenarios that measure: no two invocations have the same id."""
        self._functions = functions

    @classmethod
    async def started(cls, directory: str) -> "App":
        sys.path.insert(0, directory)  # as the process does that the worker runs in
        init = SimpleNamespace(capabilities={}, function_app_directory=directory)
        answer = await worker.worker_init_request(message(worker_init_request=init))
        assert answer.result.status == MESSAGES.StatusResult.Success, answer.result.exception.message
        metadata = await worker.functions_metadata_request(message(functions_metadata_request=None))
        functions = {function.name: function for function in metadata.function_metadata_results}
        for function in functions.values():
            load = SimpleNamespace(function_id=function.function_id)
            await worker.function_load_request(message(function_load_request=load))
        return cls(answer.capabilities.get("HttpUri"), functions)

    async def invoke(self, function: str, invocation_id: str, body: bytes = b"") -> str | None:
        """The failure, if there is one. With HTTP streams the invocation carries route parameters only."""
        request = {"url": "http://localhost/things/a%2Fb", "method": "POST", "route_params": {"name": "a/b"}}
        if self.uri is None:
            request["body"] = body.decode()
        bindings = [json.loads(binding) for binding in self._functions[function].raw_bindings]
        trigger = next(binding for binding in bindings if binding["type"] == "httpTrigger")
        invocation = SimpleNamespace(
            invocation_id=invocation_id,
            function_id=self._functions[function].function_id,
            input_data=[ParameterBinding(name=trigger["name"], data=http_request(request))],
            trigger_metadata={},
            trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = await worker.invocation_request(message(invocation_request=invocation))
        return None if answer.result.status == MESSAGES.StatusResult.Success else answer.result.exception.message


# What the host's forwarder does, over plain sockets.


def head_of(invocation_id: str, size: int, method: str = "POST", more: str = "") -> bytes:
    lines = f"{method} /things/a%2Fb HTTP/1.1\r\nHost: localhost\r\nx-ms-invocation-id: {invocation_id}\r\n{more}"
    return f"{lines}Content-Length: {size}\r\n\r\n".encode()


@asynccontextmanager
async def connection(uri: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    for _ in range(200):  # the server begins after the worker has told its address
        try:
            reader, writer = await asyncio.open_connection(urlsplit(uri).hostname, urlsplit(uri).port)
            break
        except OSError:
            await asyncio.sleep(0.01)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer_on(reader: asyncio.StreamReader) -> tuple[int, str]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return int(head.split(" ", 2)[1]), (await reader.readexactly(size)).decode()


async def forward_all(uri: str, first: int, number: int, body: bytes, connections: int) -> None:
    """So many requests, each with the next id, over so many connections."""
    numbers = iter(range(first, first + number))

    async def over_one_connection() -> None:
        async with connection(uri) as (reader, writer):
            for each in numbers:
                writer.write(head_of(f"i-{each}", len(body)) + body)
                await writer.drain()
                await answer_on(reader)

    await asyncio.gather(*(over_one_connection() for _ in range(connections)))


# Scenarios


async def hangs(*awaited: Awaitable[Any]) -> list[bool]:
    """Which of them have not ended after a while."""
    tasks = [asyncio.ensure_future(each) for each in awaited]
    await asyncio.wait(tasks, timeout=WAITED_SECONDS)
    pending = [not task.done() for task in tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return pending


def entries() -> int:
    """What the coordinator remembers."""
    return len(http_coordinator._context_references)


async def measured(app: App, number: int, body: bytes, connections: int, at_once: int) -> dict[str, float]:
    """Processor time of the worker for each request, and the memory that stays."""
    forwarder, first = None, app.invoked
    app.invoked += number
    if app.uri is not None:
        forwarder = subprocess.Popen(  # noqa: ASYNC220, S603  this file, in a process of its own
            [sys.executable, __file__, "forward", app.uri, *map(str, (first, number, len(body), connections))]
        )
    places = asyncio.Semaphore(at_once)
    seconds: list[float] = []

    async def one(each: int) -> None:
        async with places:
            begun = time.perf_counter()
            assert await app.invoke("take", f"i-{each}", body) is None
            seconds.append(time.perf_counter() - begun)

    gc.collect()
    begun, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await asyncio.gather(*(one(first + each) for each in range(number)))
    used = time.process_time() - begun
    if forwarder is not None:
        await asyncio.to_thread(forwarder.wait)
    seconds.sort()
    return {
        "microseconds": used / number * 1e6,
        "p99_milliseconds": seconds[int(len(seconds) * 0.99)] * 1000,
        "more_memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024,
    }


async def costs(app: App, number: int) -> dict[str, Any]:
    begun = time.perf_counter()
    first = await measured(app, 1, BODY, 1, 1)
    first["seconds"] = time.perf_counter() - begun
    many = await measured(app, number, BODY, CONNECTIONS, CONNECTIONS)
    large = await measured(app, 32, b"x" * LARGE_BODY_BYTES, 32, 32)
    return {"first": first, "many": many, "large": large}


async def remembered(app: App, number: int) -> dict[str, Any]:
    """What stays of finished requests, in bytes for each."""
    await measured(app, 100, BODY, CONNECTIONS, CONNECTIONS)
    known, before = entries(), resident_bytes()
    await measured(app, number, BODY, CONNECTIONS, CONNECTIONS)
    return {"entries": entries(), "known": known, "bytes": (resident_bytes() - before) / number}


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def own_header(app: App, _: int) -> dict[str, Any]:
    """A client's own `x-ms-invocation-id` is forwarded in place of the invocation's."""
    async with connection(app.uri or "") as (reader, writer):
        writer.write(head_of("chosen-by-the-client", len(BODY)) + BODY)
        invocation, answer = await hangs(app.invoke("take", "i-1"), answer_on(reader))
    return {"invocation_hangs": invocation, "client_hangs": answer, "entries": entries()}


async def anothers_id(app: App, _: int) -> dict[str, Any]:
    """Two requests with the id of one invocation."""
    async with connection(app.uri or "") as (first, to_first), connection(app.uri or "") as (second, to_second):
        to_first.write(head_of("i-1", 5) + b"first")
        await asyncio.sleep(0.1)
        to_second.write(head_of("i-1", 11) + b"the second.")
        await asyncio.sleep(0.1)
        answers = await asyncio.gather(app.invoke("take", "i-1"), answer_on(first), answer_on(second))
    return {"invocation": answers[0], "first": answers[1], "second": answers[2]}


async def aborted_upload(app: App, _: int) -> dict[str, Any]:
    async with connection(app.uri or "") as (_reader, writer):
        writer.write(head_of("i-1", 1000) + b"only some")
        await writer.drain()
        invocation = asyncio.create_task(app.invoke("take", "i-1"))
        await asyncio.sleep(0.1)
    failure = await asyncio.wait_for(invocation, WAITED_SECONDS)
    return {"failure": failure, "entries": entries()}


async def gone_before_answer(app: App, _: int) -> dict[str, Any]:
    async with connection(app.uri or "") as (_reader, writer):
        writer.write(head_of("i-1", len(BODY)) + BODY)
        await writer.drain()
        await asyncio.sleep(0.1)
    failure = await asyncio.wait_for(app.invoke("take", "i-1"), WAITED_SECONDS)
    await asyncio.sleep(0.1)
    return {"failure": failure, "entries": entries()}


async def never_forwarded(app: App, _: int) -> dict[str, Any]:
    """The host's connection to the worker's server fails."""
    (invocation,) = await hangs(app.invoke("take", "i-1"))
    return {"invocation_hangs": invocation, "entries": entries()}


async def failing(app: App, _: int) -> dict[str, Any]:
    async with connection(app.uri or "") as (reader, writer):
        writer.write(head_of("i-1", len(BODY)) + BODY)
        failure, answer = await asyncio.gather(app.invoke("fail", "i-1"), answer_on(reader))
    return {"failure": failure, "status": answer[0], "entries": entries()}


async def relied_on(app: App, _: int) -> dict[str, Any]:
    """Encoded slashes, repeated headers, HEAD."""
    answers = []
    for number, method in enumerate(("POST", "GET", "HEAD")):
        async with connection(app.uri or "") as (reader, writer):
            writer.write(head_of(f"i-{number}", 0, method, "x-repeated: a\r\nx-repeated: b\r\n"))
            invocation = asyncio.create_task(app.invoke("take", f"i-{number}"))
            if method == "HEAD":
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                answers.append([int(head.split(" ", 2)[1]), ""])
            else:
                answers.append([*await answer_on(reader)])
            await invocation
    return {"answers": answers}


SCENARIOS: dict[str, Callable[[App, int], Awaitable[dict[str, Any]]]] = {
    each.__name__: each
    for each in (
        *(costs, remembered, own_header, anothers_id, aborted_upload),
        *(gone_before_answer, never_forwarded, failing, relied_on),
    )
}


async def main() -> None:
    scenario, app_directory, *number = sys.argv[1:]
    if scenario == "forward":
        first, count, size, connections = map(int, number)
        await forward_all(app_directory, first, count, b"x" * size, connections)
        return
    app = await App.started(app_directory)
    result = await SCENARIOS[scenario](app, int(number[0]) if number else 0)
    sys.stdout.write(f"\n{json.dumps(result)}\n")  # beside what uvicorn writes there
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
