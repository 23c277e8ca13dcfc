"""Pages for people: rendered here, without script, in one frame under a strict content security policy."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from markupsafe import Markup

from shared import correlation
from shared.domain.kernel.errors import ForbiddenError, UnauthenticatedError, XyraError
from shared.http.schemas import TextFile
from shared.http.tenancy import Call
from shared.templates.rendering import source, template

MEDIA_TYPE = "text/html"
_LINK_PROBLEM = (
    "It was used already, it has expired, or part of the address was lost on the way.",
    "Ask for a new mail, and follow the link in it.",
)

_TITLES = {
    HTTPStatus.FORBIDDEN: "This form cannot be sent from here",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many tries",
    HTTPStatus.SERVICE_UNAVAILABLE: "Please try again in a moment",
}
"""Of errors whose usual title is for programs."""


@cache
def headers(*, with_passkeys: bool = False) -> Mapping[str, str]:
    """Of every page. What it shows is for nobody else: not for caches, not for frames, and not for the next site.

    With `with_passkeys` the one script runs that asks a device for a passkey.
    """
    scripts = f" script-src '{digest(passkey_script())}';" if with_passkeys else ""
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src '{digest(_style())}';{scripts} form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def page(name: str, title: str, **values: object) -> bytes:
    """A page of `templates/pages` in the frame."""
    return template(f"pages/{name}.html").render(title=title, style=_style(), **values).encode()


def message_page(
    title: str, *paragraphs: str, correlation_id: str | None = None, leads_to_sign_in: bool = False
) -> bytes:
    """A page that says something and asks for nothing."""
    return page(
        "message",
        title,
        paragraphs=paragraphs,
        correlation_id=correlation_id,
        leads_to_sign_in=leads_to_sign_in,
    )


async def check_own_page(call: Call[Any, Any, Any]) -> None:
    """Let a form be sent by our own pages only. Raises `ForbiddenError`.

    Browsers say where a request comes from in `Sec-Fetch-Site`; older ones, and other clients, in `Origin`.
    """
    site, origin = call.headers.get("sec-fetch-site"), call.headers.get("origin")
    own = site == "same-origin" if site is not None else origin == call.services.public_origin
    if not own:
        raise ForbiddenError("This form can be sent from its own page only: open that page, or the link, again")


class RefusedFormError(UnauthenticatedError):
    """What a form was sent with proves nobody: the page shows the form again."""

    def __init__(self, detail: str, shown: bytes = b"") -> None:
        super().__init__(detail)
        self.shown = shown


class PageErrors:
    """Errors as pages. `unreadable` says what a page says where what it was sent cannot be read."""

    def __init__(self, unreadable: tuple[str, tuple[str, ...]] = ("This link does not work", _LINK_PROBLEM)) -> None:
        self._unreadable = unreadable

    @property
    def content(self) -> Mapping[str, Any]:
        return {MEDIA_TYPE: TextFile}

    def written(self, error: XyraError, headers: Mapping[str, str]) -> tuple[str, bytes]:  # noqa: ARG002  as `ErrorFormat` has it
        return MEDIA_TYPE, error.shown if isinstance(error, RefusedFormError) else self._page(error)

    def _page(self, error: XyraError) -> bytes:
        """Whatever is wrong with what a page sends: the link is broken, or the page was changed."""
        if error.status is HTTPStatus.UNPROCESSABLE_ENTITY:
            title, paragraphs = self._unreadable
            return message_page(title, *paragraphs)
        title = _TITLES.get(error.status, error.title)
        return message_page(title, f"{error.public_detail.rstrip('.')}.", correlation_id=correlation.current())


@cache
def _style() -> Markup:
    return Markup(source("pages/style.css"))  # noqa: S704  a file of ours


@cache
def passkey_script() -> Markup:
    """Asks the device, and sends what it answers with the page's form."""
    return Markup(source("pages/passkey.js"))  # noqa: S704  a file of ours


def digest(text: str) -> str:
    """By which a content security policy allows a style or a script of ours."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
