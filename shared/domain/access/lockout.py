"""Failed sign-ins, which lock an address or a known device for an hour after five."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from shared.domain.kernel.audit import BOOKKEEPING, FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import LockedError
from shared.domain.kernel.ids import fingerprint, named_id
from shared.domain.kernel.times import Instant

FAILURES_BEFORE_LOCK = 5
LOCKED_FOR = timedelta(minutes=60)
"""From the fifth failure on. The five lie within the same time."""
DEVICE_KNOWN_FOR = timedelta(days=90)
MAXIMUM_DEVICES = 50
"""Of a user; the one unused longest makes room."""

_MARGIN = timedelta(minutes=1)
"""Stores count in whole seconds."""

Failures = tuple[Instant, ...]
"""The times of failed sign-ins, oldest first, at most five."""


def with_failure(failures: Failures, now: datetime) -> Failures:
    """Count one more. Raises `LockedError` where they lock already: then none is counted."""
    if len(failures) >= FAILURES_BEFORE_LOCK and now < failures[-1] + LOCKED_FOR:
        remaining = failures[-1] + LOCKED_FOR - now
        raise LockedError(
            f"Locked for {LOCKED_FOR.seconds // 60} minutes after {FAILURES_BEFORE_LOCK} failures",
            retry_after=remaining.total_seconds(),
        )
    return (*(at for at in failures if at > now - LOCKED_FOR), now)


def without_failure(failures: Failures, at: datetime) -> Failures:
    """Take back what was counted at this time, once."""
    if at not in failures:
        return failures
    index = failures.index(at)
    return failures[:index] + failures[index + 1 :]


class FailedSignIns(Entity):
    """The recent failed sign-ins of an e-mail address, whether it has an account or not."""

    kind: ClassVar[str] = "failed_sign_ins"
    audit: ClassVar[Audit] = BOOKKEEPING
    id: str = "failed_sign_ins"
    at: Failures = ()

    def document(self) -> dict[str, Any]:
        return {**super().document(), "ttl": int((LOCKED_FOR + _MARGIN).total_seconds())}


class KnownDevice(Entity):
    """A device from which a user has signed in. Its token is stored as a fingerprint, in the id.

    It has failures of its own: so strangers, who lock the address, do not lock the user out.
    """

    kind: ClassVar[str] = "device"
    audit: ClassVar[Audit] = FOLLOWS
    created_at: Instant
    last_used_at: Instant
    failures: Failures = ()
    ttl: int

    @property
    def expires_at(self) -> datetime:
        return self.created_at + DEVICE_KNOWN_FOR

    def is_known(self, now: datetime, ended_at: datetime | None) -> bool:
        """Whether it has neither expired nor was ended with others that were made until then."""
        return now < self.expires_at and (ended_at is None or ended_at < self.created_at)

    def used(self, now: datetime) -> "KnownDevice":
        """After a sign-in: its failures are forgotten."""
        return self.with_failures((), now).changed(last_used_at=now)

    def with_failures(self, failures: Failures, now: datetime) -> "KnownDevice":
        """As it is to be written now."""
        return self.changed(failures=failures, ttl=_seconds_until(self.expires_at, now))


def new_device(token: str, created_at: datetime, now: datetime) -> KnownDevice:
    """A device that its user signs in from for the first time."""
    ttl = _seconds_until(created_at + DEVICE_KNOWN_FOR, now)
    return KnownDevice(id=device_id(token), created_at=created_at, last_used_at=created_at, ttl=ttl)


def device_id(token: str) -> str:
    """Where a device is found by its token."""
    return named_id("dev", fingerprint(token))


def _seconds_until(end: datetime, now: datetime) -> int:
    return max(1, int((end - now).total_seconds()))
