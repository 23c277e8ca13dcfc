"""Authentication: who is calling, by an API key or an access token."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, user_partition
from shared.domain.access.api_keys import KEY_PREFIX, ApiKey, WorkingKey, key_partition
from shared.domain.access.identity import (
    AFTER_DELETION,
    OPERATOR_PERMISSIONS,
    OperatorRole,
    Principal,
    deletion_stage,
)
from shared.domain.access.sessions import Session, session_partition_of_before
from shared.domain.kernel.errors import UnauthenticatedError
from shared.domain.kernel.ids import fingerprint
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.access.key_makers import KeyMakers
from shared.services.access.key_uses import KeyUses
from shared.services.access.tokens import Claims, Tokens
from shared.services.storage import Records, Store, get_two, look_twice
from shared.services.storage.recent_reads import RecentReads
from shared.services.tenancy.organizations import Organizations
from shared.settings import Settings

CACHED_FOR_EVENTS = timedelta(seconds=10)
MAXIMUM_CACHED = 10_000

_DELETED = "The organization was deleted"
_ENDED = "The session has ended"
_EXPIRED = "The API key has expired or was deactivated"
_NO_ANCESTOR = "A key that this API key descends from was revoked or has expired"


@dataclass(frozen=True, slots=True)
class _Authenticated:
    """A caller as the store has them, and when their organization was deleted."""

    principal: Principal
    deleted_at: datetime | None
    keys: tuple[ApiKey, ...] = ()
    """The API key and those that it descends from; none for a person."""


class Authentication:
    """API keys, those that they descend from, sessions, accounts, memberships and organizations are read at every call.

    For events they may be 10 s old. What a token says of roles is never used.
    """

    def __init__(  # noqa: PLR0913  what it reads
        self,
        store: Store,
        clock: Clock,
        tokens: Tokens,
        organizations: Organizations,
        key_uses: KeyUses,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._organizations = organizations
        self._key_uses = key_uses
        self._readable = timedelta(days=settings.deleted_readable_days)
        self._unverified_may_write = settings.unverified_may_write
        self._staff_mfa_required = settings.staff_mfa_required
        self._staff_step_up_required = settings.staff_step_up_required
        self._working_keys = Records(store, DIRECTORY, WorkingKey)
        self._sessions = Records(store, DIRECTORY, Session)
        self._key_makers = KeyMakers(store)
        self._cached_keys = RecentReads[str, _Authenticated](MAXIMUM_CACHED, CACHED_FOR_EVENTS, clock)
        self._cached_people = RecentReads[str, _Authenticated](MAXIMUM_CACHED, CACHED_FOR_EVENTS, clock)

    async def authenticate(self, credential: str, *, for_events: bool) -> Principal:
        """Raises `UnauthenticatedError`, also for credentials of an organization that was deleted long ago."""
        read = self._by_key if credential.startswith(KEY_PREFIX) else self._by_token
        authenticated = await read(credential, for_events=for_events)
        return self._limited(authenticated.principal, authenticated.deleted_at)

    def _limited(self, principal: Principal, deleted_at: datetime | None) -> Principal:
        """What the principal may do, where its organization was deleted at some time."""
        if deleted_at is None:
            return principal
        match deletion_stage(deleted_at, self._clock.now(), self._readable):
            case "none":
                return principal
            case "readable":
                return replace(principal, permissions=principal.permissions & AFTER_DELETION, organization_deleted=True)
            case "closed":
                raise UnauthenticatedError(_DELETED)

    async def _by_key(self, token: str, *, for_events: bool) -> _Authenticated:
        token_fingerprint = fingerprint(token)
        cached = self._cached_keys.find(token_fingerprint) if for_events else None
        authenticated = cached or await self._read_key(token_fingerprint)
        _check_valid(authenticated.keys, self._clock.now())
        if for_events and cached is None:
            self._cached_keys[token_fingerprint] = authenticated
        if authenticated.keys[0].service_account is None:  # tokens of service accounts live too short for that
            self._key_uses.note(authenticated.keys[0])
        return authenticated

    async def _read_key(self, token_fingerprint: str) -> _Authenticated:
        key = await self._working_key(token_fingerprint)
        if key is None:
            raise UnauthenticatedError("The API key is not valid")
        ancestors = await asyncio.gather(*(self._working_key(ancestor.fingerprint) for ancestor in key.ancestors))
        keys = (key, *filter(None, ancestors))
        if len(keys) <= len(ancestors):
            raise UnauthenticatedError(_NO_ANCESTOR)
        _check_valid(keys, self._clock.now())
        await self._key_makers.check(keys)
        organization = await self._organization(key.organization_id)
        principal = key.principal()
        if organization is None:
            return _Authenticated(principal, None, keys)
        restricted = organization.restricted_since is not None
        return _Authenticated(replace(principal, restricted=restricted), organization.deleted_at, keys)

    async def _working_key(self, token_fingerprint: str) -> ApiKey | None:
        working = await self._working_keys.find(key_partition(token_fingerprint), "key")
        return None if working is None else working.entity.key

    async def _organization(self, organization_id: str | None) -> Organization | None:
        """None also where a read does not show it yet: it cannot be deleted then."""
        return None if organization_id is None else await self._organizations.find_by_id(organization_id)

    async def _by_token(self, token: str, *, for_events: bool) -> _Authenticated:
        claims = await self._tokens.read(token)
        cached = self._cached_people.find(claims.session_id) if for_events else None
        if cached is not None:
            return cached
        # A second look: a session that was begun a moment ago may not be seen yet.
        person = await look_twice(lambda: self._person(claims), errors=(UnauthenticatedError,))
        if for_events:
            self._cached_people[claims.session_id] = person
        return person

    async def authenticate_page(self, claims: Claims) -> Principal:
        """Who is signed in by the cookie of the pages, read anew. Raises `UnauthenticatedError`."""
        person = await look_twice(lambda: self._person(claims), errors=(UnauthenticatedError,))
        return self._limited(person.principal, person.deleted_at)

    async def _person(self, claims: Claims) -> _Authenticated:
        """Raises `UnauthenticatedError`."""
        session, account = await self._session_and_account(claims)
        if claims.organization_id is None:
            if account is None or account.operator_role is None:
                raise UnauthenticatedError(_ENDED)
            return _Authenticated(self._operator(session, account.operator_role), None)
        organization, membership = await get_two(
            self._store,
            TENANTS,
            claims.organization_id,
            (Organization, claims.organization_id),
            (Membership, claims.user_id),
        )
        if membership is None or membership.entity.suspended:
            raise UnauthenticatedError(_ENDED)
        if not session.is_in_force(self._clock.now(), membership.entity.sessions_ended_at):
            raise UnauthenticatedError(_ENDED)
        deleted_at = None if organization is None else organization.entity.deleted_at
        principal = _member(session, membership.entity)
        if organization is not None:
            principal = _by_settings(principal, session, organization.entity)
        is_let = self._unverified_may_write or (
            organization is not None and organization.entity.settings.unverified_may_write
        )
        is_unverified = account is not None and account.is_unverified and not is_let
        return _Authenticated(replace(principal, unverified=is_unverified), deleted_at)

    def _operator(self, session: Session, role: OperatorRole) -> Principal:
        """Raises `UnauthenticatedError` for a session that has shown too little."""
        principal = Principal(
            session.user_id,
            None,
            OPERATOR_PERMISSIONS[role],
            user_id=session.user_id,
            session_id=session.id,
            role=role,
            methods=session.methods,
            shown_at=session.shown_at,
            step_up_required=self._staff_step_up_required,
        )
        return _held_to(principal, session, mfa_required=self._staff_mfa_required, password_allowed=True)

    async def _session_and_account(self, claims: Claims) -> tuple[Session, Account | None]:
        """The account is None only for a session that an earlier version began."""
        stored, account = await get_two(
            self._store, DIRECTORY, user_partition(claims.user_id), (Session, claims.session_id), (Account, ACCOUNT)
        )
        if stored is None:
            stored = await self._sessions.find(session_partition_of_before(claims.session_id), claims.session_id)
        elif account is None:
            raise UnauthenticatedError(_ENDED)
        if stored is None or stored.entity.organization_id != claims.organization_id:
            raise UnauthenticatedError(_ENDED)
        ended_at = None if account is None else account.entity.sessions_ended_at
        is_enabled = account is None or account.entity.status != "disabled"
        if not is_enabled or not stored.entity.is_in_force(self._clock.now(), ended_at):
            raise UnauthenticatedError(_ENDED)
        return stored.entity, None if account is None else account.entity


def _check_valid(keys: Sequence[ApiKey], now: datetime) -> None:
    """Of a key and those that it descends from. Raises `UnauthenticatedError` where one of them works no longer."""
    for key in keys:
        if not key.valid_at(now):
            raise UnauthenticatedError(_EXPIRED if key is keys[0] else _NO_ANCESTOR)


def _by_settings(principal: Principal, session: Session, organization: Organization) -> Principal:
    """What the organization asks of how its users sign in. Raises `UnauthenticatedError` for a weaker session."""
    own = organization.own_settings
    ended_at = organization.provider_sessions_ended_at
    if session.by_provider and ended_at is not None and session.created_at <= ended_at:
        raise UnauthenticatedError(_ENDED)
    is_restricted = organization.restricted_since is not None
    principal = replace(principal, step_up_required=own.step_up_required, restricted=is_restricted)
    return _held_to(principal, session, mfa_required=own.mfa_required, password_allowed=organization.password_allowed)


def _held_to(principal: Principal, session: Session, *, mfa_required: bool, password_allowed: bool) -> Principal:
    """Who may do nothing but enrol where the session has shown less than is asked for.

    Raises `UnauthenticatedError` where that is asked for since the session began.
    """
    if session.satisfies(mfa_required=mfa_required, password_allowed=password_allowed):
        return principal
    if not session.for_enrolment:
        raise UnauthenticatedError("More is asked for than the session has shown; sign in again")
    return replace(principal, permissions=frozenset(), projects=None, for_enrolment=True)


def _member(session: Session, membership: Membership) -> Principal:
    return Principal(
        session.user_id,
        session.organization_id,
        membership.permissions(),
        user_id=session.user_id,
        session_id=session.id,
        role=membership.role,
        methods=session.methods,
        shown_at=session.shown_at,
        projects=membership.project_permissions(),
    )
