"""Exports of organizations: jobs that write one archive of JSON lines each, to be fetched by a link for a day."""

import asyncio
import secrets as random_values
from collections.abc import Callable
from dataclasses import dataclass

from shared.containers import CATALOG, TENANTS
from shared.domain.kernel.errors import ConflictError, ForbiddenError, InvalidTokenError, NotFoundError, TooLargeError
from shared.domain.kernel.ids import fingerprint
from shared.domain.tenancy.exports import RUN_TIME, ExportJob, ExportProgress, ExportVolume, WaitingExport
from shared.ports.clock import Clock
from shared.services.storage import Outbox, Owners, Records, Store, Stored, putting
from shared.services.storage.sealed_values import SealedValues, UnsealableError
from shared.services.tenancy.export_volumes import ExportVolumes, Lists

EXPORT_ASKED = "export_asked"
"""The effect of a job: the timer finds it."""
_WAITING = "export"
_AT_ONCE = 20
_TOKEN_BYTES = 32
_FIELD = "exports.token"
_DISCARDED = "Somebody in it was erased while it was written: ask for another one"


@dataclass(frozen=True, slots=True)
class ExportLink:
    """A job, with the links to the volumes of its archive while they can be fetched."""

    job: ExportJob
    urls: tuple[str, ...] = ()


