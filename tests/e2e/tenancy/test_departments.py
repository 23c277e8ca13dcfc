"""Departments: whose costs they are."""

from decimal import Decimal

from tests.doubles.clients.xyra_client import Xyra


async def test_departments_are_made_listed_changed_and_deleted(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await organization.key.send("POST", "departments", {"name": "Support", "metadata": {"head": "Ada"}})
    made = answer.expect(201)
    other = await organization.department("Sales")
    assert (await organization.key.get("departments"))["data"] == [other, made]
    path, etag = f"departments/{made['id']}", {"If-Match": answer.headers["ETag"]}
    changed = (await organization.key.send("PATCH", path, {"name": "Help"}, headers=etag)).expect(200)
    assert changed == made | {"name": "Help"}
    assert await organization.key.get(path) == changed
    (await organization.key.send("DELETE", path, headers=etag)).problem(412, "precondition_failed")
    (await organization.key.send("DELETE", path)).expect(204)
    (await organization.key.send("GET", path)).problem(404, "not_found")
    (await organization.key.send("DELETE", path)).problem(404, "not_found")
    assert (await organization.key.get("departments"))["data"] == [other]
    await organization.department("Help")  # its name is free


async def test_a_name_is_one_departments_only(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.department("Support")
    sales = await organization.department("Sales")
    taken = await organization.key.send("POST", "departments", {"name": "support"})
    assert taken.problem(409, "conflict") == ["/name"]
    renamed = await organization.key.send("PATCH", f"departments/{sales['id']}", {"name": "SUPPORT"})
    assert renamed.problem(409, "conflict") == ["/name"]


async def test_usage_rolls_up_by_department_even_when_it_is_deleted(xyra: Xyra) -> None:
    organization = await xyra.organization()
    support, sales = await organization.department("Support"), await organization.department("Sales")
    agents = [await organization.agent(f"s{n}", department_id=support["id"]) for n in range(2)]
    await organization.agent("other", department_id=sales["id"])
    await organization.key.report(
        *({"id": agent, "type": "command", "agent": agent, "data": {"quantity": 2}} for agent in ("s0", "s1", "other"))
    )
    await xyra.idle()
    listed = (await organization.key.get("agents", department_id=support["id"]))["data"]
    assert {each["id"] for each in listed} == {each["id"] for each in agents}

    async def quantity() -> Decimal:
        rows = (await organization.key.get("usage", department=support["id"]))["data"]
        return sum((Decimal(row["quantity"]) for row in rows), Decimal(0))

    assert await quantity() == 4
    (await organization.key.send("DELETE", f"departments/{support['id']}")).expect(204)
    assert await quantity() == 4
    body = {"external_id": "late", "name": "Late", "department_id": support["id"]}
    assert (await organization.key.send("POST", "agents", body)).problem(422, "validation") == ["/department_id"]


async def test_an_agents_department_is_its_organizations_own(xyra: Xyra) -> None:
    organization, other = await xyra.organization(), await xyra.organization()
    department, project = await other.department(), await organization.project()
    agent = await organization.agent()
    for wrong in (department["id"], project["id"], "dep_0", "support"):
        moved = await organization.key.send("PATCH", f"agents/{agent['id']}", {"department_id": wrong})
        assert moved.problem(422, "validation") == ["/department_id"]
    assert (await organization.key.get(f"agents/{agent['id']}"))["department_id"] is None
