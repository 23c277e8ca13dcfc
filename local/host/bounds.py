"""What strangers may hold of the host: connections, time for a request to arrive, and bytes of bodies."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from local.host.problems import closing_problem_bytes
from local.host.server_log import server_log
from local.host.unreadable_requests import ReadableRefusals, request_of

_REFUSAL = closing_problem_bytes(503, "There are too many connections; try again later", {"Retry-After": "1"})
_RECEIVE_BYTES = 64 * 1024
"""Of a body that nobody reads yet, on each connection: the server stops receiving at twice as many."""
_MOST_HEADERS = 64
_LINGER_SECONDS = 2.0
"""How long the rest of a body that was refused is received, so that the client reads the answer."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Defaults suit one machine, where all clients may have the same address."""

    connections: int = 512
    connections_per_address: int = 256
    header_seconds: float = 30
    """Until a request's headers are complete, and until the next request of a connection."""
    body_seconds: float = 60
    """From the headers until the body is complete."""
    progress_seconds: float = 30
    """Until the next bytes of a body."""
    buffered_bytes: int = 64 * 1024 * 1024
    """Of all bodies of requests that are not answered yet."""


DEFAULT_BOUNDS = Bounds()
UNBOUNDED = Bounds(connections=2**31, connections_per_address=2**31, buffered_bytes=2**62)
"""Behind a host that has bounds of its own."""


class BufferedBytes:
    """The bytes that all bodies hold together.

    One body holds at most as much as is still free, so that a few large ones leave room for many small ones.
    """

    def __init__(self, most: int) -> None:
        self._free = most

    def share(self) -> "Share":
        """What one request holds, as long as its block runs."""
        return Share(self)

    def take(self, count: int, held: int) -> bool:
        """Whether a body that holds some may take so many more. They are taken then."""
        if held + count > self._free:
            return False
        self._free -= count
        return True

    def give_back(self, count: int) -> None:
        self._free += count


class Share:
    __slots__ = ("_buffered", "_held")

    def __init__(self, buffered: BufferedBytes) -> None:
        self._buffered = buffered
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._buffered.give_back(self._held)

    def take(self, count: int) -> bool:
        """Whether so many more bytes may be held."""
        if not self._buffered.take(count, self._held):
            return False
        self._held += count
        return True


class BoundedServer(web.Server):
    """An HTTP server that keeps only so many connections, and none that sends no request in time."""

    def __init__(self, handler: Any, bounds: Bounds) -> None:  # noqa: ANN401  aiohttp names no public type for it
        super().__init__(
            handler,
            request_factory=request_of,
            access_log=None,
            logger=server_log,
            auto_decompress=False,
            keepalive_timeout=bounds.header_seconds,
            lingering_time=_LINGER_SECONDS,
            read_bufsize=_RECEIVE_BYTES,
            max_headers=_MOST_HEADERS,
        )
        self._bounds = bounds
        self._addresses: dict[RequestHandler, str] = {}
        self._by_address: Counter[str] = Counter()

    def __call__(self) -> RequestHandler:
        return ReadableRefusals(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if self._is_full(address):
            transport.write(_REFUSAL)
            transport.close()
            return
        self._addresses[handler] = address
        self._by_address[address] += 1

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        address = self._addresses.pop(handler, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def _is_full(self, address: str) -> bool:
        return (
            len(self._addresses) >= self._bounds.connections
            or self._by_address[address] >= self._bounds.connections_per_address
        )