class Exports:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        owners: Owners,
        sealed_values: SealedValues,
        outbox: Outbox,
        public_origin: str,
    ) -> None:
        self._clock = clock
        self._owners = owners
        self._sealed_values = sealed_values
        self._outbox = outbox
        self._sender = outbox.sender(EXPORT_ASKED)
        self._origin = public_origin
        self._jobs = Records(store, TENANTS, ExportJob, prefix="exp", called="export", owners=owners)
        self._volumes = ExportVolumes(store)
        self._waiting = Records(store, CATALOG, WaitingExport)

    async def ask(self, job_id: str, organization_id: str, requested_by: str) -> ExportJob:
        """Repeating it gives what was created."""
        token = random_values.token_urlsafe(_TOKEN_BYTES)
        job = ExportJob(
            id=job_id,
            organization_id=organization_id,
            requested_by=requested_by,
            created_at=self._clock.now(),
            token_fingerprint=fingerprint(token),
            sealed_token=await self._sealed_values.seal(
                token, organization_id=organization_id, field=f"{_FIELD}:{job_id}"
            ),
        )
        entry = self._sender.entry(f"{EXPORT_ASKED}:{job_id}", organization_id=organization_id, job_id=job_id)
        stored = await self._jobs.create(organization_id, job, putting(entry))
        await self._outbox.attempt(TENANTS.name, organization_id, entry.id)
        return stored.entity

    async def note(self, organization_id: str, job_id: str) -> None:
        """What happens for `EXPORT_ASKED`. Safe to repeat."""
        await self._waiting.put(_WAITING, WaitingExport(id=job_id, organization_id=organization_id))

    async def link(self, organization_id: str, job_id: str) -> ExportLink:
        """Raises `NotFoundError`."""
        job = (await self._jobs.get(organization_id, job_id)).entity
        if job.status != "done" or job.expires_at is None or self._clock.now() >= job.expires_at:
            return ExportLink(job)
        try:
            token = await self._sealed_values.unseal(
                job.sealed_token, organization_id=organization_id, field=f"{_FIELD}:{job_id}"
            )
        except UnsealableError:  # the keys were replaced within the day: the link works, and is not shown again
            return ExportLink(job)
        first = f"{self._origin}/api/v1/exports/{job_id}/archive?token={token}"
        further = (f"{first}&volume={number}" for number in range(2, len(job.all_volumes) + 1))
        return ExportLink(job, (first, *further))

    async def archive(self, job_id: str, token: str, volume: int) -> bytes:
        """A volume of the archive, for who has its link. Raises `InvalidTokenError` for anything else."""
        try:
            owner = await self._owners.of(job_id)
            job = (await self._jobs.get(owner, job_id)).entity
        except NotFoundError as error:
            raise InvalidTokenError from error
        is_over = job.expires_at is None or self._clock.now() >= job.expires_at
        if is_over or fingerprint(token) != job.token_fingerprint:
            raise InvalidTokenError
        content = await self._volumes.read(job, volume)
        if content is None:
            raise InvalidTokenError  # it was discarded, or there is no such volume
        return content

    async def discard_all(self, organization_id: str) -> None:
        """Delete the archives of an organization, as after somebody in them was erased. Safe to repeat.

        One that is being written fails: it may have read what must not be in it.
        """
        async for stored in self._jobs.all(organization_id):
            if stored.entity.status == "running":
                await self._jobs.change(organization_id, stored.entity.id, self._stopped)
            await self._volumes.discard((await self._jobs.get(organization_id, stored.entity.id)).entity)

    def _stopped(self, job: ExportJob) -> ExportJob:
        if job.status != "running":
            return job
        return job.changed(status="failed", reason=_DISCARDED, finished_at=self._clock.now())

    async def run_waiting(self, lists: Callable[[str], Lists]) -> int:
        """Write the archives that wait, as far as there is time; how many were gone on with."""
        until, done = asyncio.get_running_loop().time() + RUN_TIME.total_seconds(), 0
        for stored in (await self._waiting.page(_WAITING, limit=_AT_ONCE)).stored:
            if done and asyncio.get_running_loop().time() >= until:
                break
            done += await self._run(stored.entity, lists, until)
        return done

    async def _run(self, waiting: WaitingExport, lists: Callable[[str], Lists], until: float) -> bool:
        organization_id, job_id = waiting.organization_id, waiting.id
        job = await self._begun(organization_id, job_id)
        if job is None:
            return False
        try:
            job = await self._written_on(job, lists(organization_id), until)
        except (TooLargeError, ForbiddenError, ConflictError) as error:
            job = await self._failed(organization_id, job_id, error.detail)
        if job.status == "failed":
            await self._volumes.discard(job)
        if job.status != "running":
            await self._waiting.remove(_WAITING, job_id)
        return True

    async def _written_on(self, job: ExportJob, lists: Lists, until: float) -> ExportJob:
        """With the volumes for which there was time. What is left is for the next run."""
        while job.status == "running":
            volume, progress = await self._volumes.write(job, lists)
            is_over = asyncio.get_running_loop().time() >= until
            job = await self._noted(job, volume, progress, is_over=is_over)
            if is_over:
                break
        return job

    async def _noted(
        self, job: ExportJob, volume: ExportVolume, progress: ExportProgress | None, *, is_over: bool
    ) -> ExportJob:
        """Unless the job was stopped meanwhile."""
        now = self._clock.now()

        def decide(current: ExportJob) -> ExportJob:
            if current.status != "running" or current.volumes != job.volumes:
                return current
            return current.with_volume(volume, progress, now).changed(began_at=None if is_over else now)

        return (await self._jobs.change(job.organization_id, job.id, decide)).entity

    async def _failed(self, organization_id: str, job_id: str, reason: str) -> ExportJob:
        now = self._clock.now()

        def decide(current: ExportJob) -> ExportJob:
            if current.status != "running":
                return current
            return current.changed(status="failed", reason=reason, finished_at=now)

        return (await self._jobs.change(organization_id, job_id, decide)).entity

    async def _begun(self, organization_id: str, job_id: str) -> ExportJob | None:
        """None where somebody else is at it, or it is done."""
        stored = await self._jobs.find(organization_id, job_id)
        now = self._clock.now()
        if stored is None or stored.entity.status in ("done", "failed"):
            await self._waiting.remove(_WAITING, job_id)
            return None
        if not stored.entity.may_begin(now):
            return None

        def decide(job: ExportJob) -> ExportJob:
            return job.changed(status="running", began_at=now) if job.may_begin(now) else job

        begun: Stored[ExportJob] = await self._jobs.change(organization_id, job_id, decide)
        return begun.entity if begun.entity.began_at == now else None
