"""When people are reminded of an invoice, and when one that is overdue restricts its organization."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta


def reminders_due(
    days: Collection[int], payable_by: datetime, reminded: Collection[int], now: datetime
) -> Sequence[int]:
    """The days of reminders that are due and not marked yet, in their order.

    Days count from when the invoice is due; before that they are negative. One from before is due no longer once the
    invoice is: it would say that there is time.
    """
    return [
        day
        for day in sorted(days)
        if day not in reminded and payable_by + timedelta(days=day) <= now and (day >= 0 or now < payable_by)
    ]


def is_restricting(payable_by: datetime | None, allowed: timedelta, now: datetime) -> bool:
    """Whether an open invoice has been overdue for longer than is allowed."""
    return payable_by is not None and payable_by + allowed <= now
