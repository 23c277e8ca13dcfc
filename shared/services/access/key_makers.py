"""API keys stop with the members who made them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cachetools import TTLCache

from shared.containers import TENANTS
from shared.domain.access.accounts import Membership
from shared.domain.access.api_keys import ApiKey
from shared.domain.kernel.errors import UnauthenticatedError
from shared.ports.clock import Clock
from shared.services.storage import Records, Store, look_twice

CACHED_FOR_EVENTS = timedelta(seconds=10)
MAXIMUM_CACHED = 10_000


class KeyMakers:
    """Whether who made a key is still a member and may do all that the key does. For events it may be 10 s old."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._memberships = Records(store, TENANTS, Membership)
        self._cached = TTLCache[tuple[str, str], Membership, datetime](
            MAXIMUM_CACHED, CACHED_FOR_EVENTS, timer=clock.now
        )

    async def check(self, keys: Sequence[ApiKey], *, for_events: bool) -> None:
        """Raises `UnauthenticatedError` where one of the keys, which are of one line, has stopped."""
        for organization_id, maker in {(key.organization_id, key.maker) for key in keys}:
            if organization_id is None or maker is None:
                continue
            membership = await self._membership(organization_id, maker, for_events=for_events)
            made = [key for key in keys if key.maker == maker]
            if membership is None or not all(key.is_covered_by(membership) for key in made):
                raise UnauthenticatedError(
                    "The API key has stopped: its maker is no longer a member, or may no longer do all that it does. "
                    "An owner can adopt it"
                )

    async def _membership(self, organization_id: str, user_id: str, *, for_events: bool) -> Membership | None:
        cached = self._cached.get((organization_id, user_id)) if for_events else None
        if cached is not None:
            return cached
        stored = await look_twice(
            lambda: self._memberships.find(organization_id, user_id), is_doubtful=lambda membership: membership is None
        )
        if stored is None:
            return None
        if for_events:
            self._cached[organization_id, user_id] = stored.entity
        return stored.entity
