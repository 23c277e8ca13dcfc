"""The page on which people sign in: by password and second factor, by a passkey, or through their company."""

from collections.abc import Sequence
from typing import Any, Literal

import azure.functions as func
from pydantic import Field

from functions.access.page_forms import FORM_ERRORS, SIGNED_IN_PAGE, passkey_page, shown_factor, shown_passkey
from functions.access.signing_in import origin_of
from shared.domain.access.rate_limits import FAILED_SIGN_INS, SIGN_IN_PAGES
from shared.domain.access.second_factors import Method
from shared.domain.kernel.errors import (
    ForbiddenError,
    LockedError,
    OrganizationChoice,
    OrganizationRequiredError,
    UnauthenticatedError,
    UnavailableError,
)
from shared.http import Access, Call, FormBody, Reply, Schema, TextFile, endpoint, page_sessions, pages
from shared.services.access.pending_sign_ins import FactorRequired
from shared.services.access.sessions import SignedIn

blueprint = func.Blueprint()

_TITLE, _FACTOR_TITLE, _COMPANY_TITLE = "Sign in", "One more step", "Sign in through your company"


class SignInPageForm(Schema):
    """What the forms of the page send."""

    step: Literal["password", "factor", "factor_passkey", "passkey", "passkey_login", "company"]
    """Which form it is."""
    email: str = Field(default="", max_length=320)
    """What the user signs in with."""
    password: str = Field(default="", max_length=256)
    """The user's."""
    organization_id: str = Field(default="", max_length=256)
    """Which organization to sign in to, where the user belongs to several."""
    code: str = Field(default="", max_length=64)
    """The six digits that the app shows."""
    recovery_code: str = Field(default="", max_length=64)
    """One of those that were shown when the factor was set up."""
    challenge_id: str = Field(default="", max_length=64)
    """Of the challenge that a device has answered."""
    credential: str = Field(default="", max_length=32768)
    """What it has answered, as JSON."""


PageCall = Call[SignInPageForm]

_DECLARED: dict[str, Any] = {
    "access": Access.PUBLIC,
    "media_type": pages.MEDIA_TYPE,
    "error_format": FORM_ERRORS,
    "headers": pages.headers(with_passkeys=True),
}


@endpoint(
    blueprint,
    "GET",
    "/account/sign-in",
    summary="The page to sign in",
    answers={200: TextFile, 303: None},
    errors=(UnavailableError,),
    **_DECLARED,
)
async def show_sign_in(call: Call) -> Reply:
    try:
        await page_sessions.signed_in(call)
    except UnauthenticatedError:
        return Reply(_form())
    return Reply(status=303, headers=SIGNED_IN_PAGE)


@endpoint(
    blueprint,
    "POST",
    "/account/sign-in",
    summary="Sign in by the forms of the page",
    body=FormBody(SignInPageForm),
    authorize=pages.check_own_page,
    answers={200: TextFile, 303: None, 400: TextFile, 403: TextFile, 423: TextFile},
    rate_limits=(FAILED_SIGN_INS, SIGN_IN_PAGES),
    errors=(UnauthenticatedError, ForbiddenError, LockedError, UnavailableError),
    example={"step": "password", "email": "ada@example.com", "password": "correct horse battery staple"},
    **_DECLARED,
)
async def sign_in_by_page(call: PageCall) -> Reply:
    match call.body.step:
        case "password":
            return await _by_password(call)
        case "factor":
            return await _by_factor(call)
        case "factor_passkey":
            return await _ask_for_passkey(call, page_sessions.waiting_token(call))
        case "passkey":
            return await _ask_for_passkey(call, None)
        case "passkey_login":
            return await _by_passkey(call)
        case "company":
            return await _by_company(call)


async def _by_password(call: PageCall) -> Reply:
    """The page of the second factor, or of what is signed in to; the form again with what is wrong."""
    form = call.body
    try:
        signed_in = await call.services.accounts.sign_in(
            form.email,
            form.password,
            form.organization_id or None,
            device_token=page_sessions.device_token(call),
            origin=origin_of(call),
        )
    except OrganizationRequiredError as error:
        return _choice(error, "Choose an organization and give your password once more.", form.email)
    except UnauthenticatedError as error:
        raise _refused(error, form.email) from error
    except (ForbiddenError, LockedError) as error:
        return _held_back(error, form.email)
    if isinstance(signed_in, FactorRequired):
        return Reply(_factor_form(signed_in.methods), headers=await page_sessions.waiting(call, signed_in.mfa_token))
    return await _signed_in(call, signed_in)


