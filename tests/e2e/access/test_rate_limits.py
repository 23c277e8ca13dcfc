"""Limits over HTTP, with two hosts on one store: status, headers, and who is counted together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

Json = dict[str, Any]


@pytest.fixture
async def hosts(new_process: Callable[..., XyraProcess]) -> AsyncIterator[list[Xyra]]:
    """Two on one data directory. Requests say from where they come: by two trusted hops."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                (await Served.by(new_process(XYRA_LIMITS="on", XYRA_TRUSTED_HOPS="2"))).clients()
            )
            for _ in range(2)
        ]


def addresses(prefix: str) -> Iterator[str]:
    """An endless line of addresses in one network."""
    number = 0
    while True:
        number += 1
        yield f"{prefix}{number:x}"


async def sign_up(xyra: Xyra, forwarded: str, **fields: Any) -> Answer:
    body = {
        "email": f"{uuid4().hex}@example.com",
        "password": PASSWORD,
        "full_name": "Ada",
        "organization_name": "Ada",
        "currency": "USD",
        "timezone": "UTC",
        "accept_terms": True,
    }
    return await xyra.anonymous.send("POST", "auth/signup", body | fields, headers={"X-Forwarded-For": forwarded})


async def sign_in(xyra: Xyra, forwarded: str, email: str, password: str = PASSWORD) -> Answer:
    form = {"username": email, "password": password}
    return await xyra.anonymous.send("POST", "auth/login", form=form, headers={"X-Forwarded-For": forwarded})


async def test_the_twenty_first_sign_up_of_an_address_is_refused(hosts: list[Xyra]) -> None:
    home = addresses("2001:db8:7:7::")
    for number in range(20):
        answer = await sign_up(hosts[number % 2], next(home), accept_terms=True)
        answer.expect(201)
        assert answer.headers["RateLimit-Policy"] == '"default";q=20;w=3600'
        assert answer.headers["RateLimit"].startswith(f'"default";r={19 - number};t=3')
    for host in hosts:
        refused = await sign_up(host, next(home))
        refused.problem(429, "rate_limited")
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600
        assert refused.headers["RateLimit"] == f'"default";r=0;t={refused.headers["Retry-After"]}'
        taken = await sign_up(host, next(home), email="operator@example.com")
        assert taken.problem(429, "rate_limited") == []
    assert (await sign_up(hosts[0], "2001:db8:7:8::1")).status == 201
    assert (await sign_up(hosts[0], f"{next(home)}, 198.51.100.9")).status == 201, "what the caller wrote is ignored"


async def test_a_request_that_is_not_valid_does_not_count(hosts: list[Xyra]) -> None:
    for _ in range(21):
        (await sign_up(hosts[0], "198.51.100.20", email="nobody")).problem(422, "validation")
    assert (await sign_up(hosts[0], "198.51.100.20")).headers["RateLimit"].startswith('"default";r=19;')


async def test_fifty_failed_sign_ins_block_their_address_and_no_other(hosts: list[Xyra]) -> None:
    email = f"{uuid4().hex}@example.com"
    (await sign_up(hosts[0], "198.51.100.30", email=email)).expect(201)
    home = "::ffff:198.51.100.31"
    for number in range(50):
        answer = await sign_in(hosts[number % 2], home, f"{uuid4().hex}@example.com", "wrong")
        answer.problem(401, "unauthenticated")
        assert answer.headers["RateLimit"].startswith(f'"default";r={49 - number};')
        if number == 30:
            assert (await sign_in(hosts[0], home, email)).status == 200, "a success counts as nothing"
    for host in hosts:
        blocked = await sign_in(host, "198.51.100.31", email)
        blocked.problem(429, "rate_limited")
        assert 500 < int(blocked.headers["Retry-After"]) <= 600
        assert (await sign_in(host, "198.51.100.32", email)).status == 200


async def test_the_sixth_wrong_password_locks_on_both_hosts(hosts: list[Xyra]) -> None:
    email = f"{uuid4().hex}@example.com"
    (await sign_up(hosts[0], "198.51.100.40", email=email)).expect(201)
    for host in (hosts[0], hosts[1], hosts[0], hosts[1], hosts[0]):
        (await sign_in(host, "198.51.100.41", email, "wrong")).problem(401, "unauthenticated")
    for host in hosts:
        (await sign_in(host, "198.51.100.41", email)).problem(423, "locked")


async def test_a_flood_with_one_key_gets_its_rate_over_both_hosts(hosts: list[Xyra]) -> None:
    organization = await hosts[0].organization()
    await hosts[0].operator.send("PUT", f"organizations/{organization.id}/limits", {"key_requests_per_minute": 100})
    keys = [host.bearing(organization.key.headers["Authorization"].removeprefix("Bearer ")) for host in hosts]
    answers = await asyncio.gather(*(keys[number % 2].send("GET", "agents") for number in range(300)))
    passed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(passed) + len(refused) == 300
    assert 83 <= len(passed) <= 110
    for answer in passed:
        assert answer.headers["RateLimit-Policy"] == '"default";q=100;w=60'
        assert answer.headers["RateLimit"].startswith('"default";r=')
    for answer in refused:
        answer.problem(429, "rate_limited")
        assert 1 <= int(answer.headers["Retry-After"]) <= 66
        assert answer.headers["RateLimit"].startswith('"default";r=0;t=')
    other = await hosts[1].key_of(organization.id)
    assert (await other.send("GET", "agents")).status == 200, "each key has a rate of its own"
    assert "RateLimit" not in (await hosts[1].operator.send("GET", "organizations")).headers


