"""Users show that their e-mail address is theirs."""

import azure.functions as func
from pydantic import Field

from functions.access.signing_in import NewPassword
from shared.domain.access.rate_limits import VERIFICATIONS
from shared.domain.kernel.errors import InvalidTokenError
from shared.http import Access, Call, Reply, Schema, endpoint

blueprint = func.Blueprint()

MAXIMUM_TOKEN = 200


class EmailVerificationRequest(Schema):
    token: str = Field(max_length=MAXIMUM_TOKEN)
    """The one in the mailed link. It works once, for 60 minutes."""
    password: NewPassword | None = None
    """What the user signs in with from now on; it may be the one of the sign-up. Without it the account has none: the
    one that it had was chosen by somebody who had not shown that the address is theirs.
    """


@endpoint(
    blueprint,
    "POST",
    "auth/email/send",
    summary="Have a link mailed by which the user's e-mail address is verified",
    access=Access.SIGNED_IN,
    answers={202: None},
    rate_limits=(VERIFICATIONS,),
)
async def send_verification(call: Call) -> Reply:
    await call.services.email_verification.send(call.principal.user_id or "")
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "auth/email/verify",
    summary="Verify an e-mail address by a mailed link. All sessions end, and the earlier password",
    access=Access.PUBLIC,
    body=EmailVerificationRequest,
    answers={204: None},
    errors=(InvalidTokenError,),
    example={"token": "the-token-in-the-link", "password": "correct horse battery staple"},
)
async def verify_email(call: Call[EmailVerificationRequest]) -> Reply:
    await call.services.email_verification.verify(call.body.token, call.body.password)
    return Reply()
