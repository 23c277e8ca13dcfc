"""Answers where the HTTP server cannot read a request, or has nothing to answer it with."""

from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from local.host.problems import closing_problem

_TOO_LONG = "The request line, or a line of the header, is longer than 8,190 bytes"
_UNREADABLE = "The request cannot be read: it is not HTTP/1.1"
_FAILED = "The host could not answer; it has logged why"


class ReadableRefusals(RequestHandler):
    """Tells clients in JSON why their connection ends. It never repeats the request, which may be secret."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # logs it
        if status != HTTPStatus.BAD_REQUEST:
            return closing_problem(status, _FAILED)
        return closing_problem(status, _TOO_LONG if isinstance(exc, LineTooLong) else _UNREADABLE)
