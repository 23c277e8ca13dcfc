"""Ended periods to which something is added all the same: their bills are looked at again."""

from datetime import datetime

from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period
from shared.services.storage import Document, Outbox

PERIOD_CHANGED = "period_moved"
"""The effect."""


def entry_of(outbox: Outbox, organization_id: str, period: Period, now: datetime) -> Document | None:
    """The outbox entry to commit with what is added; None as long as the period goes on."""
    if period.end > now:
        return None
    start = to_text(period.start)
    entry = outbox.sender(PERIOD_CHANGED).entry(
        f"{PERIOD_CHANGED}:{start}", organization_id=organization_id, period=start
    )
    return entry.document()
