"""Invoice jobs: requested invoice runs, and how far each organization's part has come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from shared.containers import DIRECTORY
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.times import Instant, to_text
from shared.ports.store import AlreadyExistsError, Store

_RETRY_AFTER = timedelta(minutes=1)
_PARTS_SHOWN = 200


class Job(Entity):
    """A requested run. Its parts, one per organization, are items beside it."""

    kind: ClassVar[str] = "job"

    organization_id: str | None
    """None for a run over all organizations."""
    period: str
    finalize: bool
    created_at: Instant
    fanned_out: bool = False
    """Whether all its parts are there."""


class JobPart(Entity):
    """What has become of one organization in a job; its id is the organization's."""

    kind: ClassVar[str] = "job_part"

    organization_id: str
    status: Literal["pending", "done", "failed"] = "pending"
    invoice_id: str | None = None
    detail: str | None = None
    """Why there is no invoice."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    job: Job
    is_done: bool
    parts: Sequence[JobPart]
    """The first 200."""


class InvoiceJobs:
    """A job is due until it has fanned out, so that the sweep starts it again where its start was lost."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, job: Job) -> Job:
        """The job, or as it is by now where it was made before. Raises `UnavailableError`."""
        due_at = to_text(job.created_at + _RETRY_AFTER)
        try:
            await self._store.create(DIRECTORY.name, _partition(job.id), {**job.document(), "due_at": due_at})
        except AlreadyExistsError:
            return await self.created(job.id)
        return job

    async def created(self, job_id: str) -> Job:
        """A job that is known to have been made. Raises `UnavailableError` where a read does not show it yet."""
        item = await self._store.get(DIRECTORY.name, _partition(job_id), job_id)
        if item is None:
            raise UnavailableError("The job was made a moment ago and cannot be read yet")
        return Job.read(item.document)

    async def progress(self, job_id: str) -> JobProgress:
        """Raises `NotFoundError`."""
        item = await self._store.get(DIRECTORY.name, _partition(job_id), job_id) if is_id(job_id, "job") else None
        if item is None:
            raise NotFoundError("There is no such job")
        job = Job.read(item.document)
        pending = await self._store.query(
            DIRECTORY.name, _partition(job_id), JobPart.kind, equals={"status": "pending"}, limit=1
        )
        parts = await self._store.query(DIRECTORY.name, _partition(job_id), JobPart.kind, limit=_PARTS_SHOWN)
        is_done = job.fanned_out and not pending.items
        return JobProgress(job, is_done, [JobPart.read(part.document) for part in parts.items])

    async def add_parts(self, job_id: str, organization_ids: Iterable[str]) -> None:
        """Pending parts; those that are there already stay as they are."""
        for organization_id in organization_ids:
            part = JobPart(id=organization_id, organization_id=organization_id)
            try:
                await self._store.create(DIRECTORY.name, _partition(job_id), part.document())
            except AlreadyExistsError:
                continue

    async def mark_fanned_out(self, job: Job) -> None:
        await self._store.upsert(DIRECTORY.name, _partition(job.id), job.changed(fanned_out=True).document())

    async def finish_part(self, job_id: str, part: JobPart) -> None:
        await self._store.upsert(DIRECTORY.name, _partition(job_id), part.document())


def _partition(job_id: str) -> str:
    return f"job:{job_id}"
