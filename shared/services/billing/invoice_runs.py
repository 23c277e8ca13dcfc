"""Invoice runs: one message per organization, by timer or on request; however often they run, each period is invoiced
once.
"""

import logging
from datetime import timedelta
from typing import ClassVar, Literal

import pydantic
from pydantic import BaseModel

from shared import correlation, json
from shared.containers import DIRECTORY
from shared.domain.billing.invoicing import Invoice
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import MalformedError, NotFoundError, UnavailableError, ValidationError, XyraError
from shared.domain.kernel.ids import fingerprint, is_id
from shared.domain.kernel.times import Instant, to_text
from shared.domain.periods.periods import Period, parse_month
from shared.domain.tenancy.organizations import SLICES, Organization
from shared.ports.clock import Clock
from shared.ports.queue import Message, Queue
from shared.ports.store import AlreadyExistsError, Item, Page, Store
from shared.services.billing.invoices import MAXIMUM_PERIODS, Invoices, Issued
from shared.services.periods.periods import Periods
from shared.services.tenancy.organizations import Organizations

QUEUE = "invoices"
_PAGE = 90
_RETRY_AFTER = timedelta(minutes=1)

_log = logging.getLogger(__name__)


class Task(BaseModel):
    """The message: invoice one organization, or with `organization_id` None send one such message for each.

    Without `period` everything that is due by now, drafts held for their grace time; with it that period, finalized if
    asked.
    """

    job_id: str | None = None
    organization_id: str | None = None
    period: str | None = None
    finalize: bool = False


class Job(Entity):
    """A requested run. Its parts, one per organization, are items beside it."""

    kind: ClassVar[str] = "job"

    organization_id: str | None
    period: str
    finalize: bool
    created_at: Instant
    fanned_out: bool = False
    """Whether all its parts are there."""


class JobPart(Entity):
    kind: ClassVar[str] = "job_part"

    organization_id: str
    status: Literal["pending", "done", "failed"] = "pending"
    invoice_id: str | None = None
    detail: str | None = None


