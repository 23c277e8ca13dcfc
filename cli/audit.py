"""The audit trail: checked for whatever was altered in the store, and the key that it is made by."""

from typing import Annotated

import typer

from cli.execution import ExitCode, end, note, run
from shared.bootstrap import Application
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import NotFoundError
from shared.services.storage import OPERATOR
from shared.services.storage.audit.keys import SECRET_NAME
from shared.services.storage.audit.verification import Verification, Verified

app = typer.Typer(no_args_is_help=True, help="The audit trail.")


@app.callback()
def audit() -> None:
    """The audit trail."""


@app.command()
def verify(
    organization: Annotated[
        str, typer.Argument(help=f"The id, slug or external id of one; `{OPERATOR}` for the operator's own trail.")
    ] = "",
) -> None:
    """Check the trails of all organizations, or of one, by the vault's key. Changes nothing.

    Prints the number of entries and the last hash of each trail. Ends with 1 where anything is not as it was written.
    """

    async def act(application: Application) -> None:
        verification = application.audit_verification
        wrong = 0
        for trail in await _trails(application, organization):
            wrong += await _verified(verification, trail)
        if wrong:
            end(ExitCode.REFUSED, f"{wrong} found: the trail is not as it was written")

    run(act)


@app.command()
def rotate() -> None:
    """Hash what is new by another key of the vault. The earlier ones go on checking what is stored: keep them there."""

    async def act(application: Application) -> None:
        key_id = await application.audited_store.keys.rotate()
        await note(application, "audit_keys.rotate", Target("audit_keys", SECRET_NAME), active=key_id)
        print(f"active: {key_id}, everywhere within an hour")

    run(act)


async def _trails(application: Application, organization: str) -> list[str]:
    if organization == OPERATOR:
        return [OPERATOR]
    if organization:
        organization_id = await application.organizations.find(organization)
        if organization_id is None:
            raise NotFoundError("There is no such organization")
        return [organization_id]
    return [OPERATOR, *[each.id async for each in application.organizations.all()]]


async def _verified(verification: Verification, trail: str) -> int:
    """How much is wrong with a trail."""
    verified, wrong = Verified(), 0
    async for finding in verification.findings(trail, verified):
        print(f"{trail}: {finding.detail}")
        wrong += 1
    print(f"{trail}: {verified.count} entries{f', last {verified.hash}' if verified.hash else ''}")
    return wrong
