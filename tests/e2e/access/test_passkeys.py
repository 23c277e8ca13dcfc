"""Passkeys over HTTP: registered, signed in with alone and after a password, replayed, removed."""

from typing import Any
from uuid import uuid4

import pyotp
import pytest

from tests.doubles.clients.authenticator import Authenticator
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Client, Xyra

Json = dict[str, Any]

ORIGIN = "http://localhost:0"
"""Of the hosts of tests, which choose their port."""


async def post(client: Client, path: str, body: Json | None = None) -> Answer:
    return await client.send("POST", path, body)


async def register(client: Client, device: Authenticator) -> Answer:
    offered = (await post(client, "auth/passkeys/options")).expect(200)
    credential = device.register(offered["options"])
    body = {"challenge_id": offered["challenge_id"], "credential": credential, "name": "Laptop"}
    return await post(client, "auth/passkeys", body)


async def signed(client: Client, device: Authenticator, path: str, body: Json | None = None) -> Json:
    offered = (await post(client, path, body)).expect(200)
    return {"challenge_id": offered["challenge_id"], "credential": device.sign(offered["options"])}


class Ada:
    def __init__(self, xyra: Xyra, email: str) -> None:
        self.xyra, self.email = xyra, email
        self.device = Authenticator(ORIGIN)

    async def password(self) -> Json:
        form = {"username": self.email, "password": PASSWORD}
        return dict((await self.xyra.anonymous.send("POST", "auth/login/access-token", form=form)).expect(200))

    async def client(self) -> Client:
        return self.xyra.bearing((await self.password())["access_token"])


@pytest.fixture
async def ada(xyra: Xyra) -> Ada:
    email = f"{uuid4().hex}@example.com"
    await xyra.sign_up(email)
    return Ada(xyra, email)


async def test_a_passkey_is_registered_signed_in_with_and_removed(ada: Ada) -> None:
    client = await ada.client()
    made = (await register(client, ada.device)).expect(201)
    assert (made["name"], len(made["recovery_codes"])) == ("Laptop", 10)
    (listed,) = (await client.get("auth/passkeys"))["data"]
    assert (listed["id"], listed["last_used_at"]) == (made["id"], None)

    alone = await signed(ada.xyra.anonymous, ada.device, "auth/passkeys/login/options", {})
    tokens = (await post(ada.xyra.anonymous, "auth/passkeys/login", alone)).expect(200)
    (await post(ada.xyra.anonymous, "auth/passkeys/login", alone)).problem(401, "unauthenticated")
    me = await ada.xyra.bearing(tokens["access_token"]).get("auth/me")
    assert me["user"]["email"] == ada.email

    asked = await ada.password()
    assert asked["methods"] == ["passkey", "recovery_code"]
    token = {"mfa_token": asked["mfa_token"]}
    passkey = await signed(ada.xyra.anonymous, ada.device, "auth/passkeys/login/options", token)
    second = (await post(ada.xyra.anonymous, "auth/mfa", {**token, "passkey": passkey})).expect(200)
    (await post(ada.xyra.anonymous, "auth/mfa", {**token, "passkey": passkey})).problem(401, "unauthenticated")

    other = Authenticator(ORIGIN)
    last = ada.xyra.bearing(second["access_token"])
    assert (await register(last, other)).expect(201)["recovery_codes"] is None
    passkeys = (await last.get("auth/passkeys"))["data"]
    assert len(passkeys) == 2
    for each in passkeys:
        (await last.send("DELETE", f"auth/passkeys/{each['id']}")).expect(204)
    (await last.send("DELETE", f"auth/passkeys/{made['id']}")).problem(404, "not_found")
    assert "access_token" in await ada.password()


async def test_who_enrols_by_a_passkey_steps_up_by_it(ada: Ada) -> None:
    client = await ada.client()
    (await register(client, ada.device)).expect(201)
    (await post(client, "auth/step-up", {"password": PASSWORD})).problem(422, "validation")
    shown = {"passkey": await signed(client, ada.device, "auth/step-up/options")}
    (await post(client, "auth/step-up", shown)).expect(200)
    (await post(client, "auth/step-up", shown)).problem(401, "unauthenticated")


