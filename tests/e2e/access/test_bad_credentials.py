"""Sign-ups, sign-ins and credentials that are refused."""

from typing import Any

import pytest

from tests.doubles.worlds.two_organizations import AGENT, TwoOrganizations

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"accept_terms": False}, ["/accept_terms"]),
        ({"email": "nobody"}, ["/email"]),
        ({"password": "short"}, ["/password"]),
        ({"currency": "XXX"}, ["/currency"]),
        ({"timezone": "Mars/Olympus"}, ["/timezone"]),
        ({"full_name": ""}, ["/full_name"]),
        ({"is_superuser": True}, ["/is_superuser"]),
        ({"role": "system", "organization_id": "x"}, ["/role", "/organization_id"]),
    ],
)
async def test_a_bad_sign_up_is_refused(unchanged: TwoOrganizations, change: Json, pointers: list[str]) -> None:
    body = {
        "email": "nobody@example.com",
        "password": "correct horse battery staple",
        "full_name": "Nobody",
        "organization_name": "None",
        "currency": "USD",
        "timezone": "UTC",
        "accept_terms": True,
    }
    answer = await unchanged.xyra.anonymous.send("POST", "auth/signup", body | change)
    assert answer.problem(422, "validation") == pointers


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"username", 400, "malformed"),
        (b"a=1&" * 60 + b"a=1", 400, "malformed"),
        (b"\xff=1", 400, "malformed"),
        (b"", 400, "malformed"),
        (b"username=a", 422, "validation"),
        (b"username=a&password=b&grant_type=code", 422, "validation"),
    ],
)
async def test_a_bad_login_form_is_refused(unchanged: TwoOrganizations, raw: bytes, status: int, code: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    (await unchanged.key.send("POST", "auth/login", raw=raw, headers=form)).problem(status, code)


@pytest.mark.parametrize("credential", ["", "x", "Bearer", "xyra_" + "x" * 32, "a.b.c", "é"])
async def test_a_credential_that_is_none_is_refused(unchanged: TwoOrganizations, credential: str) -> None:
    for headers in ({"Authorization": f"Bearer {credential}"}, {"X-API-Key": credential}):
        answer = await unchanged.xyra.anonymous.with_headers(**headers).send("GET", "agents")
        answer.problem(401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_an_operator_has_to_name_the_organization(unchanged: TwoOrganizations) -> None:
    assert (await unchanged.operator.send("POST", "agents", AGENT)).problem(422, "validation") == ["?organization_id"]
    (await unchanged.operator.send("GET", "agents", organization_id="nobody")).problem(404, "not_found")
