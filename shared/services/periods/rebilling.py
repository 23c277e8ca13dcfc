"""Re-billing: a period that changes has its bill looked at again, or its wallet drawn from."""

from datetime import datetime

from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Period
from shared.domain.periods.settlements import POSTPAID
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.periods.periods import Periods
from shared.services.storage import Document, Outbox

PERIOD_CHANGED = "period_moved"
"""The effect of a change to a period after its end; its value is a stored name."""
USAGE_ADDED = "usage_added"
"""The effect of usage in an open period that a wallet pays for."""


class Rebilling:
    def __init__(self, periods: Periods, clock: Clock, outbox: Outbox) -> None:
        self._periods = periods
        self._clock = clock
        self._changes = outbox.sender(PERIOD_CHANGED)
        self._usage = outbox.sender(USAGE_ADDED)

    def entry(self, organization: Organization, period: Period, now: datetime) -> Document | None:
        """The outbox entry to commit with what is added.

        None as long as the period goes on and no wallet pays for it.
        """
        if period.end <= now:
            sender = self._changes
        elif (organization.settlements.at(period.start) or POSTPAID).is_prepaid:
            sender = self._usage
        else:
            return None
        start = to_text(period.start)
        return sender.entry(f"{sender.effect}:{start}", organization_id=organization.id, period=start).document()

    async def note_change(self, organization_id: str, period: str) -> None:
        """What happens for `PERIOD_CHANGED`; `period` is when it starts.

        The period in which a commitment of its year ended changes with it.
        """
        start, now = from_text(period), self._clock.now()
        await self._periods.changed_after_end(organization_id, start, now)
        for closing in await self._periods.with_commitments_after(organization_id, start):
            await self._periods.changed_after_end(organization_id, closing, now)
