"""Rating: lines, tiers, included units, minima, maxima, base fees, rounding."""

import pytest

from shared.domain.metering.readings import CountAndSum
from shared.domain.rating.facts import Facts, InconsistentFactsError, Segment
from shared.domain.rating.rating import rate
from shared.domain.usage.totals import Contribution, Totals
from tests.doubles.worlds.rated_october import (
    OCTOBER,
    TIERS,
    activity,
    flat_fee,
    october,
    rated,
    steps,
    used,
    version,
    whole,
)


def test_a_line_names_model_charge_and_agent():
    lines = rated(whole("agt_1", version(1, flat_fee(), activity(), activity(key="pooled", scope="organization"))))
    assert list(lines) == ["bm_1/commands/agt_1", "bm_1/platform/-", "bm_1/pooled/-"]
    assert [line.agent_id for line in lines.values()] == ["agt_1", None, None]
    assert lines["bm_1/platform/-"].period == OCTOBER.span


def test_lines_are_in_the_order_of_their_keys():
    charges = [flat_fee(key=key) for key in ("b", "a-b", "a", "a_b", "0")]
    lines = rate(Facts(OCTOBER, "USD", [whole("a", version(1, *charges))], {}))
    assert [line.key for line in lines] == sorted(line.key for line in lines)


def test_a_base_fee_and_tiers_as_in_the_api():
    charge = activity(
        [{"up_to": "1000", "unit_amount": "0.01", "flat_amount": "0"}, {"up_to": None, "unit_amount": "0.005"}],
        base_fee={"amount": "15.00", "per": "agent"},
        minimum="5.00",
    )
    totals = Totals()
    for _ in range(1200):
        totals.add(Contribution("command", "2026-10-03T12:00:00.000000Z", (("commands", CountAndSum(1)),)))
    line = rated(whole("a", version(1, charge)), totals={("a", "bm_1_v1"): totals})["bm_1/commands/a"]
    assert (str(line.exact_amount), str(line.amount), str(line.quantity), line.unit) == (
        "26",
        "26.00",
        "1200",
        "command",
    )
    assert steps(line) == [("base_fee", "15"), ("tier", "10"), ("tier", "1")]
    assert line.unit_amount is None


def test_a_line_without_usage_is_there_with_nothing_due():
    line = rated(whole("a", version(1, activity("0.25"))))["bm_1/commands/a"]
    assert (str(line.amount), str(line.quantity), str(line.unit_amount)) == ("0.00", "0", "0.25")


def test_a_zero_quantity_pays_the_first_tiers_flat_amount():
    tiers = [{"up_to": "10", "unit_amount": "1", "flat_amount": "2"}, {"up_to": None, "unit_amount": "1"}]
    assert str(rated(whole("a", version(1, activity(tiers))))["bm_1/commands/a"].amount) == "2.00"


