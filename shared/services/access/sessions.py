"""Sessions: begun by signing in, refreshed, switched and ended; at most twenty of a user."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.containers import DIRECTORY
from shared.domain.access.accounts import ACCOUNT, Account, user_partition
from shared.domain.access.origins import UNKNOWN_ORIGIN, Origin
from shared.domain.access.sessions import Session, begun_at, surplus
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import ForbiddenError, NotFoundError, UnauthenticatedError, UnavailableError
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.times import BEGINNING
from shared.ports.clock import Clock
from shared.ports.secrets import Secrets
from shared.services.access.known_devices import KnownDevices
from shared.services.access.page_tokens import PageTokens
from shared.services.access.proofs import Proof, Proven
from shared.services.access.refresh_tokens import RefreshReference, RefreshTokens
from shared.services.access.scopes import SessionScope, SessionScopes
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.access.tokens import Claims, Tokens
from shared.services.storage import (
    OPERATOR,
    Operation,
    Records,
    Store,
    Stored,
    creating,
    deleting,
    get_two,
    look_twice,
    noting,
    replacing,
    retry_lost_races,
)
from shared.settings import Settings

_READ = 90
"""Sessions of a user: more than there can be, unless hosts with stale reads made more."""
_ENDED = "The session has ended"
_WEAK = "This organization asks for more than the session has shown: sign in to it"


@dataclass(frozen=True, slots=True)
class SignedIn:
    access_token: str
    refresh_token: str
    expires_in: int
    """Seconds until the access token expires."""
    session_id: str
    organization_id: str | None
    user_id: str = ""
    device_token: str | None = None
    """By which the device is known later; None where nobody signed in."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A session that is in force, with its account."""

    session: Stored[Session]
    account: Stored[Account]


