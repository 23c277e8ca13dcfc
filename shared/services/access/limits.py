"""The limits of organizations, as the operator sets them."""

from dataclasses import dataclass
from datetime import timedelta

from shared.containers import TENANTS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.tenancy.limits import OrganizationLimits, QuotaUse
from shared.ports.clock import Clock
from shared.services.storage import Records, Store
from shared.services.storage.quotas import quotas_of
from shared.services.storage.recent_reads import RecentReads

CACHED = timedelta(seconds=60)
"""How long an instance may go on with earlier rates."""
MAXIMUM_CACHED = 10_000

_LIMITS = OrganizationLimits().id


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """What an organization may have, and what it has."""

    limits: OrganizationLimits
    use: QuotaUse
    etag: str | None
    """Of what the operator has set; None where that is nothing."""


class Limits:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._limits = Records(store, TENANTS, OrganizationLimits)
        self._cached = RecentReads[str, OrganizationLimits](MAXIMUM_CACHED, CACHED, clock)

    async def of(self, organization_id: str) -> LimitsInForce:
        stored = await self._limits.find(organization_id, _LIMITS)
        (use, _), _ = await quotas_of(self._store, organization_id)
        if stored is None:
            return LimitsInForce(OrganizationLimits(), use, None)
        return LimitsInForce(stored.entity, use, stored.etag)

    async def put(self, organization_id: str, wanted: OrganizationLimits, if_match: str | None) -> LimitsInForce:
        """Replace all limits. Raises `PreconditionFailedError`."""
        await self._limits.change_or_create(organization_id, _LIMITS, lambda _: wanted, if_match)
        self._cached.pop(organization_id, None)
        return await self.of(organization_id)

    async def cached(self, organization_id: str) -> OrganizationLimits:
        """What the operator has set, at most 60 s old.

        Nothing also where the store does not answer: a limit never refuses what would have been taken.
        """
        cached = self._cached.find(organization_id)
        if cached is not None:
            return cached
        try:
            stored = await self._limits.find(organization_id, _LIMITS)
        except UnavailableError:
            return OrganizationLimits()
        limits = OrganizationLimits() if stored is None else stored.entity
        self._cached[organization_id] = limits
        return limits
