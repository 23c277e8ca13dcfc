"""What the forms for signing in and for second factors share."""

from collections.abc import Mapping
from typing import Literal

from pydantic import ValidationError as PydanticError

from functions.access.second_factors import DeviceCredential
from shared.domain.kernel.errors import UnauthenticatedError
from shared.http import pages
from shared.services.access.factor_checks import ShownFactor, ShownPasskey
from shared.services.access.passkeys import PasskeyOptions

SIGN_IN_PAGE: Mapping[str, str] = {"Location": "/account/sign-in"}
SIGNED_IN_PAGE: Mapping[str, str] = {"Location": "/account/security"}
FORM_ERRORS = pages.PageErrors(
    ("This form cannot be read", ("Something that it needs is missing, or was changed on the way.", "Open it again."))
)


def passkey_page(  # noqa: PLR0913  what such a page has
    title: str,
    text: str,
    options: PasskeyOptions,
    fields: Mapping[str, str],
    *,
    ceremony: Literal["get", "create"],
    back: str,
) -> bytes:
    """A page whose script asks the device, and sends what it answers with these fields."""
    return pages.page(
        "passkey",
        title,
        text=text,
        ceremony=ceremony,
        options=options.options,
        fields={**fields, "challenge_id": options.challenge_id},
        back=back,
        script=pages.passkey_script(),
    )


def shown_factor(code: str, recovery_code: str, challenge_id: str, credential: str) -> ShownFactor:
    """The one of the three that a form was sent with. Raises `UnauthenticatedError` as `shown_passkey`."""
    passkey = shown_passkey(challenge_id, credential) if credential else None
    return ShownFactor(code.strip() or None, recovery_code or None, passkey)


def shown_passkey(challenge_id: str, credential: str) -> ShownPasskey:
    """Raises `UnauthenticatedError` for what is no answer of a device."""
    try:
        answered = DeviceCredential.model_validate_json(credential)
    except PydanticError as error:
        raise UnauthenticatedError("The device has answered something that cannot be read: try again") from error
    return ShownPasskey(challenge_id, answered.model_dump(by_alias=True, exclude_none=True))
