"""A server that answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Told:
    """One answer. Without `status` the connection is closed instead."""

    status: int | None = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, code: str, **further: Any) -> Told:
    document = {"type": f"urn:xyra:problem:{code}", "title": code, "status": status, "detail": "what is wrong"}
    return Told(status, {**document, "errors": [], "correlation_id": "c-1", **further})


class StubServer:
    """Answers with `answer(asked)`, which tests replace."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Told] = lambda _: Told(200, {})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                split = urlsplit(self.path)
                asked = Asked(self.command, split.path, dict(parse_qsl(split.query)), dict(self.headers), body)
                outer.asked.append(asked)
                told = outer.answer(asked)
                if told.status is None:
                    self.close_connection = True
                    return
                content = b"" if told.body is None else json.dumps(told.body).encode()
                self.send_response(told.status)
                for name, value in {"Content-Type": "application/json", **told.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answers(self, *told: Told) -> None:
        """One after the other; the last one for all further requests."""
        waiting = list(told)
        self.answer = lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
