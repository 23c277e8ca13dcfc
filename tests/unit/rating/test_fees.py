"""Flat fees: whole, and by the days used."""

from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.periods.periods import Period
from shared.domain.pricing.charges.yearly_commitment import YearlyCommitment
from shared.domain.rating.facts import Segment
from shared.domain.rating.rating import rate
from shared.domain.rating.segments import isolated_facts
from tests.doubles.worlds.rated_october import OCTOBER, activity, flat_fee, october, rated, steps, version, whole


def test_a_flat_fee_for_a_whole_period():
    line = rated(whole("a", version(3, flat_fee("499.00"))))["bm_1/platform/-"]
    assert (str(line.exact_amount), str(line.amount), str(line.quantity), str(line.unit_amount)) == (
        "499",
        "499.00",
        "1",
        "499.00",
    )
    assert [(step.kind, step.version, step.quantity, step.amount) for step in line.steps] == [("base_fee", 3, 1, 499)]
    assert line.timing == "arrears"


def test_a_fee_in_advance_is_marked_so():
    assert rated(whole("a", version(1, flat_fee(timing="advance"))))["bm_1/platform/-"].timing == "advance"


def test_a_fee_counts_the_days_used_the_first_one_included():
    line = rated(Segment("a", version(1, flat_fee("310")), october(22, hour=18), OCTOBER.end))["bm_1/platform/-"]
    assert str(line.amount) == "100.00"  # 22 to 31 October: 10 of 31 days
    assert steps(line) == [("base_fee", "310"), ("proration", "-210")]


def test_a_day_belongs_to_the_last_version_in_force_in_it():
    first, second = version(1, flat_fee("310")), version(2, flat_fee("620"))
    noon = october(15, hour=12)
    line = rated(Segment("a", first, OCTOBER.start, noon), Segment("a", second, noon, OCTOBER.end))["bm_1/platform/-"]
    assert str(line.exact_amount) == "480"  # 14 days at 10 and 17 at 20
    assert line.unit_amount is None


def test_a_day_belongs_to_the_last_model_in_force_in_it():
    noon = october(10, hour=12)
    lines = rated(
        Segment("a", version(1, flat_fee("310")), OCTOBER.start, noon),
        Segment("a", version(1, flat_fee("310"), model="bm_2"), noon, OCTOBER.end),
    )
    assert {key: str(line.exact_amount) for key, line in lines.items()} == {
        "bm_1/platform/-": "90",
        "bm_2/platform/-": "220",
    }


def test_a_model_left_for_none_at_noon_keeps_the_day():
    line = rated(Segment("a", version(1, flat_fee("310")), OCTOBER.start, october(10, hour=12)))["bm_1/platform/-"]
    assert str(line.exact_amount) == "100"


def test_a_version_of_less_than_a_day_that_another_follows_costs_nothing():
    first, second = version(1, flat_fee("310")), version(2, flat_fee("620"))
    line = rated(
        Segment("a", first, OCTOBER.start, october(1, hour=6)), Segment("a", second, october(1, hour=6), OCTOBER.end)
    )["bm_1/platform/-"]
    assert steps(line) == [("base_fee", "620")]


def test_days_are_those_of_the_periods_timezone():
    period = Period(
        start=datetime(2026, 9, 30, 22, tzinfo=UTC),
        end=datetime(2026, 10, 31, 23, tzinfo=UTC),
        timezone="Europe/Berlin",
    )
    last_local_evening = datetime(2026, 10, 31, 22, tzinfo=UTC)
    line = rated(Segment("a", version(1, flat_fee("310")), last_local_evening, period.end), period=period)[
        "bm_1/platform/-"
    ]
    assert str(line.exact_amount) == "10"


def test_a_pooled_fee_counts_each_day_once():
    model = version(1, flat_fee("310"))
    line = rated(
        Segment("a", model, october(1), october(10, hour=12)),
        Segment("b", model, october(10, hour=18), october(21)),
        Segment("c", model, october(1), october(6)),
    )["bm_1/platform/-"]
    assert str(line.exact_amount) == "200"  # 1 to 20 October


def test_a_fee_by_agent_counts_each_agents_days():
    model = version(1, flat_fee("310", scope="agent"))
    lines = rated(Segment("a", model, october(1), october(11)), Segment("b", model, october(6), october(11)))
    assert {key: str(line.exact_amount) for key, line in lines.items()} == {
        "bm_1/platform/a": "100",
        "bm_1/platform/b": "50",
    }


def test_a_pooled_day_goes_to_the_agent_that_was_there_first():
    """The 10th belongs to a, under the first version, and to b, under the second."""
    first, second = version(1, flat_fee("310")), version(2, flat_fee("620"))
    line = rated(
        Segment("a", first, october(1), october(10, hour=6)), Segment("b", second, october(10, hour=6), october(13))
    )
    assert str(line["bm_1/platform/-"].exact_amount) == "140"  # 10 days at 10, the 11th and 12th at 20


def test_a_charge_that_a_version_drops_is_due_for_its_own_days_only():
    first, second = version(1, flat_fee("310"), activity()), version(2, activity())
    lines = rated(Segment("a", first, october(1), october(11)), Segment("a", second, october(11), OCTOBER.end))
    assert str(lines["bm_1/platform/-"].exact_amount) == "100"


def test_a_commitment_of_an_agents_own_model_has_no_line():
    """It holds in plans; here nothing would count for it."""
    committed = YearlyCommitment(key="committed", amount=Decimal(1200), charges=("platform",))
    priced = version(1, flat_fee(interval="year")).model_copy(update={"commitments": (committed,)})
    assert [line.key for line in rate(isolated_facts(OCTOBER, "USD", [whole("a", priced)], {}))] == ["bm_1/platform/-"]
