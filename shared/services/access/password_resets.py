"""Users who cannot sign in choose a new password, by a link that is mailed to them."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.containers import DIRECTORY
from shared.domain.access.accounts import (
    ACCOUNT,
    Account,
    PasswordReset,
    address_fingerprint,
    address_partition,
    user_partition,
)
from shared.domain.access.links import LIFETIMES
from shared.domain.kernel.errors import ForbiddenError, InvalidTokenError, NotFoundError
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.times import BEGINNING, from_text, to_text
from shared.ports.clock import Clock
from shared.services.access.letters import ACCESS_MAIL, Letter
from shared.services.access.made_credentials import MadeCredentials
from shared.services.access.mailed_links import LinkRequest, MailedLinks
from shared.services.access.password_changes import PasswordChanges
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Outbox, OutboxEntry, Store, Stored, putting

PURPOSE: Final = "password_reset"
BY_SUPPORT = "password_reset_by_support"


class PasswordResets:
    """The account's item decides: it names the newest link, and loses it with any change of the password.

    Asking for a link reads nothing and writes one item, whether the address is known or not. Whose it is, is looked up
    when the mail is made.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        links: MailedLinks,
        changes: PasswordChanges,
        credentials: MadeCredentials,
        outbox: Outbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._links = links
        self._changes = changes
        self._credentials = credentials
        self._accounts = StoredAccounts(store)
        self._mails = outbox.sender(ACCESS_MAIL)

    async def ask(self, email: str) -> None:
        """Have a link mailed to the address, if it has an account. A newer request replaces one that waits."""
        entry = self._mails.entry(
            PURPOSE, template=PURPOSE, request_id=new_id("req"), email=email, asked_at=to_text(self._clock.now())
        )
        await self._store.batch(DIRECTORY.name, address_partition(email), [putting(entry)])

    async def compose(self, *, request_id: str, email: str, asked_at: str) -> Letter | None:
        """The mail with the link; None for an unknown address, and where the link would not be the newest."""
        found = await self._accounts.find(email)
        if found is None or found.stored is None:
            return None
        asked = PasswordReset(request_id=request_id, asked_at=from_text(asked_at))
        if asked.asked_at + LIFETIMES[PURPOSE] <= self._clock.now():
            return None
        partition = user_partition(found.account.user_id)
        stored = await self._accounts.records.change(partition, ACCOUNT, lambda account: _with_newest(account, asked))
        return await self._letter(stored, asked)

    async def reset(self, user_id: str, reason: str) -> None:
        """End a user's sessions and password, and have a link mailed.

        Raises `NotFoundError`, `ForbiddenError` for the operator's staff, `UnavailableError`.
        """
        if (await self._accounts.get(user_id)).entity.operator_role is not None:
            raise ForbiddenError("This is for users of organizations: the operator's staff ask for a link themselves")
        asked = PasswordReset(request_id=new_id("req"), asked_at=self._clock.now(), reason=reason)
        await self._changes.remove(user_id, asked, putting(self._mail_by_support(user_id, asked)))

    def _mail_by_support(self, user_id: str, asked: PasswordReset) -> OutboxEntry:
        return self._mails.entry(BY_SUPPORT, template=BY_SUPPORT, request_id=asked.request_id, user_id=user_id)

    async def compose_by_support(self, *, request_id: str, user_id: str) -> Letter | None:
        """The mail with the link; None where another one is newer, or a password was chosen meanwhile."""
        stored = await self._accounts.get(user_id)
        asked = stored.entity.newest_reset
        return await self._letter(stored, asked) if asked is not None and asked.request_id == request_id else None

    async def _letter(self, stored: Stored[Account], asked: PasswordReset) -> Letter | None:
        account = stored.entity
        if account.newest_reset != asked or account.status == "disabled":
            return None
        address = address_fingerprint(account.email)
        request = LinkRequest(PURPOSE, asked.request_id, account.user_id, address, asked.asked_at)
        link = await self._links.issue(request)
        return None if link is None else Letter(account.email, asked.asked_at, link, {"name": account.full_name})

    async def confirm(self, token: str, password: str) -> None:
        """Set the new password by a link, once. All sessions and known devices end.

        Raises `InvalidTokenError`, `ValidationError` for a password outside the policy, `ConflictError` where it is
        changed by another call at the same time, `UnavailableError`.
        """
        link = await self._links.find(PURPOSE, token)
        try:
            account = (await self._accounts.get(link.holder_id)).entity
        except NotFoundError as error:
            raise InvalidTokenError from error
        use = _use(link.request_id, link.address_fingerprint, self._clock.now())
        use(account)
        await self._credentials.remove_unproven(account)
        await self._changes.replace(account, password, use)


def _with_newest(account: Account, asked: PasswordReset) -> Account:
    """The account with the request as its newest, unless a newer one or a change of the password came meanwhile."""
    present = account.newest_reset
    newest = BEGINNING if present is None else present.asked_at
    changed_at = account.password_changed_at or BEGINNING
    if asked == present or asked.asked_at < newest or asked.asked_at <= changed_at:
        return account
    return account.changed(newest_reset=asked)


def _use(request_id: str, address: str, now: datetime) -> Callable[[Account], Account]:
    """Takes the link away from the account, which it proves. Raises `InvalidTokenError` where it is not the newest."""

    def used(account: Account) -> Account:
        present = account.newest_reset
        if present is None or present.request_id != request_id or account.status == "disabled":
            raise InvalidTokenError
        if address_fingerprint(account.email) != address:
            raise InvalidTokenError
        return account.proven(now).changed(newest_reset=None)

    return used
