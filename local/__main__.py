"""`python -m local`: the app on this machine, with a first operator and, unless switched off, the demo."""

import asyncio
import json
import logging
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pydantic
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console

from function_app import app
from local.demo.run import Demo
from local.first_steps import first_steps
from local.host import (
    GroupedHost,
    Host,
    StartupError,
    admin_key,
    end_now,
    end_with_standard_input,
    report_port,
    serve,
)
from shared.bootstrap import application
from shared.chosen_adapters import broker, clock
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.validation_messages import message
from shared.logs import log_to
from shared.private_folder import make_private
from shared.settings import Settings, settings

WIDTH = 120
"""Of what is printed where there is no terminal to ask."""

HOST_JSON = Path(__file__).parent.parent / "host.json"


class LocalSettings(BaseSettings):
    """What only this way of running reads."""

    model_config = SettingsConfigDict(env_prefix="XYRA_", extra="ignore")

    port: int = Field(default=7071, ge=0, le=65535)
    demo: bool = True
    processes: Literal["one", "groups"] = "one"
    """`groups`: a process for each function group, as on Azure."""


class FirstOperator:
    """The operator's e-mail and password: from the settings, or made up at the first start and kept beside the data."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def credentials(self) -> tuple[str, str]:
        chosen = settings()
        if chosen.operator_email and chosen.operator_password:
            return chosen.operator_email, chosen.operator_password.get_secret_value()
        if self._path.exists():
            kept = json.loads(self._path.read_text())
            return kept["email"], kept["password"]
        made = {
            "email": chosen.operator_email or "operator@xyra.localhost",
            "password": chosen.operator_password.get_secret_value()
            if chosen.operator_password
            else secrets.token_urlsafe(18),
        }
        self._path.touch(mode=0o600)
        self._path.write_text(json.dumps(made))
        return made["email"], made["password"]


def main(group: str | None = None) -> int:
    """`group` names the function group of a process that a host with `groups` started."""
    try:
        chosen, local = settings(), LocalSettings()
    except pydantic.ValidationError as error:
        print(f"The settings cannot be used: {_complaints(error)}", file=sys.stderr)
        return 1
    if chosen.environment != "local":
        print("python -m local runs only with XYRA_ENVIRONMENT=local", file=sys.stderr)
        return 1
    os.umask(0o077)  # whatever is kept here is for its owner alone: SQLite's files, too
    make_private(chosen.data_dir)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    with (chosen.data_dir / "log.jsonl").open("a") as log:
        log_to(log, chosen.log_level)
        try:
            asyncio.run(_serve_and_close(chosen, local, console, group))
        except StartupError as error:
            print(f"The host cannot start: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
    return 0


async def _serve_and_close(chosen: Settings, local: LocalSettings, console: Console, group: str | None) -> None:
    """All of it in one event loop: connections to a store and a queue elsewhere work in no other."""
    try:
        if group is None:
            await _serve(chosen, local, console)
        else:
            await _serve_group(chosen, group)
    finally:
        await application().close()


async def _serve(chosen: Settings, local: LocalSettings, console: Console) -> None:
    email, password = FirstOperator(chosen.data_dir / "operator.json").credentials()
    # Before it serves: who waits until it is ready may sign in at once.
    try:
        await application().accounts.ensure_operator(email, password)
    except UnavailableError as error:
        raise StartupError(f"the store cannot be used: {error.for_operators}") from error
    if local.processes == "groups":
        host: GroupedHost | Host = GroupedHost(app, _command, admin_key=_admin_key(chosen), settings=os.environ)
    else:
        host = _host(chosen)

    async def started() -> None:
        base = f"http://127.0.0.1:{host.port}"
        if chosen.public_url is None:  # the port may be one that the machine chose
            application().mailed_links.public_url = f"http://localhost:{host.port}"
        # A password that was chosen is known, and what is printed may be collected.
        shown = "as in XYRA_OPERATOR_PASSWORD" if chosen.operator_password else password
        console.print(f"The operator: {email}  password: {shown}", soft_wrap=True)
        console.print(f"Xyra serves on {base} (docs: {base}/api/v1/docs)", soft_wrap=True)
        if not local.demo:
            made_up = None if chosen.operator_password else password
            console.print(first_steps(base, email, made_up), soft_wrap=True, markup=False)
        else:
            demo = asyncio.create_task(Demo(base, email, password, chosen.data_dir, clock().now, console).run())
            demo.add_done_callback(_report)

    await serve(host, local.port, started=started)


async def _serve_group(chosen: Settings, group: str) -> None:
    """The functions of one group, for the process that serves the port."""
    end_with_standard_input()
    host = _host(chosen, group, restart=end_now)

    async def started() -> None:
        report_port(host.port)

    await serve(host, 0, started=started)


def _host(chosen: Settings, group: str | None = None, restart: Callable[[], None] | None = None) -> Host:
    return Host(
        app,
        host_json=HOST_JSON,
        broker=broker(),
        clock=clock().now,
        admin_key=_admin_key(chosen),
        settings=os.environ,
        schedule_status=chosen.data_dir / (f"timers.{group}.json" if group else "timers.json"),
        group=group,
        restart=restart,
    )


def _admin_key(chosen: Settings) -> str:
    return admin_key(chosen.data_dir / "admin.key")


def _command(group: str) -> list[str]:
    """This program again, for one group."""
    spec = sys.modules["__main__"].__spec__
    return [sys.executable, "-m", spec.name if spec is not None else "local", group]


def _complaints(error: pydantic.ValidationError) -> str:
    return "; ".join(
        f"{('XYRA_' + str(detail['loc'][0]).upper() + ' ') if detail['loc'] else ''}{message(detail)}"
        for detail in error.errors(include_url=False, include_input=False)
    )


def _report(demo: asyncio.Task[None]) -> None:
    if not demo.cancelled() and demo.exception() is not None:
        logging.getLogger(__name__).error("the demo failed", exc_info=demo.exception())
        print(f"The demo failed: {demo.exception()}; see the log", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
