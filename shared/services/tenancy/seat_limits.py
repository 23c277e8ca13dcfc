"""Limits on seats: how many an organization may have by its plans."""

from datetime import datetime

from shared.containers import TENANTS
from shared.domain.tenancy.entitlements import SEATS, Entitlements
from shared.domain.tenancy.organizations import Organization
from shared.services.storage import Records, Store


class SeatLimits:
    def __init__(self, store: Store) -> None:
        self._entitlements = Records(store, TENANTS, Entitlements)

    async def check(self, organization: Organization, seats: int, start: datetime, now: datetime) -> None:
        """Raises `LimitExceededError` for more seats than there are, and than the plans allow when they begin."""
        used = organization.seats.at(now) or 0
        stored = await self._entitlements.find(organization.id, Entitlements().id) if seats > used else None
        allowed = None if stored is None else stored.entity.at(start).get(SEATS)
        if allowed is not None:
            allowed.check_room(used, seats - used)
