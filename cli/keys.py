"""The keys that sign access tokens."""

from typing import Annotated

import typer

from cli.execution import note, run
from shared.bootstrap import Application
from shared.domain.kernel.audit import Target
from shared.services.access.signing_keys import SIGNING_KEYS

app = typer.Typer(no_args_is_help=True, help="The keys that sign access tokens.")


@app.command()
def rotate(
    *,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Even if the last rotation was a moment ago: until all processes have seen it, some refuse tokens "
            "that others have signed.",
        ),
    ] = False,
) -> None:
    """Sign with the next key from now on, and make another next one. Tokens that were issued go on being valid."""

    async def act(application: Application) -> None:
        keys = await application.tokens.keys.rotate(force=force)
        target = Target("signing_keys", SIGNING_KEYS)
        await note(application, "signing_keys.rotate", target, active=keys.active.kid, next=keys.next.kid)
        print(f"active: {keys.active.kid}")
        print(f"next: {keys.next.kid}")
        for each in keys.retired:
            end = each.retired_at + application.tokens.keys.grace
            print(f"retired: {each.key.kid}, accepted until {end:%Y-%m-%d %H:%M:%S} UTC")

    run(act)
