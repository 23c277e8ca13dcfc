"""Runs the command line, `python -m cli`, to its end."""

import os
import subprocess
import sys

from tests.places import ROOT

_PATIENCE = 60


def start(*arguments: str, **settings: str) -> subprocess.Popen[str]:
    """`settings` are the only `XYRA_*` environment variables that it sees."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("XYRA_")}
    return subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env=inherited | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    output, errors = process.communicate(timeout=_PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return ended(start(*arguments, **settings))
