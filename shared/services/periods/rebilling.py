"""Re-billing: an ended period that changes has its bill looked at again."""

from datetime import datetime

from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Period
from shared.ports.clock import Clock
from shared.services.periods.periods import Periods
from shared.services.storage import Document, Outbox

PERIOD_CHANGED = "period_moved"
"""The effect of a change to a period after its end; its value is a stored name."""


class Rebilling:
    def __init__(self, periods: Periods, clock: Clock, outbox: Outbox) -> None:
        self._periods = periods
        self._clock = clock
        self._changes = outbox.sender(PERIOD_CHANGED)

    def entry(self, organization_id: str, period: Period, now: datetime) -> Document | None:
        """The outbox entry to commit with what is added.

        None as long as the period goes on.
        """
        if period.end > now:
            return None
        start = to_text(period.start)
        entry = self._changes.entry(f"{PERIOD_CHANGED}:{start}", organization_id=organization_id, period=start)
        return entry.document()

    async def note_change(self, organization_id: str, period: str) -> None:
        """What happens for `PERIOD_CHANGED`; `period` is when it starts."""
        await self._periods.changed_after_end(organization_id, from_text(period), self._clock.now())
