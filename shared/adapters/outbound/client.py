"""Requests over HTTP to addresses that were checked, and to no others."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from shared.adapters.outbound.addresses import Address, Network, is_public, read_address
from shared.domain.kernel.errors import UnavailableError
from shared.ports.outbound import OutboundAnswer, OutboundRefusedError

MAXIMUM_BYTES: Final = 1024 * 1024
_TIMEOUT = ClientTimeout(total=10, connect=5)
_PART = 1 << 16
_REDIRECTS = range(300, 400)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as texts."""


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class OutboundClient:
    """A host is resolved once for each request. Each address is checked, and those that were checked are connected to:
    a name that means another address a moment later leads nowhere else.
    """

    def __init__(
        self, *, https_only: bool, allowed: Sequence[Network] = (), resolve: Resolve = resolve_by_system
    ) -> None:
        """`allowed` lifts the check of addresses for these, as on a developer's machine."""
        self._https_only = https_only
        self._allowed = allowed
        self._resolve = resolve

    async def get(self, url: str) -> OutboundAnswer:
        return await self._answer("GET", url)

    async def post_form(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> OutboundAnswer:
        return await self._answer("POST", url, data=dict(form), headers=dict(headers))

    async def _answer(self, method: str, url: str, **sent: Any) -> OutboundAnswer:  # noqa: ANN401  what aiohttp takes
        checked = self._checked_url(url)
        connector = TCPConnector(resolver=_CheckedResolver(self._checked), use_dns_cache=False, force_close=True)
        try:
            async with (
                ClientSession(
                    connector=connector,
                    timeout=_TIMEOUT,
                    cookie_jar=DummyCookieJar(),
                    auto_decompress=False,  # what is packed can be of any size
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                ) as session,
                session.request(method, checked, allow_redirects=False, **sent) as response,
            ):
                if response.status in _REDIRECTS:
                    raise OutboundRefusedError("it answers with a redirect, which is not followed")
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise OutboundRefusedError("it answers with a packed body, which was not asked for")
                content = bytearray()
                async for part in response.content.iter_chunked(_PART):
                    content += part
                    if len(content) > MAXIMUM_BYTES:
                        raise OutboundRefusedError(f"it answers with more than {MAXIMUM_BYTES} bytes")
                return OutboundAnswer(response.status, bytes(content))
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            raise UnavailableError(f"{checked.host} does not answer") from error

    def _checked_url(self, text: str) -> URL:
        """The URL as the request will take it. Raises `OutboundRefusedError`.

        An address in it is checked here, since nothing resolves it.
        """
        try:
            url = URL(text)
        except ValueError as error:
            raise OutboundRefusedError("it is no URL") from error
        if url.scheme not in ("https", "http") or not url.host:
            raise OutboundRefusedError("it is no URL that begins with https:// and names a host")
        if url.scheme != "https" and self._https_only:
            raise OutboundRefusedError("it does not begin with https://")
        if url.user is not None or url.password is not None:
            raise OutboundRefusedError("it has a user or password in it")
        address = read_address(url.host)
        if address is not None:
            self._check(address)
        return url

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        """The addresses of the host. Raises `OutboundRefusedError` where one of them is not public."""
        found = await self._resolve(host, port)
        for text in found:
            address = read_address(text)
            if address is None:
                raise OutboundRefusedError("its name leads to no address")
            self._check(address)
        return found

    def _check(self, address: Address) -> None:
        is_allowed = any(address.version == network.version and address in network for network in self._allowed)
        if not is_allowed and not is_public(address):
            raise OutboundRefusedError("its address is not on the public Internet")


class _CheckedResolver(AbstractResolver):
    """Gives aiohttp the checked addresses, as numbers: nothing is looked up again."""

    def __init__(self, checked: Resolve) -> None:
        self._checked = checked

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family  # the one that the address has
        addresses = await self._checked(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """It holds nothing."""
