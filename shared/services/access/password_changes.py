"""New passwords: within the policy, and the end of all sessions."""

from collections.abc import Callable

from shared.domain.access.accounts import Account, PasswordReset
from shared.domain.access.password_policy import REMEMBERED, remembered_hashes
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.ports.clock import Clock
from shared.services.access.lockout import Lockout
from shared.services.access.passwords import Hashing, Passwords
from shared.services.access.sessions import Sessions
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Operation, Store


def _unchanged(account: Account) -> Account:
    return account


class PasswordChanges:
    """The account's item decides: its hash, those before it, and when its sessions ended are written as one."""

    def __init__(self, store: Store, clock: Clock, sessions: Sessions, lockout: Lockout, passwords: Passwords) -> None:
        self._clock = clock
        self._accounts = StoredAccounts(store)
        self._sessions = sessions
        self._lockout = lockout
        self._passwords = passwords

    async def change(self, user_id: str, current: str, password: str) -> None:
        """Change the password of a signed-in user; all sessions end, the present one, too.

        Raises `ValidationError` for a wrong current password and for a new one outside the policy, `LockedError` after
        5 wrong ones in an hour, `ConflictError` where it is changed by another call at the same time,
        `UnavailableError`.
        """
        account = (await self._accounts.get(user_id)).entity
        with self._passwords.admitted() as hashing:
            counted = await self._lockout.count_for_user(user_id)
            if not await hashing.matches(account.password_hash, current):
                await self._lockout.tell(counted, account)
                raise ValidationError.at("/current", "is not the present password")
            await self._lockout.clear(counted)
            await self._replace(account, password, hashing)

    async def replace(self, account: Account, password: str, decide: Callable[[Account], Account] = _unchanged) -> None:
        """Set a new password, whatever the present one is; all sessions and known devices end.

        What `decide` makes of the account is written with it; what it raises is raised. Other errors as `change`.
        """
        with self._passwords.admitted() as hashing:
            await self._replace(account, password, hashing, decide, ends_devices=True)

    async def remove(self, user_id: str, reset: PasswordReset, *beside: Operation) -> None:
        """Take the password away until the user chooses one by a link; all sessions and known devices end.

        What belongs to it is written beside. Raises `NotFoundError`, `UnavailableError`.
        """

        def removed(account: Account) -> Account:
            return account.changed(
                password_hash=None,
                earlier_password_hashes=remembered_hashes(account.password_hash, account.earlier_password_hashes),
                newest_reset=reset,
            )

        await self._sessions.end_all(user_id, removed, with_devices=True, beside=beside)

    async def _replace(
        self,
        account: Account,
        password: str,
        hashing: Hashing,
        decide: Callable[[Account], Account] = _unchanged,
        *,
        ends_devices: bool = False,
    ) -> None:
        await hashing.check_strength(password, email=account.email, full_name=account.full_name)
        remembered = remembered_hashes(account.password_hash, account.earlier_password_hashes)
        for earlier in remembered:
            if await hashing.matches(earlier, password):
                raise ValidationError.at("/password", f"was used before; the last {REMEMBERED} cannot be used again")
        password_hash = await hashing.hashed(password)

        def changed(current: Account) -> Account:
            if current.password_hash == password_hash:
                return current  # an earlier try got through
            decided = decide(current)
            if current.password_hash != account.password_hash:
                raise ConflictError("The password is being changed by another call")
            return decided.changed(
                password_hash=password_hash,
                earlier_password_hashes=remembered[: REMEMBERED - 1],
                password_changed_at=self._clock.now(),
                newest_reset=None,
            )

        await self._sessions.end_all(account.user_id, changed, with_devices=ends_devices)
