"""Invoice runs: one message per organization, by timer or on request; however often they run, each period is invoiced
once.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import pydantic
from pydantic import BaseModel

from shared import correlation, json
from shared.domain.billing.documents import Invoice
from shared.domain.kernel.errors import (
    ConflictError,
    MalformedError,
    NotFoundError,
    UnavailableError,
    ValidationError,
    WrongClockError,
    XyraError,
)
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import BEGINNING, to_text
from shared.domain.periods.periods import parse_month
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.queue import Message, Queue
from shared.services.billing.bills import PERIODS_PER_BILL
from shared.services.billing.dunning import Dunning
from shared.services.billing.interims import Interims
from shared.services.billing.invoice_jobs import InvoiceJobs, Job, JobPart
from shared.services.billing.issuing import Issued, Issuing
from shared.services.periods.periods import Periods
from shared.services.storage import Stored
from shared.services.tenancy.organizations import Organizations

QUEUE = "invoices"
_ORGANIZATIONS_PER_PAGE = 90
_PUT_OFF = timedelta(minutes=1)
"""At first; twice as long each time."""
_LONGEST_PUT_OFF = timedelta(hours=1)
_MOST_PUT_OFF = 30

_log = logging.getLogger(__name__)


class OrganizationsPage(BaseModel):
    """Where a page of organizations begins."""

    started: str
    """When the first page was sent for: the same page sent twice is the same message, another run's is not."""
    cursor: str | None = None


class Task(BaseModel):
    """The message: invoice one organization, or with a `page` send one such message for each on it.

    With neither it starts a job, which sends for its first page. Without `period` it is about everything that is due by
    now, drafts held for their grace time; with it about that period, finalized if asked.
    """

    job_id: str | None = None
    organization_id: str | None = None
    page: OrganizationsPage | None = None
    period: str | None = None
    finalize: bool = False
    put_off: int = 0
    """How often it was sent again for later, as the clock of a host was wrong."""


