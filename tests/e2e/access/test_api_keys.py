"""API keys: made, used within their scopes, revoked."""

from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.two_organizations import TwoOrganizations

Json = Any


@pytest.mark.walk
async def test_an_owner_makes_and_revokes_keys_that_do_what_their_scopes_allow(xyra: Xyra) -> None:
    email = f"{uuid4().hex}@example.com"
    await xyra.sign_up(email)
    owner = await xyra.sign_in(email)
    made = await owner.post("api-keys", {"name": "Agents", "scopes": ["events:write", "agents:read"]})
    assert made.pop("warnings") == []
    assert made["token"].startswith(made["key_prefix"])
    assert len(made["token"]) == len("xyra_") + 32
    (listed,) = (await owner.get("api-keys"))["data"]
    assert listed == {name: value for name, value in made.items() if name != "token"}
    await owner.post("agents", {"external_id": "coder", "name": "Coder"})

    event = {"id": "1", "type": "command", "agent": "coder"}
    await xyra.bearing(made["token"]).post("events", event, expect=202)
    by_header = xyra.anonymous.with_headers(**{"X-API-Key": made["token"]})
    await by_header.post("events", event | {"id": "2"}, expect=202)
    assert [each["external_id"] for each in (await by_header.get("agents"))["data"]] == ["coder"]
    (await by_header.send("GET", "usage")).problem(403, "forbidden")

    (await owner.send("DELETE", f"api-keys/{made['id']}")).expect(204)
    (await by_header.send("GET", "agents")).problem(401, "unauthenticated")
    assert (await owner.get("api-keys"))["data"] == []


async def test_a_key_does_not_breed_keys_that_are_more_than_itself(xyra: Xyra) -> None:
    """What attackers tried: a key that expires made one without an end."""
    organization = await xyra.organization()
    scopes = ["api_keys:write", "api_keys:read", "events:write"]
    soon = "2026-11-18T11:00:00Z"
    body = {"name": "Soon", "scopes": scopes, "expires_at": soon, "organization_id": organization.id}
    made = await xyra.operator.post("api-keys", body)
    assert (made["root_id"], made["parent_id"]) == (made["id"], None)
    parent = xyra.bearing(made["token"])
    child = await parent.post("api-keys", {"name": "Child", "scopes": scopes})
    assert (child["root_id"], child["parent_id"], child["expires_at"]) == (made["id"], made["id"], soon)
    later = {"name": "Later", "scopes": scopes, "expires_at": "2026-11-18T11:00:01Z"}
    assert (await parent.send("POST", "api-keys", later)).problem(422, "validation") == ["/expires_at"]
    more = {"name": "More", "scopes": [*scopes, "agents:write"]}
    (await parent.send("POST", "api-keys", more)).problem(403, "forbidden")

    holder = xyra.bearing(child["token"])
    await holder.get("api-keys")
    (await organization.key.send("DELETE", f"api-keys/{made['id']}")).expect(204)
    for dead in (parent, holder):
        (await dead.send("GET", "api-keys")).problem(401, "unauthenticated")


