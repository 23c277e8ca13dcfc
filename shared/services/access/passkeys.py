"""Passkeys: registered by signed-in users, and signed in with, in place of a password or after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.access.accounts import ACCOUNT, Account, user_partition
from shared.domain.access.identity import Principal
from shared.domain.access.origins import UNKNOWN_ORIGIN, Origin
from shared.domain.access.second_factors import (
    MAXIMUM_PASSKEYS,
    Passkey,
    PasskeyChallenge,
    SecondFactors,
    new_recovery_codes,
)
from shared.domain.kernel.errors import ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.key_rings import to_bytes
from shared.ports.clock import Clock
from shared.services.access.factor_checks import FactorChecks, ShownFactor, ShownPasskey, WrongFactorError
from shared.services.access.passkey_ceremonies import PasskeyCeremonies
from shared.services.access.passkey_challenges import PasskeyChallenges
from shared.services.access.pending_sign_ins import PendingSignIns
from shared.services.access.proofs import Proven
from shared.services.access.scopes import SessionScopes
from shared.services.access.sessions import Sessions, SignedIn, check_enabled
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Store


@dataclass(frozen=True, slots=True)
class PasskeyOptions:
    """What a browser hands to the device."""

    challenge_id: str
    options: str
    """JSON, as `PublicKeyCredential.parse...OptionsFromJSON` reads it."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    passkey: Passkey
    recovery_codes: Sequence[str] | None
    """Where it is the first factor."""


class Passkeys:
    """They are stored with the account, whose item decides."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        challenges: PasskeyChallenges,
        ceremonies: PasskeyCeremonies,
        checks: FactorChecks,
        scopes: SessionScopes,
        sessions: Sessions,
        pending: PendingSignIns,
    ) -> None:
        self._clock = clock
        self._challenges = challenges
        self._ceremonies = ceremonies
        self._checks = checks
        self._scopes = scopes
        self._sessions = sessions
        self._pending = pending
        self._accounts = StoredAccounts(store)

    async def listed(self, by: Principal) -> Sequence[Passkey]:
        return (await self._account(by)).second_factors.passkeys

    async def registration_options(self, by: Principal) -> PasskeyOptions:
        """Raises `ConflictError` where there are ten, `StepUpRequiredError` where another factor has to be shown."""
        account = await self._account(by)
        self._check_may_add(by, account.second_factors)
        challenge = await self._challenges.make("registration", account.user_id)
        return _options(challenge, self._ceremonies.registration_options(account, challenge.challenge))

    def _check_may_add(self, by: Principal, factors: SecondFactors) -> None:
        if len(factors.passkeys) >= MAXIMUM_PASSKEYS:
            raise ConflictError(f"There are {MAXIMUM_PASSKEYS} passkeys; remove one first")
        if factors.any:
            self._checks.check_shown(by)

    async def register(self, by: Principal, shown: ShownPasskey, name: str) -> NewPasskey:
        """Raises `ValidationError` for an answer that does not fit the options, `UnauthenticatedError` for old ones.

        Raises as `registration_options`, too.
        """
        user_id = (await self._account(by)).user_id
        signed = await self._challenges.used(shown.challenge_id, "registration", user_id, shown.credential)
        passkey = self._ceremonies.registered(shown.credential, signed.challenge, name, self._clock.now())
        codes: Sequence[str] | None = None

        async def prove(account: Account) -> Proven:
            factors = account.second_factors
            nonlocal codes
            self._check_may_add(by, factors)
            if any(each.credential_id == passkey.credential_id for each in factors.passkeys):
                raise ConflictError("This passkey is registered already")
            changed = factors.with_passkeys(*factors.passkeys, passkey)
            codes = None if factors.any else new_recovery_codes()
            if codes is not None:
                changed = changed.with_codes(codes)
            return Proven(account.changed(second_factors=changed), ("passkey",))

        await self._sessions.show(user_id, by.session_id or "", prove)
        return NewPasskey(passkey, codes)

    async def remove(self, by: Principal, passkey_id: str) -> None:
        """Raises `NotFoundError`, `StepUpRequiredError`, `ConflictError` for the last factor where one is asked for."""

        async def decide(account: Account) -> Account:
            factors = account.second_factors
            left = [passkey for passkey in factors.passkeys if passkey.id != passkey_id]
            if len(left) == len(factors.passkeys):
                raise NotFoundError("There is no such passkey")
            return await self._checks.removed(by, account, factors.with_passkeys(*left))

        await self._accounts.records.change(user_partition((await self._account(by)).user_id), ACCOUNT, decide)

    async def step_up_options(self, by: Principal) -> PasskeyOptions:
        account = await self._account(by)
        challenge = await self._challenges.make("step_up", account.user_id)
        return _options(challenge, self._ceremonies.sign_in_options(account, challenge.challenge))

    async def sign_in_options(self, mfa_token: str | None) -> PasskeyOptions:
        """For the second step of a sign-in, or without its token for one by the passkey alone.

        Raises `UnauthenticatedError`.
        """
        if mfa_token is None:
            challenge = await self._challenges.make("sign_in", None)
            return _options(challenge, self._ceremonies.sign_in_options(None, challenge.challenge))
        account, holder = await self._pending.holder_of_challenge(mfa_token)
        challenge = await self._challenges.make("second_factor", holder)
        return _options(challenge, self._ceremonies.sign_in_options(account, challenge.challenge))

    async def sign_in(
        self, shown: ShownPasskey, organization_id: str | None, origin: Origin = UNKNOWN_ORIGIN
    ) -> SignedIn:
        """Begin a session by a passkey alone: the device has verified its user, so it is both factors.

        A lock after wrong passwords does not hold for it: nobody guesses a signature. Raises `UnauthenticatedError`,
        `ForbiddenError` for a disabled account, `OrganizationRequiredError`, `UnavailableError`.
        """
        taken = await self._checks.taken(ShownFactor(passkey=shown), "sign_in", None)
        user_id = _user_of(shown.credential)
        try:
            account = (await self._accounts.get(user_id)).entity
        except NotFoundError as error:
            raise WrongFactorError from error
        await self._checks.proven(account, taken)
        check_enabled(account)
        try:
            scope = await (
                self._scopes.only_one(account)
                if organization_id is None
                else self._scopes.in_organization(user_id, organization_id)
            )
        except NotFoundError as error:
            raise ForbiddenError("You are no member of this organization") from error
        return await self._sessions.begin(
            user_id, scope, origin, prove=lambda current: self._checks.proven(current, taken)
        )

    async def _account(self, by: Principal) -> Account:
        if by.user_id is None:
            raise UnauthenticatedError("This is for signed-in users")
        return (await self._accounts.get(by.user_id)).entity


def _options(challenge: PasskeyChallenge, options: str) -> PasskeyOptions:
    return PasskeyOptions(challenge.id, options)


def _user_of(credential: Mapping[str, Any]) -> str:
    """Whose passkey it says it is. Raises `WrongFactorError` where it does not say."""
    response = credential.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    try:
        user_id = to_bytes(handle).decode() if isinstance(handle, str) else ""
    except ValueError as error:
        raise WrongFactorError from error
    if not is_id(user_id, "usr"):
        raise WrongFactorError
    return user_id
