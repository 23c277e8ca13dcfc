"""Ada, who has signed up, with her mailbox."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from shared.bootstrap import Application
from shared.domain.access.accounts import Account
from shared.domain.kernel.errors import UnauthenticatedError
from shared.ports.mail import MailMessage
from shared.services.access.stored_accounts import StoredAccounts
from shared.settings import Settings
from tests.doubles.fakes.post_box import PostBox, token_of
from tests.doubles.fakes.quick_passwords import QuickHasher
from tests.doubles.worlds.signed_up_user import SignedUpUser

UNTIL_SWEPT = timedelta(seconds=30)


class MailedUser(SignedUpUser):
    def __init__(self, secrets: Path, hasher: QuickHasher) -> None:
        super().__init__(secrets, hasher)
        self.post = PostBox()
        self.ports = replace(self.ports, mail=self.post)
        self.host, self.other_host = Application(self.ports, Settings()), Application(self.ports, Settings())

    async def mails(self) -> list[MailMessage]:
        """What arrives when the timer has swept the outbox."""
        self.clock.move(UNTIL_SWEPT)
        before = len(self.post.sent)
        await self.host.outbox.sweep()
        return self.post.sent[before:]

    async def token(self) -> str:
        """The token of the link in the one mail that arrives."""
        (mail,) = await self.mails()
        return token_of(mail)

    async def verification_token(self) -> str:
        """That of a new mail, whatever arrived before."""
        await self.mails()
        await self.host.email_verification.send(self.account.user_id)
        return await self.token()

    async def reset_token(self, email: str | None = None) -> str:
        """That of a new mail to somebody who forgot the password."""
        await self.mails()
        await self.host.password_resets.ask(email or self.account.email)
        return await self.token()

    async def stored(self) -> Account:
        return (await StoredAccounts(self.store).get(self.account.user_id)).entity

    async def signs_in(self, password: str) -> bool:
        try:
            await self.sign_in(password)
        except UnauthenticatedError:
            return False
        return True
