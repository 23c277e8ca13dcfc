"""Second factors: shown at sign-in, enrolled, removed, and shown again before money or access changes."""

from datetime import datetime
from typing import Annotated, Literal, Self

import azure.functions as func
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from functions.access.signing_in import NOT_KEPT, SignInAnswer, origin_of
from shared.domain.access.rate_limits import FAILED_SIGN_INS
from shared.domain.access.second_factors import RECENT
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    LockedError,
    StepUpRequiredError,
    UnauthenticatedError,
)
from shared.http import Access, Call, IfMatch, Reply, Schema, endpoint
from shared.services.access.factor_checks import ShownFactor, ShownPasskey

blueprint = func.Blueprint()

Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
RecoveryCode = Annotated[str, StringConstraints(min_length=1, max_length=64)]


MAXIMUM_MFA_TOKEN = 200


class DeviceResponse(Schema):
    """All in base64url. What browsers say besides is ignored."""

    model_config = ConfigDict(extra="ignore")

    client_data: str = Field(alias="clientDataJSON", max_length=8192)
    """What the browser has let the device sign."""
    attestation_object: str | None = Field(default=None, alias="attestationObject", max_length=16384)
    """Of a registration: the new public key."""
    authenticator_data: str | None = Field(default=None, alias="authenticatorData", max_length=8192)
    """Of a sign-in: what the device has done."""
    signature: str | None = Field(default=None, max_length=4096)
    """Of a sign-in."""
    user_handle: str | None = Field(default=None, alias="userHandle", max_length=256)
    """Of a sign-in: whose passkey it is."""


class DeviceCredential(Schema):
    """As `PublicKeyCredential.toJSON` writes it. What browsers say besides is ignored."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(max_length=2048)
    """What the device calls the passkey, base64url."""
    raw_id: str = Field(alias="rawId", max_length=2048)
    """The same."""
    type: Literal["public-key"]
    """The kind of credential."""
    response: DeviceResponse
    """What the device has answered."""


class PasskeyAnswerRequest(Schema):
    challenge_id: str = Field(min_length=1, max_length=64)
    """As it was answered with the options."""
    credential: DeviceCredential
    """What the device has answered."""

    def shown(self) -> ShownPasskey:
        return ShownPasskey(self.challenge_id, self.credential.model_dump(by_alias=True, exclude_none=True))


class CodeRequest(Schema):
    code: Code
    """The six digits that the app shows."""


class MfaRequest(Schema):
    """One of `code`, `recovery_code` and `passkey`."""

    mfa_token: str = Field(min_length=1, max_length=MAXIMUM_MFA_TOKEN)
    """As the sign-in with the password answered it."""
    code: Code | None = None
    """The six digits that the app shows. Each works once."""
    recovery_code: RecoveryCode | None = None
    """One of those that were shown when the factor was enrolled. Each works once."""
    passkey: PasskeyAnswerRequest | None = None
    """What a device has answered to `auth/passkeys/login/options` with this token."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [self.code, self.recovery_code, self.passkey].count(None) != 2:  # noqa: PLR2004  all but one
            raise ValueError("send one of code, recovery_code and passkey")
        return self


class StepUpRequest(Schema):
    """One of `code`, `recovery_code`, `passkey` and, without a second factor, `password`."""

    code: Code | None = None
    """The six digits that the app shows."""
    recovery_code: RecoveryCode | None = None
    """One of those that were shown when the factor was enrolled."""
    passkey: PasskeyAnswerRequest | None = None
    """What a device has answered to `auth/step-up/options`."""
    password: str | None = Field(default=None, min_length=1, max_length=256)
    """For users who have no second factor."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [self.code, self.recovery_code, self.passkey, self.password].count(None) != 3:  # noqa: PLR2004  all but one
            raise ValueError("send one of code, recovery_code, passkey and password")
        return self


class NewTotpAnswer(Schema):
    secret: str
    """In base32, to be typed into an app. It is shown this once."""
    uri: str
    """The same as `otpauth://` for a QR code."""


class RecoveryCodesAnswer(Schema):
    recovery_codes: list[str]
    """Each stands in for the factor once. They are shown this once."""


class StepUpAnswer(Schema):
    valid_until: datetime
    """Until then it counts that the user has shown who they are."""


@endpoint(
    blueprint,
    "POST",
    "auth/mfa",
    summary="Show the second factor of a sign-in",
    access=Access.PUBLIC,
    body=MfaRequest,
    answers={200: SignInAnswer},
    rate_limits=(FAILED_SIGN_INS,),
    errors=(UnauthenticatedError, ForbiddenError, LockedError),
    example={"mfa_token": "usr_01.the-token", "code": "123456"},
)
async def show_second_factor(call: Call[MfaRequest]) -> Reply:
    shown = _shown(call.body)
    signed_in = await call.services.pending_sign_ins.complete(call.body.mfa_token, shown, origin_of(call))
    return Reply(signed_in, headers=NOT_KEPT)


@endpoint(
    blueprint,
    "POST",
    "auth/totp",
    summary="Begin to enrol an app that makes one-time passwords",
    access=Access.SIGNED_IN,
    for_enrolment=True,
    answers={200: NewTotpAnswer},
    errors=(StepUpRequiredError,),
)
async def enrol_totp(call: Call) -> Reply:
    return Reply(await call.services.second_factors.enrol_totp(call.principal), headers=NOT_KEPT)


@endpoint(
    blueprint,
    "POST",
    "auth/totp/confirm",
    summary="Make the app a second factor by a code of it, and get recovery codes",
    access=Access.SIGNED_IN,
    for_enrolment=True,
    body=CodeRequest,
    answers={200: RecoveryCodesAnswer},
    errors=(LockedError, StepUpRequiredError),
    example={"code": "123456"},
)
async def confirm_totp(call: Call[CodeRequest]) -> Reply:
    codes = await call.services.second_factors.confirm_totp(call.principal, call.body.code)
    return Reply({"recovery_codes": codes}, headers=NOT_KEPT)


@endpoint(
    blueprint,
    "POST",
    "auth/recovery-codes",
    summary="Ten new recovery codes in place of those before",
    access=Access.SIGNED_IN,
    answers={200: RecoveryCodesAnswer},
    errors=(StepUpRequiredError,),
)
async def renew_recovery_codes(call: Call) -> Reply:
    codes = await call.services.second_factors.renew_recovery_codes(call.principal)
    return Reply({"recovery_codes": codes}, headers=NOT_KEPT)


@endpoint(
    blueprint,
    "DELETE",
    "auth/totp",
    summary="Remove the app, after a second factor was shown within 10 minutes",
    access=Access.SIGNED_IN,
    if_match=IfMatch.NONE,
    answers={204: None},
    errors=(StepUpRequiredError, ConflictError),
)
async def remove_totp(call: Call) -> Reply:
    await call.services.second_factors.remove_totp(call.principal)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "auth/step-up",
    summary="Show again who you are, for what asks for that",
    access=Access.SIGNED_IN,
    body=StepUpRequest,
    answers={200: StepUpAnswer},
    errors=(LockedError,),
    example={"code": "123456"},
)
async def step_up(call: Call[StepUpRequest]) -> Reply:
    shown = _shown(call.body)
    await call.services.second_factors.step_up(call.principal, shown, call.body.password)
    return Reply({"valid_until": call.now + RECENT})


def _shown(body: MfaRequest | StepUpRequest) -> ShownFactor:
    passkey = None if body.passkey is None else body.passkey.shown()
    return ShownFactor(body.code, body.recovery_code, passkey)
