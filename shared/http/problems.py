"""Errors as problem documents (RFC 9457). Faults of ours are logged; callers learn nothing of their cause."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ConfigDict

from shared import correlation
from shared.domain.credits.errors import BudgetExceededError, InsufficientCreditsError
from shared.domain.kernel.errors import (
    LimitExceededError,
    LockedError,
    MethodNotAllowedError,
    OrganizationRequiredError,
    RateLimitedError,
    RejectedItemsError,
    StepUpRequiredError,
    UnauthenticatedError,
    UnavailableError,
    XyraError,
)
from shared.domain.pricing.places import PlaceTakenError
from shared.http.error_format import ErrorFormat
from shared.http.replies import serialised
from shared.http.schemas import Schema
from shared.services.storage.idempotency import Answer

MEDIA_TYPE = "application/problem+json"

_STEP_UP = 'Bearer error="insufficient_user_authentication", error_description="Show again who you are", max_age=600'

_log = logging.getLogger(__name__)


class ProblemPlace(Schema):
    """What is wrong at one place of the request."""

    pointer: str
    """RFC 6901 into the body; `?name` is a query parameter, `{name}` a value of the path, else it is a header."""
    detail: str
    """What is wrong there."""


class Problem(Schema):
    """Why a request was refused or failed (RFC 9457)."""

    type: str
    """`urn:xyra:problem:` and a code that never changes its meaning."""
    title: str
    """What all problems of this type have in common."""
    status: int
    """Of the answer."""
    detail: str
    """What is wrong with this request."""
    errors: list[ProblemPlace]
    """The places that are wrong, where they are known."""
    correlation_id: str
    """Names this request in the logs."""


class RejectedItem(Schema):
    """An item of a request that is not valid."""

    index: int
    """Its place in the request, from 0."""
    errors: list[ProblemPlace]
    """At most 5, with pointers relative to the item. Of all but the first 20 items they are left out."""


class ProblemOfItems(Problem):
    """Why a request with several items was refused (RFC 9457)."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    rejected: list[RejectedItem] = []
    """Every item that is not valid; left out where the request is one item, or was refused as a whole."""


class OrganizationToChoose(Schema):
    """An organization that the user can sign in to."""

    id: str
    name: str


class ProblemOfChoice(Problem):
    """Why a request was refused where something has to be chosen (RFC 9457)."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    organizations: list[OrganizationToChoose] = []
    """One of these is to be named as `organization_id`; left out where there is nothing to choose."""


class ProblemOfQuota(Problem):
    """Why a request was refused (RFC 9457), where that may be an organization's quota or the limit of its plan."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    quota: str | None = None
    """What there is too much of, as `agents`; left out where it was refused for another reason."""
    feature: str | None = None
    """The same, where it is the hard limit of a plan."""
    limit: int | None = None
    """The most that there may be."""
    used: int | None = None
    """What there is now."""


class ProblemOfCredits(Problem):
    """Why credits were not spent (RFC 9457)."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    available: str | None = None
    """The credits that are available; below zero in debt."""


class BudgetWindow(Schema):
    """The window of a budget."""

    name: str
    """`hour`, `day`, `month` or `once`."""
    end: str | None
    """When it ends; null for `once`."""


class ProblemOfBudget(Problem):
    """Why credits were not spent: a budget limits them (RFC 9457)."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    budget_id: str | None = None
    """The budget that would be passed."""
    left: str | None = None
    """The credits that are left of it."""
    window: BudgetWindow | None = None
    """The window that it limits."""


class ProblemOfPlace(Problem):
    """Why a subscription was refused (RFC 9457), where that may be another one at its place."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    subscription_id: str | None = None
    """The subscription that has the place; left out where it was refused for another reason."""


_FURTHER_MEMBERS: Mapping[type[XyraError], tuple[type[Problem], tuple[str, ...]]] = {
    LimitExceededError: (ProblemOfQuota, ("quota", "feature", "limit", "used")),
    RejectedItemsError: (ProblemOfItems, ("rejected",)),
    OrganizationRequiredError: (ProblemOfChoice, ("organizations",)),
    InsufficientCreditsError: (ProblemOfCredits, ("available",)),
    BudgetExceededError: (ProblemOfBudget, ("budget_id", "left", "window")),
    PlaceTakenError: (ProblemOfPlace, ("subscription_id",)),
}
"""What the problem documents of some errors say besides."""


def error_answer(
    error: Exception, endpoint: str, headers: Mapping[str, str], error_format: ErrorFormat | None
) -> Answer:
    """The answer for an error, by default as a problem document.

    Logs a 500 with its traceback, and a 503 as one warning with its cause. `headers` are those of the request.
    """
    refusal = error if isinstance(error, XyraError) else XyraError(str(error))
    if refusal.status is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("unexpected failure", exc_info=error, extra={"endpoint": endpoint})
    elif refusal.status is HTTPStatus.SERVICE_UNAVAILABLE:
        _log.warning("unavailable: %s", refusal.detail, extra={"endpoint": endpoint, "cause": _cause(error)})
    media_type, body = (
        error_format.written(refusal, headers) if error_format is not None else (MEDIA_TYPE, problem_document(refusal))
    )
    return Answer(int(refusal.status), _headers(refusal), media_type, body)


def problem_document(refusal: XyraError) -> bytes:
    """The error as JSON."""
    problem = {
        "type": f"urn:xyra:problem:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.public_detail,
        "errors": refusal.errors,
        "correlation_id": correlation.current(),
    }
    for error, (form, members) in _FURTHER_MEMBERS.items():
        if isinstance(refusal, error):
            return serialised(form, {**problem, **{name: getattr(refusal, name) for name in members}})
    return serialised(Problem, problem)


def _headers(refusal: XyraError) -> dict[str, str]:
    match refusal:
        case UnauthenticatedError():
            return {"WWW-Authenticate": _STEP_UP if isinstance(refusal, StepUpRequiredError) else "Bearer"}
        case MethodNotAllowedError():
            return {"Allow": ", ".join(refusal.allowed)}
        case LockedError() | RateLimitedError():
            return {"Retry-After": str(max(1, math.ceil(refusal.retry_after)))}
        case UnavailableError():
            return {"Retry-After": str(max(1, round(refusal.retry_after)))}
        case _ if refusal.status is HTTPStatus.SERVICE_UNAVAILABLE:
            return {"Retry-After": "1"}
        case _:
            return {}


def _cause(error: BaseException) -> str:
    """The chain of causes behind an error, in one line."""
    causes = []
    while (cause := error.__cause__) is not None:
        causes.append(f"{type(cause).__name__}: {cause}")
        error = cause
    return "; ".join(causes)
