"""Threads: conversations that group runs."""

from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Xyra


async def test_threads_are_made_listed_and_changed(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    body = {"title": "Where is my parcel?", "project_id": project["id"], "metadata": {"channel": "chat"}}
    answer = await organization.key.send("POST", "threads", body)
    made = answer.expect(201)
    assert {name: made[name] for name in body} == body
    bare = await organization.key.post("threads", {})
    assert (bare["title"], bare["project_id"], bare["metadata"]) == (None, None, {})
    assert (await organization.key.get("threads"))["data"] == [bare, made]
    assert (await organization.key.get("threads", project_id=project["id"]))["data"] == [made]
    path = f"threads/{made['id']}"
    changes = {"title": None, "metadata": {"channel": "mail"}}
    etag = {"If-Match": answer.headers["ETag"]}
    changed = (await organization.key.send("PATCH", path, changes, headers=etag)).expect(200)
    assert changed == made | changes
    assert await organization.key.get(path) == changed
    (await organization.key.send("PATCH", path, changes, headers=etag)).problem(412, "precondition_failed")


async def test_a_thread_of_an_archived_or_deleted_project_can_only_be_read(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    path = f"projects/{project['id']}"
    thread = await organization.key.post("threads", {"project_id": project["id"], "title": "Before"})
    run = await organization.key.post("runs", {"thread_id": thread["id"]})
    del run["warnings"]
    agents_run = {"agent": (await organization.agent(project_id=project["id"]))["id"]}
    for method, route in (("POST", f"{path}/archive"), ("DELETE", path)):
        (await organization.key.send(method, route)).expect(200 if method == "POST" else 204)
        for changes in ({"title": "Other"}, {"project_id": project["id"]}, {"project_id": None}):
            refused = await organization.key.send("PATCH", f"threads/{thread['id']}", changes)
            refused.problem(409, "conflict")
        refused = await organization.key.send("POST", "runs", {"thread_id": thread["id"]})
        assert refused.problem(422, "validation") == ["/thread_id"]
        assert await organization.key.get(f"threads/{thread['id']}") == thread
        assert (await organization.key.get("runs", thread_id=thread["id"]))["data"] == [run]
        assert (await organization.key.post("runs", agents_run))["project_id"] == project["id"]
    moved = await organization.key.send("PATCH", f"runs/{run['id']}", {"status": "running"})
    assert moved.expect(200)["status"] == "running"
    await organization.key.post(f"{path}/restore", expect=200)
    await organization.key.post("runs", {"thread_id": thread["id"]})
    (await organization.key.send("PATCH", f"threads/{thread['id']}", {"title": "Other"})).expect(200)


async def test_a_thread_whose_project_is_gone_can_be_put_elsewhere(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-18T10:00:00Z")
    organization = await time_machine.xyra.organization()
    project, other = await organization.project(), await organization.project("Other")
    thread = await organization.key.post("threads", {"project_id": project["id"]})
    (await organization.key.send("DELETE", f"projects/{project['id']}")).expect(204)
    await time_machine.at("2026-12-20T00:00:00Z")
    path = f"threads/{thread['id']}"
    (await organization.key.send("PATCH", path, {"title": "Left over"})).expect(200)
    moved = (await organization.key.send("PATCH", path, {"project_id": other["id"]})).expect(200)
    assert (moved["title"], moved["project_id"]) == ("Left over", other["id"])


async def test_making_one_again_gives_the_same(xyra: Xyra) -> None:
    organization = await xyra.organization()
    key = {"Idempotency-Key": "one"}
    first = await organization.key.post("threads", {"title": "T"}, headers=key)
    assert await organization.key.post("threads", {"title": "T"}, headers=key) == first
    other = await organization.key.send("POST", "threads", {"title": "U"}, headers=key)
    other.problem(409, "idempotency_conflict")
    assert (await organization.key.get("threads"))["data"] == [first]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"title": "x" * 201}, ["/title"]),
        ({"title": 7}, ["/title"]),
        ({"project_id": "prj_0"}, ["/project_id"]),
        ({"project_id": ""}, ["/project_id"]),
        ({"metadata": None}, ["/metadata"]),
        ({"surprise": 1}, ["/surprise"]),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_bad_thread_is_refused(xyra: Xyra, body: dict[str, Any], pointers: list[str]) -> None:
    organization = await xyra.organization()
    assert (await organization.key.send("POST", "threads", body)).problem(422, "validation") == pointers
    assert (await organization.key.get("threads"))["data"] == []
