"""Which periods a bill changes: those that its documents bill list them, and those that are final are settled."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.billing.documents import CreditNote
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line
from shared.services.billing.bill import Bill, BilledPeriod, GuardedPeriod
from shared.services.billing.settling import REPLICA_LAG, SETTLES_AFTER, changed_periods
from shared.services.periods.periods import PeriodItem, period_id
from shared.services.storage import Stored

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
NOVEMBER = Period(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 12, 1, tzinfo=UTC), timezone="UTC")
LATER = OCTOBER.end + SETTLES_AFTER
"""When a bill can settle October."""
SHORTLY = timedelta(microseconds=1)


def item(period: Period, changed_at: datetime | None = None) -> PeriodItem:
    return PeriodItem(
        id=period_id(period.start),
        start=period.start,
        end=period.end,
        timezone=period.timezone,
        changed_after_end_at=changed_at,
    )


def bill(changed_at: datetime | None = None, open_until: datetime = OCTOBER.end) -> Bill:
    """Of October; with it goes what November charges in advance."""
    october = BilledPeriod(GuardedPeriod(OCTOBER, Stored(item(OCTOBER, changed_at), "1")), [], open_until)
    november = BilledPeriod(GuardedPeriod(NOVEMBER, Stored(item(NOVEMBER), "2")), [], NOVEMBER.end)
    return Bill(OCTOBER, [october, november])


def settled(bill: Bill, now: datetime) -> list[tuple[datetime, bool, datetime | None]]:
    return [(period.start, period.settled, period.open_until) for _, period in changed_periods(bill, [], {}, now)]


def test_a_period_that_ended_a_day_ago_is_settled() -> None:
    assert settled(bill(), LATER) == [(OCTOBER.start, True, None)]


def test_a_period_that_ended_less_than_a_day_ago_stays_as_it_is() -> None:
    assert settled(bill(), LATER - SHORTLY) == []


def test_a_period_that_changed_less_than_the_replica_lag_ago_stays_unsettled() -> None:
    changed_at = LATER + timedelta(days=30)
    assert settled(bill(changed_at), changed_at + REPLICA_LAG - SHORTLY) == []
    assert settled(bill(changed_at), changed_at + REPLICA_LAG) == [(OCTOBER.start, True, None)]


def test_a_period_is_open_as_long_as_its_fee_in_advance_can_change_by_plan() -> None:
    end_of_quarter = datetime(2027, 1, 1, tzinfo=UTC)
    assert settled(bill(open_until=end_of_quarter), LATER) == [(OCTOBER.start, False, end_of_quarter)]
    assert settled(bill(open_until=end_of_quarter), end_of_quarter + SETTLES_AFTER) == [(OCTOBER.start, True, None)]


@pytest.mark.parametrize("period", [OCTOBER, NOVEMBER])
def test_a_period_lists_the_documents_that_bill_it(period: Period) -> None:
    line = Line(
        key="bm_1/fee/-",
        type="flat_fee",
        description="Fee",
        quantity=Decimal(1),
        exact_amount=Decimal("-4.00"),
        amount=Decimal("-4.00"),
        period=period.span,
    )
    note = CreditNote(
        id="cn_1",
        organization_id="org_1",
        number="CN-ACME-2026-000001",
        reason="correction",
        invoice_id=None,
        currency="USD",
        start=OCTOBER.start,
        end=OCTOBER.end,
        lines_hash="hash",
        line_count=1,
        total=Decimal("-4.00"),
        issued_at=OCTOBER.end,
    )
    ((before, changed),) = changed_periods(bill(), [(note, [line])], {}, OCTOBER.end)
    assert (before.entity.start, before.entity.documents) == (period.start, ())
    (listed,) = changed.documents
    assert (listed.id, listed.type, listed.lines_hash, listed.line_count) == ("cn_1", "credit_note", "hash", 1)
