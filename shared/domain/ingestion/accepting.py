"""Which spans are taken at all."""

from datetime import datetime, timedelta

from shared.domain.ingestion.calls import instant_of
from shared.domain.ingestion.spans import Span
from shared.domain.kernel.times import to_text
from shared.domain.usage.events import AHEAD


def rejection_of(span: Span, now: datetime, late_window: timedelta) -> str | None:
    """Why a span is rejected: its end, the time of its call, is too far ahead or too old. None for all others."""
    end = instant_of(span.end)
    if end > now + AHEAD:
        return f"span {span.span_id}: it ends at {to_text(end)}, more than 5 minutes ahead; set the sender's clock"
    if end < now - late_window:
        return f"span {span.span_id}: it ended at {to_text(end)}, over {late_window.days} days ago"
    return None
