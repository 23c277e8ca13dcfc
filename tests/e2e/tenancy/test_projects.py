"""Projects: what agents and threads, and so usage, belong to."""

from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Xyra

Json = dict[str, Any]


async def test_projects_are_made_listed_changed_and_read(xyra: Xyra) -> None:
    organization = await xyra.organization()
    body = {"name": " Website ", "description": "The new one", "metadata": {"cost_center": 4711, "rate": 1.50}}
    answer = await organization.key.send("POST", "projects", body)
    made = answer.expect(201)
    assert made.pop("warnings") == []
    assert (made["name"], made["status"], made["gone_at"]) == ("Website", "active", None)
    assert made["metadata"] == {"cost_center": 4711, "rate": Decimal("1.50")}
    other = await organization.project("App")
    assert (await organization.key.get("projects"))["data"] == [other, made]
    page = await organization.key.get("projects", limit="1")
    assert page["data"] == [other]
    assert (await organization.key.get("projects", limit="1", cursor=page["next_cursor"]))["data"] == [made]

    etag = {"If-Match": answer.headers["ETag"]}
    path = f"projects/{made['id']}"
    changes = {"name": "Shop", "description": None}
    changed = (await organization.key.send("PATCH", path, changes, headers=etag)).expect(200)
    assert changed == made | changes
    (await organization.key.send("PATCH", path, {"name": "Late"}, headers=etag)).problem(412, "precondition_failed")
    assert await organization.key.get(path) == changed
    await organization.project("Website")  # its old name is free again


async def test_a_name_is_one_projects_only(xyra: Xyra) -> None:
    organization = await xyra.organization()
    made = await organization.project("Website")
    app = await organization.project("App")
    taken = await organization.key.send("POST", "projects", {"name": "WEBSITE"})
    assert taken.problem(409, "conflict") == ["/name"]
    renamed = await organization.key.send("PATCH", f"projects/{app['id']}", {"name": "website"})
    assert renamed.problem(409, "conflict") == ["/name"]
    rewritten = await organization.key.send("PATCH", f"projects/{made['id']}", {"name": "WebSite"})
    assert rewritten.expect(200)["name"] == "WebSite"
    await organization.department("Website")
    await (await xyra.organization()).project("Website")


