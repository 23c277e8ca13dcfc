"""Exports of organizations: asked for by an owner, written by a timer, fetched by a link."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from pydantic import Field

from functions.fields import OrganizationPath
from shared import correlation
from shared.bootstrap import application
from shared.domain.access.identity import Permission
from shared.domain.access.rate_limits import EXPORTS
from shared.domain.kernel.errors import InvalidTokenError, UnavailableError
from shared.domain.tenancy.exports import MAXIMUM_VOLUMES, ExportStatus
from shared.http import Access, Call, NoBody, PathValues, Query, Reply, Schema, TextFile, ThingId, endpoint
from shared.http.lists import lists_of
from shared.services.storage import within_deadline
from shared.services.tenancy.exports import ExportLink

blueprint = func.Blueprint()


class ExportPath(OrganizationPath):
    export_id: Annotated[str, ThingId("exp")]
    """The job's id."""


class ArchivePath(PathValues):
    export_id: Annotated[str, ThingId("exp")]
    """The job's id."""


class ArchiveQuery(Query):
    token: str = Field(min_length=1, max_length=128)
    """As the link has it."""
    volume: int = Field(default=1, ge=1, le=MAXIMUM_VOLUMES)
    """The same; the first without it."""


class ExportAnswer(Schema):
    id: str
    organization_id: str
    status: ExportStatus
    created_at: datetime
    counts: dict[str, int]
    """How many items of each list are in the archive."""
    reason: str | None
    """Why it failed; null where it did not."""
    url: str | None
    """Where the archive is fetched, without a credential; null until it is done, and once the link has expired."""
    urls: list[str]
    """The same for each of its volumes, the first of which is at `url`: a large archive has several."""
    expires_at: datetime | None
    """When the link expires; null until it is done."""

    @classmethod
    def of(cls, link: ExportLink) -> "ExportAnswer":
        return cls.showing(link.job, url=next(iter(link.urls), None), urls=list(link.urls))


@endpoint(
    blueprint,
    "POST",
    "organizations/{organization_id}/export",
    summary="Have all lists of an organization written into one archive of JSON lines",
    access=Permission.ORGANIZATIONS_EXPORT,
    path_values=OrganizationPath,
    answers={202: ExportAnswer},
    rate_limits=(EXPORTS,),
)
async def start_export(call: Call[NoBody, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    job = await call.services.exports.ask(call.new_id("exp"), organization_id, call.principal.id)
    return Reply(ExportAnswer.of(ExportLink(job)))


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}/export/{export_id}",
    summary="How far an export has come, and where its archive is fetched",
    access=Permission.ORGANIZATIONS_EXPORT,
    path_values=ExportPath,
    answers={200: ExportAnswer},
)
async def get_export(call: Call[NoBody, Query, ExportPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    link = await call.services.exports.link(organization_id, call.path.export_id)
    return Reply(ExportAnswer.of(link), headers={"Cache-Control": "no-store"})


@endpoint(
    blueprint,
    "GET",
    "exports/{export_id}/archive",
    summary="The archive of an export, or a volume of it, by its link",
    access=Access.PUBLIC,
    path_values=ArchivePath,
    query=ArchiveQuery,
    answers={200: TextFile},
    media_type="application/octet-stream",
    errors=(InvalidTokenError, UnavailableError),
    headers={"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"},
)
async def download_export(call: Call[NoBody, ArchiveQuery, ArchivePath]) -> Reply:
    export_id, volume = call.path.export_id, call.query.volume
    archive = await call.services.exports.archive(export_id, call.query.token, volume)
    name = f"{export_id}.zip" if volume == 1 else f"{export_id}-{volume}.zip"
    return Reply(archive, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@blueprint.function_name("run_exports")
@blueprint.timer_trigger(arg_name="timer", schedule="50 * * * * *")
async def run_exports(timer: func.TimerRequest) -> None:  # noqa: ARG001  the platform's signature
    """Write the archives that wait."""
    with correlation.correlated(correlation.accept(None)):
        services = application()
        await within_deadline(services.exports.run_waiting(lambda id_: lists_of(services, id_)))
