"""The pages on which people sign in and look after their second factors, as a browser without script uses them."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pyotp
import pytest

from tests.doubles.clients.authenticator import Authenticator
from tests.doubles.clients.browser_pages import PageBrowser, hidden, problem
from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.log_scan import KNOWN
from tests.doubles.clients.mailbox import Mailbox
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Xyra
from tests.doubles.worlds.invited_people import InvitedPeople

Json = dict[str, Any]

ORIGIN = "http://localhost:0"
"""Of the hosts of tests, which choose their port."""
BEGINNING = datetime(2026, 11, 18, 10, tzinfo=UTC)


def leads_to(answer: Answer, path: str) -> None:
    assert (answer.status, answer.headers.get("Location")) == (303, path), answer.body.decode()


class Ada:
    """Somebody with a browser. The clock is at the beginning of a step whenever a code is made."""

    def __init__(self, time_machine: TimeMachine, made: Json) -> None:
        self.time_machine, self.xyra = time_machine, time_machine.xyra
        self.email, self.organization_id = made["user"]["email"], made["organization"]["id"]
        self.browser = PageBrowser(self.xyra.anonymous)
        self.device = Authenticator(ORIGIN)
        self.secret = ""
        self.codes: list[str] = []
        self.now = BEGINNING

    async def sign_in(self) -> Answer:
        return await self.browser.sign_in(self.email, PASSWORD)

    async def change(self, **form: str) -> Answer:
        return await self.browser.send("security", **form)

    async def pass_time(self, time: timedelta) -> None:
        self.now += time
        await self.time_machine.at(self.now.isoformat())

    async def code(self) -> str:
        """One that was never used."""
        await self.pass_time(timedelta(minutes=1))
        return pyotp.TOTP(self.secret).at(self.now)

    async def enrol(self) -> None:
        begun = await self.change(step="begin_totp")
        begun.expect(200)
        (self.secret,) = re.findall(r'<code class="secret">([A-Z2-7]{32})</code>', begun.body.decode())
        KNOWN.add("secret of an app", self.secret)
        assert b"<svg" in begun.body
        shown = await self.change(step="confirm_totp", code=await self.code())
        shown.expect(200)
        self.codes = re.findall(r"<li><code>([a-z0-9-]{19})</code></li>", shown.body.decode())
        assert len(self.codes) == 10

    async def register(self, name: str = "Laptop") -> Answer:
        offered = await self.change(step="begin_passkey", name=name)
        offered.expect(200)
        answered = self.device.register(options_of(offered))
        return await self.change(**{**hidden(offered), "credential": json.dumps(answered)})

    def signed(self, offered: Answer) -> dict[str, str]:
        return {**hidden(offered), "credential": json.dumps(self.device.sign(options_of(offered)))}


def options_of(answer: Answer) -> Json:
    (options,) = re.findall(r'data-options="([^"]*)"', answer.expect(200) or answer.body.decode())
    return dict(json.loads(html.unescape(options)))


@pytest.fixture
async def ada(time_machine: TimeMachine) -> Ada:
    await time_machine.at(BEGINNING.isoformat())
    return Ada(time_machine, await time_machine.xyra.sign_up(f"{uuid4().hex}@example.com"))


async def test_a_password_then_an_app_then_a_recovery_code_sign_in_by_the_page(ada: Ada) -> None:
    leads_to(await ada.browser.open("security"), "/account/sign-in")
    leads_to(await ada.sign_in(), "/account/security")
    leads_to(await ada.browser.open("sign-in"), "/account/security")
    page = await ada.browser.open("security")
    assert ada.email.encode() in page.body
    await ada.enrol()
    leads_to(await ada.change(step="sign_out"), "/account/sign-in")
    assert not await ada.browser.is_signed_in()

    assert b"The six digits" in (await ada.sign_in()).body
    assert not await ada.browser.is_signed_in()
    code = await ada.code()
    wrong = await ada.browser.send("sign-in", step="factor", code="000000" if code != "000000" else "000001")
    assert (wrong.status, problem(wrong)) == (401, "The second factor is wrong, or was used before.")
    leads_to(await ada.browser.send("sign-in", step="factor", code=code), "/account/security")
    assert b"10 of 10 are left" in (await ada.browser.open("security")).body

    other = PageBrowser(ada.xyra.anonymous)
    assert b"The six digits" in (await other.sign_in(ada.email, PASSWORD)).body
    replayed = await other.send("sign-in", step="factor", code=code)
    assert replayed.status == 401
    leads_to(await other.send("sign-in", step="factor", recovery_code=ada.codes[0]), "/account/security")
    assert b"9 of 10 are left" in (await other.open("security")).body
    third = PageBrowser(ada.xyra.anonymous)
    await third.sign_in(ada.email, PASSWORD)
    assert (await third.send("sign-in", step="factor", recovery_code=ada.codes[0])).status == 401

    leads_to(await ada.change(step="sign_out_everywhere"), "/account/sign-in")
    assert ada.browser.cookie is None
    assert not await other.is_signed_in()


async def test_a_passkey_is_registered_signed_in_with_and_removed_by_the_pages(ada: Ada) -> None:
    await ada.sign_in()
    first = await ada.register()
    assert len(re.findall(rb"<li><code>", first.body)) == 10
    page = await ada.browser.open("security")
    assert b"<strong>Laptop</strong>" in page.body
    await ada.change(step="sign_out")

    asked = await ada.browser.send("sign-in", step="passkey")
    answer = ada.signed(asked)
    leads_to(await ada.browser.send("sign-in", **answer), "/account/security")
    replayed = await PageBrowser(ada.xyra.anonymous).send("sign-in", **answer)
    assert replayed.status == 401
    await ada.change(step="sign_out")

    assert b"Use a passkey" in (await ada.sign_in()).body
    second = ada.signed(await ada.browser.send("sign-in", step="factor_passkey"))
    leads_to(await ada.browser.send("sign-in", **second), "/account/security")

    await ada.pass_time(timedelta(minutes=11))
    (passkey_id,) = re.findall(r'name="passkey_id" value="(\w+)"', (await ada.browser.open("security")).body.decode())
    asked = await ada.change(step="remove_passkey", passkey_id=passkey_id)
    assert (asked.status, b"Is it you?" in asked.body) == (401, True)
    carried = {name: value for name, value in hidden(asked).items() if name != "step"}
    assert carried == {"then": "remove_passkey", "passkey_id": passkey_id}
    offered = await ada.change(step="step_up_passkey", **carried)
    leads_to(await ada.change(**ada.signed(offered)), "/account/security?done=passkey")
    assert b"The passkey is removed." in (await ada.browser.open("security", done="passkey")).body
    leads_to(await ada.browser.open("sign-in"), "/account/security")


async def test_what_changes_a_factor_asks_again_by_the_page(ada: Ada) -> None:
    await ada.sign_in()
    await ada.enrol()
    await ada.pass_time(timedelta(minutes=11))
    asked = await ada.change(step="renew_codes")
    assert (asked.status, b"Is it you?" in asked.body) == (401, True)
    wrong = await ada.change(step="step_up", then="renew_codes", code="12345")
    assert problem(wrong) == "It is wrong, or was used before."
    assert b"They are shown this once" not in wrong.body
    nothing = await ada.change(step="step_up", then="renew_codes")
    assert problem(nothing) == "Nothing was given."
    fresh = await ada.change(step="step_up", then="renew_codes", code=await ada.code())
    assert b"They are shown this once" in fresh.body
    leads_to(await ada.change(step="remove_totp"), "/account/security?done=app")
    await ada.change(step="sign_out")
    leads_to(await ada.sign_in(), "/account/security")


async def test_forms_are_taken_from_our_own_pages_only(ada: Ada, travelling_host: Served) -> None:
    own = travelling_host.process.base.replace("127.0.0.1", "localhost")
    await ada.sign_in()
    for headers in (
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": own},
        {"Origin": "null"},
        {"Origin": "https://evil.example.com"},
    ):
        refused = await ada.browser.send("security", headers=headers, step="sign_out_everywhere")
        refused.expect(403)
        signing_in = await ada.browser.send(
            "sign-in", headers=headers, step="password", email=ada.email, password=PASSWORD
        )
        signing_in.expect(403)
        assert "Set-Cookie" not in signing_in.headers
    assert await ada.browser.is_signed_in()
    leads_to(await ada.browser.send("security", headers={"Origin": own}, step="sign_out"), "/account/sign-in")


async def test_the_cookie_opens_pages_and_nothing_else(ada: Ada) -> None:
    await ada.sign_in()
    assert ada.browser.cookie is not None
    token = ada.browser.cookie.partition("~")[0]
    anonymous = ada.xyra.anonymous
    cookie = {"Cookie": f"__Host-xyra={ada.browser.cookie}"}
    (await anonymous.send("GET", "auth/me", headers=cookie)).problem(401, "unauthenticated")
    (await ada.xyra.bearing(token).send("GET", "auth/me")).problem(401, "unauthenticated")
    (await anonymous.send("POST", "auth/refresh", {"refresh_token": token})).problem(401, "unauthenticated")
    form = {"username": ada.email, "password": PASSWORD}
    tokens = (await anonymous.send("POST", "auth/login", form=form)).expect(200)
    guesses = [
        tokens["refresh_token"],
        tokens["access_token"],
        f"{token[:-1]}A",
        token.rpartition(".")[0],
        "",
        "x" * 500,
    ]
    for guess in guesses:
        browser = PageBrowser(anonymous)
        browser.cookie = f"{guess}~"
        assert not await browser.is_signed_in()


async def test_nobody_is_given_a_session_that_was_there_before(ada: Ada) -> None:
    """A cookie from elsewhere is replaced by signing in, and its session ends."""
    mallory = PageBrowser(ada.xyra.anonymous)
    other = f"{uuid4().hex}@example.com"
    await ada.xyra.sign_up(other)
    await mallory.sign_in(other, PASSWORD)
    ada.browser.cookie = mallory.cookie
    leads_to(await ada.sign_in(), "/account/security")
    assert ada.browser.cookie != mallory.cookie
    assert ada.email.encode() in (await ada.browser.open("security")).body
    assert not await mallory.is_signed_in()


async def test_who_is_locked_out_or_wrong_is_told_on_the_form(ada: Ada) -> None:
    for _ in range(5):
        wrong = await ada.browser.sign_in(ada.email, "not the right password")
        assert (wrong.status, problem(wrong)) == (401, "The e-mail address or the password is wrong.")
        assert f'value="{ada.email}"'.encode() in wrong.body
    locked = await ada.sign_in()
    assert locked.status == 423
    assert "Locked for 60 minutes" in problem(locked)


async def test_a_known_device_signs_in_although_strangers_have_locked_the_address(ada: Ada) -> None:
    await ada.sign_in()
    await ada.change(step="sign_out")
    stranger = PageBrowser(ada.xyra.anonymous)
    for _ in range(5):
        await stranger.sign_in(ada.email, "not the right password")
    assert (await stranger.sign_in(ada.email, PASSWORD)).status == 423
    leads_to(await ada.sign_in(), "/account/security")


async def test_one_of_several_organizations_is_chosen_on_the_page(
    time_machine: TimeMachine, travelling_host: Served
) -> None:
    xyra = time_machine.xyra
    mailbox = Mailbox(travelling_host.process, xyra)
    companies = [InvitedPeople(xyra, mailbox, await xyra.organization(name=name)) for name in ("Acme", "Globex")]
    email = (await companies[0].join("grace", "developer")).email
    await companies[1].invite(email, "viewer")
    await companies[1].accept(await mailbox.token(email))
    browser = PageBrowser(xyra.anonymous)
    asked = await browser.sign_in(email, PASSWORD)
    assert asked.status == 400
    for company, name in zip(companies, ("Acme", "Globex"), strict=True):
        assert f'<option value="{company.organization.id}">{name}</option>'.encode() in asked.body
    chosen = {"email": email, "password": PASSWORD, "organization_id": companies[1].organization.id}
    leads_to(await browser.send("sign-in", step="password", **chosen), "/account/security")
    assert b"signed in to Globex" in (await browser.open("security")).body
    foreign = {**chosen, "organization_id": (await xyra.organization()).id}
    assert (await PageBrowser(xyra.anonymous).send("sign-in", step="password", **foreign)).status == 401


async def test_who_has_still_to_enrol_can_do_nothing_else_on_the_page(ada: Ada) -> None:
    owner = await ada.xyra.sign_in(ada.email)
    path = f"organizations/{ada.organization_id}/settings"
    etag = (await owner.send("GET", path)).headers["ETag"]
    (await owner.send("PUT", path, {"mfa_required": True}, headers={"If-Match": etag})).expect(200)
    leads_to(await ada.sign_in(), "/account/security")
    page = await ada.browser.open("security")
    assert b"A second factor is asked for here" in page.body
    assert b"Where you are signed in" not in page.body
    assert (await ada.change(step="end_session", session_id="ses_01h455vb4pex5vsknk084sn02q")).status == 403
    await ada.enrol()
    assert b"Where you are signed in" in (await ada.browser.open("security")).body
    assert (await ada.change(step="remove_totp")).status == 409


async def test_another_session_is_ended_on_the_page(ada: Ada) -> None:
    client = await ada.xyra.sign_in(ada.email)
    await ada.sign_in()
    others = set(re.findall(r'name="session_id" value="(\w+)"', (await ada.browser.open("security")).body.decode()))
    assert len(others) == 1
    leads_to(await ada.change(step="end_session", session_id=others.pop()), "/account/security?done=session")
    (await client.send("GET", "auth/me")).problem(401, "unauthenticated")
    assert await ada.browser.is_signed_in()
    missing = await ada.change(step="end_session", session_id="ses_01h455vb4pex5vsknk084sn02q")
    assert missing.status == 404


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"step": "something"},
        {"step": "step_up", "password": PASSWORD},
        {"step": "sign_out", "next": "https://evil.example.com"},
        {"step": "remove_passkey", "passkey_id": "x" * 65},
        {"step": "register_passkey", "name": "x", "challenge_id": "pkc_1", "credential": "{}"},
        {"step": "begin_passkey", "name": " "},
    ],
    ids=str,
)
async def test_a_form_that_cannot_be_read_is_told_on_a_page(ada: Ada, form: dict[str, str]) -> None:
    await ada.sign_in()
    answer = await ada.change(**form)
    assert answer.status in (400, 401, 404, 422)
    assert answer.media_type == "text/html"
    assert await ada.browser.is_signed_in()


async def test_after_signing_in_nobody_is_sent_elsewhere(xyra: Xyra) -> None:
    browser = PageBrowser(xyra.anonymous)
    for name in ("next", "return_to", "redirect_uri", "url"):
        (await browser.open("sign-in", **{name: "https://evil.example.com"})).expect(422)


async def test_what_people_write_is_no_markup_on_the_pages(time_machine: TimeMachine) -> None:
    await time_machine.at(BEGINNING.isoformat())
    xyra, markup = time_machine.xyra, "\"'><script>alert(1)</script>{{ 7 * 7 }}"
    made = await xyra.sign_up(f"{uuid4().hex}@example.com", full_name=markup, organization_name=f"Acme {markup}")
    mallory = Ada(time_machine, made)
    await mallory.sign_in()
    first = await mallory.register(f"Laptop {markup}")
    shown = [first, await mallory.browser.open("security"), await mallory.change(step="begin_passkey", name=markup)]
    wrong = await PageBrowser(xyra.anonymous).sign_in(f"{markup}@example.com", "x" * 20)
    company = await PageBrowser(xyra.anonymous).send("sign-in", step="company", email=f"a@{markup}")
    for answer in (*shown, wrong, company):
        assert b"<script>alert" not in answer.body
        assert len(re.findall(rb"<script>", answer.body)) <= 1  # ours, where a device is asked
    assert html.escape(markup).encode().replace(b"&#x27;", b"&#39;").replace(b"&quot;", b"&#34;") in shown[1].body


async def test_what_a_device_has_answered_is_taken_once_on_the_page(ada: Ada) -> None:
    await ada.sign_in()
    offered = await ada.change(step="begin_passkey", name="Laptop")
    answered = {**hidden(offered), "credential": json.dumps(ada.device.register(options_of(offered)))}
    assert (await ada.change(**answered)).status == 200
    assert (await ada.change(**answered)).status == 401
    await ada.pass_time(timedelta(minutes=11))
    asked = await ada.change(step="step_up_passkey", then="renew_codes")
    shown = ada.signed(asked)
    assert (await ada.change(**shown)).status == 200
    await ada.pass_time(timedelta(minutes=11))
    replayed = await ada.change(**shown)
    assert (replayed.status, b"Is it you?" in replayed.body) == (401, True)
    assert b"They are shown this once" not in replayed.body
    elsewhere = await PageBrowser(ada.xyra.anonymous).send("sign-in", **{**shown, "step": "passkey_login"})
    assert elsewhere.status == 422  # it has fields that the form to sign in does not have


async def test_changes_by_the_page_are_their_users_on_the_trail(ada: Ada) -> None:
    await ada.sign_in()
    await ada.enrol()
    await ada.pass_time(timedelta(minutes=5))
    owner_session = await ada.change(step="renew_codes")
    assert owner_session.status == 200
    await ada.pass_time(timedelta(minutes=5))
    key = await ada.xyra.key_of(ada.organization_id)
    (told,) = (await key.get("audit", limit=100, action="users.enrol_totp"))["data"]
    assert told["actor"]["type"] == "user"
    assert told["actor"]["session_id"].startswith("ses_")
    assert told["ip"] == "127.0.0.0/24"


async def test_a_deleted_organizations_people_can_sign_out_only(ada: Ada) -> None:
    await ada.sign_in()
    (await ada.xyra.operator.send("DELETE", f"organizations/{ada.organization_id}")).expect(204)
    assert (await ada.browser.open("security")).status == 200
    refused = await ada.change(step="begin_totp")
    assert (refused.status, "The organization is deleted" in problem(refused)) == (403, True)
    leads_to(await ada.change(step="sign_out"), "/account/sign-in")
