"""Sessions: one for each sign-in, in the partition of the user."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import BEGINNING, Instant

MAXIMUM_SESSIONS = 20
"""Of a user at once."""
_SHORTEST = timedelta(microseconds=1)


class Session(Entity):
    """What a sign-in began. It lasts until `expires_at`, however often it is refreshed.

    Its refresh token is the one that has the session's `refresh_number`; those with a smaller number were used.
    """

    kind: ClassVar[str] = "session"
    audit: ClassVar[Audit] = Audited(
        area="sessions",
        ignored=frozenset({"last_used_at", "refresh_number", "ttl", "expires_at", "device", "ip", "location"}),
        trails=lambda session: () if session.organization_id is None else (session.organization_id,),
        by_itself=lambda session: session.user_id,
    )
    user_id: str
    organization_id: str | None
    """None on the operator's side."""
    created_at: Instant = BEGINNING
    last_used_at: Instant = BEGINNING
    """When it was begun or refreshed last."""
    expires_at: Instant
    refresh_number: int = 0
    device: str | None = None
    ip: str | None = None
    """The network, without the part that names a single connection."""
    location: str | None = None
    """The country, ISO 3166-1 alpha-2."""
    ttl: int | None = None
    """Seconds from the last write until the store lets it expire."""

    def document(self) -> dict[str, Any]:
        document = super().document()
        if self.ttl is None:
            del document["ttl"]
        return document

    def is_in_force(self, now: datetime, *ended_at: datetime | None) -> bool:
        """Whether it has neither expired nor was ended with others that began until one of the times."""
        return now < self.expires_at and all(ended is None or ended < self.created_at for ended in ended_at)

    def kept_until_expiry(self, now: datetime) -> "Session":
        """As it is to be written now."""
        return self.changed(ttl=max(1, int((self.expires_at - now).total_seconds())))


def begun_at(now: datetime, *ended_at: datetime | None) -> datetime:
    """When a session begins that is begun now: after the times until which earlier ones have ended.

    Clocks of two hosts may differ, and who was signed out can sign in at once.
    """
    return max([now, *(ended + _SHORTEST for ended in ended_at if ended is not None)])


def surplus(sessions: Iterable[Session]) -> list[Session]:
    """Those that make room for another one: they were unused longest."""
    newest_first = sorted(sessions, key=lambda session: session.last_used_at, reverse=True)
    return newest_first[MAXIMUM_SESSIONS - 1 :]


def session_partition_of_before(session_id: str) -> str:
    """Where a session was stored when each had a partition of its own."""
    return f"session:{session_id}"
