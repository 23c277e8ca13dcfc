"""Sign-ins in two steps: the password was right, and the second factor is still to be shown."""

import secrets as random_values
from dataclasses import dataclass

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Account, user_partition
from shared.domain.access.origins import UNKNOWN_ORIGIN, Origin
from shared.domain.access.second_factors import MAXIMUM_TRIES, SIGN_IN_LIFETIME, Method, PendingSignIn
from shared.domain.kernel.errors import NotFoundError, UnauthenticatedError, XyraError
from shared.domain.kernel.ids import fingerprint, is_id, named_id
from shared.ports.clock import Clock
from shared.services.access.factor_checks import FactorChecks, ShownFactor, WrongFactorError
from shared.services.access.lockout import CountedTry, Lockout
from shared.services.access.proofs import Proven
from shared.services.access.scopes import SessionScope, SessionScopes
from shared.services.access.sessions import Sessions, SignedIn, check_enabled
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Records, Store, Stored, deleting, look_twice

_PREFIX = "mfa"
_TOKEN_BYTES = 32
_MAXIMUM_TOKEN = 200
_INVALID = "The mfa_token is not valid any longer: sign in with the password again"


@dataclass(frozen=True, slots=True)
class FactorRequired:
    """The password was right; one of the methods is to be shown with the token."""

    mfa_token: str
    methods: tuple[Method, ...]


class PendingSignIns:
    """The item is in the user's partition, and is deleted in the batch that begins the session."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        checks: FactorChecks,
        scopes: SessionScopes,
        sessions: Sessions,
        lockout: Lockout,
    ) -> None:
        self._clock = clock
        self._checks = checks
        self._scopes = scopes
        self._sessions = sessions
        self._lockout = lockout
        self._accounts = StoredAccounts(store)
        self._pending = Records(store, DIRECTORY, PendingSignIn, prefix=_PREFIX)

    async def begin(self, account: Account, scope: SessionScope, device_id: str | None) -> FactorRequired:
        """After the password was right."""
        token = f"{account.user_id}.{random_values.token_urlsafe(_TOKEN_BYTES)}"
        pending = PendingSignIn(
            id=_id_of(token),
            organization_id=scope.organization_id,
            password_fingerprint=_password_of(account),
            device_id=device_id,
            expires_at=self._clock.now() + SIGN_IN_LIFETIME,
        )
        await self._pending.create(user_partition(account.user_id), pending)
        return FactorRequired(token, account.second_factors.methods)

    async def complete(self, token: str, shown: ShownFactor, origin: Origin = UNKNOWN_ORIGIN) -> SignedIn:
        """Begin the session. The token is used up by it, and by five wrong factors.

        A wrong factor counts as a failed sign-in. Raises `UnauthenticatedError`, `LockedError`, `ForbiddenError` for a
        disabled account, `UnavailableError`.
        """
        user_id = _user_of(token)
        partition = user_partition(user_id)
        pending = await self._tried(partition, _id_of(token))
        account = (await self._accounts.get(user_id)).entity
        check_enabled(account)
        counted = await self._count(account, pending.device_id)

        async def prove(current: Account) -> Proven:
            stored = await self._in_force(partition, pending.id)
            if _password_of(current) != pending.password_fingerprint:
                raise UnauthenticatedError(_INVALID)
            proven = await self._checks.proven(current, taken)
            return Proven(proven.account, ("password", *proven.methods), (*proven.beside, deleting(stored)))

        try:
            taken = await self._checks.taken(shown, "second_factor", pending.id)
            scope = await self._scopes.of_session(account, pending.organization_id)
            signed_in = await self._sessions.begin(user_id, scope, origin, prove=prove, device_id=pending.device_id)
        except WrongFactorError:
            await self._lockout.tell(counted, account)
            raise
        except XyraError:
            await self._lockout.take_back(counted)
            raise
        await self._lockout.clear(counted)
        return signed_in

    async def holder_of_challenge(self, token: str) -> tuple[Account, str]:
        """Whose passkeys are asked for, and what the challenge is for. Raises `UnauthenticatedError`."""
        user_id = _user_of(token)
        pending = (await self._in_force(user_partition(user_id), _id_of(token))).entity
        if self._clock.now() >= pending.expires_at:
            raise UnauthenticatedError(_INVALID)
        return (await self._accounts.get(user_id)).entity, pending.id

    async def _tried(self, partition: str, pending_id: str) -> PendingSignIn:
        """With one more try, counted before the factor is checked. Raises `UnauthenticatedError`."""

        def decide(pending: PendingSignIn) -> PendingSignIn:
            if pending.tries >= MAXIMUM_TRIES or self._clock.now() >= pending.expires_at:
                raise UnauthenticatedError(_INVALID)
            return pending.changed(tries=pending.tries + 1)

        try:
            return (await self._pending.change(partition, pending_id, decide)).entity
        except NotFoundError as error:
            raise UnauthenticatedError(_INVALID) from error

    async def _in_force(self, partition: str, pending_id: str) -> Stored[PendingSignIn]:
        """Raises `UnauthenticatedError` where it was used."""
        try:
            return await look_twice(lambda: self._pending.get(partition, pending_id), errors=(NotFoundError,))
        except NotFoundError as error:
            raise UnauthenticatedError(_INVALID) from error

    async def _count(self, account: Account, device_id: str | None) -> CountedTry:
        if device_id is not None:
            return await self._lockout.count_for_device(account.user_id, device_id)
        return await self._lockout.count_for_address(account.email)


def _user_of(token: str) -> str:
    """Raises `UnauthenticatedError` for what is no token of ours."""
    user_id = token.partition(".")[0]
    if len(token) > _MAXIMUM_TOKEN or not is_id(user_id, "usr"):
        raise UnauthenticatedError(_INVALID)
    return user_id


def _id_of(token: str) -> str:
    return named_id(_PREFIX, fingerprint(token))


def _password_of(account: Account) -> str:
    return fingerprint(account.password_hash or "")
