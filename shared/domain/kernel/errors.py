"""Errors: every refusal that a caller can see is an `XyraError` with a stable code."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

MAXIMUM_ERRORS = 20
"""The most places that one error names."""
MAXIMUM_CHARACTERS = 200
"""Of a pointer, and of what is said about its place."""
_OPENS_NOTHING = "The link was used already, has expired, or was never given out: ask for a new mail"
UNEXPECTED = "An unexpected failure; it has been logged under the correlation id"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of the input.

    `pointer` is a JSON pointer (RFC 6901) into the body, `?name` for a query parameter, `{name}` for a path value, or
    the name of a header.
    """

    pointer: str
    detail: str

    def shortened(self) -> "FieldError":
        """The same within `MAXIMUM_CHARACTERS`: names and details can be as long as the input."""
        if max(len(self.pointer), len(self.detail)) <= MAXIMUM_CHARACTERS:
            return self
        return FieldError(_shortened(self.pointer), _shortened(self.detail))


def _shortened(text: str) -> str:
    return text if len(text) <= MAXIMUM_CHARACTERS else f"{text[: MAXIMUM_CHARACTERS - 1]}…"


class XyraError(Exception):
    """Base of all errors of Xyra.

    `code` ends the `type` of the problem document (RFC 9457) and never changes its meaning. An error without a code of
    its own is a fault of ours: it is logged, and the caller learns nothing about it. Only the first `MAXIMUM_ERRORS`
    errors are kept.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(error.shortened() for error in errors[:MAXIMUM_ERRORS])

    @property
    def public_detail(self) -> str:
        """What a caller may read: of a fault of ours only that it was logged."""
        return UNEXPECTED if self.status is HTTPStatus.INTERNAL_SERVER_ERROR else self.detail


class ValidationError(XyraError):
    """The input can be read, but is not valid."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "validation"
    title = "The input is not valid"

    @classmethod
    def at(cls, pointer: str, detail: str) -> "ValidationError":
        return cls(detail, errors=(FieldError(pointer, detail),))


@dataclass(frozen=True, slots=True)
class Rejection:
    """An item of a request that is not valid."""

    index: int
    """Its place in the request, from 0."""
    errors: tuple[FieldError, ...]
    """Their pointers are relative to the item."""


class RejectedItemsError(ValidationError):
    """Items of a request are not valid, so that none of it was taken.

    `rejected` are all of them, in their order.
    """

    def __init__(
        self, detail: str, *, errors: tuple[FieldError, ...] = (), rejected: tuple[Rejection, ...] = ()
    ) -> None:
        super().__init__(detail, errors=errors)
        self.rejected = rejected


