"""Members over HTTP: invited by mail, given roles, removed; their seats, keys and accounts."""

from typing import Any

from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.mailbox import Mailbox
from tests.doubles.worlds.invited_people import InvitedPeople

Json = dict[str, Any]
MARCH = "2028-03-01T00:00:00Z"


async def scene(time_machine: TimeMachine, travelling_host: Served, moment: str) -> InvitedPeople:
    await time_machine.at(moment)
    organization = await time_machine.xyra.organization()
    return InvitedPeople(time_machine.xyra, Mailbox(travelling_host.process, time_machine.xyra), organization)


async def test_people_are_invited_work_and_leave(time_machine: TimeMachine, travelling_host: Served) -> None:
    people = await scene(time_machine, travelling_host, "2027-03-01T10:00:00Z")
    owner = await people.join("owner", "owner")
    client = await people.client("owner")
    invitation = await people.invite("late@example.com", "viewer", client)
    assert [each["email"] for each in (await client.get("invitations"))["data"]] == ["late@example.com"]
    (await client.send("DELETE", f"invitations/{invitation['id']}")).expect(204)
    assert (await client.get("invitations"))["data"] == []

    developer = await people.join("developer", "developer", client)
    listed = {member["email"]: member for member in (await client.get("members"))["data"]}
    assert {email: member["role"] for email, member in listed.items()} == {
        owner.email: "owner",
        developer.email: "developer",
    }
    assert listed[developer.email]["user_id"] == developer.user_id
    theirs = await people.client("developer")
    assert (await theirs.get("auth/me"))["role"] == "developer"
    changed = (await client.send("PATCH", f"members/{developer.member_id}", {"role": "admin"})).expect(200)
    assert changed["role"] == "admin"
    (await theirs.send("GET", "members")).problem(401, "unauthenticated")

    theirs = await people.client("developer")
    key = await theirs.post("api-keys", {"name": "Key", "scopes": ["agents:read"]})
    assert key["created_by"] == developer.user_id
    holder = people.xyra.bearing(key["token"])
    await holder.get("agents")
    (await client.send("DELETE", f"members/{developer.member_id}")).expect(204)
    for ended in (theirs, holder):
        (await ended.send("GET", "agents")).problem(401, "unauthenticated")
    adopted = (await client.send("POST", f"api-keys/{key['id']}/adopt")).expect(200)
    assert (adopted["created_by"], adopted["adopted_by"]) == (developer.user_id, owner.user_id)
    await holder.get("agents")
    (await client.send("POST", f"api-keys/{key['id']}/deactivate")).expect(200)
    (await holder.send("GET", "agents")).problem(401, "unauthenticated")
    assert (await client.get(f"api-keys/{key['id']}"))["is_active"] is False


async def test_seats_of_an_ended_month_stay_when_a_member_leaves(
    time_machine: TimeMachine, travelling_host: Served
) -> None:
    """Two members at 10.00 each for March; one leaves in April, and March stays as it was."""
    people = await scene(time_machine, travelling_host, "2028-02-25T10:00:00Z")
    await people.join("owner", "owner")
    leaving = await people.join("leaving", "viewer")
    organization = people.organization
    pricing = {"type": "per_unit", "unit_amount": "10"}
    seats = {"key": "seats", "type": "seat", "quantity": "members", "pricing": pricing, "interval": "month"}
    model = await organization.model(seats, effective_from="2028-02-26T00:00:00Z")
    await organization.agent(billing_model_id=model["id"], billing_model_from="2028-03-01T00:00:00Z")
    await time_machine.at("2028-04-03T10:00:00Z")
    before = await organization.invoices()
    assert [invoice["total"] for invoice in before if invoice["period"]["start"] == MARCH] == ["20.00"]
    client = await people.client("owner")
    (await client.send("DELETE", f"members/{leaving.member_id}")).expect(204)
    await time_machine.at("2028-04-04T10:00:00Z")
    assert (await organization.preview("2028-03"))["lines"] == []
    assert await organization.invoices() == before


async def test_a_member_limited_to_a_project_sees_it_alone(time_machine: TimeMachine, travelling_host: Served) -> None:
    people = await scene(time_machine, travelling_host, "2027-05-01T10:00:00Z")
    own, other = await people.organization.project("own"), await people.organization.project("other")
    await people.organization.agent("own-coder", project_id=own["id"])
    await people.organization.agent("other-coder", project_id=other["id"])
    limited = await people.join("limited", "viewer", projects=[{"id": own["id"], "role": "admin"}])
    client = await people.client("limited")
    assert [agent["external_id"] for agent in (await client.get("agents"))["data"]] == ["own-coder"]
    for path in ("members", "invoices", "invitations", f"organizations/{people.organization.id}/settings"):
        (await client.send("GET", path)).problem(403, "forbidden")
    (user,) = (await client.get("users"))["data"]
    assert user["id"] == limited.user_id
    made = await client.post("api-keys", {"name": "Mine", "scopes": ["agents:read", "events:write"]})
    assert made["projects"] == [own["id"]]


async def test_a_user_changes_what_is_their_own(time_machine: TimeMachine, travelling_host: Served) -> None:
    people = await scene(time_machine, travelling_host, "2027-06-01T10:00:00Z")
    owner = await people.join("owner", "owner")
    client = await people.client("owner")
    patch = {"full_name": "Grace King", "notification_preferences": {"product": True}}
    changed = (await client.send("PATCH", "users/me", patch)).expect(200)
    assert changed["notification_preferences"] == {"billing": True, "usage": True, "product": True}
    assert await client.get("users/me") == changed == await client.get(f"users/{owner.user_id}")
    for field in ("organization_id", "role", "operator_role", "status", "email", "organization_ids"):
        answer = await client.send("PATCH", "users/me", {field: "admin"})
        assert answer.problem(422, "validation") == [f"/{field}"]
    (await client.send("POST", f"users/{owner.user_id}/deactivate")).problem(409, "last_owner")
