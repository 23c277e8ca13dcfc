"""Runs Python with the installed SDK, in an environment of its own.

`make sdk` builds the SDK's wheel, installs it for each Python that it names, and names their folder in `XYRA_SDK`.
Without it these tests are skipped by name.
"""

import asyncio
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.doubles.clients.xyra_client import Client, Xyra

SDK = Path(os.environ.get("XYRA_SDK", "no SDK")).absolute()
FOLDER = Path(__file__).parent
PYTHONS = sorted(SDK.glob("*/bin/python"))

on_each_python = pytest.mark.parametrize(
    "python",
    [pytest.param(python, id=python.parts[-3]) for python in PYTHONS]
    or [pytest.param(None, marks=pytest.mark.skip(reason="the SDK is not installed: make sdk"))],
)

on_newest_python = pytest.mark.parametrize(
    "python",
    [pytest.param(python, id=python.parts[-3]) for python in PYTHONS[-1:]]
    or [pytest.param(None, marks=pytest.mark.skip(reason="the SDK is not installed: make sdk"))],
)
"""For what takes long, and does not depend on Python's version."""


def free_port() -> str:
    """For a host that is started again at the same address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def environment_of(xyra: Xyra, key: Client, folder: Path, **further: str) -> dict[str, str]:
    """What a user sets: the host's address, a key, and here a spool of the test's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XYRA_URL": str(xyra.anonymous.session._base_url).rstrip("/"),
        "XYRA_API_KEY": key.headers["Authorization"].removeprefix("Bearer "),
        "XYRA_SPOOL": str(folder / "spool"),
        **further,
    }


async def run(python: Path, program: str | Path, *arguments: str, environment: dict[str, str]) -> str:
    """What a program prints, given as its text or its path. It has to end well."""
    started = [str(python), "-W", "error", *(["-c", program] if isinstance(program, str) else [str(program)])]
    ended = await asyncio.to_thread(
        subprocess.run, [*started, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-6000:]
    return ended.stdout
