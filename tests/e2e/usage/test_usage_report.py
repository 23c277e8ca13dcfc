"""`GET /usage`: what meters have come to."""

from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.billed_commands import billed_agent, command

OCTOBER = "2026-10"


async def test_usage_shows_meters_and_what_no_charge_meters(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await billed_agent(organization)
    project = await organization.project()
    free = await organization.agent("free", project_id=project["id"])
    unpriced = {"id": "x", "type": "search", "agent": "coder", "time": "2026-10-10T12:00:00Z"}
    await organization.key.report(command("1", "2.50"), command("2", "7", agent="free"), unpriced)
    await xyra.idle()
    usage = await organization.key.get("usage", period=OCTOBER)
    assert usage["period"] == {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
    assert usage["pending"] == 0
    rows = {(row["agent_id"], row["charge"], row["event_type"], row["quantity"]) for row in usage["data"]}
    assert rows == {
        (agent["id"], "commands", "command", "2.5"),
        (agent["id"], None, "search", "1"),
        (free["id"], None, "command", "7"),
    }
    assert {row["agent_id"] for row in (await organization.key.get("usage", period=OCTOBER, agent="free"))["data"]} == {
        free["id"]
    }
    of_project = await organization.key.get("usage", period=OCTOBER, project=project["id"])
    assert {row["agent_id"] for row in of_project["data"]} == {free["id"]}
