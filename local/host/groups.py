"""One process for each function group behind one port, as on Flex Consumption.

HTTP functions are one group, every other function is a group by itself. Each group has its own clients, caches and
session tokens.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial

import aiohttp
import azure.functions as func
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from local.host.activity import Activity
from local.host.admin_guard import refusal
from local.host.bounds import DEFAULT_BOUNDS, BoundedServer, Bounds
from local.host.configuration import AppSettings
from local.host.errors import StartupError
from local.host.group_process import GroupProcess
from local.host.http_trigger import Bodies, add_address_of_caller, is_chunked
from local.host.indexing import HTTP_GROUP, index
from local.host.problems import SAFE_HEADERS, problem

LOOK_SECONDS = 0.02
"""The pause before a process that was not there is asked again."""

_log = logging.getLogger("local.host")
_OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})
_ADDED_BY_THE_CLIENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class GroupedHost:
    """Serves an app whose groups run in processes of their own."""

    def __init__(  # noqa: PLR0913  what differs from host to host
        self,
        app: func.FunctionApp,
        command: Callable[[str], Sequence[str]],
        *,
        admin_key: str,
        bounds: Bounds = DEFAULT_BOUNDS,
        settings: Mapping[str, str] | None = None,
        grace_seconds: float = 30,
    ) -> None:
        """`command` starts the process of a group: a `Host` with that `group` and the same `admin_key`.

        Raises `StartupError`.
        """
        self._admin_key = admin_key
        self._bounds = bounds
        app_settings = AppSettings(settings)
        self._bodies = Bodies(bounds, loses_chunked=app_settings.loses_chunked_bodies)
        functions = [function for function in index(app, app_settings) if function.enabled]
        groups = dict.fromkeys(function.group for function in functions)
        self._processes = {group: GroupProcess(group, command) for group in groups}
        self._by_function = {function.name.lower(): self._processes[function.group] for function in functions}
        self._grace_seconds = grace_seconds
        self._runner: web.ServerRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    @property
    def port(self) -> int:
        """The port that the started host listens on; for 0 the one that was free."""
        if self._runner is None:
            raise RuntimeError("the host has not started")
        return int(self._runner.addresses[0][1])

    async def start(self, port: int, address: str = "127.0.0.1") -> None:
        """Return when all groups run and requests are answered. Raises `StartupError`."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_ADDED_BY_THE_CLIENT,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        server = BoundedServer(self._answer, self._bounds)
        runner = web.ServerRunner(server, shutdown_timeout=self._grace_seconds)
        await runner.setup()
        try:
            await asyncio.gather(*(process.start() for process in self._processes.values()))
            await web.TCPSite(runner, address, port).start()
        except OSError as error:
            await self._close(runner)
            raise StartupError(f"cannot listen on {address}:{port}: {error.strerror}") from error
        except StartupError:
            await self._close(runner)
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Take nothing new, let running invocations end within the grace time, and end all processes."""
        if self._runner is not None:
            await self._close(self._runner)

    async def _close(self, runner: web.ServerRunner) -> None:
        """Requests first: the HTTP group has to answer those that were begun."""
        others = [process for group, process in self._processes.items() if group != HTTP_GROUP]
        await asyncio.gather(runner.cleanup(), *(process.stop(self._grace_seconds + 1) for process in others))
        if HTTP_GROUP in self._processes:
            await self._processes[HTTP_GROUP].stop(self._grace_seconds + 1)
        if self._client is not None:
            await self._client.close()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.path.lower().startswith("/admin/"):
            return await self._administer(request)
        return await self._forward(request, self._processes.get(HTTP_GROUP))

    async def _administer(self, request: web.BaseRequest) -> web.Response:
        refused = refusal(request, self._admin_key)
        if refused is not None:
            return refused
        match request.path.strip("/").split("/"):
            case ["admin", "host", "status"] if request.method in {"GET", "HEAD"}:
                processes = {group: process.process_id for group, process in self._processes.items()}
                status = (await self._activity()).status() | {"processes": processes}
                return web.json_response(status, headers=SAFE_HEADERS)
            case ["admin", "functions", name]:
                return await self._forward(request, self._by_function.get(name.lower()))
            case _:
                return await self._forward(request, next(iter(self._processes.values())))

    async def _activity(self) -> Activity:
        """Ask all until nothing changed meanwhile: a message may move on from one process to another."""
        before = await self._read()
        while before.idle and (after := await self._read()).changes != before.changes:
            before = after
        return before

    async def _read(self) -> Activity:
        return Activity.of_all(await asyncio.gather(*(self._read_one(each) for each in self._processes.values())))

    async def _read_one(self, process: GroupProcess) -> Activity:
        while True:
            try:
                async with self._session.get(f"{await process.base()}/admin/host/status") as response:
                    return Activity.read(await response.json())
            except aiohttp.ClientError:  # it is restarted
                await asyncio.sleep(LOOK_SECONDS)

    async def _forward(self, request: web.BaseRequest, process: GroupProcess | None) -> web.Response:
        if process is None:
            return problem(404, "No function has this path or name")
        return await self._bodies.answer(request, partial(self._send_on, request, process))

    async def _send_on(self, request: web.BaseRequest, process: GroupProcess, body: bytes) -> web.Response:
        headers = _passed_on(request.headers)
        add_address_of_caller(request, headers)
        sent = _lost_body() if not body and is_chunked(request) else body or None
        while True:
            url = URL(f"{await process.base()}{request.raw_path}", encoded=True)
            try:
                async with self._session.request(
                    request.method,
                    url,
                    headers=headers,
                    data=sent,
                    allow_redirects=False,
                ) as response:
                    return await _response(request, response)
            except aiohttp.ClientConnectorError:  # it has just ended and will be started again
                await asyncio.sleep(LOOK_SECONDS)
            except aiohttp.ClientError:
                _log.error("the process of the function group %s ended during a request", process.group)
                return problem(500, "The process that runs the function ended")

    @property
    def _session(self) -> aiohttp.ClientSession:
        assert self._client is not None, "the host has not started"  # noqa: S101  a fault of ours
        return self._client


async def _lost_body() -> AsyncIterator[bytes]:
    """Sent in chunks, as the lost one was: the function sees by the headers that there was a body."""
    yield b""


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    passed = CIMultiDict(headers)
    for name in _OF_ONE_CONNECTION:
        passed.popall(name, None)
    return passed


async def _response(request: web.BaseRequest, response: aiohttp.ClientResponse) -> web.Response:
    headers = _passed_on(response.headers)
    if request.method == "HEAD":
        headers.update((name, value) for name, value in response.headers.items() if name == "Content-Length")
    return web.Response(status=response.status, headers=headers, body=await response.read())
