"""Mails that the mail server refused for good."""

from typing import Annotated

import typer

from cli.execution import run
from shared.bootstrap import Application

app = typer.Typer(no_args_is_help=True, help="Mails that the mail server refused for good.")


@app.command()
def refused() -> None:
    """List them with their reasons: for 90 days, without addresses."""

    async def act(application: Application) -> None:
        count = 0
        async for mail in application.mails.refused():
            print(f"{mail.id} {mail.refused_at:%Y-%m-%d %H:%M:%S} UTC {mail.template} {mail.request_id}: {mail.reason}")
            count += 1
        print(f"{count} refused mails")

    run(act)


@app.command()
def resend(mail_id: Annotated[str, typer.Argument(help="The id of a refused mail.")]) -> None:
    """Send one again, with the same link, to the address that is stored by now, while its link works."""

    async def act(application: Application) -> None:
        await application.mails.resend(mail_id)
        print(f"{mail_id} is sent.")

    run(act)