class InvalidTokenError(ValidationError):
    """The token of a mailed link opens nothing. One answer for all reasons, so that none of them can be told apart."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_token"
    title = "The link does not work"

    def __init__(self, detail: str = _OPENS_NOTHING) -> None:
        super().__init__(detail, errors=(FieldError("/token", detail),))


class EmailUnverifiedError(XyraError):
    """The caller has not shown yet that the address of the account is theirs."""

    status = HTTPStatus.FORBIDDEN
    code = "email_unverified"
    title = "The e-mail address is not verified"


class MalformedError(XyraError):
    """The input cannot be read at all: not JSON, a bad cursor, an unreadable header."""

    status = HTTPStatus.BAD_REQUEST
    code = "malformed"
    title = "The input cannot be read"


@dataclass(frozen=True, slots=True)
class OrganizationChoice:
    """An organization that a user can sign in to."""

    id: str
    name: str


class OrganizationRequiredError(MalformedError):
    """The user belongs to several organizations and has to choose one of them."""

    status = HTTPStatus.BAD_REQUEST
    code = "organization_required"
    title = "An organization has to be chosen"

    def __init__(
        self,
        detail: str,
        organizations: Sequence[OrganizationChoice] = (),
        *,
        errors: tuple[FieldError, ...] = (FieldError("/organization_id", "names none of them"),),
    ) -> None:
        super().__init__(detail, errors=errors)
        self.organizations = tuple(organizations)


class UnauthenticatedError(XyraError):
    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"
    title = "A valid credential is needed"


class StepUpRequiredError(UnauthenticatedError):
    """The caller has to show anew who they are (RFC 9470)."""

    status = HTTPStatus.UNAUTHORIZED
    code = "step_up_required"
    title = "Show again who you are"


class ForbiddenError(XyraError):
    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    title = "The credential does not allow this"


class EnrolmentRequiredError(ForbiddenError):
    """The organization asks for a second factor, and the user has none yet."""

    status = HTTPStatus.FORBIDDEN
    code = "mfa_enrolment_required"
    title = "A second factor has to be enrolled"


class LinkRequiredError(ForbiddenError):
    """The address has an account, which is not linked with the identity provider yet."""

    status = HTTPStatus.FORBIDDEN
    code = "link_required"
    title = "The account has to be linked first"


class OrganizationDeletedError(ForbiddenError):
    """The credential belongs to a deleted organization, whose data it may still read."""

    status = HTTPStatus.FORBIDDEN
    code = "organization_deleted"
    title = "The organization is deleted"


class RestrictedError(ForbiddenError):
    """An invoice of the organization has been overdue for too long: it adds and spends nothing until that is paid."""

    status = HTTPStatus.FORBIDDEN
    code = "restricted"
    title = "The organization is restricted"


class LimitExceededError(ForbiddenError):
    """An organization has as much of something as its quota or its plan allows."""

    status = HTTPStatus.FORBIDDEN
    code = "limit_exceeded"
    title = "The organization's limit is reached"

    def __init__(
        self, detail: str, *, quota: str = "", feature: str | None = None, limit: int = 0, used: int = 0
    ) -> None:
        super().__init__(detail)
        self.quota = quota
        self.feature = feature
        self.limit = limit
        self.used = used

    @classmethod
    def of(cls, quota: str, limit: int, used: int) -> "LimitExceededError":
        detail = f"The organization may have {limit} {quota}, and this is more; its operator can raise the limit"
        return cls(detail, quota=quota, limit=limit, used=used)

    @classmethod
    def of_plan(cls, feature: str, limit: int, used: int, *, is_granted: bool = True) -> "LimitExceededError":
        """Of a plan's hard limit; not granted where no plan with the feature is in force any more."""
        name = feature.replace("_", " ")
        detail = (
            f"The plan allows {limit} {name}, there are {used}, and this is more; change to a larger plan"
            if is_granted
            else f"No subscription is in force that allows {name}; resume it, or subscribe again"
        )
        return cls(detail, quota=feature, feature=feature, limit=limit, used=used)


class LockedError(XyraError):
    """Too many failures. Whatever is tried before `retry_after` seconds have passed is refused."""

    status = HTTPStatus.LOCKED
    code = "locked"
    title = "The account is locked"

    def __init__(self, detail: str, *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class NotFoundError(XyraError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"
    title = "There is no such thing"


class MethodNotAllowedError(XyraError):
    """The path exists, with other methods: those that are `allowed`."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"
    title = "The path does not have this method"

    def __init__(self, detail: str, *, allowed: Collection[str] = ()) -> None:
        super().__init__(detail)
        self.allowed = allowed


class ConflictError(XyraError):
    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "The request conflicts with what is there"


class IdempotencyConflictError(XyraError):
    status = HTTPStatus.CONFLICT
    code = "idempotency_conflict"
    title = "The idempotency key was used for another request"


class PreconditionFailedError(XyraError):
    """`If-Match` names a version that is no longer the current one."""

    status = HTTPStatus.PRECONDITION_FAILED
    code = "precondition_failed"
    title = "The thing has changed meanwhile"


class PreconditionRequiredError(XyraError):
    status = HTTPStatus.PRECONDITION_REQUIRED
    code = "precondition_required"
    title = "If-Match is required here"


class LengthRequiredError(XyraError):
    status = HTTPStatus.LENGTH_REQUIRED
    code = "length-required"
    title = "The body came without its length"


class TooLargeError(XyraError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"
    title = "The input is too large"


class UnsupportedMediaTypeError(XyraError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"
    title = "The content type is not supported"


class RateLimitedError(XyraError):
    """Something was asked for more often than a rate limit allows. Repeat after `retry_after` seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class UnavailableError(XyraError):
    """A fault of something outside: throttled, timed out, down. Repeat after `retry_after` seconds.

    `detail` is shown to callers, so it is written for them; the exception behind it is the cause (`raise ... from`).
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after

    @property
    def for_operators(self) -> str:
        """The detail with the cause behind it, which no caller is shown."""
        return self.detail if self.__cause__ is None else f"{self.detail}: {self.__cause__}"


class WrongClockError(UnavailableError):
    """The clock of this host is wrong. Waiting does not help soon; another host may do it at once."""
