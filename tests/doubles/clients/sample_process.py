"""The sample app in a process of its own."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.places import ROOT

SERVE = ROOT / "tests" / "doubles" / "worlds" / "sample_app" / "serve.py"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def process(directory: Path, *arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    sample = {
        "SAMPLE_RECORD": str(directory / "record"),
        "SAMPLE_GATE": str(directory / "gate"),
        "PYTHONPATH": str(ROOT),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SERVE),
        *arguments,
        env=os.environ | sample | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def up(started: asyncio.subprocess.Process) -> None:
    assert started.stdout is not None
    assert await started.stdout.readline() == b"up\n"
