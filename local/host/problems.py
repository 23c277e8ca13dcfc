"""Problem documents (RFC 9457) for what the host answers itself, without a function."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

MEDIA_TYPE = "application/problem+json"
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Of every answer of the host itself: what browsers may do with it."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """The answer with this status. `detail` never repeats the request, which may be secret."""
    return web.Response(
        status=status,
        body=_document(status, detail),
        content_type=MEDIA_TYPE,
        headers={**SAFE_HEADERS, **(headers or {})},
    )


def closing_problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """As `problem`; the connection is closed behind it, and the rest of the request is not waited for."""
    response = problem(status, detail, headers)
    response.force_close()
    return response


def closing_problem_bytes(status: int, detail: str, headers: Mapping[str, str] | None = None) -> bytes:
    """As `closing_problem`, for a connection of which nothing was read, or whose request has no answer yet."""
    body = _document(status, detail)
    fields = {
        "Content-Type": MEDIA_TYPE,
        **SAFE_HEADERS,
        **(headers or {}),
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _document(status: int, detail: str) -> bytes:
    title = HTTPStatus(status).phrase
    return json.dumps(
        {"type": "about:blank", "title": title, "status": int(status), "detail": detail, "errors": []}
    ).encode()
