"""Errors as problem documents (RFC 9457)."""

from http import HTTPStatus

from shared import json
from shared.domain.kernel.errors import UnavailableError, XyraError
from shared.http.bodies import Schema
from shared.services.storage.idempotency import Answer

STATUS_OF_CODE = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "idempotency_conflict": HTTPStatus.CONFLICT,
    "precondition_failed": HTTPStatus.PRECONDITION_FAILED,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "validation": HTTPStatus.UNPROCESSABLE_ENTITY,
    "locked": HTTPStatus.LOCKED,
    "precondition_required": HTTPStatus.PRECONDITION_REQUIRED,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}


class Problem(Schema):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]]
    correlation_id: str


def problem_answer(error: XyraError, correlation_id: str) -> Answer:
    status = STATUS_OF_CODE.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    problem = {
        "type": f"urn:xyra:problem:{error.code}",
        "title": error.title,
        "status": int(status),
        "detail": error.detail,
        "errors": [{"pointer": place.pointer, "detail": place.detail} for place in error.errors],
        "correlation_id": correlation_id,
    }
    headers: dict[str, str] = {}
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Answer(int(status), headers, "application/problem+json", json.encode(problem))
