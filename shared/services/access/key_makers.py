"""API keys stop with those who made them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cachetools import TTLCache

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, user_partition
from shared.domain.access.api_keys import ApiKey
from shared.domain.kernel.errors import UnauthenticatedError
from shared.ports.clock import Clock
from shared.services.storage import Records, Store, Stored, look_twice

CACHED_FOR_EVENTS = timedelta(seconds=10)
MAXIMUM_CACHED = 10_000


class KeyMakers:
    """Whether who made a key is still there and may do all that the key does. For events it may be 10 s old.

    The maker of an organization's key is a member of it, that of an operator's key is one of the operator's staff.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._memberships = Records(store, TENANTS, Membership)
        self._accounts = Records(store, DIRECTORY, Account)
        self._cached = TTLCache[tuple[str | None, str], Membership | Account, datetime](
            MAXIMUM_CACHED, CACHED_FOR_EVENTS, timer=clock.now
        )

    async def check(self, keys: Sequence[ApiKey], *, for_events: bool) -> None:
        """Raises `UnauthenticatedError` where one of the keys, which are of one line, has stopped."""
        for organization_id, maker_id in {(key.organization_id, key.maker) for key in keys}:
            if maker_id is None:
                continue
            maker = await self._maker(organization_id, maker_id, for_events=for_events)
            made = [key for key in keys if key.maker == maker_id]
            if maker is None or not all(key.is_covered_by(maker) for key in made):
                raise UnauthenticatedError(
                    "The API key has stopped: its maker is no longer there, or may no longer do all that it does. "
                    "An owner can adopt it"
                )

    async def _maker(
        self, organization_id: str | None, user_id: str, *, for_events: bool
    ) -> Membership | Account | None:
        cached = self._cached.get((organization_id, user_id)) if for_events else None
        if cached is not None:
            return cached
        stored = await look_twice(lambda: self._read(organization_id, user_id), is_doubtful=lambda maker: maker is None)
        if stored is None:
            return None
        if for_events:
            self._cached[organization_id, user_id] = stored.entity
        return stored.entity

    async def _read(self, organization_id: str | None, user_id: str) -> Stored[Membership] | Stored[Account] | None:
        if organization_id is None:
            return await self._accounts.find(user_partition(user_id), ACCOUNT)
        return await self._memberships.find(organization_id, user_id)
