"""Interim bills of ended months whose year goes on: what was billed is compared as it was taxed, with its discounts."""

from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.billing.discounts import Discount
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.lines import Line
from shared.domain.pricing.treatments import Treatment
from shared.domain.rating.rated_lines import RatedLine
from shared.services.billing.bill import Concessions, GuardedPeriod, RatedPeriod, interim_bill_of

JANUARY = Period(start=datetime(2022, 1, 1, tzinfo=UTC), end=datetime(2022, 2, 1, tzinfo=UTC), timezone="UTC")
FEBRUARY = Period(start=datetime(2022, 2, 1, tzinfo=UTC), end=datetime(2022, 3, 1, tzinfo=UTC), timezone="UTC")
NOW = datetime(2022, 2, 10, tzinfo=UTC)
VAT = Treatment(
    rate_id="tax_1", name="VAT", country="DE", category="S", percent=Decimal(19), inclusive=False, status="taxable"
)
HALF = Discount("red_1", "Half", NOW, percent=Decimal(50))


def fee(amount: str, treatment: Treatment | None) -> Line:
    """A year's, in advance."""
    return Line(
        key="bm_1/fee/-",
        type="flat_fee",
        description="Fee",
        quantity=Decimal(1),
        exact_amount=Decimal(amount),
        amount=Decimal(amount),
        period=JANUARY.span,
        covers=Span(start=JANUARY.start, end=datetime(2023, 1, 1, tzinfo=UTC)),
        timing="advance",
        treatment=treatment,
    )


def amounts(january: RatedPeriod) -> list[tuple[str, str]]:
    february = RatedPeriod(GuardedPeriod(FEBRUARY), [], [], Concessions())
    bill = interim_bill_of([january, february], FEBRUARY, NOW, "USD")
    return [(line.type, str(line.amount)) for line in bill.lines]


def rated(due: str, billed: str, treatment: Treatment | None, *discounts: Discount) -> RatedPeriod:
    lines = [RatedLine(fee(due, treatment), (), JANUARY.start)]
    before = [fee(billed, treatment)]
    return RatedPeriod(GuardedPeriod(JANUARY), lines, before, Concessions(), discounts=discounts)


def test_a_year_that_was_billed_is_not_billed_again_whatever_taxes_it() -> None:
    assert amounts(rated("1200.00", "1200.00", None)) == []
    assert amounts(rated("1200.00", "1200.00", VAT)) == []
    assert amounts(rated("1500.00", "1200.00", VAT)) == [("adjustment", "300.00")]


def test_a_discount_of_a_year_that_goes_on_is_compared_with_it() -> None:
    assert amounts(rated("1500.00", "1200.00", VAT, HALF)) == [("adjustment", "300.00"), ("discount", "-750.00")]


def test_a_year_that_was_restated_and_is_taxed_as_at_first_again_is_moved_once() -> None:
    """Billed untaxed, moved to VAT by an invoice, and restated once more: what is at VAT moves back."""
    moved = fee("1200.00", VAT).model_copy(update={"type": "adjustment", "timing": "arrears"})
    back = fee("-1200.00", None).model_copy(update={"type": "adjustment", "timing": "arrears"})
    billed = [fee("1200.00", None), back, moved]
    lines = [RatedLine(fee("1200.00", None), (), JANUARY.start)]
    january = RatedPeriod(GuardedPeriod(JANUARY), lines, billed, Concessions())
    assert amounts(january) == [("adjustment", "1200.00"), ("adjustment", "-1200.00")]
