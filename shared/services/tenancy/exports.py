"""Exports of organizations: jobs that write one archive of JSON lines each, to be fetched by a link for a day."""

import base64
import secrets as random_values
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import IO

from shared import json
from shared.containers import CATALOG, TENANTS
from shared.domain.kernel.errors import ForbiddenError, InvalidTokenError, NotFoundError, TooLargeError
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import to_text
from shared.domain.tenancy.exports import (
    MAXIMUM_BYTES,
    MAXIMUM_ITEMS,
    PART_BYTES,
    ExportJob,
    ExportPart,
    WaitingExport,
    parts_partition,
)
from shared.ports.clock import Clock
from shared.services.storage import Outbox, Owners, Records, Store, Stored, putting
from shared.services.storage.sealed_values import SealedValues, UnsealableError

EXPORT_ASKED = "export_asked"
"""The effect of a job: the timer finds it."""
_WAITING = "export"
_AT_ONCE = 20
_TOKEN_BYTES = 32
_FIELD = "exports.token"
_DISCARDED = "Somebody in it was erased while it was written: ask for another one"
_IN_MEMORY = 8 * 1024 * 1024

Lists = Callable[[str], Mapping[str, Callable[[], AsyncIterator[list[object]]]]]
"""By name the lists of an organization: each gives its items, page by page."""


@dataclass(frozen=True, slots=True)
class ExportLink:
    """A job, with the link to its archive while that can be fetched."""

    job: ExportJob
    url: str | None


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
        self._parts = Records(store, TENANTS, ExportPart)
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
            return ExportLink(job, None)
        try:
            token = await self._sealed_values.unseal(
                job.sealed_token, organization_id=organization_id, field=f"{_FIELD}:{job_id}"
            )
        except UnsealableError:  # the keys were replaced within the day: the link works, and is not shown again
            return ExportLink(job, None)
        return ExportLink(job, f"{self._origin}/api/v1/exports/{job_id}/archive?token={token}")

    async def archive(self, job_id: str, token: str) -> bytes:
        """The archive, for who has its link. Raises `InvalidTokenError` for anything else."""
        try:
            owner = await self._owners.of(job_id)
            job = (await self._jobs.get(owner, job_id)).entity
        except NotFoundError as error:
            raise InvalidTokenError from error
        is_over = job.expires_at is None or self._clock.now() >= job.expires_at
        if is_over or fingerprint(token) != job.token_fingerprint:
            raise InvalidTokenError
        partition = parts_partition(owner, job_id)
        parts = [await self._parts.find(partition, str(number)) for number in range(job.parts)]
        found = [part.entity.content for part in parts if part is not None]
        if len(found) < job.parts:
            raise InvalidTokenError  # it was discarded
        return b"".join(base64.b64decode(content) for content in found)

    async def discard_all(self, organization_id: str) -> None:
        """Delete the archives of an organization, as after somebody in them was erased. Safe to repeat.

        One that is being written fails: it may have read what must not be in it.
        """
        async for stored in self._jobs.all(organization_id):
            if stored.entity.status == "running":
                await self._jobs.change(organization_id, stored.entity.id, self._stopped)
            await self._discard(organization_id, stored.entity.id)

    def _stopped(self, job: ExportJob) -> ExportJob:
        if job.status != "running":
            return job
        return job.changed(status="failed", reason=_DISCARDED, finished_at=self._clock.now())

    async def _discard(self, organization_id: str, job_id: str) -> None:
        """All parts that there are, also of a job that was cut short."""
        partition = parts_partition(organization_id, job_id)
        async for part in self._parts.all(partition):
            await self._parts.remove(partition, part.entity.id)

    async def run_waiting(self, lists: Lists) -> int:
        """Write the archives that wait; how many that were."""
        done = 0
        for stored in (await self._waiting.page(_WAITING, limit=_AT_ONCE)).stored:
            done += await self._run(stored.entity, lists)
        return done

    async def _run(self, waiting: WaitingExport, lists: Lists) -> bool:
        organization_id, job_id = waiting.organization_id, waiting.id
        job = await self._begun(organization_id, job_id)
        if job is None:
            return False
        try:
            parts, counts = await self._written(job, lists(organization_id))
            fields = {"status": "done", "parts": parts, "counts": counts}
        except (TooLargeError, ForbiddenError) as error:
            fields = {"status": "failed", "reason": error.detail}
        finished = {**fields, "finished_at": self._clock.now()}

        def finish(current: ExportJob) -> ExportJob:
            return current if current.status == "failed" else current.changed(**finished)

        stored = await self._jobs.change(organization_id, job_id, finish)
        if stored.entity.status == "failed":
            await self._discard(organization_id, job_id)
        await self._waiting.remove(_WAITING, job_id)
        return True

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

    async def _written(
        self, job: ExportJob, lists: Mapping[str, Callable[[], AsyncIterator[list[object]]]]
    ) -> tuple[int, dict[str, int]]:
        """How many parts there are, and how many items of each list. Raises `TooLargeError`."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            counts = await _write_archive(file, job, lists)
            size = file.tell()
            if size > MAXIMUM_BYTES:
                raise TooLargeError(
                    f"The archive would have more than {MAXIMUM_BYTES} bytes: read the lists page by page"
                )
            file.seek(0)
            number = 0
            while content := file.read(PART_BYTES):
                part = ExportPart(id=str(number), content=base64.b64encode(content).decode())
                await self._parts.put(parts_partition(job.organization_id, job.id), part)
                number += 1
            return number, counts


async def _write_archive(
    file: IO[bytes], job: ExportJob, lists: Mapping[str, Callable[[], AsyncIterator[list[object]]]]
) -> dict[str, int]:
    counts: dict[str, int] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pages in lists.items():
            counts[name] = 0
            with archive.open(f"{name}.jsonl", "w") as lines:
                async for items in pages():
                    lines.write(b"".join(json.encode(item) + b"\n" for item in items))
                    counts[name] += len(items)
                    if sum(counts.values()) > MAXIMUM_ITEMS:
                        raise TooLargeError(f"There are more than {MAXIMUM_ITEMS} items: read the lists page by page")
        manifest = {
            "organization_id": job.organization_id,
            "export_id": job.id,
            "created_at": to_text(job.created_at),
            "counts": counts,
        }
        archive.writestr("manifest.json", json.encode(manifest))
    return counts
