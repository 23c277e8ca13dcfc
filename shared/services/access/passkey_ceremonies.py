"""What browsers and devices are asked for, and what they answer: WebAuthn by the library of that name.

The library is imported at the first use: most processes need none of it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.domain.access.accounts import Account
from shared.domain.access.second_factors import Passkey
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.key_rings import to_bytes, to_text

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

_NAME = "Xyra"
_MILLISECONDS = 300_000


class WrongPasskeyError(Exception):
    """What a device has signed is not what it was asked to sign, or not by this passkey."""


class PasskeyCeremonies:
    """For one origin; its host is the id of the relying party, which passkeys are bound to."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._host = urlsplit(origin).hostname or ""

    def registration_options(self, account: Account, challenge: str) -> str:
        """For `navigator.credentials.create`, as JSON."""
        from webauthn import generate_registration_options, options_to_json  # noqa: PLC0415  see above
        from webauthn.helpers.structs import (  # noqa: PLC0415  see above
            AuthenticatorSelectionCriteria,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        options = generate_registration_options(
            rp_id=self._host,
            rp_name=_NAME,
            user_id=account.user_id.encode(),
            user_name=account.email,
            user_display_name=account.full_name,
            challenge=to_bytes(challenge),
            timeout=_MILLISECONDS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=_descriptors(account),
        )
        return options_to_json(options)

    def sign_in_options(self, account: Account | None, challenge: str) -> str:
        """For `navigator.credentials.get`, as JSON; without an account for whichever passkey the device has."""
        from webauthn import generate_authentication_options, options_to_json  # noqa: PLC0415  see above
        from webauthn.helpers.structs import UserVerificationRequirement  # noqa: PLC0415  see above

        options = generate_authentication_options(
            rp_id=self._host,
            challenge=to_bytes(challenge),
            timeout=_MILLISECONDS,
            allow_credentials=_descriptors(account) if account is not None else [],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    def registered(self, credential: Mapping[str, Any], challenge: str, name: str, now: datetime) -> Passkey:
        """The new passkey. Raises `ValidationError` for an answer that does not fit the options."""
        from webauthn import verify_registration_response  # noqa: PLC0415  see above
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415  see above

        try:
            verified = verify_registration_response(
                credential=dict(credential),
                expected_challenge=to_bytes(challenge),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise ValidationError.at("/credential", f"does not fit the options: {error}") from error
        return Passkey(
            id=new_id("pk"),
            credential_id=to_text(verified.credential_id),
            public_key=to_text(verified.credential_public_key),
            name=name,
            sign_count=verified.sign_count,
            created_at=now,
        )

    def used(self, passkey: Passkey, credential: Mapping[str, Any], challenge: str, now: datetime) -> Passkey:
        """After a sign-in by it. Raises `WrongPasskeyError`, also where its counter went back: it may be a copy."""
        from webauthn import verify_authentication_response  # noqa: PLC0415  see above
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415  see above

        try:
            verified = verify_authentication_response(
                credential=dict(credential),
                expected_challenge=to_bytes(challenge),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=to_bytes(passkey.public_key),
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise WrongPasskeyError(str(error)) from error
        return passkey.model_copy(update={"sign_count": verified.new_sign_count, "last_used_at": now})


def _descriptors(account: Account) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor  # noqa: PLC0415  see above

    ids = [passkey.credential_id for passkey in account.second_factors.passkeys]
    return [PublicKeyCredentialDescriptor(id=to_bytes(id_)) for id_ in ids]