def test_tiers_go_on_from_version_to_version_each_at_its_own_prices():
    first = version(1, activity(TIERS))
    second = version(2, activity([{"up_to": "10", "unit_amount": "2"}, {"up_to": None, "unit_amount": "1"}]))
    line = rated(
        Segment("a", first, october(1), october(15)),
        Segment("a", second, october(15), OCTOBER.end),
        totals={("a", first.id): used(8), ("a", second.id): used(5)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "15"  # 8 at 1, then 2 at 2 and 3 at 1
    assert [(step.version, str(step.quantity), str(step.amount)) for step in line.steps] == [
        (1, "8", "8"),
        (2, "2", "4"),
        (2, "3", "3"),
    ]
    assert str(line.quantity) == "13"


def test_pooled_tiers_count_all_agents_together():
    model = version(1, activity(TIERS, scope="organization"))
    line = rated(whole("a", model), whole("b", model), totals={("a", model.id): used(8), ("b", model.id): used(5)})[
        "bm_1/commands/-"
    ]
    assert str(line.exact_amount) == "11.5"
    assert [(step.kind, str(step.quantity), str(step.amount)) for step in line.steps] == [
        ("tier", "10", "10"),
        ("tier", "3", "1.5"),
    ]


def test_tiers_of_different_models_never_mix():
    one, other = version(1, activity(TIERS)), version(1, activity(TIERS), model="bm_2")
    lines = rated(
        Segment("a", one, october(1), october(15)),
        Segment("a", other, october(15), OCTOBER.end),
        totals={("a", one.id): used(8), ("a", other.id): used(8)},
    )
    assert {key: str(line.exact_amount) for key, line in lines.items()} == {
        "bm_1/commands/a": "8",
        "bm_2/commands/a": "8",
    }


def test_a_version_that_returns_counts_where_it_first_started():
    model = version(
        1, activity([{"up_to": "10", "unit_amount": "1", "flat_amount": "7"}, {"up_to": None, "unit_amount": "0.5"}])
    )
    line = rated(
        Segment("a", model, october(1), october(5)),
        Segment("a", version(1, flat_fee(), model="bm_2"), october(5), october(10)),
        Segment("a", model, october(10), OCTOBER.end),
        totals={("a", model.id): used(12)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "18"


def test_the_units_of_a_meter_are_converted_exactly():
    meter = {"event_type": "llm_call", "aggregation": "sum", "value": "data.input_tokens", "unit": {"divide_by": "3"}}
    model = version(1, activity("3", meter=meter))
    line = rated(whole("a", model), totals={("a", model.id): used(10)})["bm_1/commands/a"]
    assert (str(line.exact_amount), str(line.quantity), line.unit) == ("10", "3.333333333333", "3 input_tokens")


def test_a_rounding_conversion_rounds_the_whole_line_and_not_each_version():
    meter = {"event_type": "command", "unit": {"divide_by": "10", "rounding": "up"}}
    first, second = version(1, activity("1", meter=meter)), version(2, activity("1", meter=meter))
    line = rated(
        Segment("a", first, october(1), october(15)),
        Segment("a", second, october(15), OCTOBER.end),
        totals={("a", first.id): used(11), ("a", second.id): used(8)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "2"


def test_included_units_are_free_and_prorated():
    model = version(1, activity(TIERS, included_units="31"))
    line = rated(Segment("a", model, october(17), OCTOBER.end), totals={("a", model.id): used(20)})["bm_1/commands/a"]
    assert str(line.exact_amount) == "5"  # 15 of 31 days: 15 units are included
    assert (str(line.quantity), [str(step.quantity) for step in line.steps]) == ("20", ["5"])


def test_included_units_of_all_versions_count_together():
    first, second = version(1, activity("1", included_units="31")), version(2, activity("1", included_units="62"))
    line = rated(
        Segment("a", first, october(1), october(11)),
        Segment("a", second, october(11), OCTOBER.end),
        totals={("a", first.id): used(50), ("a", second.id): used(10)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "8"  # 10 x 1 and 21 x 2 units are included: 52 of 60


def test_a_minimum_lifts_the_sum_with_its_base_fee():
    model = version(1, activity("0.1", minimum="20", base_fee={"amount": "5"}))
    line = rated(whole("a", model), totals={("a", model.id): used(100)})["bm_1/commands/a"]
    assert steps(line) == [("base_fee", "5"), ("unit", "10"), ("minimum", "5")]
    assert str(line.amount) == "20.00"
    assert str(line.unit_amount) == "0.1"


def test_a_minimum_is_prorated_and_summed_over_the_line():
    first, second = version(1, activity("1", minimum="31")), version(2, activity("1"))
    found = (Segment("a", first, october(1), october(11)), Segment("a", second, october(11), OCTOBER.end))
    unused = rated(*found)["bm_1/commands/a"]
    assert str(unused.exact_amount) == "10"
    beyond = rated(*found, totals={("a", second.id): used(12)})["bm_1/commands/a"]
    assert str(beyond.exact_amount) == "12"


@pytest.mark.parametrize(
    ("when_unused", "count", "due"), [(True, 0, "10"), (False, 0, "0"), (False, 1, "10"), (True, 1, "10")]
)
def test_a_minimum_when_unused(when_unused, count, due):
    model = version(1, activity("1", minimum="10", minimum_when_unused=when_unused))
    line = rated(whole("a", model), totals={("a", model.id): used(count)})["bm_1/commands/a"]
    assert str(line.exact_amount) == due


def test_a_pooled_minimum_holds_once_for_all_agents():
    model = version(1, activity("1", minimum="10", scope="organization"))
    line = rated(whole("a", model), whole("b", model), totals={("a", model.id): used(3)})["bm_1/commands/-"]
    assert str(line.exact_amount) == "10"


def test_a_maximum_caps_the_sum_with_its_base_fee():
    model = version(1, activity("1", maximum="20", base_fee={"amount": "5"}))
    line = rated(whole("a", model), totals={("a", model.id): used(100)})["bm_1/commands/a"]
    assert steps(line) == [("base_fee", "5"), ("unit", "100"), ("maximum", "-85")]


def test_versions_without_a_maximum_add_their_own_part():
    first, second = version(1, activity("1", maximum="31")), version(2, activity("1"))
    line = rated(
        Segment("a", first, october(1), october(11)),
        Segment("a", second, october(11), OCTOBER.end),
        totals={("a", first.id): used(50), ("a", second.id): used(40)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "50"  # 10 of the first, all 40 of the second


def test_a_base_fee_per_agent_is_due_for_each_agents_days_and_one_per_charge_once():
    by_agent = version(1, activity("1", scope="organization", base_fee={"amount": "31", "per": "agent"}))
    by_charge = version(
        1, activity("1", scope="organization", base_fee={"amount": "31", "per": "charge"}), model="bm_2"
    )
    lines = rated(
        *[
            segment
            for model in (by_agent, by_charge)
            for segment in (
                Segment(f"{model.model_id}-a", model, OCTOBER.start, OCTOBER.end),
                Segment(f"{model.model_id}-b", model, october(22), OCTOBER.end),
            )
        ]
    )
    assert steps(lines["bm_1/commands/-"]) == [("base_fee", "62"), ("proration", "-21"), ("unit", "0")]
    assert str(lines["bm_2/commands/-"].exact_amount) == "31"


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "0"), ("USD", "0.01"), ("KWD", "0.005")])
def test_a_line_is_rounded_once_to_its_currency(currency, amount):
    model = version(1, activity("0.001"))
    line = rated(whole("a", model), totals={("a", model.id): used(5)}, currency=currency)["bm_1/commands/a"]
    assert (str(line.exact_amount), str(line.amount)) == ("0.005", amount)


def test_a_share_that_is_no_decimal_is_cut_and_the_last_step_takes_the_remainder():
    line = rated(Segment("a", version(1, flat_fee("100")), october(1), october(2)))["bm_1/platform/-"]
    assert steps(line) == [("base_fee", "100"), ("proration", "-96.774193548388")]
    assert (str(line.exact_amount), str(line.amount)) == ("3.225806451612", "3.23")


@pytest.mark.parametrize(
    "stray",
    [("a", "bm_1_v2"), ("b", "bm_1_v1")],
    ids=["a version that was not in force", "an agent that was not there"],
)
def test_usage_that_no_segment_covers_is_never_dropped(stray):
    with pytest.raises(InconsistentFactsError):
        rated(whole("a", version(1, activity())), totals={stray: used(1)})


def test_usage_of_a_meter_that_the_version_does_not_have_is_never_dropped():
    with pytest.raises(InconsistentFactsError):
        rated(whole("a", version(1, activity())), totals={("a", "bm_1_v1"): used(1, meter="queries")})
