"""Settled events: what an event costs beyond its payment moves its total, and its period like a late event."""

from dataclasses import replace
from decimal import Decimal

import msgspec

from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.times import from_text
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.late_pricing import changed_contribution
from shared.domain.usage.recomputation import added_by
from shared.ports.clock import Clock
from shared.ports.late_prices import StoredEvent
from shared.ports.paid_events import PaidEventStore, SettledEvent
from shared.services.periods.periods import Periods
from shared.services.periods.rebilling import Rebilling
from shared.services.storage import Outbox, StaleEtagError, retry_lost_races
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.metered_versions import MeteredVersions
from shared.services.usage.paid_usage import YES
from shared.services.usage.worths import UsedBy, Worths


class SettledEvents:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: PaidEventStore,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        metered_versions: MeteredVersions,
        rebilling: Rebilling,
        worths: Worths,
        outbox: Outbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._metered_versions = metered_versions
        self._rebilling = rebilling
        self._worths = worths
        self._outbox = outbox

    async def settle(self, organization_id: str, event_key: str, beyond: str, version: str, is_taken_off: str) -> None:
        """What happens for `EVENT_SETTLED`. An older version than the event has changes nothing."""

        async def attempt() -> None:
            organization = await self._organizations.cached(organization_id)
            counts = organization.shard_counts_until(self._clock.now())
            stored = await self._store.find(organization_id, counts, event_key)
            if stored is None:
                raise UnavailableError("The event cannot be read yet")
            if stored.event.payment_version >= int(version):
                return
            settled = await self._settled(
                organization, stored, Decimal(beyond), int(version), is_taken_off=is_taken_off == YES
            )
            result = await self._store.commit(settled)
            if result.superseded:
                raise StaleEtagError("The event has changed meanwhile")
            if result.refused:
                raise UnavailableError(f"The event cannot be changed: {result.refused[0][1]}")
            for entry in sorted(result.outbox_entries):
                await self._outbox.attempt(*entry)

        await retry_lost_races(attempt, UnavailableError("The event is being changed by many at once"))

    async def _settled(
        self, organization: Organization, stored: StoredEvent, beyond: Decimal, version: int, *, is_taken_off: bool
    ) -> SettledEvent:
        event = stored.event
        after = msgspec.structs.replace(
            event, beyond_payment=beyond, payment_version=version, payment_taken_off=is_taken_off
        )
        metered = await self._metered_versions.of(organization.id, event.total.agent_id, event.total.version_id)
        charges = None if metered is None else metered.charges
        currency = organization.currency
        added = changed_contribution(added_by(event, charges, currency), added_by(after, charges, currency))
        period = await self._periods.containing(organization, event.total.period)
        entry = self._rebilling.entry(organization, period, self._clock.now())
        used_by = UsedBy(event.total.agent_id, from_text(event.time), event.run, event.reporter)
        worth = await self._worths.of(organization, used_by, metered, period)
        return SettledEvent(stored, beyond, version, is_taken_off, replace(added, matched_late=False), entry, worth)