async def test_an_app_that_was_begun_before_a_passkey_is_confirmed_after_the_passkey_only(
    ada: Ada, shared_host: Served
) -> None:
    """A session of before, which somebody else may have, adds no factor of its own to the account."""
    earlier, client = await ada.client(), await ada.client()
    secret = (await post(earlier, "auth/totp")).expect(200)["secret"]
    (await register(client, ada.device)).expect(201)
    code = {"code": pyotp.TOTP(secret).at(shared_host.process.now())}
    (await post(earlier, "auth/totp/confirm", code)).problem(401, "step_up_required")
    shown = {"passkey": await signed(earlier, ada.device, "auth/step-up/options")}
    (await post(earlier, "auth/step-up", shown)).expect(200)
    (await post(earlier, "auth/totp/confirm", code)).expect(200)


@pytest.mark.parametrize(
    "device",
    [
        Authenticator("https://evil.example.com"),
        Authenticator("http://localhost:1"),
        Authenticator(ORIGIN, verifies=False),
    ],
    ids=["another origin", "another port", "an unverified user"],
)
async def test_a_device_that_answers_wrongly_registers_nothing(ada: Ada, device: Authenticator) -> None:
    client = await ada.client()
    assert (await register(client, device)).problem(422, "validation") == ["/credential"]
    assert (await client.get("auth/passkeys"))["data"] == []


async def test_a_wrong_answer_signs_nobody_in(ada: Ada) -> None:
    client = await ada.client()
    (await register(client, ada.device)).expect(201)
    (held,) = ada.device.held
    stranger, copy = Authenticator(ORIGIN), Authenticator(ORIGIN)
    offered = (await post(client, "auth/passkeys/options")).expect(200)["options"]
    stranger.register(offered)
    stranger.held[0].id = held.id  # another key under the same name
    answer = await signed(ada.xyra.anonymous, stranger, "auth/passkeys/login/options", {})
    (await post(ada.xyra.anonymous, "auth/passkeys/login", answer)).problem(401, "unauthenticated")

    right = await signed(ada.xyra.anonymous, ada.device, "auth/passkeys/login/options", {})
    (await post(ada.xyra.anonymous, "auth/passkeys/login", right)).expect(200)
    copy.held = [type(held)(held.id, held.key, held.user, count=0)]  # a copy, whose counter is behind
    behind = await signed(ada.xyra.anonymous, copy, "auth/passkeys/login/options", {})
    (await post(ada.xyra.anonymous, "auth/passkeys/login", behind)).problem(401, "unauthenticated")
    ada.device.verifies = False
    unverified = await signed(ada.xyra.anonymous, ada.device, "auth/passkeys/login/options", {})
    (await post(ada.xyra.anonymous, "auth/passkeys/login", unverified)).problem(401, "unauthenticated")


async def test_a_challenge_is_for_what_it_was_made_for(ada: Ada) -> None:
    client = await ada.client()
    (await register(client, ada.device)).expect(201)
    for_step_up = await signed(client, ada.device, "auth/step-up/options")
    (await post(ada.xyra.anonymous, "auth/passkeys/login", for_step_up)).problem(401, "unauthenticated")
    mine, another = [(await ada.password())["mfa_token"] for _ in range(2)]
    passkey = await signed(ada.xyra.anonymous, ada.device, "auth/passkeys/login/options", {"mfa_token": mine})
    body = {"mfa_token": another, "passkey": passkey}
    (await post(ada.xyra.anonymous, "auth/mfa", body)).problem(401, "unauthenticated")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"id": 1}, 422),
        ({"type": "password"}, 422),
        ({"response": {}}, 422),
        ({"response": {"clientDataJSON": "%%", "userHandle": "%%"}}, 401),
        ({"response": {"clientDataJSON": "e30"}}, 401),
    ],
)
async def test_what_is_no_answer_of_a_device_is_refused(xyra: Xyra, changes: Json, status: int) -> None:
    offered = (await post(xyra.anonymous, "auth/passkeys/login/options", {})).expect(200)
    credential = {"id": "AQID", "rawId": "AQID", "type": "public-key", "response": {}, **changes}
    body = {"challenge_id": offered["challenge_id"], "credential": credential}
    answer = await post(xyra.anonymous, "auth/passkeys/login", body)
    answer.problem(status, "validation" if status == 422 else "unauthenticated")
