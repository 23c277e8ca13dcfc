"""Filters of lists that name nothing there is: a typing error is not an empty list."""

from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.billed_commands import billed_agent, command

UNKNOWN = [
    ("usage", "agent", "codr"),
    ("usage", "charge", "comands"),
    ("usage", "project", "prj_00000000000000000000000000"),
    ("usage", "department", "support"),
    ("events", "agent", "codr"),
    ("outcomes", "agent", "codr"),
    ("outcomes/billing-ready", "agent", "codr"),
    ("outcomes/statistics", "agent", "codr"),
    ("agents", "project_id", "website"),
    ("agents", "department_id", "dep_00000000000000000000000000"),
    ("runs", "agent", "codr"),
    ("runs", "thread_id", "thr_00000000000000000000000000"),
    ("runs", "project_id", "website"),
    ("threads", "project_id", "website"),
]


@pytest.mark.parametrize(("path", "name", "value"), UNKNOWN, ids=lambda value: str(value)[:20])
async def test_a_filter_that_names_nothing_is_refused(xyra: Xyra, path: str, name: str, value: str) -> None:
    organization = await xyra.organization()
    await billed_agent(organization)
    (refused,) = (await organization.key.send("GET", path, **{name: value})).problem(422, "validation")
    assert refused == f"?{name}"


async def test_so_is_the_agent_of_a_bulk(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await organization.operator.send(
        "POST", "outcomes/verify", {"filter": {"agent": "codr"}}, organization_id=organization.id
    )
    assert answer.problem(422, "validation") == ["/filter/agent"]


async def test_what_there_is_may_have_nothing_to_list(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await billed_agent(organization)
    project, department = await organization.project(), await organization.department()
    thread = await organization.key.post("threads", {})

    async def listed(path: str, **query: str) -> list[Any]:
        data: list[Any] = (await organization.key.get(path, **query))["data"]
        return data

    for path, query in (
        ("usage", {"agent": "coder", "charge": "commands", "period": "2026-10"}),
        ("usage", {"project": project["id"]}),
        ("usage", {"department": department["id"]}),
        ("events", {"agent": "coder"}),
        ("outcomes", {"agent": "coder"}),
        ("agents", {"project_id": project["id"], "department_id": department["id"]}),
        ("runs", {"agent": "coder", "thread_id": thread["id"], "project_id": project["id"]}),
        ("threads", {"project_id": project["id"]}),
    ):
        assert await listed(path, **query) == [], (path, query)


async def test_what_has_ended_is_still_found_by_its_name(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project, department = await organization.project(), await organization.department()
    agent = await billed_agent(organization)
    belongs = {"project_id": project["id"], "department_id": department["id"]}
    (await organization.key.send("PATCH", f"agents/{agent['id']}", belongs)).expect(200)
    await organization.key.report(command("1", "2"))
    await xyra.idle()
    for path in (f"departments/{department['id']}", f"projects/{project['id']}", f"agents/{agent['id']}"):
        (await organization.key.send("DELETE", path)).expect(204)

    async def quantities(owner: Organization, **query: str) -> list[str]:
        rows = (await owner.key.get("usage", period="2026-10", **query))["data"]
        return [row["quantity"] for row in rows]

    for query in ({"agent": "coder"}, {"project": project["id"]}, {"department": department["id"]}):
        assert await quantities(organization, **query, charge="commands") == ["2"]
