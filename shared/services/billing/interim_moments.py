"""Interim moments: when interim invoices are still to be made of what begins by itself."""

from collections.abc import Sequence
from datetime import datetime

from shared.containers import TENANTS
from shared.domain.kernel.times import from_text
from shared.domain.periods.periods import Span
from shared.domain.pricing.places import Places
from shared.domain.tenancy.organizations import Organization
from shared.services.billing.plan_cycles import PlanCycles
from shared.services.pricing.places import PlaceHistories
from shared.services.storage import OutboxEntry, Records, Store

INTERIM_DUE = "interim_due"
"""The effect of a command that changes what is due in advance; its value is a stored name."""
MAXIMUM_READ = 500


def is_withdrawn(organization: Organization, places: Places, moment: str, commanded_at: str) -> bool:
    """Whether what a command let begin at a later moment was replaced or withdrawn.

    What a command let begin at once is not, nor what entries say that were stored without `commanded_at`.
    """
    if commanded_at in ("", moment):
        return False
    begins_at = from_text(moment)
    begins_fees = any(history.begins_at(begins_at) for history in places.fees.values())
    return not (begins_fees or organization.seats.begins_at(begins_at))


class InterimMoments:
    def __init__(self, store: Store, place_histories: PlaceHistories, cycles: PlanCycles) -> None:
        self._entries = Records(store, TENANTS, OutboxEntry)
        self._place_histories = place_histories
        self._cycles = cycles

    async def within(self, organization: Organization, span: Span) -> list[datetime]:
        """Those of commands and anniversaries after a span's start and before its end, in order."""
        page = await self._entries.page(organization.id, limit=MAXIMUM_READ)
        places = await self._place_histories.of(organization.id)
        payloads = [entry.payload for entry in page.entities if entry.effect == INTERIM_DUE]
        of_commands = [
            from_text(payload["moment"])
            for payload in payloads
            if not is_withdrawn(organization, places, payload["moment"], payload.get("commanded_at", ""))
        ]
        anniversaries = [start for start, _ in await self.anniversaries(organization, span)]
        return sorted({moment for moment in (*of_commands, *anniversaries) if span.start < moment < span.end})

    async def anniversaries(self, organization: Organization, span: Span) -> Sequence[tuple[datetime, str]]:
        """When a plan's next quarter or year begins in a span, after its start, with the plan's place.

        Of plans with fees in advance by quarter or year. Raises `UnavailableError`.
        """
        places = await self._place_histories.of(organization.id)
        if not places.fees:
            return []
        prices = await self._place_histories.prices(places)
        charges = [charge for version in prices.versions.values() for charge in version.charges]
        recurrences = {charge.recurrence for charge in charges if charge.billing_timing == "advance"}
        return await self._cycles.anniversaries(organization, places, recurrences, span)
