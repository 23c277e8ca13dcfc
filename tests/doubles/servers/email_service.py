"""The e-mail API of Azure Communication Services over HTTPS on loopback, as far as sending goes.

It keeps what it accepts, checks what the service checks, and answers otherwise on demand.
"""

import json
import re
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from tests.doubles.servers.certificates import write_certificate
from tests.doubles.servers.key_vault_server import TOKEN

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MESSAGE_ID = re.compile(r"<[^<>@\s]+@[^<>@\s]+\.[^<>@\s]+>")
"""Another `Message-ID` is replaced by one of the service's own."""


@dataclass(frozen=True)
class AcceptedMail:
    operation_id: str
    body: dict[str, Any]


class EmailService:
    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "email.pem"
        self.accepted: dict[str, AcceptedMail] = {}
        """By the operation's id: a repeat of one is known."""
        self.repeats = 0
        self.status: int | None = None
        """What every request is answered with instead."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.service = self  # type: ignore[attr-defined]  for the handler
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(write_certificate(directory, self.certificate))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        service = cast("EmailService", self.server.service)  # type: ignore[attr-defined]
        assert urlsplit(self.path).path == "/emails:send"
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": {"code": "Unauthorized"}})
        elif service.status is not None:
            self._answer(service.status, {"error": {"code": "OnDemand", "message": "the address is in this text"}})
        elif problem := _problem(body):
            self._answer(400, {"error": {"code": "BadRequest", "message": problem}})
        else:
            self._accept(service, body)

    def _accept(self, service: EmailService, body: dict[str, Any]) -> None:
        operation_id = self.headers["Operation-Id"]
        assert _GUID.fullmatch(operation_id)
        if operation_id in service.accepted:
            service.repeats += 1
            self._answer(409, {"error": {"code": "Conflict", "message": "the operation is known"}})
            return
        service.accepted[operation_id] = AcceptedMail(operation_id, body)
        location = f"{service.endpoint}/emails/operations/{operation_id}?api-version=2025-09-01"
        self._answer(202, {"id": operation_id, "status": "Running"}, {"Operation-Location": location})

    def log_message(self, *_: object) -> None:
        """The double prints nothing."""

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)


def _problem(body: dict[str, Any]) -> str | None:
    """What the service would not take about a mail."""
    recipients = body["recipients"]["to"]
    if not all(re.fullmatch(r"[^@\s]+@[^@\s]+", each["address"]) for each in recipients):
        return "an address is not valid"
    if not _MESSAGE_ID.fullmatch(body["headers"]["Message-ID"]):
        return "the Message-ID would be replaced"
    content = body["content"]
    if not (content["subject"] and content["plainText"] and content["html"]):
        return "a part is empty"
    return None if "@" in body["senderAddress"] and "<" not in body["senderAddress"] else "the sender is not valid"
