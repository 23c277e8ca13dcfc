"""Invoice jobs: invoicing a month on request, and the progress of that."""

from datetime import datetime
from typing import Annotated, Literal, Self

import azure.functions as func
from pydantic import Field

from functions.fields import Month
from shared.domain.access.identity import Permission
from shared.http import Call, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint
from shared.services.billing.invoice_jobs import JobProgress

blueprint = func.Blueprint()


class InvoiceJobPath(PathValues):
    job_id: Annotated[str, ThingId("job")]
    """The job's id, from the answer that started it."""


class GenerateRequest(Schema):
    organization_id: str | None = Field(default=None, max_length=256)
    """Whose invoices: id, slug or external id; null for all organizations."""
    period: Month
    """The month to invoice, such as 2026-10."""
    finalize: bool = False
    """Whether to number the invoices at once instead of leaving drafts."""


class JobPartAnswer(Schema):
    """The result for one organization."""

    organization_id: str
    status: str
    invoice_id: str | None
    """The invoice or draft that it made; null where there was nothing to bill."""
    detail: str | None
    """Why there is no invoice."""


class JobAnswer(Schema):
    id: str
    status: Literal["running", "done"]
    done: bool
    """Whether the status is `done`."""
    period: str
    """The month that is invoiced."""
    finalize: bool
    """Whether the invoices are numbered at once."""
    created_at: datetime
    invoices: list[str]
    """Ids of invoices and drafts, of the organizations that are shown."""
    organizations: list[JobPartAnswer]
    """At most 200 of them."""

    @classmethod
    def of(cls, progress: JobProgress) -> Self:
        return cls(
            id=progress.job.id,
            status="done" if progress.is_done else "running",
            done=progress.is_done,
            period=progress.job.period,
            finalize=progress.job.finalize,
            created_at=progress.job.created_at,
            invoices=[part.invoice_id for part in progress.parts if part.invoice_id is not None],
            organizations=[JobPartAnswer.model_validate(part) for part in progress.parts],
        )


@endpoint(
    blueprint,
    "POST",
    "invoices/generate/monthly",
    summary="Invoice a month that has ended, for one organization or all; answers with a job",
    access=Permission.INVOICES_WRITE,
    body=GenerateRequest,
    answers={202: JobAnswer},
    example={"organization_id": None, "period": "2026-10", "finalize": False},
)
async def generate_invoices(call: Call[GenerateRequest]) -> Reply:
    named = call.body.organization_id or call.query.organization_id
    organization_id = await call.organization_id(named) if named is not None else None
    job = await call.services.invoice_runs.request(
        call.new_id("job"), organization_id, call.body.period, finalize=call.body.finalize
    )
    progress = await call.services.invoice_jobs.progress(job.id)
    return Reply(JobAnswer.of(progress), headers={"Location": f"/api/v1/invoices/jobs/{job.id}"})


@endpoint(
    blueprint,
    "GET",
    "invoices/jobs/{job_id}",
    summary="How far a run has come, and its invoices",
    access=Permission.INVOICES_WRITE,
    path_values=InvoiceJobPath,
    answers={200: JobAnswer},
)
async def get_invoice_job(call: Call[NoBody, Query, InvoiceJobPath]) -> Reply:
    return Reply(JobAnswer.of(await call.services.invoice_jobs.progress(call.path.job_id)))
