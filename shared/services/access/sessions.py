"""Sessions: begun by signing in, at most twenty of a user."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.containers import DIRECTORY
from shared.domain.access.accounts import ACCOUNT, Account, user_partition
from shared.domain.access.identity import OperatorRole, Role
from shared.domain.access.sessions import Session, begun_at, surplus
from shared.domain.kernel.errors import ForbiddenError
from shared.domain.kernel.ids import new_id
from shared.ports.clock import Clock
from shared.ports.secrets import Secrets
from shared.services.access.refresh_tokens import RefreshReference, RefreshTokens
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.access.tokens import Claims, Tokens
from shared.services.storage import Records, Store, creating, deleting
from shared.settings import Settings

_READ = 100
"""More than there can be, unless hosts with stale reads made more."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    access_token: str
    refresh_token: str
    expires_in: int
    """Seconds until the access token expires."""
    session_id: str
    organization_id: str | None


@dataclass(frozen=True, slots=True)
class SessionScope:
    """Where a session leads: an organization and the role there, or the operator's side."""

    organization_id: str | None
    role: Role | OperatorRole
    sessions_ended_at: datetime | None = None
    """Sessions there that began until then have ended."""


class Sessions:
    def __init__(self, store: Store, clock: Clock, secrets: Secrets, tokens: Tokens, settings: Settings) -> None:
        self._clock = clock
        self._tokens = tokens
        self._lifetime = timedelta(days=settings.refresh_token_days)
        self._accounts = StoredAccounts(store).records
        self._sessions = Records(store, DIRECTORY, Session, prefix="ses")
        self.refresh_tokens = RefreshTokens(secrets)

    async def begin(self, user_id: str, scope: SessionScope) -> SignedIn:
        """Begin a session; where there are twenty, the one unused longest ends.

        All is one batch that is guarded by the account, so that a change of it meanwhile is seen. Raises
        `ForbiddenError` for a disabled account, `UnavailableError`.
        """
        partition = user_partition(user_id)

        async def attempt() -> Session:
            account = await self._accounts.get_created(partition, ACCOUNT)
            check_enabled(account.entity)
            session = self._new(account.entity, scope)
            page = await self._sessions.page(partition, limit=_READ)
            unused = {ended.id for ended in surplus(page.entities)}
            await self._accounts.write(
                partition,
                account,
                account.entity.changed(last_login_at=self._clock.now()),
                creating(session),
                *(deleting(stored) for stored in page.stored if stored.entity.id in unused),
            )
            return session

        return await self._signed_in(await self._accounts.retry(attempt), scope.role)

    def _new(self, account: Account, scope: SessionScope) -> Session:
        now = self._clock.now()
        began = begun_at(now, account.sessions_ended_at, scope.sessions_ended_at)
        return Session(
            id=new_id("ses"),
            user_id=account.user_id,
            organization_id=scope.organization_id,
            created_at=began,
            last_used_at=began,
            expires_at=now + self._lifetime,
        ).kept_until_expiry(now)

    async def _signed_in(self, session: Session, role: Role | OperatorRole) -> SignedIn:
        claims = Claims(session.user_id, session.organization_id, (role,), session.id)
        reference = RefreshReference(session.user_id, session.id, session.refresh_number)
        return SignedIn(
            access_token=await self._tokens.issue(claims),
            refresh_token=await self.refresh_tokens.issue(reference),
            expires_in=int(self._tokens.lifetime.total_seconds()),
            session_id=session.id,
            organization_id=session.organization_id,
        )


def check_enabled(account: Account) -> None:
    """Raises `ForbiddenError`."""
    if account.status == "disabled":
        raise ForbiddenError("The account is disabled")