class InvoiceRuns:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        invoices: Invoices,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._invoices = invoices

    async def request(self, job_id: str, organization_id: str | None, period: str, *, finalize: bool) -> Job:
        """Start a run. Raises `ValidationError` for a period that has not ended, where one organization was named."""
        parse_month(period, "UTC", "/period")
        now = self._clock.now()
        if organization_id is not None:
            organization = await self._organizations.get(organization_id)
            if (await self._periods.of_month(organization, period, now, "/period")).end > now:
                raise ValidationError.at("/period", "has not ended yet; see the preview")
        job = Job(id=job_id, organization_id=organization_id, period=period, finalize=finalize, created_at=now)
        due_at = to_text(job.created_at + _RETRY_AFTER)
        try:
            await self._store.create(DIRECTORY.name, _partition(job_id), {**job.document(), "due_at": due_at})
        except AlreadyExistsError:
            job = await self._existing(job_id)
        if not job.fanned_out:
            await self._send([_start_of(job)])
        return job

    async def complete_due(self, item: Item) -> None:
        """A job whose start was not sent, or is not done yet; due until it has fanned out."""
        await self._send([_start_of(Job.read(item.document))])

    async def job(self, job_id: str) -> tuple[Job, bool, Page]:
        """A run, whether it is done, and its first parts. Raises `NotFoundError`."""
        item = await self._store.get(DIRECTORY.name, _partition(job_id), job_id) if is_id(job_id, "job") else None
        if item is None:
            raise NotFoundError("There is no such job")
        job = Job.read(item.document)
        waiting = await self._store.query(
            DIRECTORY.name, _partition(job_id), JobPart.kind, equals={"status": "pending"}, limit=1
        )
        parts = await self._store.query(DIRECTORY.name, _partition(job_id), JobPart.kind, limit=200)
        return job, job.fanned_out and not waiting.items, parts

    async def _existing(self, job_id: str) -> Job:
        """A job that is known to have been made, though a read may not show it yet."""
        item = await self._store.get(DIRECTORY.name, _partition(job_id), job_id)
        if item is None:
            raise UnavailableError("The job was made a moment ago and cannot be read yet")
        return Job.read(item.document)

    async def start_all(self) -> None:
        """What the timer does: one message per organization, for whatever is due by now."""
        await self._fan_out(Task())

    async def run(self, task: Task) -> None:
        """Do what a message says; safe to repeat."""
        if task.organization_id is None:
            await self._start_job(task)
        elif task.job_id is None:
            await self._catch_up(await self._organizations.made(task.organization_id))
        else:
            await self._run_part(task, task.job_id, task.organization_id)

    async def _start_job(self, task: Task) -> None:
        if task.job_id is None:
            await self._fan_out(task)
            return
        job = await self._existing(task.job_id)
        await self._fan_out(task.model_copy(update={"organization_id": job.organization_id}))
        await self._store.upsert(DIRECTORY.name, _partition(job.id), job.changed(fanned_out=True).document())

    async def _fan_out(self, task: Task) -> None:
        if task.organization_id is not None:
            await self._send_to(task, [task.organization_id])
            return
        for number in range(SLICES):
            cursor: str | None = None
            while True:
                page = await self._organizations.page(number, _PAGE, cursor)
                await self._send_to(task, [item.document["id"] for item in page.items])
                cursor = page.cursor
                if cursor is None:
                    break

    async def _send_to(self, task: Task, organization_ids: list[str]) -> None:
        if task.job_id is not None:
            for organization_id in organization_ids:
                part = JobPart(id=organization_id, organization_id=organization_id)
                try:
                    await self._store.create(DIRECTORY.name, _partition(task.job_id), part.document())
                except AlreadyExistsError:
                    continue
        await self._send(
            [task.model_copy(update={"organization_id": organization_id}) for organization_id in organization_ids]
        )

    async def _send(self, tasks: list[Task]) -> None:
        """The time in the message id tells a deliberate repetition from one that the broker should drop."""
        attempt = to_text(self._clock.now())[:16]
        messages = []
        for task in tasks:
            body = task.model_dump_json().encode()
            messages.append(
                Message(
                    body=body,
                    session_id=task.organization_id or task.job_id or "all",
                    message_id=fingerprint(body + attempt.encode())[:32],
                    correlation_id=correlation.current() or correlation.accept(None),
                )
            )
        if messages:
            await self._queue.send(QUEUE, messages)

    async def _run_part(self, task: Task, job_id: str, organization_id: str) -> None:
        part = JobPart(id=organization_id, organization_id=organization_id, status="done")
        try:
            organization = await self._organizations.made(organization_id)
            now = self._clock.now()
            own = await self._periods.of_month(organization, task.period, now, "/period")
            if own.end > now:
                part = part.changed(detail="the period has not ended")
            else:
                invoice_id = await self._invoice(organization, own, finalize=task.finalize)
                part = part.changed(invoice_id=invoice_id, detail=None if invoice_id else "nothing to bill")
        except UnavailableError:
            raise
        except XyraError as error:
            _log.exception("an organization cannot be invoiced", extra={"organization_id": organization_id})
            part = part.changed(status="failed", detail=error.detail)
        await self._store.upsert(DIRECTORY.name, _partition(job_id), part.document())

    async def give_up(self, body: bytes) -> None:
        """Say in the job that this organization's part has failed, so that whoever waits for it sees an end."""
        try:
            task = read_task(body)
        except MalformedError:
            _log.exception("a message that cannot be read is dropped")
            return
        if task.job_id is None:
            return
        if task.organization_id is None:
            job = await self._existing(task.job_id)
            await self._store.upsert(DIRECTORY.name, _partition(job.id), job.changed(fanned_out=True).document())
            return
        detail = "could not be done in all its attempts; see the log"
        failed = JobPart(id=task.organization_id, organization_id=task.organization_id, status="failed", detail=detail)
        await self._store.upsert(DIRECTORY.name, _partition(task.job_id), failed.document())

    async def _invoice(self, organization: Organization, own: Period, *, finalize: bool) -> str | None:
        await self._periods.cover(organization, own.start, own.end)
        draft = await self._invoices.draft(organization, own)
        if draft is None:
            return None
        if finalize and draft.status == "draft":
            issued = await self._finalize(draft)
            return issued.invoice.id if issued.invoice else None
        return draft.id

    async def _finalize(self, draft: Invoice) -> Issued:
        """Raises `UnavailableError` where the draft is gone: a read may be stale, or a repetition of this run may have
        found nothing left to bill. The next try tells them apart.
        """
        try:
            return await self._invoices.finalize(draft.organization_id, draft.id)
        except NotFoundError as error:
            raise UnavailableError("The draft cannot be read") from error

    async def _catch_up(self, organization: Organization) -> None:
        """Ended periods in their order: drafted, and finalized once their grace time is over. A draft that still waits
        holds back the later ones, which would show its lines as well.
        """
        now = self._clock.now()
        created = await self._periods.created(organization.id)
        if not created:
            return
        await self._periods.cover(organization, created[-1].start, now)
        for item, _ in await self._periods.unsettled(organization.id, now, MAXIMUM_PERIODS):
            if item.open_until is not None:
                continue
            draft = await self._invoices.draft(organization, item.period)
            if draft is None or draft.status != "draft":
                continue
            if draft.finalize_at > now:
                return
            await self._finalize(draft)


def _start_of(job: Job) -> Task:
    return Task(job_id=job.id, period=job.period, finalize=job.finalize)


def _partition(job_id: str) -> str:
    return f"job:{job_id}"


def read_task(body: bytes) -> Task:
    """Raises `MalformedError` for what we cannot have written."""
    try:
        return Task.model_validate(json.decode(body))
    except pydantic.ValidationError as error:
        raise MalformedError("The message is not one of ours") from error
