"""Second factors over HTTP: enrolled, asked for, replayed, required by the organization, shown again, removed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pyotp
import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Client

Json = dict[str, Any]


class Person:
    """A user who signs in with an app. The clock is at the beginning of a step whenever a code is made."""

    def __init__(self, time_machine: TimeMachine, made: Json) -> None:
        self.time_machine, self.xyra = time_machine, time_machine.xyra
        self.id, self.email = made["user"]["id"], made["user"]["email"]
        self.organization_id = made["organization"]["id"]
        self.secret = ""
        self.recovery_codes: list[str] = []
        self.now = BEGINNING

    async def pass_time(self, time: timedelta) -> None:
        self.now += time
        await self.time_machine.at(self.now.isoformat())

    async def code(self) -> str:
        """One that was never used."""
        await self.pass_time(timedelta(minutes=1))
        return pyotp.TOTP(self.secret).at(self.now)

    async def password(self) -> Json:
        form = {"username": self.email, "password": PASSWORD}
        answer = await self.xyra.anonymous.send("POST", "auth/login/access-token", form=form)
        return dict(answer.expect(200))

    async def client(self) -> Client:
        return self.xyra.bearing((await self.password())["access_token"])

    async def enrol(self, client: Client) -> str:
        """The code by which the app was confirmed."""
        begun = (await client.send("POST", "auth/totp")).expect(200)
        self.secret = begun["secret"]
        assert begun["uri"].startswith("otpauth://totp/Xyra:")
        code = await self.code()
        answer = (await client.send("POST", "auth/totp/confirm", {"code": code})).expect(200)
        self.recovery_codes = answer["recovery_codes"]
        return code

    async def mfa(self, token: str, **shown: str) -> Answer:
        return await self.xyra.anonymous.send("POST", "auth/mfa", {"mfa_token": token, **shown})

    def wrong_codes(self) -> Iterator[str]:
        near = {pyotp.TOTP(self.secret).at(self.now + timedelta(seconds=seconds)) for seconds in range(-90, 300, 30)}
        return (code for code in map("{:06d}".format, range(1000)) if code not in near)


BEGINNING = datetime(2026, 11, 18, 10, tzinfo=UTC)


@pytest.fixture
async def ada(time_machine: TimeMachine) -> Person:
    await time_machine.at(BEGINNING.isoformat())
    return Person(time_machine, await time_machine.xyra.sign_up(f"{uuid4().hex}@example.com"))


async def settings(client: Client, organization_id: str, **changes: bool) -> Answer:
    path = f"organizations/{organization_id}/settings"
    etag = (await client.send("GET", path)).headers["ETag"]
    return await client.send("PUT", path, changes, headers={"If-Match": etag})


async def test_an_app_is_enrolled_asked_for_and_removed(ada: Person) -> None:
    client = await ada.client()
    confirmed_by = await ada.enrol(client)
    assert len(ada.recovery_codes) == 10
    (await client.send("POST", "auth/totp")).problem(409, "conflict")

    asked = await ada.password()
    assert asked.keys() == {"mfa_token", "methods"}
    assert asked["methods"] == ["totp", "recovery_code"]
    (await ada.mfa(asked["mfa_token"], code=confirmed_by)).problem(401, "unauthenticated")  # its step was used
    code = await ada.code()
    tokens = (await ada.mfa(asked["mfa_token"], code=code)).expect(200)
    assert tokens.keys() > {"access_token", "refresh_token", "device_token"}
    again = (await ada.password())["mfa_token"]
    (await ada.mfa(again, code=code)).problem(401, "unauthenticated")  # the step was used
    (await ada.mfa(again, recovery_code=ada.recovery_codes[0])).expect(200)
    code = await ada.code()
    (await ada.mfa(again, code=code)).problem(401, "unauthenticated")  # the token was used
    third = (await ada.password())["mfa_token"]
    (await ada.mfa(third, recovery_code=ada.recovery_codes[0])).problem(401, "unauthenticated")
    last = ada.xyra.bearing((await ada.mfa(third, code=code)).expect(200)["access_token"])

    fresh = (await last.send("POST", "auth/recovery-codes")).expect(200)["recovery_codes"]
    assert not set(fresh) & set(ada.recovery_codes)
    (await last.send("DELETE", "auth/totp")).expect(204)
    (await last.send("DELETE", "auth/totp")).problem(409, "conflict")
    assert "access_token" in await ada.password()


async def test_wrong_codes_use_the_token_up_and_lock_the_address(ada: Person) -> None:
    await ada.enrol(await ada.client())
    token = (await ada.password())["mfa_token"]
    for code, _ in zip(ada.wrong_codes(), range(5), strict=False):
        (await ada.mfa(token, code=code)).problem(401, "unauthenticated")
    (await ada.mfa(token, code=await ada.code())).problem(401, "unauthenticated")
    form = {"username": ada.email, "password": PASSWORD}
    (await ada.xyra.anonymous.send("POST", "auth/login/access-token", form=form)).problem(423, "locked")


async def test_the_right_password_clears_no_failures_before_the_factor_was_right(ada: Person) -> None:
    await ada.enrol(await ada.client())
    codes, tokens = ada.wrong_codes(), [(await ada.password())["mfa_token"] for _ in range(3)]
    for token in (*tokens[:2] * 2, tokens[2]):
        (await ada.mfa(token, code=next(codes))).problem(401, "unauthenticated")
    (await ada.mfa(tokens[2], code=await ada.code())).problem(423, "locked")


@pytest.mark.parametrize("token", ["x", "usr_1.x", "usr_01h455vb4pex5vsknk084sn02q." + "x" * 43])
async def test_a_guessed_token_is_refused(ada: Person, token: str) -> None:
    (await ada.mfa(token, code="123456")).problem(401, "unauthenticated")


@pytest.mark.parametrize(
    "shown", [{}, {"code": "12345"}, {"code": "\u0661" * 6}, {"code": "123456", "recovery_code": "x"}]
)
async def test_a_bad_request_is_refused(ada: Person, shown: dict[str, str]) -> None:
    (await ada.mfa("usr_01.x", **shown)).problem(422, "validation")


async def test_an_organization_that_asks_for_a_factor_lets_others_only_enrol_one(ada: Person) -> None:
    weak = await ada.client()
    (await settings(weak, ada.organization_id, mfa_required=True)).expect(200)
    (await weak.send("GET", "auth/me")).problem(401, "unauthenticated")  # a weaker session ends

    tokens = await ada.password()
    client = ada.xyra.bearing(tokens["access_token"])
    (await client.send("GET", "auth/me")).expect(200)
    for method, path in (("GET", "agents"), ("GET", "auth/sessions"), ("POST", "auth/step-up")):
        body = {"password": PASSWORD} if method == "POST" else None
        (await client.send(method, path, body)).problem(403, "mfa_enrolment_required")
    await ada.enrol(client)
    (await client.send("GET", "agents")).expect(200)
    refresh = {"refresh_token": tokens["refresh_token"]}
    (await ada.xyra.anonymous.send("POST", "auth/refresh", refresh)).expect(200)
    (await client.send("DELETE", "auth/totp")).problem(409, "conflict")  # it is required
    (await settings(client, ada.organization_id, mfa_required=False)).expect(200)
    (await client.send("DELETE", "auth/totp")).expect(204)


async def test_only_an_owner_decides_what_is_asked_for(ada: Person) -> None:
    scopes = ["organizations:read", "organizations:write"]
    admin = await ada.xyra.key_of(ada.organization_id, scopes)
    for name in ("mfa_required", "step_up_required"):
        answer = await settings(admin, ada.organization_id, **{name: True})
        assert answer.problem(403, "forbidden") == [f"/{name}"]


async def test_money_and_access_ask_again_after_ten_minutes(ada: Person) -> None:
    client = await ada.client()
    (await settings(client, ada.organization_id, step_up_required=True)).expect(200)
    await ada.pass_time(timedelta(minutes=11))
    asked = await settings(client, ada.organization_id)
    asked.problem(401, "step_up_required")
    assert asked.headers["WWW-Authenticate"].startswith('Bearer error="insufficient_user_authentication"')
    for path in (f"users/{ada.id}/erase", f"users/{ada.id}/deactivate", f"organizations/{ada.organization_id}/export"):
        (await client.send("POST", path)).problem(401, "step_up_required")
    (await client.send("DELETE", f"users/{ada.id}")).problem(401, "step_up_required")
    assert (await client.send("GET", "agents")).status == 200
    wrong = await client.send("POST", "auth/step-up", {"password": "not the right password"})
    assert wrong.problem(422, "validation") == ["/password"]
    (await client.send("POST", "auth/step-up", {"password": PASSWORD})).expect(200)
    (await settings(client, ada.organization_id)).expect(200)

    code = await ada.enrol(client)
    await ada.pass_time(timedelta(minutes=11))
    for body, pointer in (({"password": PASSWORD}, "/password"), ({"code": code}, "/code")):
        answer = await client.send("POST", "auth/step-up", body)
        assert answer.problem(422, "validation") == [pointer]
    (await client.send("DELETE", "auth/totp")).problem(401, "step_up_required")
    (await client.send("POST", "auth/step-up", {"code": await ada.code()})).expect(200)
    (await settings(client, ada.organization_id)).expect(200)
    (await client.send("DELETE", "auth/totp")).expect(204)


async def test_what_changes_factors_is_on_the_trail_without_secrets(ada: Person) -> None:
    client = await ada.client()
    await ada.enrol(client)
    token = (await ada.password())["mfa_token"]
    (await ada.mfa(token, recovery_code=ada.recovery_codes[0])).expect(200)
    await ada.pass_time(timedelta(minutes=5))
    entries = (await client.get("audit", limit=100))["data"]
    said = [entry["action"] for entry in entries]
    assert {"users.enrol_totp", "users.use_recovery_code"} <= set(said)
    told = [entry for entry in entries if entry["action"] == "users.enrol_totp"]
    assert told[0]["after"]["second_factors"] == "(secret)"


async def test_an_api_key_has_no_factors(ada: Person) -> None:
    key = await ada.xyra.key_of(ada.organization_id)
    for method, path, body in (
        ("POST", "auth/totp", None),
        ("POST", "auth/totp/confirm", {"code": "123456"}),
        ("POST", "auth/recovery-codes", None),
        ("DELETE", "auth/totp", None),
        ("POST", "auth/step-up", {"code": "123456"}),
    ):
        (await key.send(method, path, body)).problem(403, "forbidden")
