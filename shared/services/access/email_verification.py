"""Users show that their e-mail address is theirs, by a link that is mailed there."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Account, address_fingerprint, user_partition
from shared.domain.kernel.errors import ConflictError, InvalidTokenError, NotFoundError, UnavailableError
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.times import from_text, to_text
from shared.ports.clock import Clock
from shared.services.access.letters import ACCESS_MAIL, Letter
from shared.services.access.made_credentials import MadeCredentials
from shared.services.access.mailed_links import LinkRequest, MailedLinks
from shared.services.access.passwords import Passwords
from shared.services.access.sessions import Sessions
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Operation, Outbox, Sender, Store, putting

TEMPLATE: Final = "verification"


def verification_mail(mails: Sender, account: Account, asked_at: datetime) -> Operation:
    """Decides on the mail with the link, in a batch of the user's partition. A newer decision replaces an older one."""
    entry = mails.entry(
        TEMPLATE,
        template=TEMPLATE,
        request_id=new_id("req"),
        user_id=account.user_id,
        address=address_fingerprint(account.email),
        asked_at=to_text(asked_at),
    )
    return putting(entry)


class EmailVerification:
    """The account's item decides: a link works while the address is the same and was not verified.

    Whoever has the link has the mailbox, and whoever signed up may be somebody else. So what opened the account before
    opens it no longer: see `Account.proven`.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        links: MailedLinks,
        sessions: Sessions,
        passwords: Passwords,
        credentials: MadeCredentials,
        outbox: Outbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._links = links
        self._sessions = sessions
        self._passwords = passwords
        self._credentials = credentials
        self._accounts = StoredAccounts(store)
        self._mails = outbox.sender(ACCESS_MAIL)

    async def send(self, user_id: str) -> None:
        """Have a link mailed to a signed-in user. Raises `ConflictError` where the address is verified already."""
        account = (await self._accounts.get(user_id)).entity
        if account.verified_at is not None:
            raise ConflictError("The e-mail address is verified already")
        mail = verification_mail(self._mails, account, self._clock.now())
        await self._store.batch(DIRECTORY.name, user_partition(user_id), [mail])

    async def compose(self, *, request_id: str, user_id: str, address: str, asked_at: str) -> Letter | None:
        """The mail with the link; None where the address was verified or changed meanwhile, or the link has expired."""
        try:
            account = (await self._accounts.get(user_id)).entity
        except NotFoundError as error:
            raise UnavailableError("The account cannot be read yet") from error
        if not _is_to_be_proven(account, address):
            return None
        asked = from_text(asked_at)
        link = await self._links.issue(LinkRequest(TEMPLATE, request_id, user_id, address, asked))
        return None if link is None else Letter(account.email, asked, link, {"name": account.full_name})

    async def verify(self, token: str, password: str | None) -> None:
        """Use a link. All sessions end; with a password the user signs in by that one from now on, without by none.

        Raises `InvalidTokenError`, `ValidationError` for a password outside the policy, `UnavailableError`.
        """
        link = await self._links.find(TEMPLATE, token)
        account = await self._account(link.holder_id)
        now = self._clock.now()
        prove = _proof(link.address_fingerprint, now)
        prove(account)
        if password is None:
            await self._credentials.remove_unproven(account)
            await self._sessions.end_all(account.user_id, prove, with_devices=True)
            return
        with self._passwords.admitted() as hashing:
            await hashing.check_strength(password, email=account.email, full_name=account.full_name)
            password_hash = await hashing.hashed(password)
        await self._credentials.remove_unproven(account)

        def proven_with_password(current: Account) -> Account:
            if current.password_hash == password_hash:
                return current  # an earlier try got through
            return prove(current).changed(password_hash=password_hash, password_changed_at=now)

        await self._sessions.end_all(account.user_id, proven_with_password, with_devices=True)

    async def _account(self, user_id: str) -> Account:
        """Raises `InvalidTokenError` for a user who is gone."""
        try:
            return (await self._accounts.get(user_id)).entity
        except NotFoundError as error:
            raise InvalidTokenError from error


def _proof(address: str, now: datetime) -> Callable[[Account], Account]:
    """Proves the account. Raises `InvalidTokenError` where the link was used or the address has changed."""

    def prove(account: Account) -> Account:
        if not _is_to_be_proven(account, address):
            raise InvalidTokenError
        return account.proven(now)

    return prove


def _is_to_be_proven(account: Account, address: str) -> bool:
    """Whether a link that was mailed to this address still has something to show."""
    is_the_same = address_fingerprint(account.email) == address
    return account.verified_at is None and is_the_same and account.status != "disabled"
