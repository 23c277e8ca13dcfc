"""The keys under which secrets of tenants are sealed."""

from typing import Annotated

import typer

from cli.execution import note, run
from shared.bootstrap import Application
from shared.domain.kernel.audit import Target
from shared.services.storage.sealed_values import SEALING_KEYS

app = typer.Typer(no_args_is_help=True, help="The keys under which secrets of tenants are sealed.")


@app.command()
def rotate(
    *,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Even if the last rotation was a moment ago: until all processes have seen it, some cannot open what "
            "others have just sealed.",
        ),
    ] = False,
) -> None:
    """Seal under the next key from now on, and make another next one. What is sealed already can still be opened."""

    async def act(application: Application) -> None:
        rotation = await application.sealed_values.rotate(force=force)
        target = Target("sealing_keys", SEALING_KEYS)
        await note(application, "sealing_keys.rotate", target, active=rotation.active, next=rotation.next)
        print(f"active: {rotation.active}")
        print(f"next: {rotation.next}")
        for key_id in rotation.earlier:
            print(f"earlier: {key_id}, until `sealed again` has run")

    run(act)


@app.command()
def again() -> None:
    """Seal everything under the active key, and forget the earlier ones: from an hour after a rotation on."""

    async def act(application: Application) -> None:
        counts = await application.sealed_values.reseal()
        await note(application, "sealing_keys.reseal", Target("sealing_keys", SEALING_KEYS), **counts)
        for name, count in sorted(counts.items()):
            print(f"{name}: {count} sealed again")
        print("The earlier keys are forgotten.")

    run(act)
