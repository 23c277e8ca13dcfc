"""The SDK over HTTP: one connection pool, a client for each key."""

import logging
import ssl
from collections.abc import Mapping
from typing import Any

import stripe
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from shared.adapters.stripe.payments import StripePayments

API_VERSION = "2026-08-26.dahlia"
"""Of requests, answers and webhooks: the newest one whose description the tests hold the double to."""
SECONDS = 10.0
"""For a whole request. Stripe says that it may take longer; then the outcome is unknown, and asked for later."""
MAXIMUM_BYTES = 8 * 1024 * 1024
"""Of an answer."""
_PART = 1 << 16
_CLIENTS_KEPT = 4
"""Keys are two, and two more while both are rotated."""

logging.getLogger("stripe").setLevel(logging.WARNING)  # below that, the SDK logs forms and answers with people's data
stripe.enable_telemetry = False  # it reads and writes a file in the home directory, on the event loop


class _HttpClient(stripe.AIOHTTPClient):
    """The SDK's own one reads answers outside its error handling, and without a bound."""

    name = "xyra"

    def __init__(self) -> None:
        super().__init__(timeout=SECONDS)
        self._tls = ssl.create_default_context()
        self._opened: ClientSession | None = None

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,  # noqa: ANN401  the SDK's
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            async with self._pool().request(
                method, url, headers=headers, data=post_data, allow_redirects=False
            ) as response:
                body = bytearray()
                async for part in response.content.iter_chunked(_PART):
                    body += part
                    if len(body) > MAXIMUM_BYTES:
                        raise ValueError("the answer is too long")  # noqa: TRY301  it is handled as any other fault
                return bytes(body), response.status, response.headers
        except Exception as error:  # noqa: BLE001  of any fault the SDK makes its own error
            self._handle_request_error(error)

    def _pool(self) -> ClientSession:
        if self._opened is None:
            self._opened = ClientSession(
                connector=TCPConnector(ssl=self._tls),
                timeout=ClientTimeout(total=SECONDS, connect=SECONDS / 2),
                cookie_jar=DummyCookieJar(),
            )
        return self._opened

    async def close_async(self) -> None:
        if self._opened is not None:
            await self._opened.close()


class StripeConnections:
    def __init__(self, api_base: str | None) -> None:
        self._api_base = api_base
        self._http = _HttpClient()
        self._clients: dict[str, StripePayments] = {}

    def payments(self, key: str) -> StripePayments:
        if key not in self._clients:
            while len(self._clients) >= _CLIENTS_KEPT:
                self._clients.pop(next(iter(self._clients)))
            self._clients[key] = StripePayments(self._client(key))
        return self._clients[key]

    def _client(self, key: str) -> stripe.StripeClient:
        return stripe.StripeClient(
            key,
            stripe_version=API_VERSION,
            base_addresses={} if self._api_base is None else {"api": self._api_base},
            max_network_retries=0,  # a repeat is decided where its key is stored
            http_client=self._http,
        )

    async def close(self) -> None:
        await self._http.close_async()
