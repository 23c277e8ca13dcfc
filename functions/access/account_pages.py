"""The pages that links in mails lead to. Opening one changes nothing: mail programs open links to look at them."""

from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func
from pydantic import Field

from functions.access.email_addresses import MAXIMUM_TOKEN
from shared.domain.access.password_policy import MAXIMUM_PASSWORD, MINIMUM_PASSWORD
from shared.domain.access.rate_limits import (
    ACCEPTED_INVITATIONS,
    PASSWORD_RESETS_BY_ADDRESS,
    PASSWORD_RESETS_OF_EMAIL,
)
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    InvalidTokenError,
    UnavailableError,
    ValidationError,
)
from shared.http import Access, Call, FormBody, NoBody, Query, Reply, Schema, TextFile, endpoint, pages
from shared.services.access.invitations import NewPerson

blueprint = func.Blueprint()


class LinkQuery(Query):
    token: str = Field(max_length=MAXIMUM_TOKEN)
    """The one in the mailed link."""


class PasswordForm(Schema):
    password: str = Field(max_length=MAXIMUM_PASSWORD)
    """The new one."""


class NoFields(Schema):
    """A form that has a button and nothing else."""


class AddressForm(Schema):
    email: str = Field(min_length=1, max_length=320)
    """The address that the user signs in with."""


class InvitationForm(PasswordForm):
    full_name: str = Field(max_length=200)
    """The new member's."""


_NAMES = {"/password": "The password", "/full_name": "Your name"}
"""What the fields are called, by the pointers of errors."""
_ACCEPT = "Accept the invitation"
_FORGOTTEN = "Forgotten your password?"
_LINK = "Sign in through your company"
_VERIFY = "Confirm your e-mail address"
_RESET = "Choose a new password"
_PAGES: dict[str, Any] = {
    "access": Access.PUBLIC,
    "query": LinkQuery,
    "media_type": pages.MEDIA_TYPE,
    "error_format": pages.PageErrors(),
    "headers": pages.headers(),
}
_FORMS: dict[str, Any] = {
    **_PAGES,
    "body": FormBody(PasswordForm),
    "authorize": pages.check_own_page,
    "answers": {200: TextFile, 422: TextFile},
    "errors": (ForbiddenError, ConflictError, UnavailableError),
    "example": {"password": "seven green umbrellas in the rain"},
}


@endpoint(
    blueprint,
    "GET",
    "/account/verify",
    summary="The page to verify an e-mail address",
    answers={200: TextFile},
    **_PAGES,
)
async def show_verification(call: Call[NoBody, LinkQuery]) -> Reply:  # noqa: ARG001  it is the same for every link
    return Reply(_form("verify", _VERIFY))


@endpoint(blueprint, "POST", "/account/verify", summary="Verify an e-mail address by the form of its page", **_FORMS)
async def verify_by_page(call: Call[PasswordForm, LinkQuery]) -> Reply:
    verify = call.services.email_verification.verify
    return await _done(
        "verify",
        _VERIFY,
        lambda: verify(call.query.token, call.body.password),
        pages.message_page(
            "Your address is confirmed", "You can sign in with your password now.", leads_to_sign_in=True
        ),
    )


@endpoint(
    blueprint, "GET", "/account/reset", summary="The page to choose a new password", answers={200: TextFile}, **_PAGES
)
async def show_reset(call: Call[NoBody, LinkQuery]) -> Reply:  # noqa: ARG001  as above
    return Reply(_form("reset", _RESET))


@endpoint(blueprint, "POST", "/account/reset", summary="Choose a new password by the form of its page", **_FORMS)
async def reset_by_page(call: Call[PasswordForm, LinkQuery]) -> Reply:
    confirm = call.services.password_resets.confirm
    return await _done(
        "reset",
        _RESET,
        lambda: confirm(call.query.token, call.body.password),
        pages.message_page(
            "Your password is set",
            "You are signed out everywhere. Sign in with the new password now.",
            leads_to_sign_in=True,
        ),
    )


