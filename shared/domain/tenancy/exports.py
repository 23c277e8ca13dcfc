"""Exports of organizations: who asked, how far one has come, and the archive in parts."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.audit import BOOKKEEPING, FOLLOWS, Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant

LINK_LIFETIME = timedelta(hours=24)
"""How long an archive can be fetched, from when it was finished."""
LISTED = timedelta(days=30)
"""How long a job can be asked for."""
VOLUME_ITEMS = 100_000
"""From which on an archive goes on in another volume."""
VOLUME_BYTES = 32 * 1024 * 1024
"""The same, packed: an answer of the platform takes 100 MB, and is held in memory."""
MAXIMUM_VOLUMES = 200
"""Of an archive: twenty million items, or 6 GiB."""
VOLUME_TIME = timedelta(seconds=60)
"""After which a volume is closed, however small it is: what comes next is another run's."""
RUN_TIME = timedelta(seconds=60)
"""After which a run begins no further volume. A function may take 4 minutes."""
PART_BYTES = 600_000
"""Of the archive in one item of the store, which takes 1 MB with its Base64."""
GIVEN_UP_AFTER = timedelta(minutes=10)
"""A job that has run so long was cut short, and is begun again."""

ExportStatus = Literal["pending", "running", "done", "failed"]


class ExportVolume(BaseModel):
    """A zip of its own, which has some of the items."""

    model_config = ConfigDict(frozen=True)

    parts: int
    """Items of the store that it lies in."""
    counts: dict[str, int] = {}
    """Items by list."""


class ExportProgress(BaseModel):
    """Where the next volume begins."""

    model_config = ConfigDict(frozen=True)

    list: str
    cursor: str | None
    """None at the beginning of the list."""


class ExportJob(Entity):
    """An archive that an owner asked for."""

    kind: ClassVar[str] = "export"
    audit: ClassVar[Audit] = Audited(
        area="organizations",
        verb=lambda before, _: "export" if before is None else None,
        secret=frozenset({"token_fingerprint", "sealed_token"}),
        ignored=frozenset({"ttl", "volumes", "progress"}),
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
    """Of the only volume, in archives of before."""
    volumes: tuple[ExportVolume, ...] = ()
    """Those that are written."""
    progress: ExportProgress | None = None
    """None before the first volume and after the last."""
    counts: dict[str, int] = {}
    """Items by list, over all volumes."""
    token_fingerprint: str
    sealed_token: str
    """Of the link."""
    ttl: int = int(LISTED.total_seconds())

    @property
    def expires_at(self) -> datetime | None:
        """Of the link."""
        return None if self.finished_at is None else self.finished_at + LINK_LIFETIME

    def may_begin(self, now: datetime) -> bool:
        """Whether nobody is at it: it waits, the last run has left it to the next one, or that was cut short."""
        is_free = self.began_at is None or now >= self.began_at + GIVEN_UP_AFTER
        return self.status == "pending" or (self.status == "running" and is_free)

    def with_volume(self, volume: ExportVolume, progress: ExportProgress | None, now: datetime) -> Self:
        """After another volume was written; it is done with the last one."""
        counts = {**self.counts}
        for name, count in volume.counts.items():
            counts[name] = counts.get(name, 0) + count
        written = self.changed(volumes=(*self.volumes, volume), progress=progress, counts=counts)
        return written if progress is not None else written.changed(status="done", finished_at=now)

    @property
    def all_volumes(self) -> tuple[ExportVolume, ...]:
        return self.volumes or ((ExportVolume(parts=self.parts),) if self.parts else ())


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


def parts_partition(organization_id: str, job_id: str, volume: int = 1) -> str:
    """Of a volume; they are counted from 1."""
    partition = f"{organization_id}:export:{job_id}"
    return partition if volume == 1 else f"{partition}:{volume}"
