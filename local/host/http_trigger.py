"""HTTP triggers: requests and answers with the changes that the platform makes to them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from urllib.parse import parse_qsl

import azure.functions as func
from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError
from azure.functions.http import HttpRequest

from local.host.bounds import Bounds, BufferedBytes, Share
from local.host.indexing import Function
from local.host.invocation import Invoker, TraceContext, WorkerRestartedError
from local.host.problems import closing_problem, closing_problem_bytes, problem
from local.host.routes import Router
from shared.deadlines import Deadlines

LONGEST_ANSWER_SECONDS = 230.0
"""After this the platform's front end answers instead, while the function goes on."""
PLATFORM_BODY_BYTES = 16 * 1024 * 1024

_FAILED = "The function failed; the host has logged why"

_log = logging.getLogger("local.host")
_SET_BY_THE_SERVER = frozenset({"content-length", "transfer-encoding", "connection"})


class BodyTooLargeError(Exception):
    """The body has more bytes than the host takes."""


class NoProgressError(Exception):
    """No further byte of the body arrives."""


class TooManyBytesError(Exception):
    """The bodies that are being read and answered hold as many bytes as they may."""


class Bodies:
    """Reads bodies within the host's bounds, and answers where one passes them."""

    def __init__(self, bounds: Bounds, *, loses_chunked: bool = False) -> None:
        """`loses_chunked`: what came in chunks is handed over as empty, as the platform does."""
        self._loses_chunked = loses_chunked
        self._bounds = bounds
        self._buffered = BufferedBytes(bounds.buffered_bytes)

    async def answer(
        self, request: web.BaseRequest, answer: Callable[[bytes], Awaitable[web.Response]]
    ) -> web.Response:
        """What `answer` makes of the body, else 408, 413 or 503. The body's bytes count until then."""
        with self._buffered.share() as share:
            try:
                body = await self._read(request, share)
            except NoProgressError:
                return closing_problem(
                    408, f"Nothing of the body arrived for {self._bounds.progress_seconds:g} seconds"
                )
            except TimeoutError:
                return closing_problem(408, f"The body did not arrive within {self._bounds.body_seconds:g} seconds")
            except (ConnectionError, PayloadEncodingError):
                return closing_problem(400, "The connection ended within the body")  # nobody is there to read it
            except BodyTooLargeError:
                return closing_problem(413, f"The body has more than {PLATFORM_BODY_BYTES} bytes")
            except TooManyBytesError:
                return closing_problem(503, "Too many bytes of other bodies wait for an answer", {"Retry-After": "1"})
            return await answer(b"" if self._loses_chunked and is_chunked(request) else body)

    async def _read(self, request: web.BaseRequest, share: Share) -> bytes:
        if request.content_length == 0 or not request.body_exists:
            return b""
        if request.content.is_eof():  # it came with the headers, as most do: nothing is waited for
            return arrived_body(request, share)
        async with asyncio.timeout(self._bounds.body_seconds):
            return await read_body(request, share, self._bounds.progress_seconds)


def is_chunked(request: web.BaseRequest) -> bool:
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()


class HttpEndpoint:
    """Answers requests by the functions with an HTTP trigger."""

    def __init__(self, router: Router, invoker: Invoker, bodies: Bodies, *, adds_address: bool = True) -> None:
        """`adds_address`: to `x-forwarded-for`, unless who forwards the requests has done so."""
        self._adds_address = adds_address
        self._bodies = bodies
        self._router = router
        self._invoker = invoker
        self._deadlines = Deadlines(LONGEST_ANSWER_SECONDS)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        found = self._router.match(request.raw_path.partition("?")[0], request.method)
        if found is None:
            return problem(404, "No function has this path and method")

        async def answer(body: bytes) -> web.Response:
            headers = _headers(request)
            if self._adds_address:
                add_address_of_caller(request, headers)
            argument = _http_request(request, headers, found.route_params, body)
            return await self._invoke(request, found.function, argument)

        return await self._bodies.answer(request, answer)

    async def _invoke(self, request: web.BaseRequest, function: Function, argument: HttpRequest) -> web.Response:
        trace = TraceContext(request.headers.get("traceparent", ""), request.headers.get("tracestate", ""))
        deadline = self._deadlines.begin(partial(_answer_instead, request))
        try:
            return _response(await self._invoker.invoke(function, argument, trace))
        except WorkerRestartedError:
            return problem(500, _FAILED)
        except Exception:  # noqa: BLE001  whatever a function raises is answered with 500
            _log.exception("function %s failed", function.name)
            return problem(500, _FAILED)
        finally:
            self._deadlines.end(deadline)


