"""What a browser does with the pages: it keeps their cookie, follows where they lead, and fills in their forms."""

import html
import re
from collections.abc import Mapping

from tests.doubles.clients.log_scan import KNOWN
from tests.doubles.clients.xyra_client import Answer, Client

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
COOKIE = "__Host-xyra"
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_PROBLEM = re.compile(r'<p class="wrong" role="alert">(.*?)</p>')


class PageBrowser:
    """One browser: it has one cookie, and calls no API."""

    def __init__(self, anonymous: Client) -> None:
        self._anonymous = anonymous
        self.cookie: str | None = None

    async def open(self, page: str, /, **query: str) -> Answer:
        return self._kept(await self._anonymous.send("GET", f"/account/{page}", headers=self._headers(), **query))

    async def send(self, page: str, /, headers: Mapping[str, str] = OWN_PAGE, **form: str) -> Answer:
        sent = {**self._headers(), **headers}
        return self._kept(await self._anonymous.send("POST", f"/account/{page}", form=form, headers=sent))

    async def sign_in(self, email: str, password: str) -> Answer:
        return await self.send("sign-in", step="password", email=email, password=password)

    async def is_signed_in(self) -> bool:
        return (await self.open("security")).status == 200

    def _headers(self) -> dict[str, str]:
        return {} if self.cookie is None else {"Cookie": f"{COOKIE}={self.cookie}"}

    def take(self, answer: Answer) -> None:
        """The cookie of an answer of another route."""
        self._keep(answer.headers["Set-Cookie"])

    def _kept(self, answer: Answer) -> Answer:
        given = answer.headers.get("Set-Cookie")
        if given is not None:
            self._keep(given)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        return answer

    def _keep(self, given: str) -> None:
        pair, *attributes = given.split("; ")
        name, _, value = pair.partition("=")
        assert name == COOKIE
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)
        self.cookie = None if "Max-Age=0" in attributes else value
        for token in value.split("~"):
            KNOWN.add("token of the pages' cookie", token)


def hidden(answer: Answer) -> dict[str, str]:
    """The hidden fields of all forms of a page; of two with one name the last."""
    return {name: html.unescape(value) for name, value in _HIDDEN.findall(answer.body.decode())}


def problem(answer: Answer) -> str:
    """What the page says is wrong; empty where it says nothing."""
    found = _PROBLEM.search(answer.body.decode())
    return "" if found is None else html.unescape(found[1])
