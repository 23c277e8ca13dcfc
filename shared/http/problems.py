"""Errors as problem documents (RFC 9457). Nothing of a fault of ours leaves; it is logged with its cause."""

import logging
from http import HTTPStatus

from shared import correlation
from shared.domain.kernel.errors import XyraError
from shared.http.replies import serialised
from shared.http.schemas import Schema
from shared.services.storage.idempotency import Answer

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)


class ProblemPlace(Schema):
    """What is wrong at one place of the request."""

    pointer: str
    """RFC 6901 into the body; `?name` is a query parameter, `{name}` a value of the path, else it is a header."""
    detail: str


class Problem(Schema):
    """An error (RFC 9457)."""

    type: str
    """`urn:xyra:problem:` and a code that never changes its meaning."""
    title: str
    status: int
    detail: str
    errors: list[ProblemPlace]
    correlation_id: str
    """Names this request in the logs."""


def problem_answer(error: Exception, endpoint: str) -> Answer:
    """The answer to a request that was refused or failed; what is not the caller's fault is logged."""
    if not isinstance(error, XyraError) or error.status is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("unexpected failure", exc_info=error, extra={"endpoint": endpoint})
        error = XyraError("An unexpected failure; it has been logged under this correlation id")
    elif error.status is HTTPStatus.SERVICE_UNAVAILABLE:
        _log.warning("unavailable: %s", error.detail, extra={"endpoint": endpoint, "cause": _cause(error)})
    headers: dict[str, str] = {}
    if error.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(max(1, round(getattr(error, "retry_after", 1))))
    if error.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    problem = {
        "type": f"urn:xyra:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "errors": error.errors,
        "correlation_id": correlation.current(),
    }
    return Answer(int(error.status), headers, MEDIA_TYPE, serialised(Problem, problem))


def _cause(error: BaseException) -> str:
    """What is behind an error, from the outside in."""
    causes = []
    while (cause := error.__cause__) is not None:
        causes.append(f"{type(cause).__name__}: {cause}")
        error = cause
    return "; ".join(causes)