async def test_an_archived_project_can_only_be_read(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    agent = await organization.agent(project_id=project["id"])
    path = f"projects/{project['id']}"
    archived = await organization.key.post(f"{path}/archive", expect=200)
    assert (archived["status"], archived["archived_at"] is None) == ("archived", False)
    assert await organization.key.post(f"{path}/archive", expect=200) == archived
    (await organization.key.send("PATCH", path, {"name": "Other"})).problem(409, "conflict")
    new = {"external_id": "new", "name": "New", "project_id": project["id"]}
    assert (await organization.key.send("POST", "agents", new)).problem(422, "validation") == ["/project_id"]
    thread = await organization.key.send("POST", "threads", {"project_id": project["id"]})
    assert thread.problem(422, "validation") == ["/project_id"]
    other = await organization.agent("other")
    moved = await organization.key.send("PATCH", f"agents/{other['id']}", {"project_id": project["id"]})
    assert moved.problem(422, "validation") == ["/project_id"]

    # Who is in it stays in it, and is metered.
    same = {"project_id": project["id"], "name": "Renamed"}
    (await organization.key.send("PATCH", f"agents/{agent['id']}", same)).expect(200)
    await organization.key.report({"id": "1", "type": "command", "agent": "coder"})
    await xyra.idle()
    (row,) = (await organization.key.get("usage", project=project["id"]))["data"]
    assert (row["agent_id"], row["quantity"]) == (agent["id"], "1")

    assert await organization.key.get("projects", status="active") == {"data": [], "next_cursor": None}
    assert (await organization.key.get("projects", status="archived"))["data"] == [archived]
    restored = await organization.key.post(f"{path}/restore", expect=200)
    assert restored == project
    await organization.key.post("agents", new)


async def test_a_deleted_project_can_be_taken_back_for_30_days(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-18T10:00:00Z")
    organization = await time_machine.xyra.organization()
    project = await organization.project()
    path = f"projects/{project['id']}"
    for day in (18, 19):  # deleting it again puts nothing off
        await time_machine.at(f"2026-11-{day}T10:00:00Z")
        (await organization.key.send("DELETE", path)).expect(204)
    deleted = await organization.key.get(path)
    assert (deleted["status"], deleted["gone_at"][:13]) == ("deleted", "2026-12-18T10")
    assert (await organization.key.get("projects"))["data"] == []
    assert (await organization.key.get("projects", status="deleted"))["data"] == [deleted]
    (await organization.key.send("PATCH", path, {"name": "Other"})).problem(409, "conflict")
    (await organization.key.send("POST", f"{path}/archive")).problem(409, "conflict")
    agent = {"external_id": "new", "name": "New", "project_id": project["id"]}
    assert (await organization.key.send("POST", "agents", agent)).problem(422, "validation") == ["/project_id"]
    (await organization.key.send("POST", "projects", {"name": "Website"})).problem(409, "conflict")

    await time_machine.at("2026-12-17T10:00:00Z")
    assert await organization.key.post(f"{path}/restore", expect=200) == project
    await time_machine.at("2027-01-30T10:00:00Z")
    assert await organization.key.get(path) == project
    (await organization.key.send("POST", "projects", {"name": "Website"})).problem(409, "conflict")

    (await organization.key.send("DELETE", path)).expect(204)
    await time_machine.at("2027-03-02T10:00:00Z")
    (await organization.key.send("GET", path)).problem(404, "not_found")
    (await organization.key.send("POST", f"{path}/restore")).problem(404, "not_found")
    await organization.project("Website")


@pytest.mark.walk
async def test_usage_rolls_up_by_project(xyra: Xyra) -> None:
    organization = await xyra.organization()
    website, app = [await organization.project(name) for name in ("Website", "App")]
    await organization.agent("a", project_id=website["id"])
    await organization.agent("b", project_id=website["id"])
    moving = await organization.agent("c", project_id=app["id"])
    await organization.key.report(
        *({"id": f"{agent}-{n}", "type": "command", "agent": agent} for agent in "abc" for n in range(3))
    )
    await xyra.idle()

    async def quantity(project: Json) -> Decimal:
        rows = (await organization.key.get("usage", project=project["id"]))["data"]
        return sum((Decimal(row["quantity"]) for row in rows), Decimal(0))

    assert (await quantity(website), await quantity(app)) == (6, 3)
    changed = await organization.key.send("PATCH", f"agents/{moving['id']}", {"project_id": None})
    assert changed.expect(200)["project_id"] is None
    assert await quantity(app) == 0


async def test_an_agents_project_is_its_organizations_own(xyra: Xyra) -> None:
    organization, other = await xyra.organization(), await xyra.organization()
    project, department = await other.project(), await organization.department()
    for wrong in (project["id"], department["id"], "prj_0", "p1", "a/b"):
        body = {"external_id": "x", "name": "X", "project_id": wrong}
        assert (await organization.key.send("POST", "agents", body)).problem(422, "validation") == ["/project_id"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/name"]),
        ({"name": " "}, ["/name"]),
        ({"name": "x" * 201}, ["/name"]),
        ({"name": None}, ["/name"]),
        ({"name": "X", "description": "x" * 2001}, ["/description"]),
        ({"name": "X", "metadata": {str(number): 1 for number in range(51)}}, ["/metadata"]),
        ({"name": "X", "metadata": {"text": "x" * 20_000}}, ["/metadata"]),
        ({"name": "X", "metadata": [1]}, ["/metadata"]),
        ({"name": "X", "status": "archived"}, ["/status"]),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("kind", ["projects", "departments"])
async def test_a_bad_one_is_refused(xyra: Xyra, kind: str, body: Json, pointers: list[str]) -> None:
    organization = await xyra.organization()
    assert (await organization.key.send("POST", kind, body)).problem(422, "validation") == pointers
    assert (await organization.key.get(kind))["data"] == []
