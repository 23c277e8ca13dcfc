"""Second factors that somebody shows, checked against the account."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.domain.access.accounts import Account
from shared.domain.access.identity import Principal
from shared.domain.access.second_factors import (
    SECOND_FACTORS,
    ChallengePurpose,
    SecondFactors,
    Totp,
    matching_step,
)
from shared.domain.kernel.errors import ConflictError, StepUpRequiredError, UnauthenticatedError
from shared.ports.clock import Clock
from shared.services.access.passkey_ceremonies import PasskeyCeremonies, WrongPasskeyError
from shared.services.access.passkey_challenges import PasskeyChallenges, SignedChallenge
from shared.services.access.proofs import Proven
from shared.services.storage.sealed_values import SealedValues
from shared.services.tenancy.organizations import Organizations

TOTP_FIELD = "second_factors.totp"


class WrongFactorError(UnauthenticatedError):
    """What was shown is wrong, or was used before. One answer for both."""

    def __init__(self, detail: str = "The second factor is wrong, or was used before") -> None:
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class ShownPasskey:
    """What a device has answered to a challenge."""

    challenge_id: str
    credential: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShownFactor:
    """One of the three, as it was sent."""

    code: str | None = None
    recovery_code: str | None = None
    passkey: ShownPasskey | None = None
    signed: SignedChallenge | None = None
    """Of the passkey, once its challenge was used up."""


class FactorChecks:
    def __init__(  # noqa: PLR0913  its ports and neighbours, and a setting
        self,
        clock: Clock,
        sealed_values: SealedValues,
        challenges: PasskeyChallenges,
        ceremonies: PasskeyCeremonies,
        organizations: Organizations,
        *,
        staff_mfa_required: bool,
    ) -> None:
        self._clock = clock
        self._sealed_values = sealed_values
        self._challenges = challenges
        self._ceremonies = ceremonies
        self._organizations = organizations
        self._staff_mfa_required = staff_mfa_required

    async def taken(self, shown: ShownFactor, purpose: ChallengePurpose, holder: str | None) -> ShownFactor:
        """Use up the challenge of a passkey, before it is looked at. Raises `UnauthenticatedError`."""
        if shown.passkey is None:
            return shown
        passkey = shown.passkey
        signed = await self._challenges.used(passkey.challenge_id, purpose, holder, passkey.credential)
        return replace(shown, signed=signed)

    async def proven(self, account: Account, shown: ShownFactor) -> Proven:
        """The account after the factor was used. Raises `WrongFactorError`, `UnavailableError`."""
        factors = account.second_factors
        if shown.code is not None and factors.totp is not None and factors.has_totp:
            used = await self.used(account.user_id, factors.totp, shown.code, self._clock.now())
            changed = factors.model_copy(update={"totp": used})
            return Proven(account.changed(second_factors=changed), ("totp",))
        if shown.recovery_code is not None and factors.any:
            left = factors.without_recovery_code(shown.recovery_code)
            if left is not None:
                return Proven(account.changed(second_factors=left), ("recovery_code",))
        if shown.signed is not None:
            return self._by_passkey(account, shown.signed)
        raise WrongFactorError

    def _by_passkey(self, account: Account, signed: SignedChallenge) -> Proven:
        factors, named = account.second_factors, signed.credential.get("id")
        for passkey in factors.passkeys:
            if passkey.credential_id != named:
                continue
            try:
                used = self._ceremonies.used(passkey, signed.credential, signed.challenge, self._clock.now())
            except WrongPasskeyError as error:
                raise WrongFactorError from error
            return Proven(account.changed(second_factors=factors.with_used(used)), ("passkey",))
        raise WrongFactorError

    def check_shown(self, by: Principal) -> None:
        """Raises `StepUpRequiredError` unless the caller has shown a second factor a short time ago."""
        if SECOND_FACTORS.isdisjoint(by.methods) or not by.is_recent(self._clock.now()):
            raise StepUpRequiredError("Show a second factor again first, with POST /api/v1/auth/step-up")

    async def removed(self, by: Principal, account: Account, left: SecondFactors) -> Account:
        """The account with those factors that are left.

        Raises `StepUpRequiredError`, and `ConflictError` where none is left and an organization asks for one.
        """
        self.check_shown(by)
        if not left.any and account.operator_role is not None and self._staff_mfa_required:
            raise ConflictError("The operator's staff need a second factor, and this is the last one")
        for organization_id in () if left.any else account.organization_ids:
            organization = await self._organizations.find_by_id(organization_id)
            if organization is not None and organization.own_settings.mfa_required:
                raise ConflictError(f"{organization.name} asks for a second factor, and this is the last one")
        return account.changed(second_factors=left)

    async def used(self, user_id: str, totp: Totp, code: str, now: datetime) -> Totp:
        """After the step of the code was used. Raises `WrongFactorError`."""
        secret = await self._sealed_values.unseal(totp.sealed_secret, organization_id=user_id, field=TOTP_FIELD)
        step = matching_step(secret, code, now, totp.last_step)
        if step is None:
            raise WrongFactorError
        return totp.model_copy(update={"last_step": step})
