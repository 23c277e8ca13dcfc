"""A deleted organization's own credentials read for a while, and then nothing; the operator's are as before."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import PASSWORD, Client

Json = dict[str, Any]

DELETED = datetime(2027, 3, 10, 9, 30, tzinfo=UTC)


def event(number: int) -> Json:
    return {"id": f"late-{number}", "type": "command", "agent": "coder", "time": "2027-03-10T09:00:00Z"}


async def reads(client: Client) -> None:
    await client.get("agents")
    await client.get("invoices")
    await client.get("usage", period="2027-03")


async def test_its_credentials_read_for_30_days_and_then_nothing(time_machine: TimeMachine) -> None:
    xyra, email = time_machine.xyra, f"{uuid4().hex}@example.com"
    await time_machine.at((DELETED - timedelta(days=1)).isoformat())
    organization_id = (await xyra.sign_up(email))["organization"]["id"]
    key = await xyra.key_of(organization_id)
    await key.post("agents", {"external_id": "coder", "name": "Coder"})

    await time_machine.at(DELETED.isoformat())
    owner = await xyra.sign_in(email)
    await key.report(event(0))
    (await xyra.operator.send("DELETE", f"organizations/{organization_id}")).expect(204)
    for client in (key, owner, await xyra.sign_in(email)):
        await reads(client)
        for method, path, body in (
            ("POST", "projects", {"name": "Website"}),
            ("PATCH", f"organizations/{organization_id}", {"name": "Other"}),
            ("POST", "api-keys", {"name": "Another", "scopes": ["agents:read"]}),
        ):
            (await client.send(method, path, body)).problem(403, "organization_deleted")
    await time_machine.at((DELETED + timedelta(minutes=5)).isoformat())
    (await key.send("POST", "events", event(1))).problem(403, "organization_deleted")
    await xyra.operator.report(event(2) | {"organization": organization_id})
    await xyra.idle()
    assert {each["id"] for each in (await key.get("events"))["data"]} == {"late-0", "late-2"}

    await time_machine.at((DELETED + timedelta(days=30, minutes=-1)).isoformat())
    await reads(key)
    await reads(await xyra.sign_in(email))

    await time_machine.at((DELETED + timedelta(days=30, minutes=1)).isoformat())
    (await key.send("GET", "agents")).problem(401, "unauthenticated")
    form = {"username": email, "password": PASSWORD}
    (await xyra.anonymous.send("POST", "auth/login", form=form)).problem(401, "unauthenticated")
    assert (await xyra.operator.get(f"organizations/{organization_id}"))["status"] == "deleted"
    assert (await xyra.operator.get("events", organization_id=organization_id))["data"]


async def test_an_organization_that_is_not_deleted_is_not_touched(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at((DELETED + timedelta(days=31)).isoformat())
    other = await xyra.organization()
    await other.agent("coder")
    await other.key.report({"id": "one", "type": "command", "agent": "coder"})
