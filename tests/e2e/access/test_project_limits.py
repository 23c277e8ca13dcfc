"""Members and keys that are limited to projects: what they see and do there, and nothing else."""

from typing import Any
from uuid import uuid4

from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]
SCOPES = [
    *("agents:read", "agents:write", "events:read", "events:write", "outcomes:read", "outcomes:verify"),
    *("usage:read", "projects:read", "api_keys:read", "api_keys:write"),
]


async def scene(xyra: Xyra, name: str) -> tuple[Organization, Json, Json, Client]:
    """An organization with two projects, each with an agent, and a key limited to the first one."""
    organization = await xyra.organization(name=name)
    own, other = await organization.project("own"), await organization.project("other")
    await organization.agent("own-coder", project_id=own["id"])
    await organization.agent("other-coder", project_id=other["id"])
    await organization.agent("nobody's-coder")
    body = {"name": "Own", "organization_id": organization.id, "scopes": SCOPES, "projects": [own["id"]]}
    made = await xyra.operator.post("api-keys", body)
    assert made["projects"] == [own["id"]]
    return organization, own, other, xyra.bearing(made["token"])


async def test_lists_and_figures_have_only_what_is_in_the_projects(xyra: Xyra) -> None:
    organization, own, other, key = await scene(xyra, "Lists")
    agents = ("own-coder", "other-coder", "nobody's-coder")
    await organization.key.report(
        *({"id": agent, "type": "command", "agent": agent} for agent in agents),
        *({"id": f"won by {agent}", "type": "outcome.won", "agent": agent, "data": {"value": 5}} for agent in agents),
    )
    for agent, project in (("own-coder", own), ("other-coder", other), ("nobody's-coder", None)):
        await organization.key.post("runs", {"key": f"run of {agent}", "agent": agent})
        belongs = {} if project is None else {"project_id": project["id"]}
        await organization.key.post("threads", {"title": f"of {agent}", **belongs})
    await xyra.idle()

    assert [agent["external_id"] for agent in (await key.get("agents"))["data"]] == ["own-coder"]
    assert [project["id"] for project in (await key.get("projects"))["data"]] == [own["id"]]
    assert [run["key"] for run in (await key.get("runs"))["data"]] == ["run of own-coder"]
    assert [thread["title"] for thread in (await key.get("threads"))["data"]] == ["of own-coder"]
    assert {event["id"] for event in (await key.get("events"))["data"]} == {"own-coder", "won by own-coder"}
    (outcome,) = (await key.get("outcomes"))["data"]
    assert outcome["external_event_id"] == "won by own-coder"
    assert (await key.get("outcomes/statistics"))["count"] == 1
    assert (await organization.key.get("outcomes/statistics"))["count"] == 3
    own_agent = outcome["agent_id"]
    assert {row["agent_id"] for row in (await key.get("usage"))["data"]} == {own_agent}
    assert [made["name"] for made in (await key.get("api-keys"))["data"]] == ["Own"]
    identity = {"source": "api", "id": "other-coder"}
    assert (await key.get("events", **identity))["data"] == []
    assert (await organization.key.get("events", **identity))["data"] != []
    assert (await key.get("runs/by-key/run of own-coder"))["event_count"] == 0
    (await key.send("GET", "runs/by-key/run of other-coder")).problem(404, "not_found")
    (await key.send("GET", "runs/by-key", key="run of nobody's-coder")).problem(404, "not_found")


async def test_usage_is_reported_for_agents_of_the_projects_alone(xyra: Xyra) -> None:
    organization, _, _, key = await scene(xyra, "Reports")
    events = [{"id": agent, "type": "command", "agent": agent} for agent in ("own-coder", "other-coder")]
    assert (await key.send("POST", "events", events)).problem(422, "validation") == ["/1/agent"]
    accepted = await key.post("events", events, partial="true", expect=202)
    assert [event["id"] for event in accepted["events"]] == ["own-coder"]
    for agent, status in (("own-coder", 202), ("other-coder", 404), ("nobody's-coder", 404)):
        answer = await key.send("POST", f"agents/{agent}/activities", {"activity_type": "command"})
        answer.expect(status)
    await xyra.idle()
    assert {row["quantity"] for row in (await organization.key.get("usage"))["data"]} == {"2"}


async def test_other_protocols_report_for_agents_of_the_projects_alone(xyra: Xyra) -> None:
    organization, _, _, key = await scene(xyra, "Protocols")
    events = [
        {"specversion": "1.0", "id": agent, "source": "s", "type": "command", "subject": agent}
        for agent in ("own-coder", "other-coder")
    ]
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    for event in events:
        await key.send(
            "POST",
            "/openmeter/api/v1/events",
            event,
            headers={**headers, "Content-Type": "application/cloudevents+json"},
        )
    await xyra.idle()
    assert [event["id"] for event in (await organization.key.get("events"))["data"]] == ["own-coder"]


async def test_what_is_made_or_moved_stays_in_the_projects(xyra: Xyra) -> None:
    organization, own, other, key = await scene(xyra, "Makes")
    agent = {"external_id": "made", "name": "Made"}
    assert (await key.send("POST", "agents", agent)).problem(422, "validation") == ["/project_id"]
    for project_id in (other["id"], "prj_1"):
        answer = await key.send("POST", "agents", agent | {"project_id": project_id})
        assert answer.problem(422, "validation") == ["/project_id"]
    made = await key.post("agents", agent | {"project_id": own["id"]})
    for project_id in (other["id"], None):
        answer = await key.send("PATCH", f"agents/{made['id']}", {"project_id": project_id})
        assert answer.problem(422, "validation") == ["/project_id"]
    (await key.send("PATCH", f"agents/{made['id']}", {"name": "Renamed"})).expect(200)
    assert (await key.send("POST", "runs", {"key": "of nobody"})).problem(422, "validation") == ["/agent"]
    assert (await key.send("POST", "runs", {"agent": "other-coder"})).problem(422, "validation") == ["/agent"]
    await key.post("runs", {"agent": "made"})
    assert (await key.send("POST", "threads", {})).problem(422, "validation") == ["/project_id"]
    thread = await key.post("threads", {"project_id": own["id"]})
    await key.post("runs", {"thread_id": thread["id"]})
    moved = {"project_id": other["id"]}
    (await organization.key.send("PATCH", f"agents/{made['id']}", moved)).expect(200)
    (await key.send("GET", f"agents/{made['id']}")).problem(404, "not_found")


async def test_what_is_about_the_whole_organization_is_refused(xyra: Xyra) -> None:
    organization, own, _, key = await scene(xyra, "Whole")
    refused = (
        *("invoices", "invoices/preview", "members", "departments", "ingestion", "billing-models", "llm-costs"),
        *(f"organizations/{organization.id}", f"organizations/{organization.id}/settings", "llm-prices"),
    )
    for path in refused:
        (await key.send("GET", path)).problem(403, "forbidden")
    (await key.send("PATCH", f"projects/{own['id']}", {"name": "New"})).problem(403, "forbidden")


async def test_a_limited_key_makes_keys_of_its_projects_alone(xyra: Xyra) -> None:
    _, own, other, key = await scene(xyra, "Keys")
    child = await key.post("api-keys", {"name": f"Child {uuid4().hex}", "scopes": ["agents:read"]})
    assert child["projects"] == [own["id"]]
    more = {"name": "More", "scopes": ["agents:read"], "projects": [other["id"]]}
    (await key.send("POST", "api-keys", more)).problem(403, "forbidden")
    assert {made["name"] for made in (await key.get("api-keys"))["data"]} == {"Own", child["name"]}
