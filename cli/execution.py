"""How a command runs: with the application of its environment, and an end that a script can tell by the exit code."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import NoReturn

import pydantic
import typer

from shared.bootstrap import Application, application
from shared.containers import TENANTS
from shared.domain.kernel.audit import Actor, Target
from shared.domain.kernel.errors import UnavailableError, XyraError
from shared.domain.kernel.validation_messages import message
from shared.ports.secrets import NotAllowedError
from shared.services.storage import OPERATOR
from shared.services.storage.audit.acting import acting
from shared.services.storage.operations import noting
from shared.settings import Settings, settings

_OPERATOR = Actor("operator", "cli")
"""Who acts, for the audit trail: whoever has this deployment's rights on its store and vault."""


class ExitCode(IntEnum):
    REFUSED = 1
    SETTINGS = 3
    """2 is typer's, for wrong usage."""
    OUT_OF_REACH = 4
    NOT_ALLOWED = 5
    DIFFERENT = 6


def run(act: Callable[[Application], Awaitable[None]]) -> None:
    """Run `act`; an error of ours ends the process with a line and exit code."""
    chosen_settings()
    try:
        asyncio.run(_with_application(act))
    except NotAllowedError as error:
        end(ExitCode.NOT_ALLOWED, f"{error.detail}. docs/deployment.md says which roles are needed")
    except UnavailableError as error:
        end(ExitCode.OUT_OF_REACH, error.for_operators)
    except XyraError as error:
        end(ExitCode.REFUSED, error.detail)
    except OSError as error:
        end(ExitCode.OUT_OF_REACH, str(error))


async def note(
    application: Application, action: str, target: Target, *, trail: str = OPERATOR, **details: object
) -> None:
    """Tell a trail of what was done to the vault, or to something that has no entry of its own."""
    await application.audited_store.batch(TENANTS.name, trail, [noting(action, target, (trail,), details=details)])


def chosen_settings() -> Settings:
    try:
        return settings()
    except pydantic.ValidationError as error:
        end(ExitCode.SETTINGS, f"The settings cannot be used: {_complaints(error)}")


def end(code: ExitCode, line: str) -> NoReturn:
    print(" ".join(line.split()), file=sys.stderr)
    raise typer.Exit(code)


async def _with_application(act: Callable[[Application], Awaitable[None]]) -> None:
    """In one event loop: connections work in no other."""
    connected = application()
    try:
        with acting(_OPERATOR):
            await act(connected)
    finally:
        await connected.close()


def _complaints(error: pydantic.ValidationError) -> str:
    """Without the values, which may be secret."""
    details = error.errors(include_url=False, include_input=False)
    places = ("".join(f"XYRA_{str(place).upper()} " for place in detail["loc"][:1]) for detail in details)
    return "; ".join(f"{place}{message(detail)}" for place, detail in zip(places, details, strict=True))
