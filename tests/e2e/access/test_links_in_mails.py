"""Addresses are verified and passwords chosen by links in mails, over the API and by the pages."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.mailbox import Mailbox
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Client, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

NEW, NEWER = "seven green umbrellas in the rain", "eleven quiet trains leave at dawn"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


class Post:
    """A host on which unverified users may only read, and what people do there."""

    def __init__(self, served: Served, xyra: Xyra) -> None:
        self.process, self.xyra, self.mailbox = served.process, xyra, Mailbox(served.process, xyra)
        self.ada = f"ada.{uuid4().hex}@example.com"

    async def sign_up(self) -> str:
        """The token of the link that is mailed to Ada."""
        await self.xyra.sign_up(self.ada)
        return await self.mailbox.token(self.ada)

    async def verified(self) -> None:
        await self.verify(await self.sign_up(), expect=204)

    async def verify(self, token: str, password: str | None = PASSWORD, *, expect: int) -> Any:
        body = {"token": token} | ({} if password is None else {"password": password})
        return await self.xyra.anonymous.post("auth/email/verify", body, expect=expect)

    async def forget(self, email: str | None = None) -> Answer:
        return await self.xyra.anonymous.send("POST", "auth/password/forgot", {"email": email or self.ada})

    async def reset_token(self) -> str:
        (await self.forget()).expect(202)
        return await self.mailbox.token(self.ada)

    async def confirm(self, token: str, password: str) -> Answer:
        return await self.xyra.anonymous.send("POST", "auth/password/confirm", {"token": token, "password": password})

    async def page(self, method: str, name: str, token: str, *, password: str = NEW, **headers: str) -> Answer:
        form = {"password": password} if method == "POST" else None
        return await self.xyra.anonymous.send(method, f"/account/{name}", form=form, headers=headers, token=token)

    async def signs_in(self, password: str) -> bool:
        form = {"username": self.ada, "password": password}
        return (await self.xyra.anonymous.send("POST", "auth/login", form=form)).status == 200


@pytest.fixture(scope="module")
def careful_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("careful")
    clock_file = directory / "clock"
    clock_file.write_text(NOW.isoformat(), encoding="utf-8")
    process = XyraProcess(directory / "data", clock_file=clock_file, XYRA_UNVERIFIED_MAY_WRITE="0")
    try:
        yield asyncio.run(Served.by(process))
    finally:
        process.end()


@pytest.fixture
async def post(careful_host: Served) -> AsyncIterator[Post]:
    async with careful_host.clients() as xyra:
        yield Post(careful_host, xyra)


async def may_write(client: Client) -> Answer:
    return await client.send("POST", "projects", {"name": "Website"})


async def test_an_unverified_user_reads_and_by_the_link_does_all_else(post: Post) -> None:
    token = await post.sign_up()
    session = await post.xyra.sign_in(post.ada)
    (await may_write(session)).problem(403, "email_unverified")
    assert (await session.get("projects"))["data"] == []
    await post.verify(token, expect=204)
    assert (await session.send("GET", "projects")).status == 401
    again = await post.xyra.sign_in(post.ada)
    (await may_write(again)).expect(201)
    answer = await post.xyra.anonymous.send("POST", "auth/email/verify", {"token": token, "password": NEW})
    assert answer.problem(422, "invalid_token") == ["/token"]
    assert not await post.signs_in(NEW)
    (await again.send("POST", "auth/email/send")).problem(409, "conflict")


async def test_another_link_is_sent_on_demand(post: Post) -> None:
    first = await post.sign_up()
    session = await post.xyra.sign_in(post.ada)
    await session.post("auth/email/send", expect=202)
    second = await post.mailbox.token(post.ada)
    assert first != second
    await post.verify(second, expect=204)
    await post.verify(first, expect=422)


async def test_the_password_of_whoever_signed_up_with_a_foreign_address_opens_nothing(post: Post) -> None:
    token = await post.sign_up()
    session = await post.xyra.sign_in(post.ada)
    await post.verify(token, None, expect=204)
    assert not await post.signs_in(PASSWORD)
    assert (await session.send("GET", "auth/me")).status == 401
    (await post.confirm(await post.reset_token(), NEW)).expect(204)
    assert await post.signs_in(NEW)


async def test_a_forgotten_password_is_chosen_anew(post: Post) -> None:
    await post.verified()
    session = await post.xyra.sign_in(post.ada)
    older = await post.reset_token()
    assert (await session.send("GET", "auth/me")).status == 200
    newer = await post.reset_token()
    (await post.confirm(older, NEW)).problem(422, "invalid_token")
    assert (await post.confirm(newer, PASSWORD)).problem(422, "validation") == ["/password"]
    (await post.confirm(newer, NEW)).expect(204)
    assert (await session.send("GET", "auth/me")).status == 401
    assert (await post.signs_in(NEW), await post.signs_in(PASSWORD)) == (True, False)
    (await post.confirm(newer, NEWER)).problem(422, "invalid_token")


async def test_used_expired_unknown_and_foreign_tokens_get_one_answer(post: Post) -> None:
    verification = await post.sign_up()
    used = await post.reset_token()
    (await post.confirm(used, NEW)).expect(204)
    await post.mailbox.pass_time(timedelta(minutes=1))
    expired = await post.reset_token()
    await post.mailbox.pass_time(timedelta(minutes=31))
    answers = [await post.confirm(token, NEWER) for token in (used, expired, verification, "x" * 43, "")]
    documents = [answer.json() | {"correlation_id": ""} for answer in answers]
    assert documents == [documents[0]] * 5
    assert {answer.status for answer in answers} == {422}
    assert documents[0]["type"] == "urn:xyra:problem:invalid_token"


def told(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but what differs each time."""
    varying = {"x-correlation-id", "date"}
    return (
        answer.status,
        answer.body,
        {name: value for name, value in answer.headers.items() if name.lower() not in varying},
    )


