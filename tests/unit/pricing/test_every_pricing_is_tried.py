"""A new pricing fails here until all lists of pricings have it.

They are those of the generated models, the bad ones and the second computation.
"""

from datetime import UTC, datetime
from fractions import Fraction
from random import Random

import pytest
from hypothesis import Phase, find, settings
from pydantic import BaseModel, TypeAdapter

from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.rules import Pricing
from shared.domain.pricing.rules.rule import PricingRule
from tests.doubles.worlds import bad_billing_models
from tests.doubles.worlds.generated_pricings import DYNAMIC, unit_pricings, value_pricings
from tests.doubles.worlds.random_charges import RandomCharges
from tests.doubles.worlds.second_computation.prices import COUNTING, of_event, of_units

TYPES = set(TypeAdapter(Pricing).json_schema()["discriminator"]["mapping"])
"""The names of all members of the union."""
ONE = Fraction(1)
THOROUGH = settings(max_examples=2000, derandomize=True, database=None, phases=[Phase.generate])
"""Enough examples for the rarest pricing, the same in every run."""


def pricings_in(value: object) -> set[str]:
    """The types of all pricings in a model or a part of it."""
    if isinstance(value, PricingRule):
        return {value.type}
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return {name for part in value for name in pricings_in(part)}
    return set()


@pytest.mark.parametrize("name", sorted(TYPES))
def test_generated_charges_have_each_pricing(name: str) -> None:
    pricings = unit_pricings() | value_pricings() | DYNAMIC
    found = find(pricings, lambda pricing: pricing["type"] == name, settings=THOROUGH)
    assert found["type"] == name


def test_random_histories_have_each_pricing() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    drafts = [RandomCharges(Random(seed), seed).draft("USD", start) for seed in range(100)]
    assert {name for draft in drafts for name in pricings_in(draft)} == TYPES


def test_mistakes_are_made_in_each_pricing() -> None:
    assert set(bad_billing_models.PRICINGS) == TYPES
    assert {name for name in TYPES if name in COUNTING} == set(bad_billing_models.OF_UNITS)


@pytest.mark.parametrize("name", sorted(TYPES - {"dynamic"}))
def test_the_second_computation_knows_each_pricing(name: str) -> None:
    """A dynamic price is in the event itself."""
    pricing = bad_billing_models.PRICINGS[name]
    draft = BillingModelDraft.model_validate(bad_billing_models.model(bad_billing_models.activity(name)))
    assert pricings_in(draft) == {name}
    if name in COUNTING:
        assert of_units(pricing, ONE, ONE) >= 0
    else:
        assert of_event(pricing, 0, Fraction(0), ONE, ONE) >= 0
