"""Keys of the operator's own stop with those of the staff who made them, as keys of organizations do."""

from uuid import uuid4

from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.mailbox import Mailbox
from tests.doubles.clients.xyra_client import PASSWORD, Client, Xyra
from tests.doubles.clients.xyra_process import OPERATOR


async def member_of_staff(xyra: Xyra, mailbox: Mailbox, operator: Client) -> tuple[str, Client]:
    """The id of a new one, signed in."""
    email = f"{uuid4().hex}@example.com"
    made = await operator.post("users", {"email": email, "name": "Grace Hopper", "operator_role": "system"})
    await xyra.anonymous.post("auth/password/forgot", {"email": email}, expect=202)
    body = {"token": await mailbox.token(email), "password": PASSWORD}
    await xyra.anonymous.post("auth/password/confirm", body, expect=204)
    return made["id"], await xyra.sign_in(email)


async def test_an_operators_key_stops_with_its_maker_until_it_is_adopted(
    time_machine: TimeMachine, travelling_host: Served
) -> None:
    await time_machine.at("2027-11-02T10:00:00Z")
    xyra = time_machine.xyra
    mailbox = Mailbox(travelling_host.process, xyra)
    operator = await xyra.sign_in(*OPERATOR)
    user_id, grace = await member_of_staff(xyra, mailbox, operator)
    scopes = ["organizations:read", "api_keys:write", "events:write"]
    made = await grace.post("api-keys", {"name": "Reconciliation", "scopes": scopes})
    assert made["created_by"] == user_id
    key = xyra.bearing(made["token"])
    child = xyra.bearing((await key.post("api-keys", {"name": "Child", "scopes": scopes}))["token"])
    organization = await xyra.organization()
    for_customer = await grace.post(
        "api-keys", {"name": "Theirs", "scopes": ["agents:read"], "organization_id": organization.id}
    )
    for each in (key, child):
        await each.get("organizations")
    operator = await xyra.sign_in(*OPERATOR)
    await operator.post(f"users/{user_id}/deactivate", expect=200)
    for each in (key, child):
        (await each.send("GET", "organizations")).problem(401, "unauthenticated")
    await xyra.bearing(for_customer["token"]).get("agents")
    (await xyra.operator.send("POST", f"api-keys/{made['id']}/adopt")).problem(403, "forbidden")
    adopted = await operator.post(f"api-keys/{made['id']}/adopt", expect=200)
    assert adopted["created_by"] == user_id
    assert adopted["adopted_by"] == (await operator.get("auth/me"))["user"]["id"]
    await key.get("organizations")
    (await child.send("GET", "organizations")).problem(401, "unauthenticated")
