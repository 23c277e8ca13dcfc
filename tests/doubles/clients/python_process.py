"""Starts one of the programs beside this module in a process of its own."""

import subprocess
import sys
from pathlib import Path

from tests.places import ROOT

_HERE = Path(__file__).parent


def start(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  a program of ours
        [sys.executable, str(_HERE / program), *map(str, arguments)],
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
