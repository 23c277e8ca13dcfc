"""Passkeys: registered, listed, removed, and signed in with."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import Field

from functions.access.second_factors import MAXIMUM_MFA_TOKEN, PasskeyAnswerRequest
from functions.access.signing_in import NOT_KEPT, SignInAnswer, origin_of
from functions.fields import Listed, Name
from shared.domain.access.rate_limits import FAILED_SIGN_INS, PASSKEY_OPTIONS
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    OrganizationRequiredError,
    StepUpRequiredError,
    UnauthenticatedError,
)
from shared.http import (
    Access,
    Call,
    IfMatch,
    NoBody,
    PathValues,
    Query,
    Reply,
    Schema,
    ThingId,
    VerbatimObject,
    endpoint,
)

blueprint = func.Blueprint()


class PasskeyPath(PathValues):
    passkey_id: Annotated[str, ThingId("pk")]
    """The passkey's id."""


class PasskeyOptionsAnswer(Schema):
    challenge_id: str
    """Sent back with what the device answers, within 5 minutes. It works once."""
    options: VerbatimObject
    """For `navigator.credentials`, as its `parse...OptionsFromJSON` reads them."""


class PasskeyRequest(PasskeyAnswerRequest):
    name: Name
    """What the user calls the device."""


class SignInOptionsRequest(Schema):
    mfa_token: str | None = Field(default=None, min_length=1, max_length=MAXIMUM_MFA_TOKEN)
    """Of a sign-in whose password was right; without it the passkey alone signs in."""


class PasskeySignInRequest(PasskeyAnswerRequest):
    organization_id: str | None = Field(default=None, max_length=256)
    """Which organization to sign in to, where the user belongs to several."""


class PasskeyAnswer(Schema):
    id: str
    name: str
    """What the user calls the device."""
    created_at: datetime
    last_used_at: datetime | None
    """When it last signed in; null where it has not."""


class NewPasskeyAnswer(PasskeyAnswer):
    recovery_codes: list[str] | None
    """Where it is the user's first second factor: each stands in for it once. They are shown this once."""


_CREDENTIAL: dict[str, Any] = {
    "id": "AQID",
    "rawId": "AQID",
    "type": "public-key",
    "response": {"clientDataJSON": "e30"},
}
_ANSWERED = {"challenge_id": "pkc_01", "credential": _CREDENTIAL}


@endpoint(
    blueprint,
    "POST",
    "auth/passkeys/options",
    summary="What a device is asked for to register a passkey",
    access=Access.SIGNED_IN,
    for_enrolment=True,
    answers={200: PasskeyOptionsAnswer},
    errors=(StepUpRequiredError, ConflictError),
)
async def offer_passkey(call: Call) -> Reply:
    return Reply(await call.services.passkeys.registration_options(call.principal), headers=NOT_KEPT)


@endpoint(
    blueprint,
    "POST",
    "auth/passkeys",
    summary="Register a passkey by what the device has answered",
    access=Access.SIGNED_IN,
    for_enrolment=True,
    body=PasskeyRequest,
    answers={201: NewPasskeyAnswer},
    errors=(StepUpRequiredError,),
    example={**_ANSWERED, "name": "Laptop"},
)
async def register_passkey(call: Call[PasskeyRequest]) -> Reply:
    made = await call.services.passkeys.register(call.principal, call.body.shown(), call.body.name)
    return Reply(NewPasskeyAnswer.showing(made.passkey, recovery_codes=made.recovery_codes), headers=NOT_KEPT)


@endpoint(
    blueprint,
    "GET",
    "auth/passkeys",
    summary="The user's passkeys. There are at most 10",
    access=Access.SIGNED_IN,
    answers={200: Listed[PasskeyAnswer]},
)
async def list_passkeys(call: Call) -> Reply:
    return Reply({"data": await call.services.passkeys.listed(call.principal), "next_cursor": None})


@endpoint(
    blueprint,
    "DELETE",
    "auth/passkeys/{passkey_id}",
    summary="Remove a passkey, after a second factor was shown within 10 minutes",
    access=Access.SIGNED_IN,
    path_values=PasskeyPath,
    if_match=IfMatch.NONE,
    answers={204: None},
    errors=(StepUpRequiredError,),
)
async def remove_passkey(call: Call[NoBody, Query, PasskeyPath]) -> Reply:
    await call.services.passkeys.remove(call.principal, call.path.passkey_id)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "auth/step-up/options",
    summary="What a device is asked for to show again who the user is",
    access=Access.SIGNED_IN,
    answers={200: PasskeyOptionsAnswer},
)
async def offer_step_up(call: Call) -> Reply:
    return Reply(await call.services.passkeys.step_up_options(call.principal), headers=NOT_KEPT)


@endpoint(
    blueprint,
    "POST",
    "auth/passkeys/login/options",
    summary="What a device is asked for to sign in",
    access=Access.PUBLIC,
    body=SignInOptionsRequest,
    answers={200: PasskeyOptionsAnswer},
    rate_limits=(PASSKEY_OPTIONS,),
    errors=(UnauthenticatedError,),
    example={},
)
async def offer_sign_in(call: Call[SignInOptionsRequest]) -> Reply:
    return Reply(await call.services.passkeys.sign_in_options(call.body.mfa_token), headers=NOT_KEPT)


@endpoint(
    blueprint,
    "POST",
    "auth/passkeys/login",
    summary="Sign in with a passkey alone",
    access=Access.PUBLIC,
    body=PasskeySignInRequest,
    answers={200: SignInAnswer},
    rate_limits=(FAILED_SIGN_INS,),
    errors=(UnauthenticatedError, ForbiddenError, OrganizationRequiredError),
    example=_ANSWERED,
)
async def sign_in_by_passkey(call: Call[PasskeySignInRequest]) -> Reply:
    signed_in = await call.services.passkeys.sign_in(call.body.shown(), call.body.organization_id, origin_of(call))
    return Reply(signed_in, headers=NOT_KEPT)
