"""Serves the sample app in a process of its own: python serve.py PORT [HOST_JSON [GROUP]].

Prints a line when it is up. With SAMPLE_GROUPS it starts a process for each function group, which is this program again
with the group's name.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from local.host import GroupedHost, Host, end_now, end_with_standard_input, report_port, run
from tests.doubles.clients.running_host import ADMIN_KEY
from tests.doubles.fakes.memory_broker import MemoryBroker
from tests.doubles.worlds.sample_app.function_app import app

HOST_JSON = sys.argv[2] if len(sys.argv) > 2 else str(Path(__file__).with_name("host.json"))
GROUP = sys.argv[3] if len(sys.argv) > 3 else None
SETTINGS = {"SAMPLE_SCHEDULE": "0 0 0 1 1 *"}

hosts: list[Host | GroupedHost] = []


def make_host() -> Host | GroupedHost:
    if GROUP is None and "SAMPLE_GROUPS" in os.environ:
        hosts.append(GroupedHost(app, command, admin_key=ADMIN_KEY, settings=SETTINGS, grace_seconds=10))
    else:
        hosts.append(
            Host(
                app,
                host_json=Path(HOST_JSON),
                broker=MemoryBroker(),
                clock=lambda: datetime.now(UTC),
                admin_key=ADMIN_KEY,
                settings=SETTINGS,
                grace_seconds=10,
                group=GROUP,
                restart=end_now if GROUP is not None else None,
            )
        )
    return hosts[0]


def command(group: str) -> list[str]:
    return [sys.executable, __file__, "0", HOST_JSON, group]


async def started() -> None:
    if GROUP is not None:
        report_port(hosts[0].port)
        return
    sys.stdout.write("up\n")
    sys.stdout.flush()
    if "SAMPLE_STARTS_FOREVER" in os.environ:
        await asyncio.Event().wait()


if __name__ == "__main__":
    if GROUP is not None:
        end_with_standard_input()
    sys.exit(run(make_host, int(sys.argv[1]), started=started))
