"""Serves the sample app in a process of its own: python serve.py PORT [HOST_JSON]. Prints a line when it is up."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from local.host import Host, run
from tests.doubles.fakes.memory_broker import MemoryBroker
from tests.doubles.worlds.sample_app.function_app import app


def make_host() -> Host:
    host_json = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("host.json")
    return Host(
        app,
        host_json=host_json,
        broker=MemoryBroker(),
        clock=lambda: datetime.now(UTC),
        settings={"SAMPLE_SCHEDULE": "0 0 0 1 1 *"},
        grace_seconds=10,
    )


async def started() -> None:
    sys.stdout.write("up\n")
    sys.stdout.flush()
    if "SAMPLE_STARTS_FOREVER" in os.environ:
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(run(make_host, int(sys.argv[1]), started=started))