@endpoint(
    blueprint, "GET", "/account/accept", summary="The page to accept an invitation", answers={200: TextFile}, **_PAGES
)
async def show_invitation(call: Call[NoBody, LinkQuery]) -> Reply:  # noqa: ARG001  as above
    return Reply(_form("accept", _ACCEPT))


@endpoint(
    blueprint,
    "POST",
    "/account/accept",
    summary="Accept an invitation by the form of its page",
    rate_limits=(ACCEPTED_INVITATIONS,),
    **{
        **_FORMS,
        "body": FormBody(InvitationForm),
        "example": {"password": "seven green umbrellas in the rain", "full_name": "Grace Hopper"},
    },
)
async def accept_by_page(call: Call[InvitationForm, LinkQuery]) -> Reply:
    return await _done(
        "accept",
        _ACCEPT,
        lambda: _accept(call),
        pages.message_page("Welcome", "You are a member now. Sign in with your password.", leads_to_sign_in=True),
    )


@endpoint(
    blueprint,
    "GET",
    "/account/forgot",
    summary="The page to have a link mailed by which a new password is chosen",
    answers={200: TextFile},
    **{**_PAGES, "query": Query},
)
async def show_forgotten(call: Call) -> Reply:  # noqa: ARG001  it is the same for everybody
    return Reply(pages.page("forgot", _FORGOTTEN))


@endpoint(
    blueprint,
    "POST",
    "/account/forgot",
    summary="Have a link mailed by the form of its page. The answer is the same for every address",
    rate_limits=(PASSWORD_RESETS_OF_EMAIL, PASSWORD_RESETS_BY_ADDRESS),
    **{**_FORMS, "query": Query, "body": FormBody(AddressForm), "example": {"email": "ada@example.com"}},
)
async def forget_by_page(call: Call[AddressForm]) -> Reply:
    await call.services.password_resets.ask(call.body.email.strip())
    return Reply(
        pages.message_page(
            "Look into your mailbox",
            "If there is an account with this address, a mail is on its way. The link in it works for 30 minutes.",
        )
    )


@endpoint(
    blueprint,
    "GET",
    "/account/link",
    summary="The page to link an account with an identity provider",
    answers={200: TextFile},
    **_PAGES,
)
async def show_account_link(call: Call[NoBody, LinkQuery]) -> Reply:  # noqa: ARG001  as above
    return Reply(_form("link", _LINK))


@endpoint(
    blueprint,
    "POST",
    "/account/link",
    summary="Link an account with an identity provider by the form of its page",
    **{**_FORMS, "body": FormBody(NoFields), "example": {}},
)
async def link_by_page(call: Call[NoFields, LinkQuery]) -> Reply:
    return await _done(
        "link",
        _LINK,
        lambda: call.services.provider_links.accept(call.query.token),
        pages.message_page(
            "Your account is linked", "Sign in through your company once more: you come in now.", leads_to_sign_in=True
        ),
    )


async def _accept(call: Call[InvitationForm, LinkQuery]) -> None:
    full_name = call.body.full_name.strip()
    if not full_name:
        raise ValidationError.at("/full_name", "is empty")
    await call.services.invitations.accept(call.query.token, None, NewPerson(call.body.password, full_name))


async def _done(name: str, title: str, act: Callable[[], Awaitable[None]], done: bytes) -> Reply:
    """The page that says so, or the form again with what is wrong."""
    try:
        await act()
    except InvalidTokenError:
        raise
    except ValidationError as error:
        pointer = error.errors[0].pointer if error.errors else ""
        return Reply(_form(name, title, f"{_NAMES.get(pointer, 'What you sent')} {error.detail}."), status=422)
    except ConflictError as error:
        return Reply(_form(name, title, f"{error.detail}."), status=422)
    return Reply(done)


def _form(name: str, title: str, problem: str = "") -> bytes:
    return pages.page(name, title, problem=problem, minimum=MINIMUM_PASSWORD)
