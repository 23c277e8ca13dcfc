"""Segments: which version prices an agent, and when."""

import pytest

from shared.domain.kernel.times import BEGINNING
from shared.domain.pricing.billing_models import version_history
from shared.domain.rating.facts import InconsistentFactsError, Segment
from shared.domain.rating.segments import segments
from tests.doubles.worlds.rated_october import OCTOBER, assigned, flat_fee, october, version


def test_segments_are_the_models_of_an_agent_cut_by_the_versions_of_the_model():
    first, second = version(1, flat_fee(), start=october(1)), version(2, flat_fee(), start=october(15))
    other = version(1, flat_fee(), model="bm_2")
    models = {"bm_1": version_history([first, second]), "bm_2": version_history([other])}
    agent = assigned((october(5), "bm_1"), (october(20), None), (october(25), "bm_2"))
    assert segments(OCTOBER, [("a", agent)], models) == [
        Segment("a", first, october(5), october(15)),
        Segment("a", second, october(15), october(20)),
        Segment("a", other, october(25), OCTOBER.end),
    ]


def test_a_model_prices_nothing_before_its_first_version():
    models = {"bm_1": version_history([version(1, flat_fee(), start=october(10))])}
    assert [one.start for one in segments(OCTOBER, [("a", assigned((BEGINNING, "bm_1")))], models)] == [october(10)]


def test_an_agent_on_an_unknown_model_is_a_broken_invariant():
    with pytest.raises(InconsistentFactsError):
        segments(OCTOBER, [("a", assigned((BEGINNING, "bm_1")))], {})
