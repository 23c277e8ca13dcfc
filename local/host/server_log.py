"""What the HTTP server logs, without the requests that it cannot read."""

import logging

from aiohttp.http_exceptions import HttpProcessingError

server_log = logging.getLogger("local.host.server")


class _WithoutTheRequest(logging.Filter):
    """The server's exceptions quote the bytes that they stumble over: a credential, in a header with one character too
    many or in the query of a broken request line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if _is_about_the_request(error):
            record.msg, record.args, record.exc_info = "a request cannot be read: %s", (type(error).__name__,), None
        return True


def _is_about_the_request(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, HttpProcessingError):
            return True
        error = error.__cause__ or error.__context__
    return False


server_log.addFilter(_WithoutTheRequest())
