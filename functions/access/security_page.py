"""The page on which people see and change how they sign in, and where they are signed in."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import azure.functions as func
from markupsafe import Markup
from pydantic import Field

from functions.access.page_forms import (
    FORM_ERRORS,
    SIGN_IN_PAGE,
    SIGNED_IN_PAGE,
    passkey_page,
    shown_factor,
    shown_passkey,
)
from shared.domain.access.identity import Principal
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    LockedError,
    NotFoundError,
    RateLimitedError,
    StepUpRequiredError,
    UnauthenticatedError,
    UnavailableError,
    ValidationError,
    XyraError,
)
from shared.http import Access, Call, FormBody, NoBody, Query, Reply, Schema, TextFile, endpoint, page_sessions, pages
from shared.http.authorization import check_person
from shared.services.access.factor_checks import ShownFactor
from shared.templates.qr_codes import qr_code

blueprint = func.Blueprint()

_TITLE, _STEP_UP_TITLE = "Your security", "Is it you?"
_TOTP_TITLE, _CODES_TITLE = "Set up an app", "Your recovery codes"

Change = Literal[
    "begin_totp",
    "confirm_totp",
    "remove_totp",
    "renew_codes",
    "begin_passkey",
    "register_passkey",
    "remove_passkey",
    "end_session",
    "sign_out",
    "sign_out_everywhere",
]
FOR_ENROLMENT: frozenset[Change] = frozenset({"begin_totp", "confirm_totp", "begin_passkey", "register_passkey"})
"""What whoever has still to set up the second factor may do."""
FOR_ALL: frozenset[Change] = frozenset({"sign_out", "sign_out_everywhere"})
"""What every session may do, one of a deleted organization and one by an identity provider, too."""

_DONE: Mapping[str, str] = {
    "app": "The app is removed.",
    "passkey": "The passkey is removed.",
    "added": "The passkey is added.",
    "session": "That session is ended.",
}
"""What the page says after a change, by its parameter `done`."""


class SecurityQuery(Query):
    done: str | None = Field(default=None, max_length=20)
    """What was changed just now."""


class SecurityForm(Schema):
    """What the forms of the page send."""

    step: Change | Literal["step_up", "step_up_passkey"]
    """What is to be done."""
    then: Change | Literal[""] = ""
    """What is to be done once the user has shown who they are."""
    code: str = Field(default="", max_length=64)
    """The six digits that the app shows."""
    recovery_code: str = Field(default="", max_length=64)
    """One of those that were shown when the factor was set up."""
    password: str = Field(default="", max_length=256)
    """For users who have no second factor."""
    name: str = Field(default="", max_length=200)
    """What the user calls the device."""
    passkey_id: str = Field(default="", max_length=64)
    """The passkey that is to be removed."""
    session_id: str = Field(default="", max_length=64)
    """The session that is to be ended."""
    challenge_id: str = Field(default="", max_length=64)
    """Of the challenge that a device has answered."""
    credential: str = Field(default="", max_length=32768)
    """What it has answered, as JSON."""


PageCall = Call[SecurityForm, SecurityQuery]

_REFUSALS = (ConflictError, ForbiddenError, LockedError, NotFoundError, ValidationError)
"""What the page says above its forms."""

_DECLARED: dict[str, Any] = {
    "access": Access.PUBLIC,
    "query": SecurityQuery,
    "media_type": pages.MEDIA_TYPE,
    "error_format": FORM_ERRORS,
    "headers": pages.headers(with_passkeys=True),
}


@endpoint(
    blueprint,
    "GET",
    "/account/security",
    summary="The page of a signed-in user's second factors and sessions",
    answers={200: TextFile, 303: None},
    errors=(RateLimitedError, UnavailableError),
    **_DECLARED,
)
async def show_security(call: Call[NoBody, SecurityQuery]) -> Reply:
    try:
        principal = await page_sessions.signed_in(call)
    except UnauthenticatedError:
        return Reply(status=303, headers=SIGN_IN_PAGE)
    return Reply(await _page(call, principal, done=_DONE.get(call.query.done or "", "")))


@endpoint(
    blueprint,
    "POST",
    "/account/security",
    summary="Change second factors or end sessions by the forms of the page",
    body=FormBody(SecurityForm),
    authorize=pages.check_own_page,
    answers={
        status: None if status == 303 else TextFile  # noqa: PLR2004  it leads to a page
        for status in (200, 303, 401, 403, 404, 409, 422, 423)
    },
    errors=(*_REFUSALS, UnauthenticatedError, RateLimitedError, UnavailableError),
    example={"step": "sign_out"},
    **_DECLARED,
)
async def change_security(call: PageCall) -> Reply:
    try:
        principal = await page_sessions.signed_in(call)
    except UnauthenticatedError:
        return Reply(status=303, headers=SIGN_IN_PAGE)
    step = call.body.step
    if step == "step_up_passkey":
        return await _ask_to_step_up_by_passkey(call, principal)
    if step == "step_up":
        return await _stepped_up(call, principal)
    return await _answered(call, principal, step)


async def _answered(call: PageCall, principal: Principal, change: Change) -> Reply:
    """What comes of a change: another page, or this one with what is wrong."""
    try:
        if change not in FOR_ALL:
            check_person(principal, "POST", for_enrolment=change in FOR_ENROLMENT, for_provider=False)
        return await _changed(call, principal, change)
    except StepUpRequiredError:
        return await _step_up_form(call, principal, change)
    except (*_REFUSALS, UnauthenticatedError) as error:
        if change == "confirm_totp" and isinstance(error, ValidationError | LockedError):
            return Reply(_totp_form(problem=_said(error)), status=int(error.status))
        return Reply(await _page(call, principal, problem=_said(error)), status=int(error.status))


async def _changed(call: PageCall, principal: Principal, change: Change) -> Reply:  # noqa: PLR0911  one for each
    """Raises what the services raise, `StepUpRequiredError` among them."""
    services = call.services
    match change:
        case "begin_totp":
            begun = await services.second_factors.enrol_totp(principal)
            account = await services.accounts.get(principal.user_id or "")
            return Reply(_totp_form(secret=begun.secret, image=qr_code(begun.uri), email=account.email))
        case "confirm_totp":
            codes = await services.second_factors.confirm_totp(principal, call.body.code.strip())
            return Reply(_codes("The app is set up.", codes))
        case "remove_totp":
            await services.second_factors.remove_totp(principal)
            return _back("app")
        case "renew_codes":
            codes = await services.second_factors.renew_recovery_codes(principal)
            return Reply(_codes("Those before work no longer.", codes))
        case "begin_passkey":
            return await _ask_for_new_passkey(call, principal)
        case "register_passkey":
            return await _register_passkey(call, principal)
        case "remove_passkey":
            await services.passkeys.remove(principal, call.body.passkey_id)
            return _back("passkey")
        case _:
            return await _session_ended(call, principal.user_id or "", change)


async def _session_ended(
    call: PageCall, user_id: str, change: Literal["end_session", "sign_out", "sign_out_everywhere"]
) -> Reply:
    match change:
        case "end_session":
            await call.services.sessions.end(user_id, call.body.session_id)
            return _back("session")
        case "sign_out":
            return Reply(status=303, headers={**SIGN_IN_PAGE, **await page_sessions.ended(call)})
        case "sign_out_everywhere":
            await call.services.sessions.end_all(user_id, with_devices=True)
            return Reply(status=303, headers={**SIGN_IN_PAGE, **page_sessions.forgotten()})


async def _ask_for_new_passkey(call: PageCall, principal: Principal) -> Reply:
    name = _name(call)
    options = await call.services.passkeys.registration_options(principal)
    text = "Your device asks for your fingerprint, face or PIN, and keeps the passkey."
    fields = {"step": "register_passkey", "name": name}
    return Reply(passkey_page("Add a passkey", text, options, fields, ceremony="create", back="security"))


async def _register_passkey(call: PageCall, principal: Principal) -> Reply:
    shown = shown_passkey(call.body.challenge_id, call.body.credential)
    made = await call.services.passkeys.register(principal, shown, _name(call))
    return (
        _back("added") if made.recovery_codes is None else Reply(_codes("The passkey is added.", made.recovery_codes))
    )


def _name(call: PageCall) -> str:
    """What the user calls the device. Raises `ValidationError`."""
    name = call.body.name.strip()
    if not name:
        raise ValidationError.at("/name", "Give the device a name first")
    return name


async def _stepped_up(call: PageCall, principal: Principal) -> Reply:
    """Do what was to be done, once the user has shown who they are; else ask again."""
    form = call.body
    if not form.then:
        raise ValidationError.at("/then", "says nothing that is to be done")
    try:
        check_person(principal, "POST", for_enrolment=False, for_provider=False)
        shown = shown_factor(form.code, form.recovery_code, form.challenge_id, form.credential)
        if shown == ShownFactor() and not form.password:
            raise ValidationError.at("/code", "Nothing was given")
        await call.services.second_factors.step_up(principal, shown, form.password or None)
    except (*_REFUSALS, UnauthenticatedError) as error:
        return await _step_up_form(call, principal, form.then, error)
    return await _answered(call, await page_sessions.signed_in(call), form.then)


async def _ask_to_step_up_by_passkey(call: PageCall, principal: Principal) -> Reply:
    options = await call.services.passkeys.step_up_options(principal)
    fields = {**_carried(call, call.body.then), "step": "step_up"}
    text = "Your device asks for your fingerprint, face or PIN."
    return Reply(passkey_page("Use a passkey", text, options, fields, ceremony="get", back="security"))


async def _step_up_form(call: PageCall, principal: Principal, then: Change, wrong: XyraError | None = None) -> Reply:
    account = await call.services.accounts.get(principal.user_id or "")
    shown = pages.page(
        "step_up",
        _STEP_UP_TITLE,
        problem="" if wrong is None else _said(wrong),
        methods=account.second_factors.methods,
        fields=_carried(call, then),
    )
    return Reply(shown, status=401 if wrong is None else int(wrong.status))


def _carried(call: PageCall, then: str) -> Mapping[str, str]:
    """What the forms in between send along."""
    form = call.body
    wanted = {"then": then, "passkey_id": form.passkey_id, "session_id": form.session_id, "name": form.name}
    return {name: value for name, value in wanted.items() if value}


async def _page(call: Call[Any, Any], principal: Principal, *, done: str = "", problem: str = "") -> bytes:
    services, user_id = call.services, principal.user_id or ""
    account = await services.accounts.get(user_id)
    organization = None
    if principal.organization_id is not None:
        organization = await services.organizations.find_by_id(principal.organization_id)
    shows_sessions = not (principal.by_provider or principal.for_enrolment)
    return pages.page(
        "security",
        _TITLE,
        done=done,
        problem=problem,
        account=account,
        organization=None if organization is None else organization.name,
        factors=account.second_factors,
        by_provider=principal.by_provider,
        only_by_company=principal.for_enrolment and organization is not None and not organization.password_allowed,
        for_enrolment=principal.for_enrolment,
        sessions=await services.sessions.in_force(user_id) if shows_sessions else (),
        session_id=principal.session_id,
    )


def _totp_form(*, secret: str = "", image: Markup | str = "", email: str = "", problem: str = "") -> bytes:
    return pages.page("totp", _TOTP_TITLE, secret=secret, image=image, email=email, problem=problem)


def _codes(text: str, codes: Sequence[str]) -> bytes:
    return pages.page("recovery_codes", _CODES_TITLE, text=text, codes=codes)


def _back(done: str) -> Reply:
    return Reply(status=303, headers={"Location": f"{SIGNED_IN_PAGE['Location']}?done={done}"})


def _said(error: XyraError) -> str:
    return f"{error.detail.rstrip('.')}."
