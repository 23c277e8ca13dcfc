"""What ends on one host stops on every other: events within 10 s, everything else at the next call."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Client, Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.e2e.access.test_isolation import People

WITHIN = timedelta(seconds=10)
"""How long events may go on with what was ended."""


@dataclass(frozen=True)
class Hosts:
    first: Xyra
    second: Xyra
    process: XyraProcess

    def both(self, client: Client) -> list[Client]:
        token = client.headers["Authorization"].removeprefix("Bearer ")
        return [self.first.bearing(token), self.second.bearing(token)]

    def pass_time(self, passing: timedelta) -> None:
        """Set the clock of both on by so much from what it shows now."""
        clock_file = self.process.clock_file
        assert clock_file is not None
        shown_since = timedelta(seconds=time.time() - clock_file.stat().st_mtime)
        self.process.set_clock(datetime.fromisoformat(clock_file.read_text(encoding="utf-8")) + shown_since + passing)


@pytest.fixture
async def hosts(new_process: Callable[..., XyraProcess]) -> AsyncIterator[Hosts]:
    processes = [new_process(), new_process()]
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context((await Served.by(process)).clients()) for process in processes]
        yield Hosts(first, second, processes[0])


async def reporting(hosts: Hosts) -> tuple[Organization, list[Client]]:
    """An organization with an agent, whose key has just reported on both hosts."""
    organization = await hosts.first.organization()
    await organization.agent()
    keys = hosts.both(organization.key)
    for key in keys:
        await key.report(event())
        await key.get("agents")
    return organization, keys


def event() -> dict[str, str]:
    return {"id": uuid4().hex, "type": "command", "agent": "coder"}


async def test_a_revoked_key_stops_on_both(hosts: Hosts) -> None:
    organization, keys = await reporting(hosts)
    (listed,) = (await organization.key.get("api-keys"))["data"]
    (await organization.operator.send("DELETE", f"api-keys/{listed['id']}")).expect(204)
    for key in keys:
        (await key.send("GET", "agents")).problem(401, "unauthenticated")
    hosts.pass_time(WITHIN)
    for key in keys:
        (await key.send("POST", "events", event())).problem(401, "unauthenticated")


async def test_a_demoted_member_stops_on_both_and_comes_back_with_less(hosts: Hosts) -> None:
    organization = await hosts.first.organization()
    people = People(hosts.first, hosts.process.data_dir)
    try:
        token = await people.member(organization.id, "admin")
    finally:
        people.close()
    members = [hosts.first.bearing(token), hosts.second.bearing(token)]
    for member in members:
        await member.get("api-keys")
    (listed,) = (await organization.operator.get("members", organization_id=organization.id))["data"]
    demoted = {"role": "viewer"}
    path = f"members/{listed['id']}"
    (await organization.operator.send("PATCH", path, demoted, organization_id=organization.id)).expect(200)
    for member in members:
        (await member.send("GET", "api-keys")).problem(401, "unauthenticated")
    email = listed["email"]
    for host in (hosts.first, hosts.second):
        viewer = await host.sign_in(email)
        await viewer.get("agents")
        (await viewer.send("GET", "api-keys")).problem(403, "forbidden")


async def test_a_deleted_organization_stops_on_both(hosts: Hosts) -> None:
    organization, keys = await reporting(hosts)
    (await organization.operator.send("DELETE", f"organizations/{organization.id}")).expect(204)
    for key in keys:
        (await key.send("POST", "agents", {"external_id": "late", "name": "Late"})).problem(403, "organization_deleted")
        assert (await key.send("GET", "agents")).status == 200, "it may still be read"
    hosts.pass_time(WITHIN)
    for key in keys:
        (await key.send("POST", "events", event())).problem(403, "organization_deleted")
    hosts.pass_time(timedelta(days=31))
    for key in keys:
        (await key.send("GET", "agents")).problem(401, "unauthenticated")
