"""Rate limits: how often something may be done within a window of time, and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import RateLimitedError
from shared.domain.kernel.times import Instant

LONGEST_WINDOW = timedelta(hours=1)
"""Of any limit, blocking included: stored counters expire after twice this."""


class Subject(StrEnum):
    """Whose requests a limit counts."""

    ADDRESS = "address"
    """The network address of the caller."""
    EMAIL = "email"
    """The e-mail address that the request names."""
    USER = "user"
    """The user or API key that calls."""
    ORGANIZATION = "organization"
    """The organization that the request is about."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A number of requests that one subject may make within a sliding window."""

    name: str
    allowed: int
    window: timedelta
    by: Subject
    counts_failures: bool = False
    """Whether a request that succeeds is taken off again."""
    blocks_for: timedelta | None = None
    """How long the subject is refused once it has reached the number; None: until one request leaves the window."""


SIGN_UPS = RateLimit("sign_up", 20, timedelta(hours=1), Subject.ADDRESS)
FAILED_SIGN_INS = RateLimit(
    "failed_sign_in",
    50,
    timedelta(minutes=10),
    Subject.ADDRESS,
    counts_failures=True,
    blocks_for=timedelta(minutes=10),
)
EXPORTS = RateLimit("export", 5, timedelta(hours=1), Subject.ORGANIZATION)
SIGN_ON_STARTS = RateLimit("sign_on_start", 120, timedelta(minutes=10), Subject.ADDRESS)
PASSKEY_OPTIONS = RateLimit("passkey_options", 120, timedelta(minutes=10), Subject.ADDRESS)
SIGN_IN_PAGES = RateLimit("sign_in_page", 600, timedelta(minutes=10), Subject.ADDRESS)
INVOICE_PAGES = RateLimit("invoice_page", 120, timedelta(minutes=10), Subject.ADDRESS)
PASSWORD_RESETS_OF_EMAIL = RateLimit("password_reset", 5, timedelta(hours=1), Subject.EMAIL)
PASSWORD_RESETS_BY_ADDRESS = RateLimit("password_reset", 20, timedelta(hours=1), Subject.ADDRESS)
VERIFICATIONS = RateLimit("verification", 3, timedelta(hours=1), Subject.USER)
INVITATIONS_OF_ORGANIZATION = RateLimit("invitation", 20, timedelta(hours=1), Subject.ORGANIZATION)
ACCEPTED_INVITATIONS = RateLimit("accepted_invitation", 60, timedelta(hours=1), Subject.ADDRESS)
INVITATIONS_OF_EMAIL = RateLimit("invitation", 3, timedelta(hours=1), Subject.EMAIL)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject stands with a limit after a request."""

    allowed: int
    window: timedelta
    remaining: int
    frees_in: timedelta
    """Until a request that counts now leaves the window; until the end of the window where none counts."""


class RequestLog(Entity):
    """When a subject made the requests that count for a limit, oldest first."""

    kind: ClassVar[str] = "request_log"
    audit: ClassVar[Audit] = BOOKKEEPING
    at: tuple[Instant, ...] = ()

    def document(self) -> dict[str, Any]:
        return {**super().document(), "ttl": int(2 * LONGEST_WINDOW.total_seconds())}

    def with_request(self, limit: RateLimit, now: datetime) -> "RequestLog":
        """The log with a request now, without those that no longer matter. Raises `RateLimitedError`."""
        refused_for = _refused_for(limit, self.at, now)
        if refused_for is not None:
            raise RateLimitedError("Too many requests; try again later", retry_after=refused_for.total_seconds())
        return self.changed(at=(*_counted(limit, self.at, now), now))

    def without_request(self, at: datetime) -> "RequestLog":
        """The log without one request of that time."""
        if at not in self.at:
            return self
        index = self.at.index(at)
        return self.changed(at=self.at[:index] + self.at[index + 1 :])

    def standing(self, limit: RateLimit, now: datetime) -> Standing:
        counted = _counted(limit, self.at, now)
        frees_in = counted[0] + limit.window - now if counted else limit.window
        return Standing(limit.allowed, limit.window, max(0, limit.allowed - len(counted)), frees_in)


def _counted(limit: RateLimit, at: Sequence[datetime], now: datetime) -> Sequence[datetime]:
    """The requests within the window that ends now."""
    return [time for time in at if time > now - limit.window]


def _refused_for(limit: RateLimit, at: Sequence[datetime], now: datetime) -> timedelta | None:
    """How long requests are refused from now on; None where one is allowed now."""
    latest = at[-limit.allowed :]
    if len(latest) < limit.allowed or latest[-1] - latest[0] >= limit.window:
        return None
    until = latest[0] + limit.window if limit.blocks_for is None else latest[-1] + limit.blocks_for
    return until - now if now < until else None
