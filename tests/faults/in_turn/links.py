"""Users who follow links in mails."""

from abc import abstractmethod
from contextlib import suppress
from datetime import timedelta

from shared.bootstrap import Application
from shared.containers import TENANTS
from shared.domain.access.accounts import Account, Membership
from shared.domain.kernel.errors import (
    ConflictError,
    InvalidTokenError,
    UnauthenticatedError,
    UnavailableError,
    ValidationError,
)
from tests.doubles.fakes.post_box import token_of
from tests.doubles.worlds.invoiced_organization import Scene
from tests.faults.in_turn.access import ADA, signing_up, stored_account
from tests.faults.in_turn.path import Path, Result

OLD, NEW = signing_up(ADA).password, "seven green umbrellas in the rain"
NEWER = "eleven quiet trains leave at dawn"
SWEPT_EVERY = timedelta(minutes=1)
PUT_OFF = timedelta(minutes=5)


class FollowLink(Path):
    """Ada asks for a mail and follows its link. Meanwhile somebody signs in with her old password."""

    page: str

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.has_asked = False
        self.password = NEW
        self.sessions: list[str] = []
        """Refresh tokens of sessions that began with the old password."""

    async def prepare(self) -> None:
        host = self.scene.host()
        await host.accounts.sign_up(signing_up(ADA))
        self.scene.clock.move(SWEPT_EVERY)
        await host.outbox.sweep()
        self.scene.clock.move(SWEPT_EVERY)

    async def walk(self, host: Application) -> None:
        if not self.has_asked:
            await self.ask(host, (await stored_account(self.scene)).user_id)
            self.has_asked = True
        self.scene.clock.move(SWEPT_EVERY)
        await host.outbox.sweep()
        tokens = self.tokens()
        if not tokens:
            self.scene.clock.move(PUT_OFF)
            raise UnavailableError("The mail did not come yet")
        with suppress(InvalidTokenError):  # an earlier try got through
            await self.use(host, tokens[-1])

    def tokens(self) -> list[str]:
        """Those of the links to the page, in the order in which the mails came."""
        links = [message for message in self.scene.post.sent if self.page in (message.link or "")]
        return [token_of(message) for message in links]

    @abstractmethod
    async def ask(self, host: Application, user_id: str) -> None: ...

    @abstractmethod
    async def use(self, host: Application, token: str) -> None: ...

    async def do_other(self, host: Application) -> None:
        with suppress(UnauthenticatedError):
            self.sessions.append((await host.accounts.sign_in(ADA, OLD, None)).refresh_token)

    async def result(self) -> Result:
        """The new password signs in and nothing older does; no link works; there is one account with one membership."""
        await self.scene.drain()
        account = await stored_account(self.scene)
        assert await self._signs_in(self.password)
        assert not await self._signs_in(OLD)
        for refresh_token in self.sessions:
            assert await self._is_refused(refresh_token)
        for token in self.tokens():
            assert not await self._works(token)
        assert account.newest_reset is None
        (organization_id,) = account.organization_ids
        members = await self.scene.documents(TENANTS.name, organization_id, Membership.kind)
        assert [member["id"] for member in members] == [account.user_id]
        return Result(self.told(account), None)

    def told(self, account: Account) -> object:
        return account.status, account.is_unverified

    async def _signs_in(self, password: str) -> bool:
        with suppress(UnauthenticatedError):
            await self.scene.copy().host().accounts.sign_in(ADA, password, None)
            return True
        return False

    async def _is_refused(self, refresh_token: str) -> bool:
        with suppress(UnauthenticatedError):
            await self.scene.copy().host().sessions.refresh(refresh_token)
            return False
        return True

    async def _works(self, token: str) -> bool:
        with suppress(InvalidTokenError):
            await self.use(self.scene.copy().host(), token)
            return True
        return False


class VerifyAddress(FollowLink):
    """The newest of two mails, with another password than that of the sign-up."""

    page = "/account/verify"

    async def ask(self, host: Application, user_id: str) -> None:
        with suppress(ConflictError):  # another followed the first link
            await host.email_verification.send(user_id)

    async def use(self, host: Application, token: str) -> None:
        await host.email_verification.verify(token, NEW)


class ResetPassword(FollowLink):
    page = "/account/reset"

    async def ask(self, host: Application, user_id: str) -> None:  # noqa: ARG002  she names her address
        await host.password_resets.ask(ADA)

    async def use(self, host: Application, token: str) -> None:
        try:
            await host.password_resets.confirm(token, self.password)
        except ValidationError as error:
            if isinstance(error, InvalidTokenError):
                raise
            self.password = NEWER  # support has taken the new one away meanwhile
            await host.password_resets.confirm(token, self.password)
        except ConflictError as error:
            raise UnavailableError("The client tries again") from error


class ResetBySupport(ResetPassword):
    async def ask(self, host: Application, user_id: str) -> None:
        await host.password_resets.reset(user_id, "lost phone")