def _answer_instead(request: web.BaseRequest) -> None:
    """Answer in place of a function, which goes on: what it returns later finds the connection closed."""
    if request.transport is not None:
        detail = f"The function has not answered within {LONGEST_ANSWER_SECONDS:g} seconds"
        request.transport.write(closing_problem_bytes(504, detail))
        request.transport.close()


def arrived_body(request: web.BaseRequest, share: Share) -> bytes:
    """A body of which nothing is missing. Raises `TooManyBytesError`."""
    body = request.content.read_nowait()
    if not share.take(len(body)):
        raise TooManyBytesError
    return body


async def read_body(request: web.BaseRequest, share: Share, progress_seconds: float) -> bytes:
    """The whole body, counted as it arrives.

    Raises `BodyTooLargeError` without reading more than the limit, `NoProgressError` and `TooManyBytesError`.
    """
    length = request.content_length
    if length is not None and length > PLATFORM_BODY_BYTES:
        raise BodyTooLargeError
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    chunks: list[bytes] = []
    size, now = 0, asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(progress_seconds) as progress:
            while chunk := await request.content.readany():
                size += len(chunk)
                if size > PLATFORM_BODY_BYTES:
                    raise BodyTooLargeError
                if not share.take(len(chunk)):
                    raise TooManyBytesError
                chunks.append(chunk)
                progress.reschedule(now() + progress_seconds)
    except TimeoutError as error:
        raise NoProgressError from error
    return b"".join(chunks)


def add_address_of_caller(request: web.BaseRequest, headers: MutableMapping[str, str]) -> None:
    """Add the caller's address at the end of `x-forwarded-for`, as Azure does.

    A function has no other way to learn it.
    """
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    if peer is not None:
        address = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
        forwarded = headers.get("x-forwarded-for")
        headers["x-forwarded-for"] = f"{forwarded}, {address}" if forwarded else address


def _http_request(
    request: web.BaseRequest, headers: Mapping[str, str], route_params: Mapping[str, str], body: bytes
) -> HttpRequest:
    host = request.headers.get("Host", "localhost")
    return HttpRequest(
        method=request.method,
        url=f"{request.scheme}://{host}{request.raw_path}",
        headers=headers,
        params=_query(request.raw_path.partition("?")[2]),
        route_params=route_params,
        body_type="bytes",
        body=body,
    )


def _headers(request: web.BaseRequest) -> dict[str, str]:
    """Names in lower case, repeated headers joined by a comma."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()  # noqa: PLW2901  the only form used
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _query(text: str) -> dict[str, str]:
    """Query parameters as on the platform: repeats joined by a comma, whatever the case; empty ones left out."""
    if not text:
        return {}
    spelling: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        known = spelling.setdefault(name.lower(), name)
        values[known] = f"{values[known]},{value}" if known in values else value
    return {name: value for name, value in values.items() if value}


def _response(result: object) -> web.Response:
    """Of repeated response headers only the last is sent, except for cookies: the worker uses a mapping."""
    if isinstance(result, str):
        return web.Response(text=result)
    if not isinstance(result, func.HttpResponse):
        raise TypeError(f"an HTTP function must return HttpResponse or str, not {type(result).__name__}")
    response = web.Response(status=result.status_code, body=result.get_body())
    charset = f"; charset={result.charset}" if result.mimetype.startswith("text/") else ""
    headers = response.headers
    headers["Content-Type"] = result.mimetype + charset
    for name, value in result.headers.items():
        lowered = name.lower()
        if lowered == "set-cookie":
            headers.add("Set-Cookie", value)
        elif lowered not in _SET_BY_THE_SERVER:
            headers[name] = value
    return response
