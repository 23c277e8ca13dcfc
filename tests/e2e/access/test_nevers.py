"""What nobody can do, however they ask: each is tried over HTTP, and nothing has changed afterwards."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.mailbox import UNTIL_SWEPT, Mailbox
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Client
from tests.doubles.worlds.invited_people import InvitedPeople

Json = dict[str, Any]
Kept = dict[str, tuple[InvitedPeople, InvitedPeople]]
MOMENT = "2027-09-01T10:00:00Z"
SIGN_UP = {
    "email": "mallory@example.com",
    "password": PASSWORD,
    "full_name": "Mallory",
    "organization_name": "Mallory",
    "currency": "USD",
    "timezone": "UTC",
    "accept_terms": True,
}


@pytest.fixture(scope="module")
def kept() -> Kept:
    """One pair for each host: no test changes anything of it."""
    return {}


class Two:
    """An organization with an owner and an admin, and a stranger's with an owner."""

    def __init__(self, own: InvitedPeople, other: InvitedPeople) -> None:
        self.own, self.other = own, other
        self.xyra = own.xyra

    async def members(self) -> list[Json]:
        operator, organization_id = self.xyra.operator, self.own.organization.id
        return (await operator.get("members", organization_id=organization_id))["data"]


@pytest.fixture
async def two(time_machine: TimeMachine, travelling_host: Served, kept: Kept) -> AsyncIterator[Two]:
    """Members, roles and keys have to be the same afterwards."""
    base = travelling_host.process.base
    if base not in kept:
        await time_machine.at(MOMENT)
        mailbox = Mailbox(travelling_host.process, time_machine.xyra)
        xyra = time_machine.xyra
        own, other = [InvitedPeople(xyra, mailbox, await xyra.organization()) for _ in range(2)]
        await own.join("owner", "owner")
        await own.join("admin", "admin")
        await other.join("stranger", "owner")
        kept[base] = (own, other)
    await time_machine.at("2027-09-01T12:00:00Z")
    again = [
        InvitedPeople(
            time_machine.xyra,
            Mailbox(travelling_host.process, time_machine.xyra),
            time_machine.xyra.again(people.organization),
            people.people,
        )
        for people in kept[base]
    ]
    two = Two(*again)
    before = await two.members()
    yield two
    assert await two.members() == before


def refused(answer: Answer, *statuses: int) -> None:
    assert answer.status in statuses, f"{answer.method} {answer.path}: {answer.status} {answer.body.decode()[:300]}"


@pytest.mark.parametrize(
    "field",
    [
        {"is_superuser": True},
        {"operator_role": "system"},
        {"role": "owner"},
        {"roles": ["system"]},
        {"organization_id": "org_01k9zj8m4ye3wv5t7q2x6r0hcd"},
        {"status": "active"},
    ],
    ids=lambda field: next(iter(field)),
)
async def test_no_sign_up_takes_a_role_or_an_organization_from_the_request(two: Two, field: Json) -> None:
    answer = await two.xyra.anonymous.send("POST", "auth/signup", SIGN_UP | field)
    assert answer.problem(422, "validation") == [f"/{next(iter(field))}"]


async def test_nobody_moves_to_another_tenant(two: Two) -> None:
    target, admin = two.other.organization.id, await two.own.client("admin")
    mine = two.own.people["admin"]
    for body in ({"organization_id": target}, {"organization_ids": [target]}):
        refused(await admin.send("PATCH", "users/me", body), 422)
        refused(await admin.send("PATCH", f"users/{mine.user_id}", body), 422)
        refused(await admin.send("PATCH", f"members/{mine.member_id}", body), 422)
    refused(await admin.send("POST", "auth/switch", {"organization_id": target}), 404)
    form = {"username": mine.email, "password": PASSWORD, "organization_id": target}
    refused(await two.xyra.anonymous.send("POST", "auth/login", form=form), 401, 403, 404)
    refused(await admin.send("GET", "members", organization_id=target), 404)
    refused(
        await admin.send("POST", "invitations", {"email": mine.email, "role": "admin"}, organization_id=target), 404
    )


async def test_nobody_raises_their_own_role(two: Two) -> None:
    admin, mine = await two.own.client("admin"), two.own.people["admin"]
    refused(await admin.send("PATCH", f"members/{mine.member_id}", {"role": "owner"}), 403)
    refused(await admin.send("POST", "invitations", {"email": "other@example.com", "role": "owner"}), 403)
    for body in ({"role": "owner"}, {"operator_role": "system"}, {"status": "active"}):
        refused(await admin.send("PATCH", "users/me", body), 422)
    staff = {"email": "mallory@example.com", "name": "Mallory", "operator_role": "system"}
    refused(await admin.send("POST", "users", staff), 403)
    for scope in ("owners:write", "prices:write", "organizations:create", "users:write"):
        refused(await admin.send("POST", "api-keys", {"name": "More", "scopes": [scope]}), 403, 422)


async def test_the_last_owner_stays(two: Two) -> None:
    owner, mine = await two.own.client("owner"), two.own.people["owner"]
    for client in (owner, two.xyra.operator):
        query = {} if client is owner else {"organization_id": two.own.organization.id}
        member = f"members/{mine.member_id}"
        (await client.send("PATCH", member, {"role": "admin"}, **query)).problem(409, "last_owner")
        (await client.send("DELETE", member, **query)).problem(409, "last_owner")
    (await owner.send("POST", f"users/{mine.user_id}/deactivate")).problem(409, "last_owner")
    (await owner.send("DELETE", f"users/{mine.user_id}")).problem(409, "last_owner")
    admin = await two.own.client("admin")
    refused(await admin.send("DELETE", f"members/{mine.member_id}"), 403)


