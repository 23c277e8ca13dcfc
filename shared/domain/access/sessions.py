"""Sessions: one for each sign-in, in the partition of the user."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from shared.domain.access.second_factors import RECENT, STRONG, Method
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
        ignored=frozenset(
            {"last_used_at", "refresh_number", "ttl", "expires_at", "device", "ip", "location", "authenticated_at"}
        ),
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
    methods: tuple[Method, ...] = ("password",)
    """By what its user has shown who they are."""
    authenticated_at: Instant | None = None
    """When that was last; None for sessions of earlier versions."""
    for_enrolment: bool = False
    """Whether it was begun without what the organization asks for. Until that is shown, it is for enrolling it."""
    ttl: int | None = None
    """Seconds from the last write until the store lets it expire."""

    def document(self) -> dict[str, Any]:
        document = super().document()
        if self.ttl is None:
            del document["ttl"]
        return document

    @property
    def shown_at(self) -> datetime:
        """When its user has last shown who they are."""
        return self.authenticated_at or self.created_at

    @property
    def by_provider(self) -> bool:
        """Whether an organization's identity provider has vouched for its user: it is for that organization only."""
        return "provider" in self.methods

    def satisfies(self, *, mfa_required: bool, password_allowed: bool) -> bool:
        """Whether its user has shown what an organization asks for."""
        return (not mfa_required or not STRONG.isdisjoint(self.methods)) and (password_allowed or self.by_provider)

    def is_recent(self, now: datetime) -> bool:
        """Whether its user has shown who they are a short time ago."""
        return now < self.shown_at + RECENT

    def begun_by(self, methods: tuple[Method, ...], at: datetime) -> "Session":
        return self.changed(methods=methods, authenticated_at=at)

    def showing(self, methods: tuple[Method, ...], now: datetime) -> "Session":
        """After its user has shown further methods."""
        together = tuple(dict.fromkeys((*self.methods, *methods)))
        return self.changed(methods=together, authenticated_at=now).kept_until_expiry(now)

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