async def test_no_answer_tells_whether_an_address_is_known(post: Post) -> None:
    await post.verified()
    known, unknown = await post.forget(), await post.forget("nobody@example.com")
    assert told(known) == told(unknown)
    assert len(await post.mailbox.arrivals(post.ada)) == 1
    assert await post.mailbox.arrivals("nobody@example.com") == []


async def test_a_page_is_for_nobody_else_and_opening_it_uses_no_link(post: Post) -> None:
    token = await post.sign_up()
    for method in ("GET", "HEAD", "GET"):
        opened = await post.page(method, "verify", token)
        opened.expect(200)
        policy = dict(part.strip().split(" ", 1) for part in opened.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])
        assert opened.headers["Referrer-Policy"] == "no-referrer"
        assert opened.headers["Cache-Control"] == "no-store"
        assert b"<script" not in opened.body
        assert token.encode() not in opened.body
    (await post.page("POST", "verify", token, **OWN_PAGE)).expect(200)
    assert await post.signs_in(NEW)
    used = await post.page("POST", "verify", token, **OWN_PAGE)
    used.expect(422)
    assert b"This link does not work" in used.body
    assert used.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in used.headers["Content-Security-Policy"]


async def test_a_form_is_taken_from_our_own_page_only(post: Post) -> None:
    token = await post.sign_up()
    foreign: list[dict[str, str]] = [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "http://localhost:7071.evil.com"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:7071"},
    ]
    for headers in foreign:
        answer = await post.page("POST", "verify", token, **headers)
        answer.expect(403)
        assert b"from its own page only" in answer.body
    assert not await post.signs_in(NEW)
    (await post.page("POST", "verify", token, **OWN_PAGE)).expect(200)


async def test_the_page_of_a_reset_says_what_is_wrong_with_a_password(post: Post) -> None:
    await post.verified()
    token = await post.reset_token()
    for password, why in ((PASSWORD, b"used before"), ("short", b"shorter"), ("password123456", b"easy to guess")):
        wrong = await post.page("POST", "reset", token, password=password, **OWN_PAGE)
        wrong.expect(422)
        assert why in wrong.body
        assert b"<form" in wrong.body
    done = await post.page("POST", "reset", token, **OWN_PAGE)
    assert b"Your password is set" in done.body
    assert await post.signs_in(NEW)