async def test_nobody_revokes_another_organizations_token(two: Two) -> None:
    stranger = await two.other.client("stranger")
    key = await stranger.post("api-keys", {"name": "Theirs", "scopes": ["agents:read"]})
    session = (await stranger.get("auth/sessions"))["data"][0]["id"]
    for name in ("owner", "admin"):
        client = await two.own.client(name)
        refused(await client.send("DELETE", f"api-keys/{key['id']}"), 404)
        refused(await client.send("POST", f"api-keys/{key['id']}/deactivate"), 404)
        refused(await client.send("PATCH", f"api-keys/{key['id']}", {"name": "Mine"}), 404)
        refused(await client.send("POST", f"api-keys/{key['id']}/adopt"), 403, 404)
        refused(await client.send("DELETE", f"auth/sessions/{session}"), 404)
        stranger_id = two.other.people["stranger"].user_id
        refused(await client.send("POST", f"users/{stranger_id}/deactivate"), 403)
    await two.xyra.bearing(key["token"]).get("agents")
    await stranger.get("auth/me")


async def test_nobody_takes_an_invitation_meant_for_another_address(two: Two) -> None:
    email = "meant.for@example.com"
    invitation = await two.own.invite(email, "viewer")
    token = await two.own.mailbox.token(email)
    for client in (await two.other.client("stranger"), await two.own.client("admin")):
        refused(await client.send("POST", "invitations/accept", {"token": token}), 403)
    refused(await two.xyra.anonymous.send("POST", "invitations/accept", {"token": token}), 401)
    operator: Client = two.xyra.operator
    query = {"organization_id": two.own.organization.id}
    (await operator.send("DELETE", f"invitations/{invitation['id']}", **query)).expect(204)
    answer = await two.own.accept(token, expect=422)
    assert answer["type"] == "urn:xyra:problem:invalid_token"


async def test_no_customers_admin_writes_a_price(two: Two) -> None:
    organization = two.own.organization
    charge = {"key": "platform", "type": "flat_fee", "amount": "1"}
    model = {"name": "Cheap", "currency": "USD", "charges": [charge]}
    published = await organization.model(charge)
    alias = {"provider": "azure", "name": "mine", "model": "gpt-5", "from": "2027-09-01T00:00:00Z"}
    for name in ("owner", "admin"):
        client = await two.own.client(name)
        for method, path, body in (
            ("POST", "billing-models", model),
            ("PUT", f"billing-models/{published['id']}", model),
            ("POST", f"billing-models/{published['id']}/archive", None),
            ("POST", "llm-prices", {"model": "gpt-5", "prices": {"input": "0", "output": "0"}}),
            ("POST", "llm-prices/aliases", alias),
            ("PUT", "exchange-rates/USD/EUR", {"rate": "0.1"}),
            ("POST", "invoices/generate/monthly", {"period": "2027-08"}),
            ("PATCH", f"organizations/{organization.id}", {"settings": {"self_managed_pricing": True}}),
        ):
            refused(await client.send(method, path, body, headers={"If-Match": "*"}), 403, 428)
        etag = (await client.send("GET", f"organizations/{organization.id}/settings")).headers["ETag"]
        settings = {"self_managed_pricing": True}
        path = f"organizations/{organization.id}/settings"
        refused(await client.send("PUT", path, settings, headers={"If-Match": etag}), 403)
    model_now = await organization.operator.get(f"billing-models/{published['id']}")
    assert model_now["name"] == "Model"


LOOK_ALIKES = (
    "\u212aarl.{}@example.com",  # the sign for kelvin, whose lower case is k
    "k\u0430rl.{}@example.com",  # a Cyrillic letter
    "kar\u0131.{}@example.com",  # an i without its dot
    "karl.{}@ex\u0430mple.com",
    "karl.{}@example.com.example.net",
    "karl.{}\uff20example.com",
    "karl.{}+reset@example.com",
    "karl.{0}@example.com,mallory.{0}@example.net",
    "karl.{}@example.com\r\nBcc: mallory@example.net",
)


async def test_no_reset_of_a_look_alike_leaves_the_address_that_is_stored(two: Two) -> None:
    """What is typed only finds an account: the mail goes to what the account has, or nowhere."""
    name = uuid4().hex
    karl = f"karl.{name}@example.com"
    await two.xyra.sign_up(karl)
    mailbox = two.own.mailbox
    await mailbox.arrivals(karl)
    (await two.xyra.anonymous.send("POST", "auth/password/forgot", {"email": karl.upper()})).expect(202)
    assert [str(mail["Subject"]) for mail in await mailbox.arrivals(karl)] == ["Choose a new password"]
    before = mailbox.recipients()
    for look_alike in LOOK_ALIKES:
        answer = await two.xyra.anonymous.send("POST", "auth/password/forgot", {"email": look_alike.format(name)})
        refused(answer, 202)
    await mailbox.pass_time(UNTIL_SWEPT)
    assert mailbox.recipients() - before <= Counter({karl: 1})
