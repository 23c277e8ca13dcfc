"""Invoice jobs: requested invoice runs, and how far each organization's part has come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from shared.containers import DIRECTORY
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant
from shared.services.storage import Outbox, Records, Store

_RETRY_AFTER = timedelta(minutes=1)
_PARTS_SHOWN = 200


class Job(Entity):
    """A requested run. Its parts, one per organization, are items beside it."""

    kind: ClassVar[str] = "job"
    audit: ClassVar[Audit] = BOOKKEEPING

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
    audit: ClassVar[Audit] = BOOKKEEPING

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
    """Jobs as they are stored.

    A job is due until it has fanned out, so that the sweep starts it again where its start was lost.
    """

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._jobs = Records(store, DIRECTORY, Job, prefix="job", outbox=outbox)
        self._parts = Records(store, DIRECTORY, JobPart)

    async def create(self, job: Job) -> Job:
        """The job, or as it is by now where it was created before. Raises `UnavailableError`."""
        return (await self._jobs.create(_partition(job.id), job, due_at=job.created_at + _RETRY_AFTER)).entity

    async def created(self, job_id: str) -> Job:
        """A job that is known to exist. Raises `UnavailableError` where a read does not show it yet."""
        return (await self._jobs.get_created(_partition(job_id), job_id)).entity

    async def progress(self, job_id: str) -> JobProgress:
        """Raises `NotFoundError`."""
        job, _ = await self._jobs.get(_partition(job_id), job_id)
        pending = await self._parts.page(_partition(job_id), equals={"status": "pending"}, limit=1)
        parts = await self._parts.page(_partition(job_id), limit=_PARTS_SHOWN)
        return JobProgress(job, job.fanned_out and not pending.stored, parts.entities)

    async def add_parts(self, job_id: str, organization_ids: Iterable[str]) -> None:
        """Pending parts; those that are there already stay as they are."""
        for organization_id in organization_ids:
            await self._parts.ensure(_partition(job_id), JobPart(id=organization_id, organization_id=organization_id))

    async def mark_fanned_out(self, job: Job) -> None:
        """Note that all its parts are there; from then on the job is not due."""
        await self._jobs.put(_partition(job.id), job.changed(fanned_out=True))

    async def finish_part(self, job_id: str, part: JobPart) -> None:
        await self._parts.put(_partition(job_id), part)


def _partition(job_id: str) -> str:
    return f"job:{job_id}"