class InvoiceRuns:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        queue: Queue,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        issuing: Issuing,
        jobs: InvoiceJobs,
        dunning: Dunning,
        interims: Interims,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._issuing = issuing
        self._jobs = jobs
        self._dunning = dunning
        self._interims = interims

    async def request(self, job_id: str, organization_id: str | None, period: str, *, finalize: bool) -> Job:
        """Start a run. Raises `ValidationError` for a period that has not ended, where one organization was named."""
        parse_month(period, "UTC", "/period")
        now = self._clock.now()
        if organization_id is not None:
            organization = await self._organizations.get(organization_id)
            if (await self._periods.of_month(organization, period, now, "/period")).end > now:
                raise ValidationError.at("/period", "has not ended yet; see the preview")
        job = await self._jobs.create(
            Job(id=job_id, organization_id=organization_id, period=period, finalize=finalize, created_at=now)
        )
        if not job.fanned_out:
            await self._send([_start_of(job)])
        return job

    async def complete_due(self, job: Stored[Job]) -> None:
        """Start a job again whose start was not sent, or is not done yet."""
        await self._send([_start_of(job.entity)])

    async def start_all(self) -> None:
        """What the timer does: begin with one message per organization, for whatever is due by now."""
        await self._send_for_first_page(Task())

    async def run(self, task: Task) -> None:
        """Do what a message says; safe to repeat. Raises `UnavailableError` where it has to be repeated."""
        if task.organization_id is not None:
            try:
                await self._run_for(task, task.organization_id)
            except WrongClockError:
                await self._put_off(task)
        elif task.page is not None:
            await self._fan_out(task, task.page)
        elif task.job_id is not None:
            await self._start_job(task, task.job_id)
        else:
            await self._send_for_first_page(task)

    async def _put_off(self, task: Task) -> None:
        """Send it again for later, so that no receiver waits. Raises `WrongClockError` after a day of that."""
        if task.put_off >= _MOST_PUT_OFF:
            raise WrongClockError("The clocks of hosts have been wrong for a day")
        _log.warning("an invoice run is put off", extra={"organization_id": task.organization_id}, exc_info=True)
        later = self._clock.now() + min(_PUT_OFF * 2**task.put_off, _LONGEST_PUT_OFF)
        await self._send([task.model_copy(update={"put_off": task.put_off + 1})], not_before=later)

    async def give_up(self, body: bytes) -> None:
        """Say in the job that this organization's part has failed.

        So whoever waits for it sees an end.
        """
        try:
            task = read_task(body)
        except MalformedError:
            _log.exception("a message that cannot be read is dropped")
            return
        if task.job_id is None:
            return
        if task.organization_id is None:
            await self._jobs.mark_fanned_out(await self._jobs.created(task.job_id))
            return
        detail = "could not be done in all its attempts; see the log"
        failed = JobPart(id=task.organization_id, organization_id=task.organization_id, status="failed", detail=detail)
        await self._jobs.finish_part(task.job_id, failed)

    async def _start_job(self, task: Task, job_id: str) -> None:
        job = await self._jobs.created(job_id)
        if job.organization_id is None:
            await self._send_for_first_page(task)
        else:
            await self._send_to(task, [job.organization_id])
            await self._jobs.mark_fanned_out(job)

    async def _send_for_first_page(self, task: Task) -> None:
        await self._send([task.model_copy(update={"page": OrganizationsPage(started=to_text(self._clock.now()))})])

    async def _fan_out(self, task: Task, page: OrganizationsPage) -> None:
        """Send one message for each organization of a page, then one for the next page.

        A page for each invocation: none takes longer the more organizations there are.
        """
        organization_ids, cursor = await self._organizations.list_ids(_ORGANIZATIONS_PER_PAGE, page.cursor)
        await self._send_to(task, organization_ids)
        if cursor is not None:
            following = page.model_copy(update={"cursor": cursor})
            await self._send([task.model_copy(update={"page": following})])
        elif task.job_id is not None:
            await self._jobs.mark_fanned_out(await self._jobs.created(task.job_id))

    async def _send_to(self, task: Task, organization_ids: Sequence[str]) -> None:
        if task.job_id is not None:
            await self._jobs.add_parts(task.job_id, organization_ids)
        await self._send(
            [
                task.model_copy(update={"organization_id": organization_id, "page": None})
                for organization_id in organization_ids
            ]
        )

    async def _send(self, tasks: Sequence[Task], *, not_before: datetime | None = None) -> None:
        """Send the messages of a run.

        The time in the message id tells a deliberate repetition from one that the broker should drop.
        """
        messages = []
        for task in tasks:
            body = task.model_dump_json().encode()
            attempt = task.page.started if task.page is not None else to_text(self._clock.now())[:16]
            messages.append(
                Message(
                    body=body,
                    session_id=task.organization_id or task.job_id or "all",
                    message_id=fingerprint(body + attempt.encode())[:32],
                    correlation_id=correlation.current() or correlation.accept(None),
                    not_before=not_before,
                )
            )
        if messages:
            await self._queue.send(QUEUE, messages)

    async def _run_for(self, task: Task, organization_id: str) -> None:
        if task.job_id is None:
            organization = await self._organizations.made(organization_id)
            await self._catch_up(organization)
            await self._dunning.run(organization)
            return
        part = JobPart(id=organization_id, organization_id=organization_id)
        try:
            part = await self._run_part(task, part)
        except UnavailableError:
            raise
        except XyraError as error:
            _log.exception("an organization cannot be invoiced", extra={"organization_id": organization_id})
            part = part.changed(status="failed", detail=error.public_detail)
        await self._jobs.finish_part(task.job_id, part)

    async def _run_part(self, task: Task, part: JobPart) -> JobPart:
        """The part as it ends: with an invoice, or with the reason for none."""
        organization = await self._organizations.made(part.organization_id)
        now = self._clock.now()
        period = await self._periods.of_month(organization, task.period, now, "/period")
        if period.end > now:
            return part.changed(status="done", detail="the period has not ended")
        await self._periods.cover(organization, period.start, period.end)
        invoice = await self._issuing.draft(organization, period)
        if invoice is not None and invoice.status == "draft" and task.finalize:
            try:
                await self._issuing.check_order(invoice)
            except ConflictError as error:
                return part.changed(status="failed", invoice_id=invoice.id, detail=error.detail)
            draft_id = invoice.id
            try:
                invoice = (await self._finalize(organization, invoice)).invoice
            except ValidationError as error:
                return part.changed(status="failed", invoice_id=draft_id, detail=error.detail)
        if invoice is None:
            return part.changed(status="done", detail="nothing to bill")
        return part.changed(status="done", invoice_id=invoice.id)

    async def _finalize(self, organization: Organization, draft: Invoice) -> Issued:
        """Raises `UnavailableError` where the message has to be tried again: the periods are changed by many at once,
        or the draft is gone. A read of it may be stale, or a repetition of this run may have found nothing to bill; the
        next try tells them apart.
        """
        try:
            return await self._issuing.finalize(organization, draft.id)
        except (NotFoundError, ConflictError) as error:
            raise UnavailableError("The draft cannot be finalized now") from error

    async def _catch_up(self, organization: Organization) -> None:
        """Draft the ended periods in their order, and finalize drafts whose grace time is over.

        A draft that waits holds back later ones. What changed after a draft was computed refreshes it.
        """
        now = self._clock.now()
        created = await self._periods.created(organization.id)
        if not created:
            return
        await self._periods.cover(organization, created[-1].start, now)
        changed_at = BEGINNING
        for item, _ in await self._periods.unsettled(organization.id, now, PERIODS_PER_BILL):
            changed_at = max(changed_at, item.changed_after_end_at or BEGINNING)
            if item.open_until is not None:
                continue
            draft = await self._issuing.draft(organization, item.period, changed_at)
            if draft is not None and draft.status == "draft" and draft.finalize_at <= now:
                await self._finalize_due(organization, item.end)
        await self._finalize_due(organization, now)
        await self._issue_anniversaries(organization)

    async def _issue_anniversaries(self, organization: Organization) -> None:
        """Raises `UnavailableError` where the message has to be tried again."""
        if organization.ended_at is not None:
            return
        try:
            await self._interims.issue_anniversaries(organization)
        except ConflictError as error:
            raise UnavailableError("The periods are being changed by many at once") from error

    async def _finalize_due(self, organization: Organization, until: datetime) -> None:
        """Finalize the due drafts of periods that ended by then; some may be of periods that are settled.

        One whose electronic invoice lacks a field stays, and those after it.
        """
        for draft in await self._issuing.due_drafts(organization.id, until):
            try:
                await self._finalize(organization, draft)
            except ValidationError as error:
                _log.warning("a draft cannot be finalized", extra={"invoice_id": draft.id, "reason": error.detail})
                return


def _start_of(job: Job) -> Task:
    return Task(job_id=job.id, period=job.period, finalize=job.finalize)


def read_task(body: bytes) -> Task:
    """Raises `MalformedError` for what we cannot have written."""
    try:
        return Task.model_validate(json.decode(body))
    except pydantic.ValidationError as error:
        raise MalformedError("The message is not one of ours") from error
