"""Periods that have ended and to which something is added all the same: what they come to is looked at again."""

from datetime import datetime

from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period
from shared.ports.store import Document
from shared.services.storage.outbox import Outbox

MOVED = "period_moved"
"""The effect."""


def entry_of(outbox: Outbox, organization_id: str, period: Period, now: datetime) -> Document | None:
    """The outbox entry to commit with what is added; None as long as the period goes on."""
    if period.end > now:
        return None
    start = to_text(period.start)
    return outbox.entry(MOVED, f"{MOVED}:{start}", organization_id=organization_id, period=start)