async def test_a_rate_of_an_organization_holds_for_all_who_call_for_it(hosts: list[Xyra]) -> None:
    """Its keys and its people together, over both hosts; another organization has nothing to do with it."""
    owner_email = f"{uuid4().hex}@example.com"
    made = (await sign_up(hosts[0], "198.51.100.50", email=owner_email)).expect(201)["organization"]["id"]
    keys = [await host.key_of(made) for host in hosts]
    owner = await hosts[0].sign_in(owner_email)
    path = f"organizations/{made}/limits"
    put = await hosts[0].operator.send("PUT", path, {"key_requests_per_minute": 1000, "requests_per_minute": 60})
    assert put.expect(200)["requests_per_minute"] == 60
    callers = (*keys, owner)
    answers = await asyncio.gather(*(callers[number % 3].send("GET", "agents") for number in range(180)))
    passed = [answer for answer in answers if answer.status == 200]
    assert 50 <= len(passed) <= 66
    assert {answer.headers["RateLimit-Policy"] for answer in answers} <= {'"default";q=60;w=60'}
    for answer in answers:
        if answer.status != 200:
            answer.problem(429, "rate_limited")
            assert 1 <= int(answer.headers["Retry-After"]) <= 66
    other = await hosts[1].organization()
    assert (await other.key.send("GET", "agents")).status == 200


async def test_invitations_are_limited_by_organization_and_by_address(hosts: list[Xyra]) -> None:
    organizations = [await hosts[0].organization() for _ in range(2)]

    async def invite(number: int, organization: Organization, email: str) -> Answer:
        query = {"organization_id": organization.id}
        return await hosts[number % 2].operator.send("POST", "invitations", {"email": email, "role": "viewer"}, **query)

    grace = f"grace.{uuid4().hex}@example.com"
    for number in range(3):
        answer = await invite(number, organizations[number % 2], grace.upper() if number else grace)
        answer.expect(201)
        assert answer.headers["RateLimit"].startswith(f'"default";r={2 - number};')
    for number, organization in enumerate(organizations):
        refused = await invite(number, organization, grace)
        refused.problem(429, "rate_limited")
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    first, second = organizations
    statuses = [(await invite(number, first, f"{uuid4().hex}@example.com")).status for number in range(20)]
    assert statuses == 17 * [201] + 3 * [429], "refused for their address, three of twenty had counted before"
    assert (await invite(0, second, f"{uuid4().hex}@example.com")).status == 201


async def test_the_quota_of_agents_is_exact_over_both_hosts(hosts: list[Xyra]) -> None:
    organization = await hosts[0].organization()
    put = await hosts[0].operator.send("PUT", f"organizations/{organization.id}/limits", {"agents": 5})
    assert put.expect(200)["quotas"]["agents"] == {"limit": 5, "used": 0}
    for number in range(4):
        await organization.agent(f"agent-{number}")
    key = organization.key.headers["Authorization"].removeprefix("Bearer ")
    keys = [host.bearing(key) for host in hosts]
    answers = await asyncio.gather(
        *(
            keys[number % 2].send("POST", "agents", {"external_id": f"new-{number}", "name": "New"})
            for number in range(20)
        )
    )
    assert sorted(answer.status for answer in answers) == [201] + 19 * [403]
    for answer in answers:
        if answer.status == 403:
            assert answer.problem(403, "limit_exceeded") == []
            assert {name: answer.json()[name] for name in ("quota", "limit", "used")} == {
                "quota": "agents",
                "limit": 5,
                "used": 5,
            }
    shown = await keys[1].get("limits")
    assert shown["quotas"]["agents"] == {"limit": 5, "used": 5}
    assert len((await keys[0].get("agents"))["data"]) == 5
    (await keys[0].send("DELETE", f"agents/{(await keys[0].get('agents'))['data'][0]['id']}")).expect(204)
    await keys[1].post("agents", {"external_id": "after", "name": "After"})


async def test_only_the_operator_sets_limits(hosts: list[Xyra]) -> None:
    organization = await hosts[0].organization()
    path = f"organizations/{organization.id}/limits"
    (await organization.key.send("PUT", path, {"agents": 9})).problem(403, "forbidden")
    first = await hosts[0].operator.send("PUT", path, {"agents": 9})
    first.expect(200)
    etag = {"If-Match": first.headers["ETag"]}
    (await hosts[0].operator.send("PUT", path, {"agents": 8}, headers=etag)).expect(200)
    (await hosts[0].operator.send("PUT", path, {"agents": 7}, headers=etag)).problem(412, "precondition_failed")
    assert (await hosts[0].operator.send("PUT", path, {"agents": -1})).problem(422, "validation") == ["/agents"]
    reset = (await hosts[0].operator.send("PUT", path, {})).expect(200)
    assert reset["quotas"]["agents"]["limit"] == 10_000


async def test_wrong_passwords_on_the_page_count_with_those_over_the_api(hosts: list[Xyra]) -> None:
    home = addresses("2001:db8:8:8::")
    for number in range(50):
        host, email = hosts[number % 2], f"nobody.{number}@example.com"
        if number % 4:
            (await sign_in(host, next(home), email)).problem(401, "unauthenticated")
        else:
            (await by_page(host, next(home), email)).expect(401)
    blocked = await by_page(hosts[0], next(home), "nobody@example.com")
    blocked.expect(429)
    assert b"Too many tries" in blocked.body
    assert int(blocked.headers["Retry-After"]) > 0
    (await sign_in(hosts[1], next(home), "nobody@example.com")).problem(429, "rate_limited")


async def by_page(xyra: Xyra, forwarded: str, email: str) -> Answer:
    form = {"step": "password", "email": email, "password": PASSWORD}
    headers = {"X-Forwarded-For": forwarded, "Sec-Fetch-Site": "same-origin"}
    return await xyra.anonymous.send("POST", "/account/sign-in", form=form, headers=headers)
