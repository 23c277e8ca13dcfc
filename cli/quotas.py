"""What organizations use of their quotas."""

from typing import Annotated

import typer

from cli.execution import note, run
from shared.bootstrap import Application
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import NotFoundError
from shared.services.storage.quotas import recount as counted_again

app = typer.Typer(no_args_is_help=True, help="What organizations use of their quotas.")


@app.callback()
def quotas() -> None:
    """What organizations use of their quotas."""


@app.command()
def recount(
    organization: Annotated[str, typer.Argument(help="The id, slug or external id of one; all without it.")] = "",
) -> None:
    """Count agents, keys, threads, models and bytes again, and put counters right that differ.

    Safe while things are made and deleted. Says what each counter was and what there is.
    """

    async def act(application: Application) -> None:
        looked_at, mended = 0, 0
        for organization_id in await _organizations(application, organization):
            looked_at += 1
            mended += await _recounted(application, organization_id)
        print(f"{looked_at} organizations, {mended} counters put right")

    run(act)


async def _organizations(application: Application, organization: str) -> list[str]:
    if not organization:
        return [each.id async for each in application.organizations.all()]
    organization_id = await application.organizations.find(organization)
    if organization_id is None:
        raise NotFoundError("There is no such organization")
    return [organization_id]


async def _recounted(application: Application, organization_id: str) -> int:
    """How many of its counters were put right."""
    differences = (await counted_again(application.audited_store, organization_id)).differences
    for name, (kept, there_are) in differences.items():
        print(f"{organization_id} {name}: kept {kept}, there are {there_are}")
    if differences:
        told = {name: {"kept": kept, "counted": there_are} for name, (kept, there_are) in differences.items()}
        await note(
            application, "quotas.recount", Target("organization", organization_id), trail=organization_id, **told
        )
    return len(differences)
