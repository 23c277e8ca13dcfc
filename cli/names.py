"""The names of organizations: slugs and external ids."""

from typing import Annotated

import typer

from cli.execution import ExitCode, end, run
from shared.bootstrap import Application
from shared.services.tenancy.doubtful_names import Doubt, doubtful_names

app = typer.Typer(no_args_is_help=True, help="The names of organizations: slugs and external ids.")

_EXPLAINED: dict[Doubt, str] = {
    "held_twice": "is a name of these two and finds neither",
    "finds_another": "is a name of this one and finds another",
    "id_of_another": "is the external id of this one and the id of another, which it finds",
    "reserved_word": "is a reserved word, which new organizations cannot have",
}


@app.command("list")
def list_names() -> None:
    """List the names that two organizations have, and those that would be refused today.

    Ends with 6 where a name finds nobody.
    """

    async def act(application: Application) -> None:
        undecided = 0
        async for doubtful in doubtful_names(application.organizations):
            print(f"{doubtful.name} {_EXPLAINED[doubtful.doubt]}: {', '.join(doubtful.holder_ids)}")
            undecided += doubtful.doubt == "held_twice"
        if undecided:
            end(ExitCode.DIFFERENT, f"{undecided} names find nobody; decide with: names assign NAME ORGANIZATION_ID")

    run(act)


@app.command()
def assign(
    name: Annotated[str, typer.Argument(help="A slug or external id that two organizations have.")],
    organization_id: Annotated[str, typer.Argument(help="The id of the one that it is to find.")],
) -> None:
    """Decide which organization a name finds. The other one is found by its id and its other name."""

    async def act(application: Application) -> None:
        await application.organizations.names.assign(name, organization_id)
        print(f"{name} finds {organization_id}, within a minute everywhere.")

    run(act)
