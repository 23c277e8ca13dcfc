"""Users sign up and sign in."""

from typing import Any
from uuid import uuid4

from tests.doubles.clients.xyra_client import PASSWORD, Xyra

Json = dict[str, Any]


async def test_who_signs_up_can_sign_in_and_owns_a_new_organization(xyra: Xyra) -> None:
    email = f"{uuid4().hex}@example.com"
    made = await xyra.sign_up(email, organization_name="Analytical Engines", currency="JPY", timezone="Asia/Tokyo")
    owner = await xyra.sign_in(email)
    (organization,) = (await owner.get("organizations"))["data"]
    assert organization == made["organization"]
    assert (organization["currency"], organization["timezone"]) == ("JPY", "Asia/Tokyo")
    assert organization["slug"].startswith("analytical-engines")
    assert made["user"] == {"id": made["user"]["id"], "email": email, "full_name": "Ada Lovelace"}
    assert await owner.get(f"organizations/{organization['slug']}") == organization
    again = await owner.post("auth/signup", signup(email), expect=409)
    assert again["errors"] == [{"pointer": "/email", "detail": "is taken"}]


def signup(email: str) -> Json:
    return {
        "email": email,
        "password": PASSWORD,
        "full_name": "Ada",
        "organization_name": "Ada",
        "currency": "USD",
        "timezone": "UTC",
        "accept_terms": True,
    }


async def test_both_login_routes_issue_tokens(xyra: Xyra) -> None:
    email = f"{uuid4().hex}@example.com"
    made = await xyra.sign_up(email)
    for route in ("auth/login/access-token", "auth/login"):
        form = {"username": email.upper(), "password": PASSWORD, "organization_id": made["organization"]["id"]}
        answer = await xyra.anonymous.send("POST", route, form=form)
        tokens = answer.expect(200)
        assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 1800)
        assert answer.headers["Cache-Control"] == "no-store"
        await xyra.bearing(tokens["access_token"]).get("organizations")


async def test_a_wrong_password_and_an_unknown_address_look_the_same_and_lock_alike(xyra: Xyra) -> None:
    known, unknown = f"{uuid4().hex}@example.com", f"{uuid4().hex}@example.com"
    await xyra.sign_up(known)
    for _ in range(5):
        wrong = [
            await xyra.anonymous.send("POST", "auth/login", form={"username": email, "password": "wrong"})
            for email in (known, unknown)
        ]
        assert [each.problem(401, "unauthenticated") for each in wrong] == [[], []]
        first, second = (each.json() for each in wrong)
        assert first["detail"] == second["detail"]
    for email in (known, unknown):
        locked = await xyra.anonymous.send("POST", "auth/login", form={"username": email, "password": PASSWORD})
        locked.problem(423, "locked")