async def test_an_equal_key_is_made_again_only_by_force(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    owner = xyra.bearing((await make(organization, name="Keys", scopes=["api_keys:write", "agents:read"]))["token"])
    body = {"name": "Agents", "scopes": ["agents:read", "api_keys:write"], "projects": None}
    made = (await owner.send("POST", "api-keys", body)).expect(201)
    assert made.pop("warnings") == []
    again = (await owner.send("POST", "api-keys", body | {"scopes": [*reversed(body["scopes"])]})).expect(200)
    assert again == {**{name: value for name, value in made.items() if name != "token"}, "reused": True}
    forced = (await owner.send("POST", "api-keys", body | {"force": True})).expect(201)
    assert forced["id"] != made["id"]
    assert forced["token"] != made["token"]
    others: list[Json] = [
        body | {"name": "Others"},
        body | {"scopes": ["agents:read"]},
        body | {"expires_at": "2026-11-18T12:00:00Z"},
        {"name": "Agents", "scopes": ["agents:read"], "projects": [project["id"]]},
        body | {"agent_wait_seconds": 0},
    ]
    for other in others:
        (await owner.send("POST", "api-keys", other)).expect(201)
    for key in (made, forced):
        await xyra.operator.post(f"api-keys/{key['id']}/deactivate", expect=200, organization_id=organization.id)
    (await owner.send("POST", "api-keys", body)).expect(201)


async def make(organization: Organization, **fields: Any) -> Json:
    return await organization.operator.post("api-keys", {"organization_id": organization.id, **fields})


async def test_a_key_shows_when_it_was_last_used_to_the_hour(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-10-01T10:00:00Z")
    organization = await time_machine.xyra.organization()
    made = await make(organization, name="Agents", scopes=["agents:read", "events:write"])
    assert made["last_used_at"] is None
    used, path = time_machine.xyra.bearing(made["token"]), f"api-keys/{made['id']}"

    async def shown(after: str) -> str:
        """Once it is written: no request waits for that."""
        seen: str = (await organization.key.get(path))["last_used_at"] or ""
        if seen <= after:
            return await shown(after)
        listed = {key["id"]: key for key in (await organization.key.get("api-keys"))["data"]}
        assert listed[made["id"]]["last_used_at"] == seen
        return seen

    etag = (await organization.key.send("GET", path)).headers["ETag"]
    for hour, minute in ((10, 0), (10, 50), (11, 1)):
        await time_machine.at(f"2027-10-01T{hour}:{minute:02}:30Z")
        await used.get("agents")
        seen = await shown(f"2027-10-01T{hour}:00")
        assert seen.startswith("2027-10-01T11:01" if hour == 11 else "2027-10-01T10:00")
    assert (await organization.key.send("GET", path)).headers["ETag"] == etag


REPORTING: Json = {
    "default_agent": None,
    "agent_wait_seconds": 300,
    "make_agents": None,
    "subject_is": "agent",
    "litellm_mapping": [],
}


async def test_a_key_says_how_what_it_reports_is_read(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent()
    model = await organization.model({"key": "platform", "type": "flat_fee", "amount": "1"})
    make = {"billing_model_id": model["id"]}
    project = await organization.project()
    mapping = [{"team": "research", "key": None, "organization_id": None, "project_id": project["id"]}]
    chosen = {"default_agent": "coder", "agent_wait_seconds": 0, "make_agents": make, "subject_is": "default_agent"}
    chosen["litellm_mapping"] = mapping
    keys = organization.key
    made = await keys.post("api-keys", {"name": "Traces", "scopes": ["events:write"], **chosen})
    assert made.pop("warnings") == []
    shown = {name: made[name] for name in REPORTING}
    assert shown == chosen | {"default_agent": agent["id"]}
    path = f"api-keys/{made['id']}"
    assert await keys.get(path) == {name: value for name, value in made.items() if name != "token"}

    changed = await keys.send("PATCH", path, {"agent_wait_seconds": 3600, "subject_is": "agent"})
    assert changed.expect(200) == (await keys.get(path)) | {"agent_wait_seconds": 3600, "subject_is": "agent"}
    clear: Json = {"default_agent": None, "make_agents": None, "litellm_mapping": [], "name": "New"}
    cleared = (await keys.send("PATCH", path, clear)).expect(200)
    assert {name: cleared[name] for name in REPORTING} == REPORTING | {"agent_wait_seconds": 3600}
    assert cleared["name"] == "New"
    stale = await keys.send("PATCH", path, {"name": "Lost"}, headers={"If-Match": changed.headers["ETag"]})
    stale.problem(412, "precondition_failed")
    event = {"id": "1", "type": "command", "agent": "coder"}
    await xyra.bearing(made["token"]).post("events", event, expect=202)


def bad_mappings(organization_id: str, project: str) -> list[tuple[Any, str]]:
    """Of an organization's key; each with the place of its mistake."""
    good = {"team": "research", "project_id": project}
    return [
        (None, "/litellm_mapping"),
        ([good] * 201, "/litellm_mapping"),
        ([{"project_id": project}], "/litellm_mapping/0"),
        ([good | {"key": "batch"}], "/litellm_mapping/0"),
        ([good, good], "/litellm_mapping/1"),
        ([good, {"team": "other"}], "/litellm_mapping/1/project_id"),
        ([good | {"project_id": "prj_nothing"}], "/litellm_mapping/0/project_id"),
        ([good | {"organization_id": organization_id}], "/litellm_mapping/0/organization_id"),
        ([good | {"team": ""}], "/litellm_mapping/0/team"),
        ([good | {"agent": "coder"}], "/litellm_mapping/0/agent"),
    ]


async def test_what_a_key_cannot_say_of_its_reports_is_refused(unchanged: TwoOrganizations) -> None:
    own, other = unchanged.own, unchanged.other
    key = {"name": "K", "scopes": ["events:write"]}
    project = (await own.key.get("projects"))["data"][0]["id"]
    bad: list[tuple[Json, str]] = [
        ({"default_agent": "nobody"}, "/default_agent"),
        ({"default_agent": unchanged.other_agent["id"]}, "/default_agent"),
        ({"default_agent": ""}, "/default_agent"),
        ({"agent_wait_seconds": -1}, "/agent_wait_seconds"),
        ({"agent_wait_seconds": 3601}, "/agent_wait_seconds"),
        ({"agent_wait_seconds": None}, "/agent_wait_seconds"),
        ({"agent_wait_seconds": True}, "/agent_wait_seconds"),
        ({"make_agents": {}}, "/make_agents/billing_model_id"),
        ({"make_agents": True}, "/make_agents"),
        ({"make_agents": {"billing_model_id": "bm_nothing"}}, "/make_agents/billing_model_id"),
        ({"make_agents": {"billing_model_id": unchanged.other_model["id"]}}, "/make_agents/billing_model_id"),
        ({"subject_is": "organization"}, "/subject_is"),
        ({"subject_is": "default_agent"}, "/subject_is"),
        ({"subject_is": "customer"}, "/subject_is"),
        *(({"litellm_mapping": entries}, pointer) for entries, pointer in bad_mappings(own.id, project)),
    ]
    listed = (await own.key.get("api-keys"))["data"][0]["id"]
    for fields, pointer in bad:
        for method, path, body in (("POST", "api-keys", key | fields), ("PATCH", f"api-keys/{listed}", fields)):
            assert (await own.key.send(method, path, body)).problem(422, "validation") == [pointer], fields
    operators = {"name": "K", "scopes": ["events:write"], "default_agent": "coder"}
    assert (await own.operator.send("POST", "api-keys", operators)).problem(422, "validation") == ["/default_agent"]
    unowned = {"name": "K", "scopes": ["events:write"], "make_agents": {"billing_model_id": unchanged.model["id"]}}
    answer = await own.operator.send("POST", "api-keys", unowned)
    assert answer.problem(422, "validation") == ["/make_agents/billing_model_id"]
    for entry, name in (
        ({"team": "research"}, "organization_id"),
        ({"team": "research", "organization_id": "nobody"}, "organization_id"),
        ({"team": "research", "organization_id": other.id, "project_id": project}, "project_id"),
    ):
        answer = await own.operator.send("POST", "api-keys", key | {"litellm_mapping": [entry]})
        assert answer.problem(422, "validation") == [f"/litellm_mapping/0/{name}"]
    foreign = (await other.key.get("api-keys"))["data"][0]["id"]
    (await own.key.send("PATCH", f"api-keys/{foreign}", {"name": "Mine"})).problem(404, "not_found")
    for fields in ({"scopes": ["events:read"]}, {"expires_at": "2027-01-01T00:00:00Z"}):
        (await own.key.send("PATCH", f"api-keys/{listed}", fields)).problem(422, "validation")


async def test_only_who_may_make_agents_lets_a_key_make_them(xyra: Xyra) -> None:
    organization = await xyra.organization()
    model = await organization.model({"key": "platform", "type": "flat_fee", "amount": "1"})
    maker = await xyra.key_of(organization.id, ["api_keys:write", "events:write"])
    body = {"name": "K", "scopes": ["events:write"]}
    make = {"make_agents": {"billing_model_id": model["id"]}}
    (await maker.send("POST", "api-keys", body | make)).problem(403, "forbidden")
    made = await maker.post("api-keys", body)
    (await maker.send("PATCH", f"api-keys/{made['id']}", make)).problem(403, "forbidden")
    (await organization.key.send("PATCH", f"api-keys/{made['id']}", make)).expect(200)
    renamed = (await maker.send("PATCH", f"api-keys/{made['id']}", {"name": "Renamed"})).expect(200)
    assert (renamed["name"], renamed["make_agents"]) == ("Renamed", make["make_agents"])


async def test_the_operators_own_key_may_read_subjects_as_organizations(xyra: Xyra) -> None:
    model = {"name": "M", "currency": "USD", "charges": [{"key": "p", "type": "flat_fee", "amount": "1"}]}
    operators = await xyra.operator.post("billing-models", model)
    body = {"name": "Proxy", "scopes": ["events:write"], "subject_is": "organization"}
    made = await xyra.operator.post("api-keys", body | {"make_agents": {"billing_model_id": operators["id"]}})
    assert (made["organization_id"], made["subject_is"]) == (None, "organization")
    assert made["make_agents"] == {"billing_model_id": operators["id"]}
