"""What lines of workflows come to: bounds of a type, values, prices that come with events."""

from fractions import Fraction

from tests.doubles.worlds.two_versions import (
    EARLY,
    FIVE_PERCENT,
    HALF,
    LATE,
    PER_UNIT,
    about,
    due,
    event,
    line,
    workflow,
)


def test_the_maximum_of_a_type_comes_before_its_minimum():
    """The first version has the maximum, the second one the minimum: what the maximum took off counts for it."""
    first, second = workflow(PER_UNIT, maximum="31"), workflow(PER_UNIT, minimum="31")
    emails = [event("workflow.email", EARLY, quantity=50)]
    assert due([first, second], emails) == about(max(31 * HALF, 31 * (1 - HALF)))


def test_workflows_are_priced_by_their_values():
    emails = [
        event("workflow.email", EARLY, quantity=2, value="200"),
        event("workflow.email", LATE, "b", quantity=3),
    ]
    rated = line([workflow({**FIVE_PERCENT, "fixed_per_event": "1"})], emails, "ab")
    assert (rated.quantity, rated.exact_amount) == (5, 10 + 2)
    by_bounds = workflow({**FIVE_PERCENT, "minimum_per_event": "3", "free_events": 1}, minimum="5")
    assert due([by_bounds], emails, "ab") == 5
    assert due([by_bounds], [*emails, event("workflow.email", LATE, value="180")], "ab") == 3 + 9


def test_workflows_are_priced_by_the_prices_that_come_with_them():
    emails = [event("workflow.email", EARLY, quantity=2, price="4"), event("workflow.email", LATE, price="0.5")]
    rated = line([workflow({"type": "dynamic", "value": "data.price"})], emails)
    assert (rated.quantity, rated.exact_amount) == (3, Fraction("4.5"))


def test_a_type_of_workflow_is_priced_by_number_under_one_version_and_by_value_under_the_next():
    emails = [
        event("workflow.email", EARLY, quantity=2, value="200"),
        event("workflow.email", LATE, quantity=3, value="100"),
    ]
    assert due([workflow(PER_UNIT), workflow(FIVE_PERCENT)], emails) == 4 + 5
    assert due([workflow(FIVE_PERCENT), workflow(PER_UNIT)], emails) == 10 + 6
