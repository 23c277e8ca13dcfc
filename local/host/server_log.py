"""The HTTP server's log, without the text of requests that it cannot parse."""

import logging

from aiohttp.http_exceptions import HttpProcessingError

server_log = logging.getLogger("local.host.server")


class _WithoutTheRequest(logging.Filter):
    """Removes the request from errors, which quote malformed headers and request lines with their credentials."""

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
