"""Agents: every field, every filter."""

from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

START = "2026-10-01T00:00:00Z"


async def listed(organization: Organization, **query: str) -> list[str]:
    return [each["external_id"] for each in (await organization.key.get("agents", **query))["data"]]


async def test_every_field_is_kept_changed_and_cleared(xyra: Xyra) -> None:
    organization = await xyra.organization()
    model = await organization.model({"key": "fee", "type": "flat_fee", "amount": "1"}, effective_from=START)
    project, department = await organization.project(), await organization.department()
    body = {
        "external_id": "coder",
        "name": "Coder",
        "description": "Writes patches",
        "type": "coding",
        "capabilities": ["read", "write"],
        "config": {"model": {"name": "x"}},
        "project_id": project["id"],
        "department_id": department["id"],
        "billing_model_id": model["id"],
        "billing_model_from": START,
    }
    made = await organization.key.post("agents", body)
    assert {name: made[name] for name in body} == body
    assert (made["organization_id"], made["status"], made["is_active"]) == (organization.id, "active", True)
    assert made.pop("warnings") == []
    path = f"agents/{made['id']}"
    changes: Json = {
        "external_id": "writer",
        "name": "Writer",
        "description": None,
        "type": None,
        "capabilities": [],
        "config": None,
        "project_id": None,
        "department_id": None,
        "is_active": False,
    }
    changed = (await organization.key.send("PATCH", path, changes)).expect(200)
    assert changed == made | changes | {"config": {}, "status": "inactive"}
    assert await organization.key.get(path) == changed
    assert await organization.key.get("agents/external/writer") == changed
    (await organization.key.send("GET", "agents/external/coder")).problem(404, "not_found")


async def test_every_filter(xyra: Xyra) -> None:
    organization, other = await xyra.organization(), await xyra.organization()
    projects = [await organization.project(name) for name in ("Website", "App")]
    department = await organization.department()
    await organization.agent("a", project_id=projects[0]["id"], department_id=department["id"])
    idle = await organization.agent("b", project_id=projects[0]["id"])
    await organization.agent("c", project_id=projects[1]["id"], department_id=department["id"])
    await organization.agent("d")
    (await organization.key.send("PATCH", f"agents/{idle['id']}", {"is_active": False})).expect(200)
    await other.agent("e")
    assert await listed(organization) == ["d", "c", "b", "a"]
    assert await listed(organization, project_id=projects[0]["id"]) == ["b", "a"]
    assert await listed(organization, department_id=department["id"]) == ["c", "a"]
    assert await listed(organization, project_id=projects[0]["id"], department_id=department["id"]) == ["a"]
    assert await listed(organization, active="true") == ["d", "c", "a"]
    assert await listed(organization, active="false") == ["b"]
    assert await listed(organization, active="false", project_id=projects[1]["id"]) == []
    for each in (organization, other):
        by_operator = (await xyra.operator.get("agents", organization_id=each.slug))["data"]
        assert [agent["external_id"] for agent in by_operator] == await listed(each)


async def test_events_say_when_an_agent_was_last_active(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent, other = await organization.agent(), await organization.agent("other")

    async def last_active(of: Json) -> Any:
        return (await organization.key.get(f"agents/{of['id']}"))["last_active_at"]

    assert await last_active(agent) is None
    for number, (time, expected) in enumerate(
        [
            ("2026-11-10T12:00:00Z", "2026-11-10T12:00:00Z"),
            ("2026-11-12T12:00:00Z", "2026-11-12T12:00:00Z"),
            ("2026-11-11T12:00:00Z", "2026-11-12T12:00:00Z"),  # a late one says nothing new
        ]
    ):
        await organization.key.report({"id": f"{number}", "type": "command", "agent": "coder", "time": time})
        await xyra.idle()
        assert await last_active(agent) == expected
    assert await last_active(other) is None


@pytest.mark.walk
async def test_agents_are_made_found_changed_and_ended(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    answer = await organization.key.send(
        "POST",
        "agents",
        {
            "external_id": "bots/Ä?1",
            "name": "Bot",
            "type": "chat",
            "capabilities": ["talk"],
            "config": {"temperature": 0.7, "nested": [1, None]},
            "project_id": project["id"],
        },
    )
    made = answer.expect(201)
    assert made.pop("warnings") == []
    assert made["status"] == "active"
    assert made["config"] == {"temperature": Decimal("0.7"), "nested": [1, None]}
    assert await organization.key.get(f"agents/{made['id']}") == made
    assert (await organization.key.get("agents", external_id="bots/Ä?1"))["data"] == [made]
    other = await organization.agent("other")
    assert await organization.key.get("agents/external/other") == other
    assert [each["id"] for each in (await organization.key.get("agents"))["data"]] == [other["id"], made["id"]]
    assert [each["id"] for each in (await organization.key.get("agents", project_id=project["id"]))["data"]] == [
        made["id"]
    ]

    etag = {"If-Match": answer.headers["ETag"]}
    changed = await organization.key.send("PATCH", f"agents/{made['id']}", {"is_active": False}, headers=etag)
    assert changed.expect(200) == made | {"is_active": False, "status": "inactive"}
    stale = await organization.key.send("PATCH", f"agents/{made['id']}", {"name": "Late"}, headers=etag)
    stale.problem(412, "precondition_failed")
    (await organization.key.send("DELETE", f"agents/{made['id']}")).expect(204)
    (await organization.key.send("GET", f"agents/{made['id']}")).problem(404, "not_found")
    assert [each["id"] for each in (await organization.key.get("agents"))["data"]] == [other["id"]]
    (await organization.key.send("POST", "agents", {"external_id": "other", "name": "Twin"})).problem(409, "conflict")


async def test_an_agent_is_listed_by_its_external_id_where_it_passes_the_other_filters(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    agent = await organization.agent("a%2Fb/c", project_id=project["id"])
    await organization.agent("other")

    async def listed(**filters: str) -> list[str]:
        page = await organization.key.get("agents", external_id="a%2Fb/c", **filters)
        assert page["next_cursor"] is None
        return [each["id"] for each in page["data"]]

    assert await listed() == await listed(project_id=project["id"], active="true") == [agent["id"]]
    assert await listed(active="false") == []
    assert (await organization.key.get("agents", external_id="nobody"))["data"] == []
    (await organization.key.send("DELETE", f"agents/{agent['id']}")).expect(204)
    assert await listed() == []


async def test_a_slash_in_a_path_value_is_one_of_the_path(xyra: Xyra) -> None:
    """As on Azure: whatever contains one is found by the query parameter."""
    organization = await xyra.organization()
    await organization.agent("a/b")
    (await organization.key.send("GET", "/api/v1/agents/external/a%2Fb")).problem(404, "not_found")
