"""What an endpoint declares. Its checks, its errors and its description have no other source."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any, Literal

from shared.domain.access.identity import AFTER_STEP_UP, READING, Permission
from shared.domain.access.rate_limits import RateLimit
from shared.domain.kernel.errors import (
    ConflictError,
    EmailUnverifiedError,
    EnrolmentRequiredError,
    ForbiddenError,
    IdempotencyConflictError,
    LengthRequiredError,
    MalformedError,
    NotFoundError,
    PreconditionFailedError,
    PreconditionRequiredError,
    RateLimitedError,
    RestrictedError,
    StepUpRequiredError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
    ValidationError,
    XyraError,
)
from shared.http.bodies import SMALL_BODY, BodyFormat, BodyLimit
from shared.http.error_format import ErrorFormat
from shared.http.schemas import PathValues, Query, ThingId

PREFIX = "api/v1/"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Access(Enum):
    """Who may call, where no permission decides it."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    """Every user, for what is their own; no API key."""


class Projects(Enum):
    """What a caller who is limited to projects gets. Every route with a permission of projects declares it."""

    BY_PATH = "by_path"
    """What the path names, where it is in one of them; else 404."""
    FILTERED = "filtered"
    """What is in them; the handler leaves the rest out."""
    CHECKED = "checked"
    """What the request names, where it is in one of them; the handler refuses the rest."""
    REFUSED = "refused"
    """403: it is about the whole organization."""


class IfMatch(Enum):
    """Whether an endpoint looks at the header `If-Match`."""

    NONE = "none"
    HONOURED = "honoured"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path."""

    name: str
    """The name of its function, and its operation id."""
    area: str
    """The package that its handler is in, such as `functions.billing`."""
    method: Method
    path: str
    """Below `/api/v1`, or absolute with a leading slash."""
    summary: str
    access: Permission | Access
    answers: Mapping[int, Any]
    """Status -> the type of the answer's body; None for no body. Bodies of bytes are sent unchanged."""
    path_values: type[PathValues] = PathValues
    query: type[Query] = Query
    body: BodyFormat[Any] | None = None
    body_limit: BodyLimit = SMALL_BODY
    if_match: IfMatch = IfMatch.NONE
    idempotent: bool = False
    """Whether it looks at the header `Idempotency-Key`."""
    requires_key: bool = False
    """Whether that header is required; a preview goes without."""
    keeps_own_keys: bool = False
    """Whether it is required, and its service keeps the key beside what it does."""
    find: Callable[[Any], Awaitable[None]] | None = None
    """Finds (by a `Call`) what the path names, before a missing key is refused. Raises `NotFoundError`."""
    secret_answer: bool = False
    """Whether the answer shows a credential. It is never kept: the handler says what a repeated request gets."""
    authorize: Callable[[Any], Awaitable[None]] | None = None
    """Refuses callers (of a `Call`) whom the permission alone would let pass; asked before a kept answer is given."""
    calculates: bool = False
    """Whether reading, pricing or answering what it is sent takes long: one at a time, beside all other requests."""
    rate_limits: tuple[RateLimit, ...] = ()
    """What valid requests are counted for before they are acted upon."""
    further_errors: tuple[type[XyraError], ...] = ()
    """Errors that do not follow from the rest of the declaration."""
    example: Any = None
    """A valid request body."""
    media_type: str = "application/json"
    """The content type of its answers."""
    other_forms: Mapping[str, Any] = field(default_factory=dict)
    """Further content type -> the type of its answers in that form, for `Reply.media_type`."""
    error_format: ErrorFormat | None = None
    """How its errors are written; None for problem documents."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of all its answers, errors too."""
    projects: Projects = Projects.REFUSED
    """What a caller who is limited to projects gets."""
    adds_costs: bool = False
    """Whether it is refused while an invoice of the organization has been overdue for too long."""
    takes_basic: bool = False
    """Whether the password of Basic authentication is taken for an API key, too."""
    for_enrolment: bool = False
    """Whether a signed-in user may call it who has still to enrol the second factor that the organization asks for."""
    after_step_up: bool = False
    """Whether users show anew who they are for it, where that is asked of them. Permissions say it for themselves."""
    for_provider: bool = False
    """Whether users may call what is for every user whom an organization's identity provider vouches for."""

    @property
    def route(self) -> str:
        """The path from the root, without a leading slash."""
        return self.path.lstrip("/") if self.path.startswith("/") else PREFIX + self.path

    @property
    def template(self) -> str:
        """The route template for the platform, with ids constrained by their prefix.

        The platform tries routes in the order of function names: unconstrained, `events/{event_id}` would take
        `events/parked`.
        """
        template = self.route
        for name, prefix in self.id_prefixes.items():
            template = template.replace(f"{{{name}}}", f"{{{name}:regex(^{prefix}_)}}")
        return template

    @property
    def methods(self) -> tuple[str, ...]:
        return (self.method, "HEAD") if self.method == "GET" else (self.method,)

    @property
    def public(self) -> bool:
        return self.access is Access.PUBLIC

    @property
    def needs_key(self) -> bool:
        return self.requires_key or self.keeps_own_keys

    @property
    def looks_at_key(self) -> bool:
        """Whether it looks at the header `Idempotency-Key` at all."""
        return self.idempotent or self.needs_key

    @property
    def id_prefixes(self) -> Mapping[str, str]:
        """Name of a path value -> the prefix of its ids, for ids that Xyra makes."""
        return _id_prefixes(self.path_values)

    def errors(self) -> Iterator[type[XyraError]]:
        """The errors that it can answer with. A 500 is never declared: it is a bug."""
        yield from (ValidationError, MalformedError)
        yield from self._errors_of_access()
        if self.id_prefixes:
            yield NotFoundError
        if self.body is not None:
            yield from (LengthRequiredError, TooLargeError, UnsupportedMediaTypeError)
        if self.looks_at_key:
            yield IdempotencyConflictError
        if self.method != "GET" and not self.public:
            yield ConflictError
        if self.if_match is not IfMatch.NONE:
            yield PreconditionFailedError
        if self.if_match is IfMatch.REQUIRED:
            yield PreconditionRequiredError
        if self.body is not None or not self.public:
            yield UnavailableError
        if self.rate_limits or not self.public:
            yield RateLimitedError
        if self.adds_costs:
            yield RestrictedError
        yield from self.further_errors

    def _errors_of_access(self) -> Iterator[type[XyraError]]:
        if not self.public:
            yield from (UnauthenticatedError, ForbiddenError, NotFoundError)
        if isinstance(self.access, Permission) and self.access not in READING:
            yield EmailUnverifiedError
        if self.access in AFTER_STEP_UP or self.after_step_up:
            yield StepUpRequiredError
        if not self.public and not self.for_enrolment:
            yield EnrolmentRequiredError


@cache
def _id_prefixes(path_values: type[PathValues]) -> Mapping[str, str]:
    return {
        name: mark.prefix
        for name, field in path_values.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, ThingId)
    }


ENDPOINTS: list[Endpoint] = []
"""All endpoints, in the order in which they were declared."""
