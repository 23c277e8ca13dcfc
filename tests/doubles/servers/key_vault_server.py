"""A Key Vault over HTTPS on loopback: versions, tags, rotation, throttling, failures.

Versions are dated in whole seconds, and readers wait for a second to be over; so its clock runs fast.
"""

import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable  # noqa: TC003  dataclasses read annotations
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlsplit
from uuid import uuid4

from azure.core.credentials import AccessToken

from tests.doubles.servers.certificates import write_certificate

TOKEN = "access-token-of-the-test"
SECOND = 0.2
"""How long one second of the vault takes, in seconds of the machine."""


@dataclass(frozen=True)
class Failure:
    """What happens to a request instead of its answer."""

    status: int
    retry_after: int | None = None


DROP = Failure(0)
"""Drop the connection without an answer."""


@dataclass
class Version:
    value: str
    tags: dict[str, str]
    created: int
    enabled: bool = True
    id: str = field(default_factory=lambda: uuid4().hex)


class TokenOfTheTest:
    """A credential as the SDK expects it."""

    is_closed = False

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(TOKEN, int(time.time()) + 3600)

    async def close(self) -> None:
        self.is_closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


class KeyVaultServer:
    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "vault.pem"
        self.secrets: dict[str, list[Version]] = {}
        self.requests: list[str] = []
        """Method and path of each authorized request."""
        self.failures: deque[Failure] = deque()
        """The faults of the next authorized requests."""
        self.is_down = False
        self.may_set = True
        self.before_storing: Callable[[], None] | None = None
        """Called once, in the middle of the next request that sets a secret."""
        self.meeting: threading.Barrier | None = None
        """A barrier at which the next listings of versions wait for each other, after they were read."""
        self.answered_a_listing = threading.Event()
        """Set when a listing of the versions of a secret was answered."""
        self._guard = threading.RLock()
        self._began_at = time.time()
        self._server = _Server(self)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(write_certificate(directory, self.certificate))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    def rotate(self, name: str, value: str) -> None:
        """Store a newer version, as an operator does."""
        self.store(name, value, {})

    def store(self, name: str, value: str, tags: dict[str, str], *, seconds_ago: int = 0) -> Version:
        now = self._began_at + (time.time() - self._began_at) / SECOND
        version = Version(value, tags, int(now) - seconds_ago)
        with self._guard:
            self.secrets.setdefault(name, []).append(version)
        return version

    def let_meet(self, count: int) -> None:
        """Let that many of the next listings see the same versions."""

        def end() -> None:
            self.meeting = None

        self.meeting = threading.Barrier(count, end)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def next_failure(self) -> Failure | None:
        with self._guard:
            if self.is_down:
                return Failure(503)
            return self.failures.popleft() if self.failures else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, vault: KeyVaultServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.vault = vault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body would wait 40 ms for the headers to be acknowledged

    @property
    def _vault(self) -> KeyVaultServer:
        return cast("_Server", self.server).vault

    def do_GET(self) -> None:
        if self._is_let_in():
            answer = _read(self._vault, self._path())
            is_listing = self._path()[2:] == ["versions"]
            if is_listing and (meeting := self._vault.meeting):
                meeting.wait(10)
            self._answer(*answer)
            if is_listing:
                self._vault.answered_a_listing.set()

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if self._is_let_in():
            if not self._vault.may_set:
                self._answer(403, {"error": {"code": "Forbidden", "message": "not allowed"}})
                return
            meanwhile, self._vault.before_storing = self._vault.before_storing, None
            if meanwhile is not None:
                meanwhile()
            name = self._path()[1]
            version = self._vault.store(name, body["value"], body.get("tags") or {})
            self._answer(200, _bundle(self._vault, name, version, with_value=True))

    def log_message(self, *_: object) -> None:
        """The double prints nothing."""

    def _path(self) -> list[str]:
        return [part for part in urlsplit(self.path).path.split("/") if part]

    def _is_let_in(self) -> bool:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
            self._answer(401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": challenge})
            return False
        self._vault.requests.append(f"{self.command} {urlsplit(self.path).path}")
        failure = self._vault.next_failure()
        if failure is DROP:
            self.close_connection = True
            return False
        if failure is not None:
            headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
            self._answer(failure.status, {"error": {"code": "Failure", "message": "on demand"}}, headers)
            return False
        return True

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)


def _read(vault: KeyVaultServer, path: list[str]) -> tuple[int, dict[str, Any]]:
    _, name, *rest = path
    versions = vault.secrets.get(name, [])
    if rest == ["versions"]:
        return 200, {"value": [_bundle(vault, name, version) for version in versions], "nextLink": None}
    found = [version for version in versions if not rest or version.id == rest[0]]
    if not found:
        return 404, {"error": {"code": "SecretNotFound", "message": f"{name} is not there"}}
    if not found[-1].enabled:
        return 403, {"error": {"code": "Forbidden", "message": "disabled"}}
    return 200, _bundle(vault, name, found[-1], with_value=True)


def _bundle(vault: KeyVaultServer, name: str, version: Version, *, with_value: bool = False) -> dict[str, Any]:
    bundle: dict[str, Any] = {
        "id": f"{vault.url}/secrets/{name}/{version.id}",
        "attributes": {"enabled": version.enabled, "created": version.created, "updated": version.created},
        "tags": version.tags,
    }
    return {**bundle, "value": version.value} if with_value else bundle