class Sessions:
    """The item of a session decides whether it goes on: refreshing replaces it under its ETag, ending deletes it."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        secrets: Secrets,
        tokens: Tokens,
        scopes: SessionScopes,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._scopes = scopes
        self._lifetime = timedelta(days=settings.refresh_token_days)
        self._accounts = StoredAccounts(store).records
        self._sessions = Records(store, DIRECTORY, Session, prefix="ses")
        self._devices = KnownDevices(store, clock)
        self.refresh_tokens = RefreshTokens(secrets)
        self.page_tokens = PageTokens(secrets)

    async def begin(  # noqa: PLR0913  what a session is made of
        self,
        user_id: str,
        scope: SessionScope,
        origin: Origin = UNKNOWN_ORIGIN,
        *,
        prove: Proof,
        device_id: str | None = None,
        longest: timedelta | None = None,
    ) -> SignedIn:
        """Begin a session; where there are twenty, the one unused longest ends.

        The device becomes known, and failures of the known one of `device_id` are forgotten. All is one batch, guarded
        by the account, so that a change of it meanwhile is seen, and what was shown is used once. Where the
        organization asks for more than was shown, the session is for enrolling that. Raises what `prove`
        raises, `ForbiddenError` for a disabled account, `UnavailableError`.
        """
        partition = user_partition(user_id)

        async def attempt() -> tuple[Session, str]:
            account = await self._accounts.get_created(partition, ACCOUNT)
            check_enabled(account.entity)
            proven = await prove(account.entity)
            now = self._clock.now()
            expires_at = now + min(self._lifetime, longest or self._lifetime)
            session = self._new(account.entity, scope, origin, expires_at).begun_by(proven.methods, now)
            session = session.changed(for_enrolment=not scope.allows(session))
            known_as, devices = await self._devices.signing_in(account.entity, device_id)
            await self._accounts.write(
                partition,
                account,
                proven.account.changed(last_login_at=now),
                creating(session),
                *await self._making_room(account.entity),
                *devices,
                *proven.beside,
            )
            return session, known_as

        session, known_as = await retry_lost_races(attempt, _busy())
        return await self._signed_in(session, scope, known_as)

    def _new(self, account: Account, scope: SessionScope, origin: Origin, expires_at: datetime) -> Session:
        now = self._clock.now()
        began = begun_at(now, account.sessions_ended_at, scope.sessions_ended_at)
        return Session(
            id=new_id("ses"),
            user_id=account.user_id,
            organization_id=scope.organization_id,
            created_at=began,
            last_used_at=began,
            expires_at=expires_at,
            device=origin.device,
            ip=origin.ip,
            location=origin.location,
        ).kept_until_expiry(now)

    async def _making_room(self, account: Account) -> list[Operation]:
        """Delete those that have ended, and of the others what is too much beside a new one."""
        page = await self._sessions.page(user_partition(account.user_id), limit=_READ)
        in_force = [session for session in page.entities if self._is_in_force(session, account)]
        kept = {session.id for session in in_force} - {session.id for session in surplus(in_force)}
        return [deleting(stored) for stored in page.stored if stored.entity.id not in kept][: _READ // 2]

    async def _signed_in(self, session: Session, scope: SessionScope, device_token: str | None = None) -> SignedIn:
        claims = Claims(session.user_id, session.organization_id, (scope.role,), session.id)
        reference = RefreshReference(session.user_id, session.id, session.refresh_number)
        return SignedIn(
            access_token=await self._tokens.issue(claims),
            refresh_token=await self.refresh_tokens.issue(reference),
            expires_in=int(self._tokens.lifetime.total_seconds()),
            session_id=session.id,
            organization_id=session.organization_id,
            user_id=session.user_id,
            device_token=device_token,
        )

    async def refresh(self, token: str, origin: Origin = UNKNOWN_ORIGIN) -> SignedIn:
        """New tokens of the same session. The refresh token is used up by it.

        One that was used up before ends the session: somebody else may have it. There is no grace, so a client that
        lost an answer has to sign in again. Raises `UnauthenticatedError`, also for whatever was never issued;
        `ForbiddenError` for a disabled account, `UnavailableError`.
        """
        reference = await self.refresh_tokens.read(token)
        partition = user_partition(reference.user_id)

        async def attempt() -> tuple[Session, SessionScope]:
            held = await self._held(reference.user_id, reference.session_id)
            session = held.session.entity
            if reference.number < session.refresh_number:
                await self._sessions.erase(partition, held.session, _reused(session))
                raise UnauthenticatedError("The refresh token was used before, so its session was ended; sign in again")
            if reference.number > session.refresh_number:
                raise UnavailableError("The session was refreshed a moment ago and cannot be read yet")
            check_enabled(held.account.entity)
            scope = await self._scopes.of_session(held.account.entity, session.organization_id)
            if not self._is_in_force(session, held.account.entity, scope.sessions_ended_at):
                raise UnauthenticatedError(_ENDED)
            if not (scope.allows(session) or session.for_enrolment):
                raise ForbiddenError(_WEAK)
            return await self._rotate(held.session, origin), scope

        return await self._signed_in(*await retry_lost_races(attempt, _busy()))

    async def _rotate(self, stored: Stored[Session], origin: Origin) -> Session:
        session, now = stored.entity, self._clock.now()
        rotated = session.changed(
            refresh_number=session.refresh_number + 1,
            last_used_at=now,
            device=origin.device or session.device,
            ip=origin.ip or session.ip,
            location=origin.location or session.location,
        ).kept_until_expiry(now)
        await self._sessions.write(user_partition(session.user_id), stored, rotated)
        return rotated

    async def switch(
        self, user_id: str, session_id: str, organization_id: str, origin: Origin = UNKNOWN_ORIGIN
    ) -> SignedIn:
        """Begin a session in another organization and end the present one, in one batch.

        The batch is guarded by the account: what ends all sessions meanwhile ends this one, too. The session lasts as
        long as the present one would have. Raises `NotFoundError` where the user is no member there, `ForbiddenError`
        where it asks for a second factor that was not shown, `UnauthenticatedError`, `UnavailableError`.
        """
        partition = user_partition(user_id)

        async def attempt() -> tuple[Session, SessionScope]:
            held = await self._held(user_id, session_id)
            scope = await self._scopes.in_organization(user_id, organization_id)
            present = held.session.entity
            if not scope.allows(present):
                raise ForbiddenError(_WEAK)
            session = self._new(held.account.entity, scope, origin, present.expires_at)
            session = session.begun_by(present.methods, present.shown_at)
            await self._accounts.write(
                partition, held.account, held.account.entity, creating(session), deleting(held.session)
            )
            return session, scope

        return await self._signed_in(*await retry_lost_races(attempt, _busy()))

    async def show(self, user_id: str, session_id: str, prove: Proof) -> Account:
        """Note that the user has shown a further method just now, in one batch with what using it changes.

        Raises what `prove` raises, `UnauthenticatedError`, `UnavailableError`.
        """
        partition = user_partition(user_id)

        async def attempt() -> Account:
            held = await self._held(user_id, session_id)
            proven: Proven = await prove(held.account.entity)
            session = held.session.entity.showing(proven.methods, self._clock.now())
            written = await self._accounts.write(
                partition, held.account, proven.account, replacing(held.session, session), *proven.beside
            )
            return written.entity

        return await retry_lost_races(attempt, _busy())

    async def in_force(self, user_id: str) -> list[Session]:
        """The user's sessions, the one used last first."""
        partition = user_partition(user_id)
        account = (await self._accounts.get_created(partition, ACCOUNT)).entity
        page = await self._sessions.page(partition, limit=_READ)
        sessions = [session for session in page.entities if self._is_in_force(session, account)]
        usable = [session for session in sessions if await self._leads_somewhere(session, account)]
        return sorted(usable, key=lambda session: session.last_used_at, reverse=True)

    async def _leads_somewhere(self, session: Session, account: Account) -> bool:
        try:
            scope = await self._scopes.of_session(account, session.organization_id)
        except UnauthenticatedError:
            return False
        return self._is_in_force(session, account, scope.sessions_ended_at)

    async def end(self, user_id: str, session_id: str) -> None:
        """Raises `NotFoundError` where the user has no such session."""
        await self._sessions.delete(user_partition(user_id), session_id)

    async def end_by_token(self, refresh_token: str) -> None:
        """End the session of a refresh token, a used one, too. Raises `UnauthenticatedError` for one never issued."""
        reference = await self.refresh_tokens.read(refresh_token)
        with suppress(NotFoundError):  # it has ended already
            await self._sessions.delete(user_partition(reference.user_id), reference.session_id)

    async def end_all(
        self,
        user_id: str,
        decide: Callable[[Account], Account] = lambda account: account,
        *,
        with_devices: bool = False,
        beside: Sequence[Operation] = (),
    ) -> Stored[Account]:
        """Change the account and end all its sessions in one guarded write, with what is beside it.

        With `with_devices` its devices are known no longer. What `decide` raises is raised.
        """
        partition = user_partition(user_id)

        async def changed(account: Account) -> Account:
            sessions = (await self._sessions.page(partition, limit=_READ)).entities
            ended_at = max(
                self._clock.now(),
                account.sessions_ended_at or BEGINNING,
                *(session.created_at for session in sessions),
            )
            ends = {"sessions_ended_at": ended_at} | ({"devices_ended_at": ended_at} if with_devices else {})
            return decide(account).changed(**ends)

        return await self._accounts.change(partition, ACCOUNT, changed, beside=lambda _before, _after: beside)

    async def _held(self, user_id: str, session_id: str) -> _Held:
        """Raises `UnauthenticatedError` where the session is not in force."""

        async def look() -> _Held:
            session, account = await get_two(
                self._store, DIRECTORY, user_partition(user_id), (Session, session_id), (Account, ACCOUNT)
            )
            if session is None or account is None or not self._is_in_force(session.entity, account.entity):
                raise UnauthenticatedError(_ENDED)
            return _Held(session, account)

        # A second look: a session that was begun a moment ago may not be seen yet.
        return await look_twice(look, errors=(UnauthenticatedError,))

    def _is_in_force(self, session: Session, account: Account, *ended_at: datetime | None) -> bool:
        return session.is_in_force(self._clock.now(), account.sessions_ended_at, *ended_at)


def _busy() -> UnavailableError:
    return UnavailableError("The account is being changed by many at once")


def _reused(session: Session) -> Operation:
    """Tells the audit trail that a refresh token was used again: somebody else may have it."""
    trails = (OPERATOR,) if session.organization_id is None else (session.organization_id,)
    target = Target("session", session.id)
    return noting("sessions.reuse", target, trails, actor_id=session.user_id, details={"user_id": session.user_id})


def check_enabled(account: Account) -> None:
    """Raises `ForbiddenError`."""
    if account.status == "disabled":
        raise ForbiddenError("The account is disabled")
