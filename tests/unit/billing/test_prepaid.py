"""Which lines of a prepaid period its wallet pays, and how much of them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.billing.prepaid import amounts_to_draw, lowered
from shared.domain.kernel.errors import ValidationError
from shared.domain.periods.periods import Span
from shared.domain.periods.settlements import POSTPAID, settled_by
from shared.domain.pricing.lines import Line, Step

OCTOBER = Span(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))


def line(key: str, amount: str, *, steps: tuple[tuple[str, str], ...] = (), **fields: Any) -> Line:
    fields = {"type": "activity", "settles": "wallet", **fields}
    return Line(
        key=key,
        description=key,
        quantity=Decimal(1),
        exact_amount=Decimal(amount),
        amount=Decimal(amount),
        period=OCTOBER,
        steps=tuple(Step(kind=kind, amount=Decimal(part)) for kind, part in steps),  # type: ignore[arg-type]
        **fields,
    )


def drawn(*lines: Line, is_open: bool = True, maximum: int = 10, **before: str) -> dict[str, str]:
    known = {key: Decimal(amount) for key, amount in before.items()}
    amounts = amounts_to_draw(lines, known, "USD", maximum, is_open=is_open)
    return {key: str(amount) for key, amount in amounts.items()}


def test_only_lines_that_settle_from_the_wallet_are_drawn() -> None:
    assert drawn(line("a", "1.50"), line("b", "2.00", settles="invoice"), line("c", "0.00")) == {"a": "1.50"}


def test_base_fees_and_minima_wait_for_the_close() -> None:
    with_fee = line("a", "16.50", steps=(("base_fee", "15"), ("tier", "1.5")))
    raised = line("b", "5.00", steps=(("tier", "0.4"), ("minimum", "4.6")))
    assert drawn(with_fee, raised) == {"a": "1.50", "b": "0.40"}
    assert drawn(with_fee, raised, is_open=False) == {"a": "16.50", "b": "5.00"}


def test_fees_are_drawn_when_they_are_due() -> None:
    arrears = line("a", "10.00", type="flat_fee", steps=(("base_fee", "10"),))
    advance = line("b", "20.00", type="seat", timing="advance")
    assert drawn(arrears, advance) == {"b": "20.00"}
    assert drawn(arrears, advance, is_open=False) == {"a": "10.00", "b": "20.00"}


def test_what_the_wallet_pays_already_stays_before_new_lines() -> None:
    lines = [line(key, "1.00") for key in "abcd"]
    assert drawn(*lines, maximum=2) == {"a": "1.00", "b": "1.00"}
    assert drawn(*lines, maximum=2, d="0.50") == {"a": "1.00", "d": "1.00"}
    assert drawn(line("b", "1.00"), maximum=2, a="9.00") == {"b": "1.00"}


def test_a_closed_period_keeps_at_most_what_is_due() -> None:
    paid = {"a": Decimal(5), "b": Decimal(5), "c": Decimal(5)}
    due = [line("a", "7.00"), line("b", "3.00"), line("d", "1.00")]
    assert lowered(paid, due) == {"a": Decimal(5), "b": Decimal("3.00")}


@pytest.mark.parametrize(("currency", "largest"), [("USD", "9999.999999"), ("JPY", "999999"), ("KWD", "999")])
def test_half_a_millionth_of_a_credit_is_less_than_half_a_minor_unit(currency: str, largest: str) -> None:
    assert settled_by("prepaid", Decimal(largest), currency).is_prepaid
    for value in (Decimal(largest) + 1, Decimal(0), None):
        with pytest.raises(ValidationError):
            settled_by("prepaid", value, currency)
    assert settled_by("postpaid", None, currency) == POSTPAID


def test_credits_of_each_kind_have_a_value_of_their_own() -> None:
    settlement = settled_by("postpaid", Decimal("0.5"), "USD", {"images": Decimal("0.02")})
    assert [settlement.value_of(kind) for kind in ("default", "images", "voice")] == [
        Decimal("0.5"), Decimal("0.02"), None,
    ]  # fmt: skip
    for kind, value in (("images", 0), ("images", 10_000), ("default", 1), ("Images!", 1)):
        with pytest.raises((ValidationError, ValueError)):
            settled_by("postpaid", None, "USD", {kind: Decimal(value)})
