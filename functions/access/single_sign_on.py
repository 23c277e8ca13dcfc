"""Signing in by an organization's identity provider."""

from http.cookies import CookieError, SimpleCookie

import azure.functions as func
from pydantic import ConfigDict, Field

from functions.access.identity_providers import ProviderPath
from functions.access.page_forms import SIGNED_IN_PAGE
from functions.access.signing_in import NOT_KEPT, SignInAnswer, origin_of
from shared.domain.access.identity_providers import START_LIFETIME
from shared.domain.access.rate_limits import FAILED_SIGN_INS, SIGN_ON_STARTS
from shared.domain.kernel.errors import (
    ConflictError,
    EmailUnverifiedError,
    ForbiddenError,
    LinkRequiredError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from shared.http import Access, Call, NoBody, Query, Reply, Schema, endpoint, page_sessions
from shared.http.browser_errors import BrowserErrors
from shared.services.access.single_sign_on import SSO_PATH, Return

blueprint = func.Blueprint()

COOKIE = "xyra_sso"


class EmailQuery(Query):
    email: str = Field(min_length=3, max_length=320)
    """The address that somebody wants to sign in with."""


class StartQuery(Query):
    link: str | None = Field(default=None, max_length=128)
    """As the answer of `link` has it, to link a signed-in user's account."""
    page: bool = False
    """Whether the browser goes on on the pages of the account, and gets their cookie."""


class CallbackQuery(Query):
    model_config = ConfigDict(extra="ignore")  # providers add what they like

    state: str = Field(default="", max_length=256)
    """As it was sent to the provider."""
    code: str = Field(default="", max_length=4096)
    """What the provider gives out its word for."""
    iss: str | None = Field(default=None, max_length=512)
    """Who answers (RFC 9207)."""
    error: str | None = Field(default=None, max_length=256)
    """Why nobody has signed in there."""


class OfferedProvider(Schema):
    id: str
    name: str
    """As its organization calls it."""
    url: str
    """Where the browser goes to sign in by it."""


class OfferedProvidersAnswer(Schema):
    providers: list[OfferedProvider]
    """Those that speak for the domain of the address."""


class LinkAnswer(Schema):
    url: str
    """Where the browser goes to link the account, within 10 minutes. It works once."""


@endpoint(
    blueprint,
    "GET",
    "auth/sso",
    summary="The identity providers that speak for the domain of an address, whether or not it has an account",
    access=Access.PUBLIC,
    query=EmailQuery,
    answers={200: OfferedProvidersAnswer},
    rate_limits=(SIGN_ON_STARTS,),
    errors=(UnavailableError,),
)
async def offer_single_sign_on(call: Call[NoBody, EmailQuery]) -> Reply:
    provider = await call.services.identity_providers.of_email(call.query.email)
    if provider is None:
        return Reply({"providers": []})
    url = call.services.single_sign_on.start_url(provider)
    return Reply({"providers": [OfferedProvider.showing(provider, url=url)]})


@endpoint(
    blueprint,
    "POST",
    "auth/sso/{provider_id}/link",
    summary="Begin to link the signed-in user's account with an identity provider",
    access=Access.SIGNED_IN,
    for_enrolment=True,
    path_values=ProviderPath,
    answers={200: LinkAnswer},
    errors=(EmailUnverifiedError,),
)
async def link_account(call: Call[NoBody, Query, ProviderPath]) -> Reply:
    url = await call.services.single_sign_on.link_url(call.path.provider_id, call.principal)
    return Reply({"url": url}, headers=NOT_KEPT)


@endpoint(
    blueprint,
    "GET",
    "auth/sso/{provider_id}/start",
    summary="Send the browser to the identity provider",
    access=Access.PUBLIC,
    path_values=ProviderPath,
    query=StartQuery,
    answers={302: None},
    error_format=BrowserErrors(),
    rate_limits=(SIGN_ON_STARTS,),
    errors=(NotFoundError, ForbiddenError, UnauthenticatedError, UnavailableError),
)
async def start_single_sign_on(call: Call[NoBody, StartQuery, ProviderPath]) -> Reply:
    start = call.services.single_sign_on.start
    departure = await start(call.path.provider_id, call.query.link, for_page=call.query.page)
    secure = "; Secure" if call.services.public_origin.startswith("https://") else ""
    cookie = (
        f"{COOKIE}={departure.cookie}; Max-Age={int(START_LIFETIME.total_seconds())}; Path={SSO_PATH}; HttpOnly;"
        f" SameSite=Lax{secure}"
    )
    return Reply(headers={**NOT_KEPT, "Location": departure.url, "Set-Cookie": cookie})


@endpoint(
    blueprint,
    "GET",
    "auth/sso/{provider_id}/callback",
    summary="Where the identity provider sends the browser back to: the session of whoever has signed in there",
    access=Access.PUBLIC,
    path_values=ProviderPath,
    query=CallbackQuery,
    answers={200: SignInAnswer, 303: None},
    error_format=BrowserErrors(),
    rate_limits=(FAILED_SIGN_INS,),
    errors=(
        UnauthenticatedError,
        NotFoundError,
        ForbiddenError,
        LinkRequiredError,
        ConflictError,
        UnavailableError,
    ),
)
async def finish_single_sign_on(call: Call[NoBody, CallbackQuery, ProviderPath]) -> Reply:
    query = call.query
    if query.error is not None:
        raise ForbiddenError(f"The identity provider has signed nobody in: {query.error}")
    back = Return(_cookie(call), query.state, query.code, query.iss)
    arrived = await call.services.single_sign_on.finish(call.path.provider_id, back, origin_of(call))
    if arrived.for_page:
        begun = await page_sessions.beginning(call, arrived.signed_in)
        return Reply(status=303, headers={**NOT_KEPT, **SIGNED_IN_PAGE, **begun})
    gone = f"{COOKIE}=; Max-Age=0; Path={SSO_PATH}; HttpOnly; SameSite=Lax"
    return Reply(arrived.signed_in, headers={**NOT_KEPT, "Set-Cookie": gone})


def _cookie(call: Call[NoBody, CallbackQuery, ProviderPath]) -> str:
    """Raises `UnauthenticatedError` without one."""
    try:
        cookies = SimpleCookie(call.headers.get("cookie", ""))
    except CookieError as error:
        raise UnauthenticatedError("The cookies cannot be read") from error
    if COOKIE not in cookies:
        raise UnauthenticatedError("The sign-in was begun in another browser: begin again")
    return cookies[COOKIE].value
