"""The one error family. Every refusal that a caller can see is an `XyraError` with a stable code."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at one place of the input; `pointer` is an RFC 6901 JSON pointer, or `?name` for a query
    parameter.
    """

    pointer: str
    detail: str


class XyraError(Exception):
    """Base of all errors of Xyra.

    `code` is the last segment of the problem's `type` on the wire and never changes its meaning.
    """

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class ValidationError(XyraError):
    """The input is well-formed and wrong."""

    code = "validation"
    title = "The input is not valid"

    @classmethod
    def at(cls, pointer: str, detail: str) -> "ValidationError":
        return cls(detail, errors=(FieldError(pointer, detail),))


class MalformedError(XyraError):
    """The input cannot be read at all: not JSON, a bad cursor, an unreadable header."""

    code = "malformed"
    title = "The input cannot be read"


class UnauthenticatedError(XyraError):
    code = "unauthenticated"
    title = "A valid credential is needed"


class ForbiddenError(XyraError):
    code = "forbidden"
    title = "The credential does not allow this"


class LockedError(XyraError):
    code = "locked"
    title = "The account is locked"


class NotFoundError(XyraError):
    code = "not_found"
    title = "There is no such thing"


class ConflictError(XyraError):
    code = "conflict"
    title = "The request conflicts with what is there"


class IdempotencyConflictError(XyraError):
    code = "idempotency_conflict"
    title = "The idempotency key was used for another request"


class PreconditionFailedError(XyraError):
    """`If-Match` names a version that is no longer the current one."""

    code = "precondition_failed"
    title = "The thing has changed meanwhile"


class PreconditionRequiredError(XyraError):
    code = "precondition_required"
    title = "If-Match is required here"


class TooLargeError(XyraError):
    code = "too_large"
    title = "The input is too large"


class UnsupportedMediaTypeError(XyraError):
    code = "unsupported_media_type"
    title = "The content type is not supported"


class UnavailableError(XyraError):
    """A fault of something outside: throttled, timed out, down. Repeat after `retry_after` seconds."""

    code = "unavailable"
    title = "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
