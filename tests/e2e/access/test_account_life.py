"""The life of an account over HTTP: signing up and in, refreshing, switching, another password, signing out."""

from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.xyra_client import PASSWORD, Answer, Client, Xyra

Json = dict[str, Any]

NEW_PASSWORD = "seven green umbrellas in the rain"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class Person:
    """A user who has signed up, and their last tokens."""

    def __init__(self, xyra: Xyra, made: Json) -> None:
        self._xyra = xyra
        self.id, self.email = made["user"]["id"], made["user"]["email"]
        self.organization_id = made["organization"]["id"]

    async def try_to_sign_in(self, password: str = PASSWORD, **fields: str) -> Answer:
        form = {"username": self.email, "password": password, **fields}
        client = self._xyra.anonymous.with_headers(**{"User-Agent": FIREFOX})
        answer = await client.send("POST", "auth/login/access-token", form=form)
        assert answer.headers["Cache-Control"] == "no-store"
        return answer

    async def sign_in(self, password: str = PASSWORD, **fields: str) -> Json:
        answer = (await self.try_to_sign_in(password, **fields)).expect(200)
        assert answer["session_id"].startswith("ses_")
        return dict(answer)

    def with_token(self, tokens: Json) -> Client:
        return self._xyra.bearing(tokens["access_token"])

    async def refresh(self, tokens: Json) -> Answer:
        answer = await self._xyra.anonymous.send("POST", "auth/refresh", {"refresh_token": tokens["refresh_token"]})
        assert answer.headers["Cache-Control"] == "no-store"
        return answer

    async def is_out(self, tokens: Json) -> bool:
        answer = await self.with_token(tokens).send("GET", "auth/me")
        if answer.status == 401:
            answer.problem(401, "unauthenticated")
            return True
        answer.expect(200)
        return False


@pytest.fixture
async def ada(xyra: Xyra) -> Person:
    return Person(xyra, await xyra.sign_up(f"{uuid4().hex}@example.com", organization_name="Engines"))


@pytest.mark.walk
async def test_from_signing_up_to_signing_out_everywhere(xyra: Xyra, ada: Person) -> None:
    first = await ada.sign_in()
    assert first["organization_id"] == ada.organization_id
    me = await ada.with_token(first).get("auth/me")
    assert me["user"] == {"id": ada.id, "email": ada.email, "full_name": "Ada Lovelace"}
    assert (me["organization"], me["role"]) == ({"id": ada.organization_id, "name": "Engines"}, "owner")
    assert (me["session_id"], "agents:write" in me["permissions"]) == (first["session_id"], True)

    second = (await ada.refresh(first)).expect(200)
    assert second["session_id"] == first["session_id"]
    other = await ada.sign_in()
    (await ada.refresh(first)).problem(401, "unauthenticated")  # an old one: its family is ended
    (await ada.refresh(second)).problem(401, "unauthenticated")
    assert [await ada.is_out(tokens) for tokens in (first, second, other)] == [True, True, False]

    change = {"current": PASSWORD, "password": NEW_PASSWORD}
    (await ada.with_token(other).send("POST", "auth/password/change", change)).expect(204)
    assert await ada.is_out(other)
    (await ada.try_to_sign_in()).problem(401, "unauthenticated")

    phone, laptop, tablet = [await ada.sign_in(NEW_PASSWORD) for _ in range(3)]
    listed = (await ada.with_token(laptop).get("auth/sessions"))["data"]
    assert {each["id"]: each["current"] for each in listed} == {
        tokens["session_id"]: tokens is laptop for tokens in (phone, laptop, tablet)
    }
    assert {each["device"] for each in listed} == {"Firefox on Linux"}
    (await ada.with_token(laptop).send("DELETE", f"auth/sessions/{phone['session_id']}")).expect(204)
    (await ada.with_token(laptop).send("DELETE", f"auth/sessions/{phone['session_id']}")).problem(404, "not_found")
    (await xyra.anonymous.send("POST", "auth/logout", {"refresh_token": tablet["refresh_token"]})).expect(204)
    assert [await ada.is_out(tokens) for tokens in (phone, tablet, laptop)] == [True, True, False]
    last = await ada.sign_in(NEW_PASSWORD)
    (await ada.with_token(last).send("POST", "auth/logout-all")).expect(204)
    assert [await ada.is_out(tokens) for tokens in (laptop, last)] == [True, True]
    (await ada.refresh(last)).problem(401, "unauthenticated")
    assert await ada.sign_in(NEW_PASSWORD)


