"""The account's pages as people use them: in Chromium, with a virtual authenticator, at `http://localhost`."""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyotp
import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.log_scan import KNOWN
from tests.doubles.clients.xyra_client import PASSWORD, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

api = pytest.importorskip("playwright.async_api", reason="Playwright is not installed: make browser")

CHROMIUM = os.environ.get("XYRA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PICTURES = os.environ.get("XYRA_PICTURES")
"""Where pictures of the pages are left; none are taken without it."""
_SECONDS = 30
_AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: name one by XYRA_CHROMIUM")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def localhost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Passkeys are bound to the host's own address, so its port is chosen before."""
    process = XyraProcess(tmp_path_factory.mktemp("browser") / "data", XYRA_PORT=str(free_port()))
    try:
        yield asyncio.run(Served.by(process))
    finally:
        process.end()


@pytest.fixture
async def xyra(localhost: Served) -> AsyncIterator[Xyra]:
    async with localhost.clients() as clients:
        yield clients


@pytest.fixture
async def page(localhost: Served) -> AsyncIterator[Any]:
    """Of a browser of its own. Whatever it complains about fails the test."""
    async with api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(base_url=localhost.process.base.replace("127.0.0.1", "localhost"))
        context.set_default_timeout(_SECONDS * 1000)
        opened = await context.new_page()
        complaints: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on(
            "console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None
        )
        yield opened
        await browser.close()
        assert complaints == []


class Ada:
    def __init__(self, page: Any, email: str) -> None:
        self.page, self.email = page, email
        self.secret = ""
        self.codes: list[str] = []

    async def picture(self, name: str) -> None:
        if PICTURES:
            await self.page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def sees(self, text: str) -> None:
        await self.page.get_by_text(text).first.wait_for()

    async def is_at(self, path: str) -> None:
        await self.page.wait_for_url(re.compile(rf"/account/{path}(\?done=\w+)?$"))

    async def gives_password(self) -> None:
        await self.page.goto("/account/sign-in")
        await self.page.get_by_label("E-mail address", exact=True).fill(self.email)
        await self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await self.press("Sign in")

    async def signs_out(self) -> None:
        await self.page.goto("/account/security")
        await self.page.locator(".row").get_by_role("button", name="Sign out", exact=True).click()
        await self.is_at("sign-in")

    async def gives_code(self) -> None:
        """One of a step that was not used: at worst the next one begins in half a minute."""
        await self.page.get_by_label("The six digits").fill(pyotp.TOTP(self.secret).now())

    async def has_device(self) -> Any:
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("WebAuthn.enable")
        added = await session.send("WebAuthn.addVirtualAuthenticator", {"options": _AUTHENTICATOR})
        return session, added["authenticatorId"]


@pytest.fixture
async def ada(page: Any, xyra: Xyra) -> Ada:
    email = f"ada.{uuid4().hex[:8]}@example.com"
    await xyra.sign_up(email)
    return Ada(page, email)


async def test_an_app_is_set_up_and_asked_for(ada: Ada) -> None:
    page = ada.page
    await page.goto("/account/security")
    await ada.is_at("sign-in")
    await ada.picture("sign-in")
    await page.get_by_label("E-mail address", exact=True).fill(ada.email)
    await page.get_by_label("Password", exact=True).fill("not the right password")
    await ada.press("Sign in")
    await ada.sees("The e-mail address or the password is wrong.")
    await ada.picture("sign-in-wrong")
    await ada.gives_password()
    await ada.is_at("security")
    await ada.picture("security-without-factors")
    (cookie,) = await page.context.cookies()
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"], cookie["path"]) == ("__Host-xyra", True, True, "/")

    await ada.press("Set up an app")
    await ada.picture("totp")
    await page.get_by_text("Type it in instead").click()
    ada.secret = (await page.locator(".secret").text_content()).strip()
    KNOWN.add("secret of an app", ada.secret)
    await ada.picture("totp-by-hand")
    await ada.gives_code()
    await ada.press("Confirm the app")
    await ada.sees("They are shown this once.")
    await ada.picture("recovery-codes")
    ada.codes = await page.locator(".codes code").all_text_contents()
    assert len(ada.codes) == 10
    await page.get_by_role("link", name="I have kept them").click()
    await ada.is_at("security")
    await ada.picture("security-with-app")

    await ada.signs_out()
    await ada.gives_password()
    await ada.sees("The six digits that your app shows")
    await ada.picture("second-factor")
    await ada.gives_code()  # its step was used when the app was confirmed
    await ada.press("Continue")
    await ada.sees("The second factor is wrong, or was used before.")
    await page.get_by_text("Use a recovery code").click()
    await page.get_by_label("Recovery code").fill(ada.codes[0])
    await ada.picture("recovery-code")
    await page.locator("details").get_by_role("button", name="Continue").click()
    await ada.is_at("security")
    await ada.sees("9 of 10 are left")
    await ada.press("Sign out everywhere")
    await ada.is_at("sign-in")
    assert await page.context.cookies() == []


async def test_a_passkey_is_added_signed_in_with_and_removed(ada: Ada) -> None:
    page = ada.page
    session, device = await ada.has_device()
    await ada.gives_password()
    await ada.is_at("security")
    await page.get_by_label("Name of the device").fill("Work laptop")
    await ada.press("Add a passkey")
    await ada.sees("They are shown this once.")
    held = (await session.send("WebAuthn.getCredentials", {"authenticatorId": device}))["credentials"]
    assert [each["rpId"] for each in held] == ["localhost"]
    await page.get_by_role("link", name="I have kept them").click()
    await ada.sees("Work laptop")
    await ada.picture("security-with-passkey")

    await ada.signs_out()
    await ada.press("Sign in with a passkey")
    await ada.is_at("security")
    await ada.sees(ada.email)

    await ada.signs_out()
    await ada.gives_password()
    await ada.press("Use a passkey")
    await ada.is_at("security")
    await ada.press("Remove")
    await ada.sees("The passkey is removed.")
    await ada.picture("security-after-removal")


async def test_a_device_that_says_no_leads_back(ada: Ada) -> None:
    session, device = await ada.has_device()
    await session.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    await ada.page.goto("/account/sign-in")
    await ada.press("Sign in with a passkey")
    await ada.sees("The passkey was not used.")
    await ada.picture("passkey-refused")
    await ada.page.get_by_role("link", name="Go back").click()
    await ada.is_at("sign-in")


async def test_pages_can_be_read_on_a_phone_and_in_the_dark(ada: Ada) -> None:
    page = ada.page
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.emulate_media(color_scheme="dark")
    await ada.gives_password()
    await ada.is_at("security")
    for name in ("phone-dark", "phone-light"):
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360
        await ada.picture(name)
        await page.emulate_media(color_scheme="light")
    await page.get_by_label("Name of the device").focus()


async def test_a_form_on_another_site_is_refused(ada: Ada, localhost: Served) -> None:
    """127.0.0.1 is another site than localhost, with the same host behind it."""
    page = ada.page
    await ada.gives_password()
    await ada.is_at("security")
    port = localhost.process.base.rpartition(":")[2]
    await page.goto(f"http://127.0.0.1:{port}/health")
    form = f"""<form method="post" action="http://localhost:{port}/account/security">
        <input name="step" value="sign_out_everywhere"><button>Win</button></form>"""
    await page.set_content(form)
    await page.get_by_role("button", name="Win").click()
    await ada.sees("This form cannot be sent from here")
    await ada.picture("refused")
    await page.goto("/account/security")
    await ada.is_at("security")
    await ada.sees(ada.email)


async def test_a_factor_of_another_session_is_asked_for_before_a_change(ada: Ada, xyra: Xyra) -> None:
    page = ada.page
    await ada.gives_password()
    await ada.is_at("security")
    client = await xyra.sign_in(ada.email)
    ada.secret = (await client.send("POST", "auth/totp")).expect(200)["secret"]
    KNOWN.add("secret of an app", ada.secret)
    code = {"code": pyotp.TOTP(ada.secret).now()}
    ada.codes = (await client.send("POST", "auth/totp/confirm", code)).expect(200)["recovery_codes"]
    await page.reload()
    await ada.press("Make new codes")
    await ada.sees("show once more that it is you")
    await ada.picture("step-up")
    await page.get_by_text("Use a recovery code").click()
    await page.get_by_label("Recovery code").fill(ada.codes[0].upper())
    await page.locator("details").get_by_role("button", name="Continue").click()
    await ada.sees("They are shown this once.")
    fresh = await page.locator(".codes code").all_text_contents()
    assert len(fresh) == 10
    assert not set(fresh) & set(ada.codes)


async def test_pages_lead_to_each_other(ada: Ada) -> None:
    page = ada.page
    await page.goto("/account/sign-in")
    await page.get_by_role("link", name="Forgotten your password?").click()
    await ada.is_at("forgot")
    await ada.picture("forgot")
    await page.get_by_label("E-mail address").fill(ada.email)
    await ada.press("Send the mail")
    await ada.sees("Look into your mailbox")
    await ada.picture("forgot-sent")
    await page.goto("/account/sign-in")
    await page.get_by_text("Sign in through your company").click()
    await page.get_by_label("E-mail address at your company").fill(ada.email)
    await ada.picture("company")
    await ada.press("Continue")
    await ada.sees("No company has set up its own sign-in")
    await ada.picture("company-none")
    await page.get_by_role("link", name="Go back").click()
    await ada.is_at("sign-in")
    await page.goto("/account/link?token=a-token")
    await ada.picture("link")
    await ada.press("Confirm it")
    await ada.sees("This link does not work")


async def test_somebody_new_confirms_the_address_and_signs_in(page: Any, xyra: Xyra, localhost: Served) -> None:
    email = f"grace.{uuid4().hex[:8]}@example.com"
    await xyra.sign_up(email)
    grace = Ada(page, email)
    links: list[str] = []
    for _ in range(_SECONDS * 10):  # the timer that sends mails comes within a minute by the machine's clock
        printed = re.escape(email) + r".*\n\s+(http://localhost:\d+/account/verify\S+)"
        links = re.findall(printed, localhost.process.output)
        if links:
            break
        await asyncio.sleep(0.3)
    await page.goto(links[0])
    await page.get_by_label("Password").fill(PASSWORD)
    await grace.press("Confirm my address")
    await grace.sees("Your address is confirmed")
    await grace.picture("confirmed")
    await page.get_by_role("link", name="Sign in").click()
    await grace.is_at("sign-in")
    await page.get_by_label("E-mail address", exact=True).fill(email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await grace.press("Sign in")
    await grace.is_at("security")
