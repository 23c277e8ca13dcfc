"""Exports of organizations: who asked, how far one has come, and the archive in parts."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from shared.domain.kernel.audit import BOOKKEEPING, FOLLOWS, Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant

LINK_LIFETIME = timedelta(hours=24)
"""How long an archive can be fetched, from when it was finished."""
LISTED = timedelta(days=30)
"""How long a job can be asked for."""
MAXIMUM_ITEMS = 200_000
"""Of an archive, over all lists."""
MAXIMUM_BYTES = 64 * 1024 * 1024
"""Of an archive, packed."""
PART_BYTES = 600_000
"""Of the archive in one item of the store, which takes 1 MB with its Base64."""
GIVEN_UP_AFTER = timedelta(minutes=10)
"""A job that has run so long was cut short, and is begun again."""

ExportStatus = Literal["pending", "running", "done", "failed"]


class ExportJob(Entity):
    """An archive that an owner asked for."""

    kind: ClassVar[str] = "export"
    audit: ClassVar[Audit] = Audited(
        area="organizations",
        verb=lambda before, _: "export" if before is None else None,
        secret=frozenset({"token_fingerprint", "sealed_token"}),
        ignored=frozenset({"ttl"}),
    )
    organization_id: str
    requested_by: str
    status: ExportStatus = "pending"
    created_at: Instant
    began_at: Instant | None = None
    finished_at: Instant | None = None
    reason: str | None = None
    """Why it failed."""
    parts: int = 0
    counts: dict[str, int] = {}
    """Items by list."""
    token_fingerprint: str
    sealed_token: str
    """Of the link."""
    ttl: int = int(LISTED.total_seconds())

    @property
    def expires_at(self) -> datetime | None:
        """Of the link."""
        return None if self.finished_at is None else self.finished_at + LINK_LIFETIME

    def may_begin(self, now: datetime) -> bool:
        """Whether nobody is at it."""
        is_cut_short = self.began_at is not None and now >= self.began_at + GIVEN_UP_AFTER
        return self.status == "pending" or (self.status == "running" and is_cut_short)


class ExportPart(Entity):
    """A part of an archive, in Base64; the id is its number."""

    kind: ClassVar[str] = "export_part"
    audit: ClassVar[Audit] = FOLLOWS
    content: str
    ttl: int = int(LINK_LIFETIME.total_seconds()) + 3600


class WaitingExport(Entity):
    """By which the timer finds a job that waits; the id is the job's."""

    kind: ClassVar[str] = "waiting_export"
    audit: ClassVar[Audit] = BOOKKEEPING
    organization_id: str


def parts_partition(organization_id: str, job_id: str) -> str:
    return f"{organization_id}:export:{job_id}"
