"""The declaration of a route: the only source of its handler, its checks and its description."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal

from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    IdempotencyConflictError,
    MalformedError,
    NotFoundError,
    PreconditionFailedError,
    PreconditionRequiredError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
    ValidationError,
    XyraError,
)
from shared.http.bodies import BodyFormat
from shared.http.schemas import PathValues, Query, ThingId

PREFIX = "api/v1/"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Access(Enum):
    """What a call needs instead of a permission."""

    PUBLIC = "public"


class IfMatch(Enum):
    NONE = "none"
    HONOURED = "honoured"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The declaration of a route: the only source of its handler and of its description."""

    name: str
    """Of its function, and the operation id."""
    area: str
    """The package of its handler, such as `functions.billing`."""
    method: Method
    path: str
    """Below `/api/v1`, or absolute with a leading slash."""
    summary: str
    access: Permission | Access
    answers: Mapping[int, Any]
    """Status -> the type that the answer is made of; None has no body, and bytes go out as they are."""
    path_values: type[PathValues] = PathValues
    query: type[Query] = Query
    body: BodyFormat[Any] | None = None
    if_match: IfMatch = IfMatch.NONE
    idempotent: bool = False
    """Whether it honours an `Idempotency-Key`."""
    secret_answer: bool = False
    """Whether its answer shows something only once."""
    further_errors: tuple[type[XyraError], ...] = ()
    """What it can be refused with beside what `errors` finds in the declaration."""
    example: Any = None
    """A valid body."""
    media_type: str = "application/json"
    """Of its answers."""

    @property
    def route(self) -> str:
        """The path as callers write it, from the root and without a leading slash."""
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
    def id_prefixes(self) -> Mapping[str, str]:
        """Path values that are ids of ours -> what such an id begins with."""
        return _id_prefixes(self.path_values)

    def errors(self) -> Iterator[type[XyraError]]:
        """What it can be refused with. A 500 is not among them: it is a bug."""
        yield ValidationError
        if not self.public:
            yield from (UnauthenticatedError, ForbiddenError, NotFoundError)
        if self.id_prefixes:
            yield NotFoundError
        if self.body is not None:
            yield from (MalformedError, TooLargeError, UnsupportedMediaTypeError)
        if "cursor" in self.query.model_fields:
            yield MalformedError
        if self.idempotent:
            yield IdempotencyConflictError
        if self.method != "GET" and not self.public:
            yield ConflictError
        if self.if_match is not IfMatch.NONE:
            yield PreconditionFailedError
        if self.if_match is IfMatch.REQUIRED:
            yield PreconditionRequiredError
        if self.body is not None or not self.public:
            yield UnavailableError
        yield from self.further_errors


@cache
def _id_prefixes(path_values: type[PathValues]) -> Mapping[str, str]:
    return {
        name: mark.prefix
        for name, field in path_values.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, ThingId)
    }


ENDPOINTS: list[Endpoint] = []
"""All declared endpoints, in the order of their declaration."""