async def test_an_invitation_is_accepted_by_its_page(post: Post) -> None:
    organization = await post.xyra.organization()
    grace = f"grace.{uuid4().hex}@example.com"
    invited = {"email": grace, "role": "developer"}
    await post.xyra.operator.post("invitations", invited, organization_id=organization.id)
    token = await post.mailbox.token(grace)
    anonymous = post.xyra.anonymous
    for method in ("GET", "HEAD", "GET"):
        opened = await anonymous.send(method, "/account/accept", token=token)
        opened.expect(200)
    fields = re.findall(rb'<input id="(\w+)" name="(\w+)"', opened.body)
    assert fields == [(b"full_name", b"full_name"), (b"password", b"password")]

    async def accept(**form: str) -> Answer:
        return await anonymous.send("POST", "/account/accept", form=form, headers=OWN_PAGE, token=token)

    for form, why in (
        ({"full_name": "Grace Hopper", "password": "short"}, b"The password is shorter"),
        ({"full_name": "  ", "password": NEW}, b"Your name is empty"),
    ):
        wrong = await accept(**form)
        wrong.expect(422)
        assert why in wrong.body
        assert b"<form" in wrong.body
    foreign = await anonymous.send("POST", "/account/accept", form={"full_name": "Grace", "password": NEW}, token=token)
    foreign.expect(403)
    assert b"This form cannot be sent from here" in foreign.body
    done = await accept(full_name="Grace Hopper", password=NEW)
    done.expect(200)
    assert b"You are a member now" in done.body

    me = await (await post.xyra.sign_in(grace, NEW)).get("auth/me")
    assert (me["user"]["full_name"], me["organization"]["id"], me["role"]) == (
        "Grace Hopper",
        organization.id,
        "developer",
    )
    used = await accept(full_name="Mallory", password=NEWER)
    used.expect(422)
    assert b"This link does not work" in used.body
    assert (await (await post.xyra.sign_in(grace, NEW)).get("users/me"))["full_name"] == "Grace Hopper"


async def test_a_forgotten_password_is_asked_for_on_the_page(post: Post) -> None:
    await post.verified()
    anonymous = post.xyra.anonymous
    assert b"Forgotten your password?" in (await anonymous.send("GET", "/account/forgot")).body
    for email, headers, status in (
        (post.ada, {}, 403),
        (post.ada, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("", OWN_PAGE, 422),
    ):
        answer = await anonymous.send("POST", "/account/forgot", form={"email": email}, headers=headers)
        answer.expect(status)
    assert await post.mailbox.arrivals(post.ada) == []
    said = [
        (await anonymous.send("POST", "/account/forgot", form={"email": email}, headers=OWN_PAGE)).body
        for email in (f" {post.ada} ", "nobody@example.com")
    ]
    assert said[0] == said[1]
    assert b"Look into your mailbox" in said[0]
    (await post.confirm(await post.mailbox.token(post.ada), NEWER)).expect(204)
    assert await post.signs_in(NEWER)


async def test_whatever_is_wrong_with_a_form_is_told_on_a_page(post: Post) -> None:
    without_token = await post.xyra.anonymous.send("GET", "/account/verify")
    without_token.expect(422)
    assert without_token.media_type == "text/html"
    json = await post.xyra.anonymous.send("POST", "/account/reset", {"password": NEW}, headers=OWN_PAGE, token="x")
    json.expect(415)
    assert json.media_type == "text/html"


async def test_the_mails_of_a_machine_are_printed_with_their_links(post: Post) -> None:
    token = await post.sign_up()
    output = post.process.output
    assert re.search(rf"^Mail to {re.escape(post.ada)}, Confirm your e-mail address: \S+\.eml$", output, re.MULTILINE)
    base = re.escape(post.process.base.replace("127.0.0.1", "localhost"))
    assert re.search(rf"^  {base}/account/verify\?token={token}$", output, re.MULTILINE)
