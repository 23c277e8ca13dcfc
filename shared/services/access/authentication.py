"""Authentication: who is calling, by an API key or an access token."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from cachetools import TTLCache

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Session
from shared.domain.access.api_keys import KEY_PREFIX, ApiKey, WorkingKey, key_partition
from shared.domain.access.identity import (
    AFTER_DELETION,
    OPERATOR_ONLY,
    OPERATOR_PERMISSIONS,
    ROLE_PERMISSIONS,
    Permission,
    Principal,
    deletion_stage,
)
from shared.domain.kernel.errors import UnauthenticatedError
from shared.domain.kernel.ids import fingerprint
from shared.ports.clock import Clock
from shared.services.access.tokens import Tokens
from shared.services.storage import Records, Store
from shared.services.tenancy.organizations import Organizations
from shared.settings import Settings

_DELETED = "The organization was deleted"
CACHED_FOR_EVENTS = timedelta(seconds=10)
MAXIMUM_CACHED = 10_000


class Authentication:
    """API keys, those that they descend from, and organizations are read at every call.

    For events they may be 10 s old.
    """

    def __init__(
        self, store: Store, clock: Clock, tokens: Tokens, organizations: Organizations, settings: Settings
    ) -> None:
        self._clock = clock
        self._tokens = tokens
        self._organizations = organizations
        self._readable = timedelta(days=settings.deleted_readable_days)
        self._working_keys = Records(store, DIRECTORY, WorkingKey)
        self._sessions = Records(store, DIRECTORY, Session)
        self._cached_keys = TTLCache[str, ApiKey, datetime](MAXIMUM_CACHED, CACHED_FOR_EVENTS, timer=clock.now)
        self._cached_deletions = TTLCache[str, datetime | None, datetime](
            MAXIMUM_CACHED, CACHED_FOR_EVENTS, timer=clock.now
        )

    async def authenticate(self, credential: str, *, for_events: bool) -> Principal:
        """Raises `UnauthenticatedError`, also for credentials of an organization that was deleted long ago."""
        if credential.startswith(KEY_PREFIX):
            principal = await self._by_key(credential, for_events=for_events)
        else:
            principal = await self._by_token(credential)
        if principal.organization_id is None:
            return principal
        deleted_at = await self._deleted_at(principal.organization_id, for_events=for_events)
        return self._limited(principal, deleted_at)

    async def check_open(self, organization_id: str) -> None:
        """Raises `UnauthenticatedError` where its own credentials may not even read any longer."""
        deleted_at = await self._deleted_at(organization_id, for_events=False)
        if deletion_stage(deleted_at, self._clock.now(), self._readable) == "closed":
            raise UnauthenticatedError(_DELETED)

    def _limited(self, principal: Principal, deleted_at: datetime | None) -> Principal:
        """What the principal may do, where its organization was deleted at some time."""
        match deletion_stage(deleted_at, self._clock.now(), self._readable):
            case "none":
                return principal
            case "readable":
                return replace(principal, permissions=principal.permissions & AFTER_DELETION, organization_deleted=True)
            case "closed":
                raise UnauthenticatedError(_DELETED)

    async def _deleted_at(self, organization_id: str, *, for_events: bool) -> datetime | None:
        """None also where a read does not show the organization yet: it cannot be deleted then."""
        if for_events and organization_id in self._cached_deletions:
            return self._cached_deletions[organization_id]
        organization = await self._organizations.find_by_id(organization_id)
        deleted_at = None if organization is None else organization.deleted_at
        if for_events:
            self._cached_deletions[organization_id] = deleted_at
        return deleted_at

    async def _by_key(self, token: str, *, for_events: bool) -> Principal:
        key = await self._working_key(fingerprint(token), for_events=for_events)
        if key is None:
            raise UnauthenticatedError("The API key is not valid")
        ancestors = await asyncio.gather(
            *(self._working_key(ancestor.fingerprint, for_events=for_events) for ancestor in key.ancestors)
        )
        now = self._clock.now()
        if not all(ancestor is not None and ancestor.valid_at(now) for ancestor in ancestors):
            raise UnauthenticatedError("A key that this API key descends from was revoked or has expired")
        if not key.valid_at(now):
            raise UnauthenticatedError("The API key has expired")
        return key.principal()

    async def _working_key(self, token_fingerprint: str, *, for_events: bool) -> ApiKey | None:
        cached = self._cached_keys.get(token_fingerprint) if for_events else None
        if cached is not None:
            return cached
        working = await self._working_keys.find(key_partition(token_fingerprint), "key")
        if working is None:
            return None
        self._cached_keys[token_fingerprint] = working.entity.key
        return working.entity.key

    async def _by_token(self, token: str) -> Principal:
        claims = await self._tokens.read(token)
        if await self._sessions.find(f"session:{claims.session_id}", claims.session_id) is None:
            raise UnauthenticatedError("The session has ended")
        return Principal(claims.user_id, claims.organization_id, permissions_of(claims.organization_id, claims.roles))


def permissions_of(organization_id: str | None, roles: tuple[str, ...]) -> frozenset[Permission]:
    """What the roles in an access token allow in an organization.

    Without one: what they allow as the operator.
    """
    if organization_id is None:
        return frozenset().union(*(permissions for role, permissions in OPERATOR_PERMISSIONS.items() if role in roles))
    return (
        frozenset().union(*(permissions for role, permissions in ROLE_PERMISSIONS.items() if role in roles))
        - OPERATOR_ONLY
    )
