import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.kernel.money import truncate
from shared.domain.periods.periods import Span
from shared.domain.pricing.lines import ExactStep, Line, Step, exact_sum, merged_steps, truncated_steps

PERIOD = Span(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))


def test_steps_are_cut_to_twelve_places_and_the_last_takes_the_remainder():
    steps = truncated_steps(
        [ExactStep("base_fee", Fraction(1, 3)), ExactStep("unit", Fraction(1, 3)), ExactStep("minimum", Fraction(1, 3))]
    )
    assert [str(step.amount) for step in steps] == ["0.333333333333", "0.333333333333", "0.333333333334"]


@given(st.lists(st.fractions(max_denominator=10**5), max_size=10))
def test_steps_add_up_to_the_exact_amount(amounts):
    steps = [ExactStep("unit", amount) for amount in amounts]
    assert sum((Fraction(step.amount) for step in truncated_steps(steps)), Fraction(0)) == Fraction(
        truncate(exact_sum(steps))
    )


def test_parts_of_the_same_tier_become_one_where_the_first_stood():
    def tier(lower: int, quantity: int, flat_amount: int = 0, version: int = 1) -> ExactStep:
        return ExactStep(
            "tier",
            Fraction(quantity + flat_amount),
            version=version,
            lower=Decimal(lower),
            quantity=Fraction(quantity),
            unit_amount=Decimal(1),
            flat_amount=Decimal(flat_amount),
        )

    steps = [tier(0, 3, 2), tier(10, 4), tier(0, 5), tier(0, 1, version=2)]
    assert merged_steps(steps) == [tier(0, 8, 2), tier(10, 4), tier(0, 1, version=2)]


def test_a_line_is_written_as_the_api_says_and_read_back_the_same():
    line = Line(
        key="bm_1/commands/agt_1",
        type="activity",
        model_id="bm_1",
        model_name="Coding",
        charge="commands",
        agent_id="agt_1",
        agent_name="Ada",
        description="Commands",
        quantity=Decimal("1000.00"),
        unit="command",
        steps=(
            Step(
                kind="tier",
                version=1,
                lower=Decimal(0),
                upper=Decimal(1000),
                quantity=Decimal(1000),
                amount=Decimal("10.00"),
            ),
        ),
        exact_amount=Decimal("10.00"),
        amount=Decimal("10.00"),
        period=PERIOD,
    )
    written = json.loads(line.model_dump_json())
    assert written == {
        "key": "bm_1/commands/agt_1",
        "type": "activity",
        "model_id": "bm_1",
        "model_name": "Coding",
        "charge": "commands",
        "agent_id": "agt_1",
        "agent_name": "Ada",
        "description": "Commands",
        "quantity": "1000",
        "unit": "command",
        "unit_amount": None,
        "steps": [
            {
                "kind": "tier",
                "version": 1,
                "from": "0",
                "to": "1000",
                "quantity": "1000",
                "unit_amount": None,
                "flat_amount": None,
                "rate": None,
                "workflow": None,
                "amount": "10",
            }
        ],
        "exact_amount": "10",
        "amount": "10.00",
        "period": {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"},
        "covers": None,
        "adjusts": None,
        "timing": "arrears",
        "settles": "invoice",
        "discount": None,
        "treatment": None,
        "discount_amount": None,
        "net_amount": None,
        "tax_amount": None,
    }
    assert Line.model_validate(written) == line
