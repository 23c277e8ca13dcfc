"""Settling: an ended period whose bill is right need not be looked at again until something changes it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.pricing.lines import Line
from shared.services.billing.bill import Bill, BilledPeriod
from shared.services.periods.periods import BillingDocument, Drawn, PeriodItem
from shared.services.storage import Stored

SETTLES_AFTER = timedelta(days=1)
"""A bill settles only periods that ended at least this long ago."""
REPLICA_LAG = timedelta(minutes=10)
"""The longest that a replica is assumed to lag behind.

Of a newer change the bill may have seen the ETag and not the facts, so the period stays unsettled.
"""

IssuedDocument = tuple[Invoice | CreditNote, Sequence[Line]]
"""A header with its lines."""


def changed_periods(
    bill: Bill, documents: Sequence[IssuedDocument], drawn: Mapping[datetime, Drawn], now: datetime
) -> list[tuple[Stored[PeriodItem], PeriodItem]]:
    """The periods that issuing a bill changes, as they were and as they become.

    A period lists those of the bill's documents that bill it, and is settled where the bill is final. `drawn` has what
    periods keep of their wallet where that is less than before.
    """
    starts_by_document = [(_listed(header), {line.period.start for line in lines}) for header, lines in documents]
    changed: list[tuple[Stored[PeriodItem], PeriodItem]] = []
    for billed in bill.periods:
        stored = billed.guarded.stored
        if stored is None:
            continue
        before = stored.entity
        listed = [document for document, starts in starts_by_document if before.start in starts]
        after = before.changed(documents=(*before.documents, *listed), drawn=drawn.get(before.start, before.drawn))
        is_whole = not (billed.is_partial or billed.is_drawn_from)
        is_final = before.start < bill.invoiced_period.end and is_whole
        if is_final and _saw_all_changes(before, now):
            after = _settled(after, billed, now)
        if after != before:
            changed.append((stored, after))
    return changed


def _listed(header: Invoice | CreditNote) -> BillingDocument:
    """A document as the periods that it bills list it."""
    return BillingDocument(
        id=header.id,
        type="invoice" if isinstance(header, Invoice) else "credit_note",
        lines_hash=header.lines_hash,
        line_count=header.line_count,
    )


def _saw_all_changes(item: PeriodItem, now: datetime) -> bool:
    """True when a bill made now rests on every change to the period."""
    changed_at = item.changed_after_end_at
    return item.end <= now - SETTLES_AFTER and (changed_at is None or changed_at <= now - REPLICA_LAG)


def _settled(item: PeriodItem, billed: BilledPeriod, now: datetime) -> PeriodItem:
    """Settled, or open until its last fee in advance can no longer change by plan."""
    settled = item.settled or billed.open_until <= now - SETTLES_AFTER
    return item.changed(
        settled=settled,
        open_until=None if settled else billed.open_until,
        has_commitments=billed.has_commitments,
    )
