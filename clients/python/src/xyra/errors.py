"""Errors: one family, from what the API answers and from what keeps it from answering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CODE = "urn:xyra:problem:"


class XyraError(Exception):
    """Base of every error that this package raises."""


class Unreachable(XyraError):
    """Xyra gave no usable answer, after all tries: whether the request was carried out is not known."""


class ApiError(XyraError):
    """Xyra refused the request: `code` is stable, `detail` is for people."""

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        self.status = status
        self.problem = problem
        """The whole problem document (RFC 9457)."""
        self.code = str(problem.get("type", "")).removeprefix(_CODE)
        self.detail = str(problem.get("detail") or problem.get("title") or "no problem document")
        self.correlation_id = str(problem.get("correlation_id", ""))
        self.retry_after = retry_after
        """Seconds until it is worth another try, where Xyra says so."""
        places = "".join(f"; {place.get('pointer')}: {place.get('detail')}" for place in self.places)
        super().__init__(f"{status} {self.code}: {self.detail}{places}")

    @property
    def places(self) -> list[Mapping[str, Any]]:
        """What is wrong where: `pointer` and `detail`."""
        return list(self.problem.get("errors", ()))


class Unauthenticated(ApiError):
    """401: no valid credential."""


class Forbidden(ApiError):
    """403: the credential may not do this."""


class LimitExceeded(Forbidden):
    """403: a limit would be passed, as `problem` says: a budget of credits, or a quota."""


class InsufficientCredits(ApiError):
    """402: less is available than needed."""

    @property
    def available(self) -> str | None:
        """The credits that are available; below zero in debt."""
        available: str | None = self.problem.get("available")
        return available


class BudgetExceeded(XyraError):
    """More would be spent than may be, or Xyra cannot be asked: nothing was sent, and nothing spent.

    `__cause__` is what Xyra answered, where it was asked.
    """


class NotFound(ApiError):
    """404: there is no such thing, or it is another organization's."""


class Conflict(ApiError):
    """409: it does not go with what is there."""


class PreconditionFailed(ApiError):
    """412 or 428: the ETag is stale or missing."""


class InvalidRequest(ApiError):
    """400, 413, 415 or 422: the request itself is wrong."""


class RateLimited(ApiError):
    """429, after all tries."""


class Unavailable(ApiError, Unreachable):
    """5xx, after all tries."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    402: InsufficientCredits,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    428: PreconditionFailed,
    429: RateLimited,
}
_FIRST_FAULT = 500


def error_of(status: int, problem: Mapping[str, Any], retry_after: float | None) -> ApiError:
    """The error for an answer that is no success."""
    kind = Unavailable if status >= _FIRST_FAULT else _BY_STATUS.get(status, ApiError)
    if kind is Forbidden and str(problem.get("type")) == f"{_CODE}limit_exceeded":
        kind = LimitExceeded
    return kind(status, problem, retry_after=retry_after)
