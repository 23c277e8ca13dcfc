"""Authentication: who is calling, by an API key or an access token."""

import asyncio
from datetime import datetime, timedelta

from cachetools import TTLCache

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Session
from shared.domain.access.api_keys import KEY_PREFIX, ApiKey, WorkingKey, key_partition
from shared.domain.access.identity import OPERATOR_ONLY, OPERATOR_PERMISSIONS, ROLE_PERMISSIONS, Permission, Principal
from shared.domain.kernel.errors import UnauthenticatedError
from shared.domain.kernel.ids import fingerprint
from shared.ports.clock import Clock
from shared.services.access.tokens import Tokens
from shared.services.storage import Records, Store

CACHED_FOR_EVENTS = timedelta(seconds=10)
MAXIMUM_CACHED_KEYS = 10_000


class Authentication:
    """API keys, and those that they descend from, are read at every call; for events they may be 10 s old."""

    def __init__(self, store: Store, clock: Clock, tokens: Tokens) -> None:
        self._clock = clock
        self._tokens = tokens
        self._working_keys = Records(store, DIRECTORY, WorkingKey)
        self._sessions = Records(store, DIRECTORY, Session)
        self._cached_keys = TTLCache[str, ApiKey, datetime](MAXIMUM_CACHED_KEYS, CACHED_FOR_EVENTS, timer=clock.now)

    async def authenticate(self, credential: str, *, for_events: bool) -> Principal:
        """Raises `UnauthenticatedError`."""
        if credential.startswith(KEY_PREFIX):
            return await self._by_key(credential, for_events=for_events)
        return await self._by_token(credential)

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
