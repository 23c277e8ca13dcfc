"""Sign-up and sign-in of users."""

from typing import Literal

import azure.functions as func
from pydantic import EmailStr, Field

from functions.access.signing_in import NOT_KEPT, FactorRequiredAnswer, NewPassword, SignInAnswer, origin_of
from functions.fields import Name, OrganizationAnswer
from shared.domain.access.rate_limits import FAILED_SIGN_INS, SIGN_UPS
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    LockedError,
    OrganizationRequiredError,
    UnauthenticatedError,
)
from shared.domain.kernel.money import Currency
from shared.domain.periods.periods import Timezone
from shared.http import Access, Call, FormBody, Reply, Schema, endpoint
from shared.services.access.accounts import SignUp

blueprint = func.Blueprint()


class SignUpRequest(Schema):
    email: EmailStr
    """What the user signs in with."""
    password: NewPassword
    """Hard to guess: zxcvbn rates it 3 or more. Only a hash of it is stored."""
    full_name: Name
    """The user's."""
    organization_name: Name
    """The name of the organization that is created for the user."""
    currency: Currency
    """The organization's, by ISO 4217. It can never be changed."""
    timezone: Timezone
    """IANA name. The organization's billing periods are calendar months there."""
    accept_terms: Literal[True]
    """Has to be true."""


class UserAnswer(Schema):
    id: str
    email: str
    """What the user signs in with."""
    full_name: str
    """The user's."""


class SignUpAnswer(Schema):
    user: UserAnswer
    """The new user."""
    organization: OrganizationAnswer
    """The organization that the user owns."""


class SignInForm(Schema):
    username: str = Field(max_length=320)
    """The e-mail address."""
    password: str = Field(max_length=256)
    """The user's."""
    organization_id: str | None = Field(default=None, max_length=256)
    """Which organization to sign in to, where the user belongs to several."""
    device_token: str | None = Field(default=None, max_length=256)
    """Of an earlier sign-in on this device: it can sign in although others locked the address by guessing."""
    grant_type: Literal["password"] = "password"
    """As OAuth2 defines it."""
    scope: str = ""
    """Ignored; OAuth2 clients send it."""
    client_id: str | None = None
    """Ignored; OAuth2 clients send it."""
    client_secret: str | None = None
    """Ignored; OAuth2 clients send it."""


@endpoint(
    blueprint,
    "POST",
    "auth/signup",
    summary="Create a user and an organization that the user owns",
    access=Access.PUBLIC,
    body=SignUpRequest,
    answers={201: SignUpAnswer},
    rate_limits=(SIGN_UPS,),
    errors=(ConflictError,),
    example={
        "email": "ada@example.com",
        "password": "correct horse battery staple",
        "full_name": "Ada Lovelace",
        "organization_name": "Analytical Engines",
        "currency": "USD",
        "timezone": "Europe/London",
        "accept_terms": True,
    },
)
async def sign_up(call: Call[SignUpRequest]) -> Reply:
    wanted = SignUp.model_validate(call.body.model_dump(exclude={"accept_terms"}))
    account, organization = await call.services.accounts.sign_up(wanted)
    return Reply({"user": UserAnswer.showing(account, id=account.user_id), "organization": organization})


async def _sign_in(call: Call[SignInForm]) -> Reply:
    form = call.body
    signed_in = await call.services.accounts.sign_in(
        form.username,
        form.password,
        form.organization_id,
        device_token=form.device_token,
        origin=origin_of(call),
    )
    return Reply(signed_in, headers=NOT_KEPT)


_SIGN_IN_ERRORS = (UnauthenticatedError, ForbiddenError, LockedError, OrganizationRequiredError)
_SIGN_IN_EXAMPLE = {"username": "ada@example.com", "password": "correct horse battery staple"}


@endpoint(
    blueprint,
    "POST",
    "auth/login/access-token",
    summary="Sign in with e-mail and password (OAuth2 password form)",
    access=Access.PUBLIC,
    body=FormBody(SignInForm),
    answers={200: SignInAnswer | FactorRequiredAnswer},
    rate_limits=(FAILED_SIGN_INS,),
    errors=_SIGN_IN_ERRORS,
    example=_SIGN_IN_EXAMPLE,
)
async def sign_in(call: Call[SignInForm]) -> Reply:
    return await _sign_in(call)


@endpoint(
    blueprint,
    "POST",
    "auth/login",
    summary="The same as auth/login/access-token",
    access=Access.PUBLIC,
    body=FormBody(SignInForm),
    answers={200: SignInAnswer | FactorRequiredAnswer},
    rate_limits=(FAILED_SIGN_INS,),
    errors=_SIGN_IN_ERRORS,
    example=_SIGN_IN_EXAMPLE,
)
async def sign_in_alias(call: Call[SignInForm]) -> Reply:
    return await _sign_in(call)
