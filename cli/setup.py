"""The first-run step: what the functions need and may not make themselves."""

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from cli.execution import run
from shared.bootstrap import Application
from shared.domain.kernel.errors import UnavailableError

Answer = TypeVar("Answer")

_PAUSE_SECONDS = 5.0
_PASSWORD_BYTES = 18


def setup(
    patience: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Wait so long for roles and services that are not there yet."),
    ] = 0,
    granted_to: Annotated[
        str,
        typer.Option(envvar="OPERATOR_PRINCIPAL_ID", metavar="ID", help="Who was given the rights that this needs."),
    ] = "",
) -> None:
    """Make the keys of tokens, links and sealed values, and the first operator, where they are missing.

    Safe to repeat, also after it was killed half-way. The operator is XYRA_OPERATOR_EMAIL with XYRA_OPERATOR_PASSWORD;
    a password that is made up is printed once.
    """

    async def act(application: Application) -> None:
        await set_up(application, Patience(patience))
        if granted_to:
            print(
                f"{granted_to} may still write secrets and all data, until that is ended by the two commands under"
                ' "Rights of whoever deploys" in docs/deployment.md. A rotation needs these rights again.',
                flush=True,
            )

    run(act)


@dataclass(frozen=True, slots=True)
class Patience:
    """A role that was given a moment ago takes effect minutes later."""

    seconds: float = 0

    async def wait(self, step: Callable[[], Awaitable[Answer]]) -> Answer:
        """`step` is safe to repeat. Raises the last `UnavailableError`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.seconds
        while True:
            try:
                return await step()
            except UnavailableError as error:
                if loop.time() + _PAUSE_SECONDS > deadline:
                    raise
                print(f"Waiting: {error.for_operators}", file=sys.stderr, flush=True)
            await asyncio.sleep(_PAUSE_SECONDS)


async def set_up(application: Application, patience: Patience) -> None:
    """Says on stdout what was made and what was there. Raises `UnavailableError`, `ConflictError`."""
    _say("The token keys", made=await patience.wait(application.tokens.keys.ensure))
    _say("The key of mailed links", made=await patience.wait(application.mailed_links.ensure))
    _say("The sealing keys", made=await patience.wait(application.sealed_values.ensure))
    _say("The audit keys", made=await patience.wait(application.audited_store.keys.ensure))
    _say("The refresh key", made=await patience.wait(application.sessions.refresh_tokens.ensure))
    await _make_operator(application, patience)


async def _make_operator(application: Application, patience: Patience) -> None:
    operator, chosen = application.first_operator, application.settings
    email = await patience.wait(lambda: operator.email(chosen.operator_email))
    if await patience.wait(lambda: operator.exists(email)):
        _say(f"The operator {email}", made=False)
        return
    if chosen.operator_password:
        password = chosen.operator_password.get_secret_value()
    else:
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        # Before it is kept: nobody can lose a password that was kept and never shown.
        print(f"The operator: {email}  password: {password}  (shown only now)", flush=True)
    made = await patience.wait(lambda: operator.make(email, password))
    _say(f"The operator {email}", made=made)
    if not made:
        print(f"Another setup was faster, unless an answer was lost: try which password signs {email} in.", flush=True)


def _say(what: str, *, made: bool) -> None:
    print(f"{what}: {'made' if made else 'there already'}", flush=True)