async def test_nobody_ends_or_sees_another_users_sessions(xyra: Xyra, ada: Person) -> None:
    bob = Person(xyra, await xyra.sign_up())
    hers, his = await ada.sign_in(), await bob.sign_in()
    (await bob.with_token(his).send("DELETE", f"auth/sessions/{hers['session_id']}")).problem(404, "not_found")
    assert [each["id"] for each in (await bob.with_token(his).get("auth/sessions"))["data"]] == [his["session_id"]]
    assert not await ada.is_out(hers)


async def test_an_api_key_is_no_user(xyra: Xyra, ada: Person) -> None:
    key = await xyra.key_of(ada.organization_id)
    for method, path, body in (
        ("GET", "auth/me", None),
        ("GET", "auth/sessions", None),
        ("POST", "auth/logout-all", None),
        ("POST", "auth/switch", {"organization_id": ada.organization_id}),
        ("POST", "auth/password/change", {"current": PASSWORD, "password": NEW_PASSWORD}),
    ):
        (await key.send(method, path, body)).problem(403, "forbidden")


async def test_what_is_under_auth_ignores_an_idempotency_key(xyra: Xyra, ada: Person) -> None:
    tokens = await ada.sign_in()
    body, header = {"refresh_token": tokens["refresh_token"]}, {"Idempotency-Key": uuid4().hex}
    first = await xyra.anonymous.send("POST", "auth/refresh", body, headers=header)
    first.expect(200)
    again = await xyra.anonymous.send("POST", "auth/refresh", body, headers=header)
    again.problem(401, "unauthenticated")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"refresh_token": ""},
        {"refresh_token": 1},
        {"refresh_token": "x" * 513},
        {"refresh_token": "x", "role": "owner"},
    ],
)
async def test_a_bad_refresh_request_is_refused(xyra: Xyra, body: Json) -> None:
    for route in ("auth/refresh", "auth/logout"):
        (await xyra.anonymous.send("POST", route, body)).problem(422, "validation")


@pytest.mark.parametrize("guess", ["x", "usr_1.ses_1.0." + "x" * 43, "eyJ.eyJ.x"])
async def test_a_guess_is_no_refresh_token(xyra: Xyra, guess: str) -> None:
    for route in ("auth/refresh", "auth/logout"):
        (await xyra.anonymous.send("POST", route, {"refresh_token": guess})).problem(401, "unauthenticated")


async def test_a_weak_password_is_refused(ada: Person) -> None:
    client = ada.with_token(await ada.sign_in())
    for password in ("short", "password123456", PASSWORD):
        change = {"current": PASSWORD, "password": password}
        assert (await client.send("POST", "auth/password/change", change)).problem(422, "validation") == ["/password"]
    wrong = {"current": "not the right password", "password": NEW_PASSWORD}
    assert (await client.send("POST", "auth/password/change", wrong)).problem(422, "validation") == ["/current"]
    await client.get("auth/me")


async def test_the_lock_says_when_it_ends_and_a_known_device_is_let_in(ada: Person) -> None:
    device = (await ada.sign_in())["device_token"]
    for _ in range(5):
        (await ada.try_to_sign_in("not the right password")).problem(401, "unauthenticated")
    locked = await ada.try_to_sign_in()
    locked.problem(423, "locked")
    assert 3500 < int(locked.headers["Retry-After"]) <= 3600
    newer = (await ada.sign_in(device_token=device))["device_token"]
    assert newer != device
    for known in (device, newer):
        await ada.sign_in(device_token=known)
