"""Second factors of a signed-in user: enrolled, renewed, removed, and shown again where something asks for that."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.containers import DIRECTORY
from shared.domain.access.accounts import ACCOUNT, Account, user_partition
from shared.domain.access.identity import Principal
from shared.domain.access.second_factors import (
    Totp,
    new_recovery_codes,
    new_secret,
    provisioning_uri,
)
from shared.domain.access.users import ListedUser, user_slices
from shared.domain.kernel.errors import (
    ConflictError,
    FieldError,
    UnauthenticatedError,
    ValidationError,
    XyraError,
)
from shared.ports.clock import Clock
from shared.services.access.factor_checks import TOTP_FIELD, FactorChecks, ShownFactor, WrongFactorError
from shared.services.access.lockout import Lockout
from shared.services.access.passwords import Passwords
from shared.services.access.proofs import Proof, Proven, by_password
from shared.services.access.sessions import Sessions
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Records, Store
from shared.services.storage.sealed_values import SealedValues

_ISSUER = "Xyra"


@dataclass(frozen=True, slots=True)
class NewTotp:
    """What an app is set up with. It is shown this once."""

    secret: str
    uri: str


class SecondFactors:
    """The account's item decides: its factors change under its ETag, so that each code is used once."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        sealed_values: SealedValues,
        checks: FactorChecks,
        sessions: Sessions,
        lockout: Lockout,
        passwords: Passwords,
    ) -> None:
        self._clock = clock
        self._sealed_values = sealed_values
        self._checks = checks
        self._sessions = sessions
        self._lockout = lockout
        self._passwords = passwords
        self._accounts = StoredAccounts(store)
        self._listed = Records(store, DIRECTORY, ListedUser)
        sealed_values.register("second factors", self._reseal)

    async def enrol_totp(self, by: Principal) -> NewTotp:
        """A secret for an app; a factor once a code of it was confirmed. A newer one replaces one that was not.

        Raises `ConflictError` where there is one already, `StepUpRequiredError` where another factor has to be shown.
        """
        secret = new_secret()
        sealed = await self._sealed_values.seal(secret, organization_id=_user_id(by), field=TOTP_FIELD)

        def decide(account: Account) -> Account:
            factors = account.second_factors
            if factors.has_totp:
                raise ConflictError("An app is enrolled already; remove it first")
            if factors.any:
                self._checks.check_shown(by)
            return account.changed(second_factors=factors.model_copy(update={"totp": Totp(sealed_secret=sealed)}))

        stored = await self._accounts.records.change(user_partition(_user_id(by)), ACCOUNT, decide)
        return NewTotp(secret, provisioning_uri(secret, stored.entity.email, _ISSUER))

    async def confirm_totp(self, by: Principal, code: str) -> tuple[str, ...]:
        """Make the app a factor by a code of it; the recovery codes, which are shown this once.

        Raises `ConflictError` where there is nothing to confirm, `ValidationError` for a wrong code, `LockedError`,
        `StepUpRequiredError` where another factor has to be shown.
        """
        codes = new_recovery_codes()

        async def prove(account: Account) -> Proven:
            totp = account.second_factors.totp
            if totp is None or totp.confirmed_at is not None:
                raise ConflictError("There is no app to confirm: begin with POST /api/v1/auth/totp")
            if account.second_factors.any:  # another factor may have been enrolled since this was begun
                self._checks.check_shown(by)
            now = self._clock.now()
            used = await self._checks.used(account.user_id, totp, code, now)
            factors = account.second_factors.with_totp(used.model_copy(update={"confirmed_at": now}))
            return Proven(account.changed(second_factors=factors.with_codes(codes)), ("totp",))

        await self._counted(by, "/code", prove)
        return codes

    async def renew_recovery_codes(self, by: Principal) -> tuple[str, ...]:
        """Ten new ones in place of those before.

        Raises `ConflictError` where there is no factor that they could stand in for, `StepUpRequiredError`.
        """
        codes = new_recovery_codes()

        def decide(account: Account) -> Account:
            if not account.second_factors.any:
                raise ConflictError("There is no second factor that recovery codes could stand in for")
            self._checks.check_shown(by)
            return account.changed(second_factors=account.second_factors.with_codes(codes))

        await self._accounts.records.change(user_partition(_user_id(by)), ACCOUNT, decide)
        return codes

    async def remove_totp(self, by: Principal) -> None:
        """Raises `ConflictError` where there is none, or it is the last one and an organization asks for one.

        Raises `StepUpRequiredError`.
        """

        async def decide(account: Account) -> Account:
            if not account.second_factors.has_totp:
                raise ConflictError("There is no app to remove")
            return await self._checks.removed(by, account, account.second_factors.with_totp(None))

        await self._accounts.records.change(user_partition(_user_id(by)), ACCOUNT, decide)

    async def step_up(self, by: Principal, shown: ShownFactor, password: str | None) -> None:
        """Show again who one is: by a second factor, or by the password where the account has none.

        Raises `ValidationError` for a wrong one, and for the password of an account with a second factor;
        `LockedError`, `UnavailableError`.
        """
        if password is None:
            taken = await self._checks.taken(shown, "step_up", by.user_id)
            pointers = {"/code": shown.code, "/recovery_code": shown.recovery_code, "/passkey": shown.passkey}
            pointer = next(name for name, value in pointers.items() if value is not None)
            await self._counted(by, pointer, lambda account: self._checks.proven(account, taken))
            return
        account = (await self._accounts.get(_user_id(by))).entity
        if account.second_factors.any:
            raise ValidationError.at("/password", "is not enough: send a code of the second factor")
        with self._passwords.admitted() as hashing:
            await self._counted(by, "/password", _matching(password, account, hashing.matches))

    async def _counted(self, by: Principal, pointer: str, prove: Proof) -> None:
        """Note what was shown on the session. A wrong one counts as a failure before it is known to be wrong."""
        counted = await self._lockout.count_for_user(_user_id(by))
        try:
            await self._sessions.show(_user_id(by), by.session_id or "", prove)
        except WrongFactorError as error:
            account = (await self._accounts.get(_user_id(by))).entity
            await self._lockout.tell(counted, account)
            raise ValidationError(
                "It is wrong, or was used before", errors=(FieldError(pointer, "is wrong, or was used before"),)
            ) from error
        except XyraError:
            await self._lockout.take_back(counted)
            raise
        await self._lockout.clear(counted)

    async def _reseal(self) -> int:
        """Seal the secrets of all users under the present key."""
        count = 0
        for partition in user_slices():
            async for listed in self._listed.all(partition):
                count += await self._reseal_one(listed.entity.id)
        return count

    async def _reseal_one(self, user_id: str) -> int:
        resealed = False

        async def decide(account: Account) -> Account:
            nonlocal resealed
            totp = account.second_factors.totp
            fresh = None
            if totp is not None:
                fresh = await self._sealed_values.resealed(
                    totp.sealed_secret, organization_id=user_id, field=TOTP_FIELD
                )
            resealed = fresh is not None
            if totp is None or fresh is None:
                return account
            sealed = totp.model_copy(update={"sealed_secret": fresh})
            return account.changed(second_factors=account.second_factors.model_copy(update={"totp": sealed}))

        if await self._accounts.records.find(user_partition(user_id), ACCOUNT) is not None:
            await self._accounts.records.change(user_partition(user_id), ACCOUNT, decide)
        return int(resealed)


def _matching(password: str, account: Account, matches: Callable[[str | None, str], Awaitable[bool]]) -> Proof:
    """That the password is the account's."""

    async def prove(current: Account) -> Proven:
        if not await matches(account.password_hash, password):
            raise WrongFactorError
        return await by_password(account.password_hash)(current)

    return prove


def _user_id(by: Principal) -> str:
    """Raises `UnauthenticatedError` for whoever is no user; the entrypoints take nobody else."""
    if by.user_id is None:
        raise UnauthenticatedError("This is for signed-in users")
    return by.user_id
