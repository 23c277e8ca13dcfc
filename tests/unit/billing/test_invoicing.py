"""What an invoice bills: the difference between due and billed, and which document each difference stands in."""

from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.billing.invoicing import BilledLine, PeriodBill, billed_lines, compose, differences
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.lines import Line

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
NOVEMBER = Period(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 12, 1, tzinfo=UTC), timezone="UTC")


def line(charge: str, amount: str, period: Period = OCTOBER) -> Line:
    return Line(
        key=f"bm_1/{charge}/-",
        type="activity",
        model_id="bm_1",
        charge=charge,
        description=charge.capitalize(),
        quantity=Decimal(3),
        exact_amount=Decimal(amount),
        amount=Decimal(amount),
        period=period.span,
    )


def difference(due: str | None, billed: str | None, invoiced_period: Period = OCTOBER) -> list[Line]:
    """What an invoice bills of October's commands."""
    lines = [] if due is None else [line("commands", due)]
    before = {} if billed is None else billed_lines([line("commands", billed)], OCTOBER.start)
    return differences(PeriodBill(OCTOBER, lines, before), invoiced_period, "USD")


def amounts(lines: list[Line] | tuple[Line, ...]) -> list[tuple[str | None, str, str]]:
    return [(each.charge, each.type, str(each.amount)) for each in lines]


# differences


def test_what_was_never_billed_appears_as_it_was_rated() -> None:
    assert difference(due="12.50", billed=None) == [line("commands", "12.50")]


def test_what_is_billed_as_it_is_due_does_not_appear() -> None:
    assert difference(due="12.50", billed="12.50") == []


def test_what_is_due_beyond_what_was_billed_is_an_adjustment_by_the_rest() -> None:
    (adjustment,) = difference(due="12.50", billed="10.00")
    assert (adjustment.type, adjustment.amount, adjustment.adjusts) == ("adjustment", Decimal("2.50"), OCTOBER.span)
    assert adjustment.description == "Adjustment of Commands: 12.50 due, 10.00 billed before"
    assert adjustment.quantity == 3


def test_what_was_billed_beyond_what_is_due_is_negative() -> None:
    (adjustment,) = difference(due="7.00", billed="10.00")
    assert (adjustment.type, adjustment.amount) == ("adjustment", Decimal("-3.00"))


def test_what_is_no_longer_due_is_taken_back_whole() -> None:
    (adjustment,) = difference(due=None, billed="10.00")
    assert (adjustment.charge, adjustment.amount, adjustment.quantity) == ("commands", Decimal("-10.00"), 0)
    assert adjustment.description == "Adjustment of Commands: 0.00 due, 10.00 billed before"
    assert adjustment.exact_amount == sum(step.amount for step in adjustment.steps)


def test_what_is_taken_back_names_the_year_that_it_was_billed_for() -> None:
    year = Span(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC))
    fee = line("platform", "365.00").model_copy(update={"covers": year, "timing": "advance"})
    (taken_back,) = differences(PeriodBill(OCTOBER, [], billed_lines([fee], OCTOBER.start)), OCTOBER, "USD")
    assert (taken_back.covers, taken_back.amount, taken_back.adjusts) == (year, Decimal("-365.00"), OCTOBER.span)
    again = fee.model_copy(update={"amount": Decimal("73.00")})
    billed = billed_lines([fee, taken_back, again], OCTOBER.start)
    (taken_back_again,) = differences(PeriodBill(OCTOBER, [], billed), NOVEMBER, "USD")
    assert (taken_back_again.covers, taken_back_again.amount) == (year, Decimal("-73.00"))


def test_an_adjustment_that_is_taken_back_is_described_by_its_charge() -> None:
    (late,) = difference(due="12.50", billed=None, invoiced_period=NOVEMBER)
    (taken_back,) = differences(PeriodBill(OCTOBER, [], billed_lines([late], OCTOBER.start)), NOVEMBER, "USD")
    assert taken_back.description == "Adjustment of commands: 0.00 due, 12.50 billed before"


def test_an_older_period_is_adjusted_even_where_nothing_was_billed_for_it() -> None:
    (adjustment,) = difference(due="12.50", billed=None, invoiced_period=NOVEMBER)
    assert (adjustment.type, adjustment.amount, adjustment.adjusts) == ("adjustment", Decimal("12.50"), OCTOBER.span)


def test_what_is_charged_in_advance_for_the_next_period_appears_as_it_was_rated() -> None:
    advance = line("seats", "30.00", NOVEMBER)
    assert differences(PeriodBill(NOVEMBER, [advance], {}), OCTOBER, "USD") == [advance]


# compose


def test_positive_differences_are_the_invoice() -> None:
    composed = compose([line("commands", "10.00"), line("seats", "5.00")], "USD")
    assert amounts(composed.invoice) == [("commands", "activity", "10.00"), ("seats", "activity", "5.00")]
    assert composed.correction == ()
    totals = composed.totals("USD")
    assert (totals.invoice, totals.credit_note) == (Decimal("15.00"), Decimal("0.00"))


def test_a_negative_difference_is_offset_on_the_invoice() -> None:
    composed = compose([line("commands", "10.00"), line("seats", "-4.00")], "USD")
    assert amounts(composed.invoice) == [("commands", "activity", "10.00"), ("seats", "activity", "-4.00")]
    assert composed.correction == ()


def test_what_finds_nothing_to_offset_is_a_credit_note() -> None:
    composed = compose([line("seats", "-4.00")], "USD")
    assert composed.invoice == ()
    assert amounts(composed.correction) == [("seats", "correction", "-4.00")]


def test_a_difference_that_is_offset_in_part_stands_in_both_documents() -> None:
    composed = compose([line("seats", "-4.00"), line("calls", "-9.00"), line("commands", "10.00")], "USD")
    assert amounts(composed.invoice) == [
        ("seats", "activity", "-4.00"),
        ("calls", "activity", "-6.00"),
        ("commands", "activity", "10.00"),
    ]
    assert amounts(composed.correction) == [("calls", "correction", "-3.00")]
    totals = composed.totals("USD")
    assert (totals.invoice, totals.credit_note) == (Decimal("0.00"), Decimal("-3.00"))


def test_a_line_of_nothing_stays_on_the_invoice() -> None:
    assert amounts(compose([line("commands", "0.00")], "USD").invoice) == [("commands", "activity", "0.00")]


# billed_lines


def test_what_documents_billed_is_summed_by_line_for_one_period() -> None:
    lines = [line("commands", "10.00"), line("commands", "-2.50"), line("seats", "5.00", NOVEMBER)]
    assert billed_lines(lines, OCTOBER.start) == {"bm_1/commands/-": BilledLine(lines[0], Decimal("7.50"))}
