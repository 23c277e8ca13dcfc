"""Accounts of people who accept an invitation: who has its link has the mailbox."""

from datetime import timedelta

from shared.domain.access.accounts import ACCOUNT, Account
from shared.domain.access.invitations import Invitation
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.ports.clock import Clock
from shared.services.access.made_credentials import MadeCredentials
from shared.services.access.password_changes import PasswordChanges
from shared.services.access.passwords import Hashing, Passwords
from shared.services.access.stored_accounts import FoundAccount, StoredAccounts
from shared.services.storage import Store

_COMPLETED_WITHIN = timedelta(seconds=30)
_SIGN_IN = "There is an account with this address: sign in, or send its password, and accept the invitation again"


class InvitedAccounts:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        passwords: Passwords,
        changes: PasswordChanges,
        credentials: MadeCredentials,
    ) -> None:
        self._clock = clock
        self._accounts = StoredAccounts(store)
        self._passwords = passwords
        self._changes = changes
        self._credentials = credentials

    async def account_for(self, invitation: Invitation, password: str, full_name: str) -> Account:
        """The account of the invited address, which is verified then. Repeating it gives the same one.

        A new address gets an account. One that nobody has verified may be somebody else's work: its sessions, its
        password and its keys end first. Raises `ConflictError` for a verified one with another password,
        `ValidationError` for a password outside the policy, `UnavailableError`.
        """
        found = await self._accounts.find(invitation.email)
        if found is None:
            found = await self._claimed(invitation, password, full_name)
        if found.account.user_id == _invited_user(invitation):
            return await self._completed(found, password)
        if found.is_pending:
            raise UnavailableError(
                "A sign-up with this address is being completed", retry_after=_COMPLETED_WITHIN.total_seconds()
            )
        if found.account.verified_at is None:
            return await self._taken_over(found.account, password, full_name)
        with self._passwords.admitted() as hashing:
            await self._check_same(found.account, password, hashing)
        return found.account

    async def _claimed(self, invitation: Invitation, password: str, full_name: str) -> FoundAccount:
        """A new account, unless somebody else is faster."""
        with self._passwords.admitted() as hashing:
            await hashing.check_strength(password, email=invitation.email, full_name=full_name)
            password_hash = await hashing.hashed(password)
        now = self._clock.now()
        account = Account(
            id=ACCOUNT,
            user_id=_invited_user(invitation),
            email=invitation.email,
            full_name=full_name,
            password_hash=password_hash,
            status="pending",
            created_at=now,
            verified_at=now,
        )
        return await self._accounts.claim(account, due_at=now + _COMPLETED_WITHIN)

    async def _completed(self, found: FoundAccount, password: str) -> Account:
        """What this invitation began; an earlier try may have begun it with another password."""
        account = found.account
        if found.is_pending:
            account = (await self._accounts.create(found, found.promised.changed(status="active"))).entity
        with self._passwords.admitted() as hashing:
            is_same = await hashing.matches(account.password_hash, password)
        if not is_same:
            await self._changes.replace(account, password)
        return account

    async def _taken_over(self, account: Account, password: str, full_name: str) -> Account:
        await self._credentials.remove_unproven(account)

        def proved(current: Account) -> Account:
            return current.proven(self._clock.now()).changed(full_name=full_name)

        await self._changes.replace(account, password, proved)
        return account

    async def _check_same(self, account: Account, password: str, hashing: Hashing) -> None:
        if not await hashing.matches(account.password_hash, password):
            raise ConflictError(_SIGN_IN)


def _invited_user(invitation: Invitation) -> str:
    """The id of the user whom the invitation makes: a repeated call knows its own work by it."""
    return named_id("usr", "invitation", invitation.id)
