"""The client for addresses that others choose, against web servers on loopback addresses."""

from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import pytest
from aiohttp import web

from shared.adapters.outbound import client as module
from shared.adapters.outbound.client import MAXIMUM_BYTES, OutboundClient
from shared.domain.kernel.errors import UnavailableError
from shared.ports.outbound import OutboundRefusedError

ALLOWED = (ip_network("127.0.0.1/32"),)


class Server:
    """Answers what a test wants, on one loopback address."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.status, self.body = 200, b"{}"
        self.headers: dict[str, str] = {}
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.host} {(await request.read()).decode()}")
        return web.Response(status=self.status, body=self.body, headers=self.headers)


async def serving(address: str, port: int = 0) -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async for running in serving("127.0.0.1"):
        yield running


@pytest.fixture
async def hidden(server: Server) -> AsyncIterator[Server]:
    """On another address of this machine that nobody has allowed, and the same port."""
    async for running in serving("127.0.0.2", server.port):
        yield running


def resolving(*answers: Sequence[str]) -> module.Resolve:
    """Answers one after the other; the last one stays."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        del host, port
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def client(*answers: Sequence[str]) -> OutboundClient:
    return OutboundClient(https_only=False, allowed=ALLOWED, resolve=resolving(*answers or (["127.0.0.1"],)))


async def test_it_gets_and_posts(server: Server) -> None:
    url = f"http://issuer.example.com:{server.port}/x"
    assert (await client().get(url)).body == b"{}"
    assert (await client().post_form(url, {"a": "b c"}, {})).status == 200
    host = f"issuer.example.com:{server.port}"
    assert server.requests == [f"GET {host} ", f"POST {host} a=b+c"]


async def test_a_name_that_means_another_address_a_moment_later_leads_nowhere_else(
    server: Server, hidden: Server
) -> None:
    url = f"http://issuer.example.com:{server.port}/"
    rebinding = client(["127.0.0.1"], ["127.0.0.2"])
    await rebinding.get(url)
    with pytest.raises(OutboundRefusedError):
        await rebinding.get(url)
    with pytest.raises(OutboundRefusedError):
        await client(["127.0.0.1", "127.0.0.2"]).get(url)
    assert (len(server.requests), hidden.requests) == (1, [])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.2]:{port}/",
        "http://user:secret@127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "http://",
        "http://127.0.0.1:99999/",
        "no url",
    ],
)
async def test_what_is_no_public_address_is_refused(server: Server, hidden: Server, url: str) -> None:
    with pytest.raises(OutboundRefusedError):
        await client().get(url.format(port=server.port))
    assert server.requests + hidden.requests == []


async def test_outside_local_it_is_https_or_nothing(server: Server) -> None:
    strict = OutboundClient(https_only=True, allowed=ALLOWED)
    with pytest.raises(OutboundRefusedError, match="https"):
        await strict.get(f"http://127.0.0.1:{server.port}/")
    assert server.requests == []


async def test_a_redirect_is_not_followed(server: Server, hidden: Server) -> None:
    server.status, server.headers = 302, {"Location": f"http://127.0.0.2:{server.port}/"}
    with pytest.raises(OutboundRefusedError, match="redirect"):
        await client().get(f"http://127.0.0.1:{server.port}/")
    assert hidden.requests == []


async def test_too_much_and_packed_bodies_are_refused(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}/"
    server.body = bytes(MAXIMUM_BYTES + 1)
    with pytest.raises(OutboundRefusedError, match="bytes"):
        await client().get(url)
    server.body, server.headers = b"\x1f\x8b", {"Content-Encoding": "gzip"}
    with pytest.raises(OutboundRefusedError, match="packed"):
        await client().get(url)


async def test_where_nothing_answers_it_says_so() -> None:
    with pytest.raises(UnavailableError):
        await client(["127.0.0.1"]).get("http://issuer.example.com:1/")
