"""The cookie of our own pages: who is signed in or about to be, and by which token the device is known."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from shared.domain.access.identity import Principal
from shared.domain.access.lockout import DEVICE_KNOWN_FOR
from shared.domain.kernel.errors import NotFoundError, UnauthenticatedError
from shared.http.actors import actor_of, stranger
from shared.http.limiting import Standings, count_caller
from shared.http.tenancy import Call
from shared.services.access.sessions import SignedIn
from shared.services.storage.audit.acting import becomes

COOKIE = "__Host-xyra"
"""Browsers keep it only from us, over HTTPS (or from this machine itself), and for all paths."""
_BETWEEN = "~"
_VALUE = re.compile(r"([A-Za-z0-9._-]{0,250})~([A-Za-z0-9_-]{0,256})")
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"

AnyCall = Call[Any, Any, Any]


async def signed_in(call: AnyCall) -> Principal:
    """Who has signed in by a page, as the store has them now; from here on they are who acts.

    Raises `UnauthenticatedError` without a session in force, `RateLimitedError`.
    """
    services = call.services
    claims = await services.sessions.page_tokens.read(_parts(call)[0])
    principal = await services.authentication.authenticate_page(claims)
    becomes(actor_of(principal, stranger(call.headers, services.settings.trusted_hops).ip))
    await count_caller(services, principal, Standings())
    return principal


def device_token(call: AnyCall) -> str | None:
    """By which the device is known, where it is."""
    return _parts(call)[1] or None


async def beginning(call: AnyCall, begun: SignedIn) -> Mapping[str, str]:
    """The header that begins a session of the pages. One that the browser had before ends."""
    await ended(call)
    tokens = call.services.sessions.page_tokens
    token = await tokens.issue(begun.user_id, begun.session_id, begun.organization_id)
    return _set(token, begun.device_token or device_token(call) or "")


async def waiting(call: AnyCall, mfa_token: str) -> Mapping[str, str]:
    """The header that keeps a sign-in whose second factor is still to be shown. A session of before ends."""
    await ended(call)
    return _set(mfa_token, device_token(call) or "")


def waiting_token(call: AnyCall) -> str:
    """Of the sign-in that waits for its second factor; empty or something else where none does."""
    return _parts(call)[0]


async def ended(call: AnyCall) -> Mapping[str, str]:
    """End the browser's session, where it has one. The header that forgets it; the device stays known."""
    with suppress(UnauthenticatedError, NotFoundError):
        claims = await call.services.sessions.page_tokens.read(_parts(call)[0])
        await call.services.sessions.end(claims.user_id, claims.session_id)
    return _set("", device_token(call) or "")


def forgotten() -> Mapping[str, str]:
    """The header that forgets the session and the device."""
    return {"Set-Cookie": f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}"}


def _set(token: str, device: str) -> Mapping[str, str]:
    age = int(DEVICE_KNOWN_FOR.total_seconds())
    return {"Set-Cookie": f"{COOKIE}={token}{_BETWEEN}{device}; Max-Age={age}; {_ATTRIBUTES}"}


def _parts(call: AnyCall) -> tuple[str, str]:
    """The tokens of the session, or of the sign-in, and of the device; empty where there is none."""
    for part in call.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        found = _VALUE.fullmatch(value) if name == COOKIE else None
        if found is not None:
            return found[1], found[2]
    return "", ""
