"""Answers where the HTTP server cannot read a request, or has nothing to answer it with."""

import asyncio
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler

from local.host.problems import closing_problem

_TOO_LONG = "The request line, or a line of the header, is longer than 8,190 bytes"
_UNREADABLE = "The request cannot be read: it is not HTTP/1.1"
_FAILED = "The host could not answer; it has logged why"


def request_of(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """A request; its connection knows its body."""
    if isinstance(protocol, ReadableRefusals):
        protocol.body = payload
    return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())


class ReadableRefusals(RequestHandler):
    """Tells clients in JSON why their connection ends. It never repeats the request, which may be secret."""

    body: StreamReader = EMPTY_PAYLOAD
    """Of the latest request."""

    def eof_received(self) -> bool:
        """The client says no more: what it has asked is answered, a body without its end by a refusal.

        Whether the connection stays open for that.
        """
        if self._waiter is not None:  # for a request: nothing is asked any more
            return False
        for body in (self.body, *(body for _, body in self._messages)):
            if not body.is_eof():
                body.set_exception(ConnectionResetError("the body has no end"))
                body.feed_eof()
        self.close()
        return True

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
