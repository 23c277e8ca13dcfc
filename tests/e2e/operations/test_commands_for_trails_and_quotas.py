"""`python -m cli` beside a host that runs: keys of the trail are rotated, counters put right, refused mails listed."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from tests.doubles.clients import command_line
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Client
from tests.doubles.clients.xyra_process import XyraProcess

MakeProcess = Callable[..., XyraProcess]


async def run(process: XyraProcess, *arguments: str) -> str:
    """What the command prints."""
    here = {"XYRA_DATA_DIR": str(process.data_dir), "XYRA_CLOCK_FILE": str(process.clock_file)}
    end = await asyncio.to_thread(command_line.run, *arguments, **here)
    assert (end.returncode, end.stderr) == (0, "")
    return end.stdout


async def told(client: Client, action: str, **query: str) -> list[Any]:
    """What a trail tells of an action: who did it, and what it says."""
    entries = (await client.get("audit", action=action, **query))["data"]
    return [(entry["actor"]["type"], entry["actor"]["id"], entry["after"]) for entry in entries]


async def test_the_chain_holds_over_rotations_of_its_key(new_process: MakeProcess) -> None:
    served = await Served.by(new_process())
    async with served.clients() as xyra:
        organization = await xyra.organization()
        for number in range(2):
            rotated = await run(served.process, "audit", "rotate")
            active = rotated.split()[1].rstrip(",")
            await organization.department(f"department {number}")
            assert (await told(xyra.operator, "audit_keys.rotate"))[0] == ("operator", "cli", {"active": active})
        keys = key_ids(served.process, organization.id)
        assert len(keys) == 3
        assert keys[-1] == active
    verified = await run(served.process, "audit", "verify")
    assert "altered" not in verified


def key_ids(process: XyraProcess, trail: str) -> list[str]:
    """Of the vault's keys that made a trail, in the order of their first entry."""
    with closing(sqlite3.connect(f"file:{process.data_dir / 'xyra.db'}?mode=ro", uri=True)) as database:
        bodies = database.execute("SELECT body FROM tenants WHERE kind = 'audit_entry' AND pk = ?", (trail,)).fetchall()
    entries = sorted((json.loads(body) for (body,) in bodies), key=lambda entry: entry["number"])
    return list(dict.fromkeys(entry["key_id"] for entry in entries))


async def test_rotations_of_the_other_keys_are_on_the_operators_trail(new_process: MakeProcess) -> None:
    served = await Served.by(new_process())
    async with served.clients() as xyra:
        await run(served.process, "setup")
        for command, action in (("keys", "signing_keys.rotate"), ("sealed", "sealing_keys.rotate")):
            printed = dict(line.split(": ") for line in (await run(served.process, command, "rotate")).splitlines())
            details = {"active": printed["active"], "next": printed["next"]}
            assert await told(xyra.operator, action) == [("operator", "cli", details)]


async def test_a_counter_that_drifted_is_put_right_and_says_so(new_process: MakeProcess) -> None:
    served = await Served.by(new_process())
    async with served.clients() as xyra:
        organization, other = await xyra.organization(), await xyra.organization()
        for number in range(3):
            await organization.agent(f"agent-{number}")
        assert await run(served.process, "quotas", "recount") == "2 organizations, 0 counters put right\n"
        drift(served.process, organization.id, agents=7)
        assert (await organization.key.get("limits"))["quotas"]["agents"]["used"] == 7
        mended = await run(served.process, "quotas", "recount", organization.slug)
        assert mended.splitlines() == [
            f"{organization.id} agents: kept 7, there are 3",
            "1 organizations, 1 counters put right",
        ]
        assert (await organization.key.get("limits"))["quotas"]["agents"]["used"] == 3
        query = {"organization_id": organization.id}
        assert await told(xyra.operator, "quotas.recount", **query) == [
            ("operator", "cli", {"agents": {"kept": 7, "counted": 3}})
        ]
        assert await told(xyra.operator, "quotas.recount", organization_id=other.id) == []
        assert await run(served.process, "mails", "refused") == "0 refused mails\n"


def drift(process: XyraProcess, organization_id: str, **used: int) -> None:
    """Alter the counter in the store."""
    with closing(sqlite3.connect(process.data_dir / "xyra.db")) as database, database:
        where = "WHERE pk = ? AND kind = 'quota_use'"
        ((body,),) = database.execute(f"SELECT body FROM tenants {where}", (organization_id,)).fetchall()  # noqa: S608
        kept = json.loads(body)
        kept["used"] |= used
        database.execute(f"UPDATE tenants SET body = ? {where}", (json.dumps(kept), organization_id))  # noqa: S608
