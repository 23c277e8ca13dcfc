"""Problem documents (RFC 9457) for requests that the HTTP server cannot read, which no function sees."""

import json
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

_TOO_LONG = "The request line, or a line of the header, is longer than 8,190 bytes"
_UNREADABLE = "The request cannot be read: it is not HTTP/1.1"


class ReadableRefusals(RequestHandler):
    """Tells clients in JSON why their connection ends. It never repeats the request, which may be secret."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        told = super().handle_error(request, status, exc, message)
        if exc is None or status != HTTPStatus.BAD_REQUEST:
            return told
        answer = _problem(_TOO_LONG if isinstance(exc, LineTooLong) else _UNREADABLE)
        answer.force_close()
        return answer


def _problem(detail: str) -> web.Response:
    bad = HTTPStatus.BAD_REQUEST
    document = {"type": "about:blank", "title": bad.phrase, "status": int(bad), "detail": detail, "errors": []}
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return web.Response(
        status=bad, body=json.dumps(document).encode(), content_type="application/problem+json", headers=headers
    )
