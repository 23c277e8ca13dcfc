"""Users who cannot sign in choose a new password."""

from typing import Annotated

import azure.functions as func
from pydantic import Field, StringConstraints

from functions.access.email_addresses import MAXIMUM_TOKEN
from functions.access.signing_in import NewPassword
from shared.domain.access.identity import Permission
from shared.domain.access.rate_limits import PASSWORD_RESETS_BY_ADDRESS, PASSWORD_RESETS_OF_EMAIL
from shared.domain.kernel.errors import ConflictError, InvalidTokenError
from shared.http import Access, Call, Reply, Schema, endpoint

blueprint = func.Blueprint()

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class ForgottenPasswordRequest(Schema):
    email: str = Field(min_length=1, max_length=320)
    """The address that the user signs in with."""


class PasswordResetRequest(Schema):
    user_id: str = Field(min_length=1, max_length=256)
    """The id of a user of an organization."""
    reason: Reason
    """Why; it stands in the audit trail."""


class PasswordConfirmationRequest(Schema):
    token: str = Field(max_length=MAXIMUM_TOKEN)
    """The one in the mailed link. The newest link works, once, for 30 minutes."""
    password: NewPassword
    """The new one: hard to guess (zxcvbn rates it 3 or more), and none of the last five."""


@endpoint(
    blueprint,
    "POST",
    "auth/password/forgot",
    summary="Have a link mailed by which a new password is chosen. The answer is the same for every address",
    access=Access.PUBLIC,
    body=ForgottenPasswordRequest,
    answers={202: None},
    rate_limits=(PASSWORD_RESETS_OF_EMAIL, PASSWORD_RESETS_BY_ADDRESS),
    example={"email": "ada@example.com"},
)
async def forget_password(call: Call[ForgottenPasswordRequest]) -> Reply:
    await call.services.password_resets.ask(call.body.email)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "auth/password/confirm",
    summary="Choose a new password by a mailed link. All sessions end",
    access=Access.PUBLIC,
    body=PasswordConfirmationRequest,
    answers={204: None},
    errors=(InvalidTokenError, ConflictError),
    example={"token": "the-token-in-the-link", "password": "seven green umbrellas in the rain"},
)
async def confirm_password(call: Call[PasswordConfirmationRequest]) -> Reply:
    await call.services.password_resets.confirm(call.body.token, call.body.password)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "auth/password/reset",
    summary="End a user's sessions and password, and have a link mailed to choose a new one",
    access=Permission.USERS_WRITE,
    body=PasswordResetRequest,
    idempotent=False,
    answers={202: None},
    example={"user_id": "usr_01", "reason": "The user lost a laptop"},
)
async def reset_password(call: Call[PasswordResetRequest]) -> Reply:
    call.refuse_organization("the user is named by user_id")
    await call.services.password_resets.reset(call.body.user_id, call.body.reason)
    return Reply()
