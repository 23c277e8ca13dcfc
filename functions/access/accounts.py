"""Sign-up and sign-in."""

from typing import Annotated, Literal

import azure.functions as func
from pydantic import EmailStr, Field, StringConstraints

from functions.fields import OrganizationAnswer
from shared.domain.kernel.money import Currency
from shared.domain.periods.periods import Timezone
from shared.http import Access, Call, FormBody, Query, Reply, Schema, endpoint
from shared.services.access.accounts import SignUp
from shared.settings import MINIMUM_PASSWORD

blueprint = func.Blueprint()

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Password = Annotated[str, StringConstraints(min_length=MINIMUM_PASSWORD, max_length=256)]


class SignUpRequest(Schema):
    email: EmailStr
    password: Password
    full_name: Name
    organization_name: Name
    currency: Currency
    timezone: Timezone
    accept_terms: Literal[True]


class UserAnswer(Schema):
    id: str
    email: str
    full_name: str


class SignUpAnswer(Schema):
    user: UserAnswer
    organization: OrganizationAnswer


class SignInForm(Schema):
    username: str = Field(max_length=320)
    password: str = Field(max_length=256)
    organization_id: str | None = Field(default=None, max_length=256)
    grant_type: Literal["password"] = "password"
    scope: str = ""
    client_id: str | None = None
    client_secret: str | None = None


class TokenAnswer(Schema):
    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the scheme's name
    expires_in: int


@endpoint(
    blueprint,
    "POST",
    "auth/signup",
    summary="Make a user with an organization of their own",
    access=Access.PUBLIC,
    body=SignUpRequest,
    answers={201: SignUpAnswer},
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
async def sign_up(call: Call[SignUpRequest, Query]) -> Reply:
    wanted = SignUp.model_validate(call.body.model_dump(exclude={"accept_terms"}))
    account, organization = await call.services.accounts.sign_up(wanted)
    user = UserAnswer(id=account.user_id, email=account.email, full_name=account.full_name)
    return Reply(SignUpAnswer(user=user, organization=OrganizationAnswer.of(organization)), status=201)


async def _sign_in(call: Call[SignInForm, Query]) -> Reply:
    signed_in = await call.services.accounts.sign_in(call.body.username, call.body.password, call.body.organization_id)
    answer = TokenAnswer(
        access_token=signed_in.access_token, refresh_token=signed_in.refresh_token, expires_in=signed_in.expires_in
    )
    return Reply(answer, headers={"Cache-Control": "no-store"})


_SIGN_IN_EXAMPLE = {"username": "ada@example.com", "password": "correct horse battery staple"}


@endpoint(
    blueprint,
    "POST",
    "auth/login/access-token",
    summary="Sign in with e-mail and password (OAuth2 password form)",
    access=Access.PUBLIC,
    body=FormBody(SignInForm),
    answers={200: TokenAnswer},
    example=_SIGN_IN_EXAMPLE,
)
async def sign_in(call: Call[SignInForm, Query]) -> Reply:
    return await _sign_in(call)


@endpoint(
    blueprint,
    "POST",
    "auth/login",
    summary="The same as auth/login/access-token",
    access=Access.PUBLIC,
    body=FormBody(SignInForm),
    answers={200: TokenAnswer},
    example=_SIGN_IN_EXAMPLE,
)
async def sign_in_alias(call: Call[SignInForm, Query]) -> Reply:
    return await _sign_in(call)