async def _by_factor(call: PageCall) -> Reply:
    form = call.body
    pending = call.services.pending_sign_ins
    try:
        shown = shown_factor(form.code, form.recovery_code, form.challenge_id, form.credential)
        signed_in = await pending.complete(page_sessions.waiting_token(call), shown, origin_of(call))
    except UnauthenticatedError as error:
        raise pages.RefusedFormError(error.detail, await _factor_form_again(call, error)) from error
    except (ForbiddenError, LockedError) as error:
        return _held_back(error)
    return await _signed_in(call, signed_in)


async def _factor_form_again(call: PageCall, error: UnauthenticatedError) -> bytes:
    """With what is wrong; from the beginning where the sign-in is over."""
    try:
        account, _ = await call.services.pending_sign_ins.holder_of_challenge(page_sessions.waiting_token(call))
    except UnauthenticatedError as over:
        return _form(_sentence(over.detail))
    return _factor_form(account.second_factors.methods, _sentence(error.detail))


async def _ask_for_passkey(call: PageCall, mfa_token: str | None) -> Reply:
    try:
        options = await call.services.passkeys.sign_in_options(mfa_token)
    except UnauthenticatedError as error:
        raise _refused(error) from error
    step = "passkey_login" if mfa_token is None else "factor"
    chosen = {"organization_id": call.body.organization_id} if call.body.organization_id else {}
    return Reply(
        passkey_page(
            "Use a passkey",
            "Your device asks for your fingerprint, face or PIN.",
            options,
            {"step": step, **chosen},
            ceremony="get",
            back="sign-in",
        )
    )


async def _by_passkey(call: PageCall) -> Reply:
    form = call.body
    try:
        shown = shown_passkey(form.challenge_id, form.credential)
        signed_in = await call.services.passkeys.sign_in(shown, form.organization_id or None, origin_of(call))
    except OrganizationRequiredError as error:
        return _choice(error, "Choose an organization and sign in once more.")
    except UnauthenticatedError as error:
        raise _refused(error) from error
    except ForbiddenError as error:
        return _held_back(error)
    return await _signed_in(call, signed_in)


async def _by_company(call: PageCall) -> Reply:
    """Links, since a form must not lead to another site."""
    provider = await call.services.identity_providers.of_email(call.body.email)
    domain = call.body.email.rpartition("@")[2] or "no domain"
    url = "" if provider is None else f"{call.services.single_sign_on.start_url(provider)}?page=true"
    offered = [] if provider is None else [{"name": provider.name, "url": url}]
    return Reply(pages.page("sign_in_company", _COMPANY_TITLE, domain=domain, providers=offered))


async def _signed_in(call: PageCall, begun: SignedIn) -> Reply:
    return Reply(status=303, headers={**SIGNED_IN_PAGE, **await page_sessions.beginning(call, begun)})


def _choice(error: OrganizationRequiredError, text: str, email: str = "") -> Reply:
    return Reply(_form(text, email, error.organizations), status=400)


def _refused(error: UnauthenticatedError, email: str = "") -> pages.RefusedFormError:
    return pages.RefusedFormError(error.detail, _form(_sentence(error.detail), email))


def _held_back(error: ForbiddenError | LockedError, email: str = "") -> Reply:
    return Reply(_form(_sentence(error.detail), email), status=int(error.status))


def _sentence(detail: str) -> str:
    return f"{detail.rstrip('.')}."


def _form(problem: str = "", email: str = "", organizations: Sequence[OrganizationChoice] = ()) -> bytes:
    return pages.page("sign_in", _TITLE, problem=problem, email=email, organizations=organizations)


def _factor_form(methods: Sequence[Method], problem: str = "") -> bytes:
    return pages.page("sign_in_factor", _FACTOR_TITLE, problem=problem, methods=methods)
