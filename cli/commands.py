"""All commands, each by its name."""

import logging
import sys
from typing import Annotated

import typer

from cli import audit, health, keys, mails, names, quotas, repair, sealed, setup
from cli.execution import chosen_settings
from shared.logs import log_to

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("setup")(setup.setup)
app.command("health")(health.health)
app.command("repair")(repair.repair)
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(mails.app, name="mails")
app.add_typer(names.app, name="names")
app.add_typer(quotas.app, name="quotas")
app.add_typer(sealed.app, name="sealed")


@app.callback()
def start(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Write log lines to stderr.")] = False,
) -> None:
    """Run Xyra: the settings are those of the functions, XYRA_* variables.

    Exit codes: 1 refused, 2 wrong usage, 3 the settings cannot be used, 4 the store or the secrets are out of reach,
    5 this identity may not do it, 6 what was looked at is not as it should be.
    """
    if verbose:
        log_to(sys.stderr, chosen_settings().log_level)
    else:
        logging.getLogger().addHandler(logging.NullHandler())
