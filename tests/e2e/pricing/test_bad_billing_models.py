"""Billing models that are refused, saved or only calculated."""

from typing import Any

import pytest

from tests.doubles.worlds.bad_billing_models import MISTAKES
from tests.doubles.worlds.two_organizations import CHARGE, MODEL, TwoOrganizations

Json = dict[str, Any]


def charge(**changes: Any) -> Json:
    return MODEL | {"charges": [CHARGE, CHARGE | {"key": "second"} | changes]}


def tiers(*ends: str | None) -> Json:
    return charge(
        pricing={"type": "graduated", "tiers": [{"up_to": end, "unit_amount": "1"} for end in ends]},
    )


PRICING = "/charges/1/pricing"


@pytest.mark.parametrize(
    ("model", "pointers"),
    [
        (tiers("10", "5", None), [f"{PRICING}/tiers/1/up_to"]),
        (tiers("10", "10", None), [f"{PRICING}/tiers/1/up_to"]),
        (tiers("10"), [f"{PRICING}/tiers/0/up_to"]),
        (tiers(None, None), [f"{PRICING}/tiers/0/up_to"]),
        (tiers(), [f"{PRICING}/tiers"]),
        (charge(type="barter"), ["/charges/1/type"]),
        (charge(pricing={"type": "haggling"}), [f"{PRICING}/type"]),
        (charge(pricing={"type": "per_unit", "unit_amount": "-1"}), [f"{PRICING}/unit_amount"]),
        (charge(pricing={"type": "per_unit", "unit_amount": "NaN"}), [f"{PRICING}/unit_amount"]),
        (charge(pricing={"type": "per_unit"}), [f"{PRICING}/unit_amount"]),
        (charge(minimum="5", maximum="4"), ["/charges/1/minimum"]),
        (charge(included_units="-1"), ["/charges/1/included_units"]),
        (charge(key="commands"), ["/charges/1/key"]),
        (charge(key="Not a key"), ["/charges/1/key"]),
        (charge(surprise=1), ["/charges/1/surprise"]),
        (charge(meter={"event_type": "command", "aggregation": "guess"}), ["/charges/1/meter/aggregation"]),
        (charge(meter={"event_type": "outcome."}), ["/charges/1/meter/event_type"]),
        (MODEL | {"charges": []}, ["/charges"]),
        (MODEL | {"currency": "XAU"}, ["/currency"]),
        (MODEL | {"currency": "dollars"}, ["/currency"]),
        (MODEL | {"name": ""}, ["/name"]),
        (MODEL | {"effective_from": "2026-11-01T00:00:00"}, ["/effective_from"]),
        (MODEL | {"effective_from": "1990-01-01T00:00:00Z"}, ["/effective_from"]),
    ],
)
async def test_a_bad_billing_model_is_refused(unchanged: TwoOrganizations, model: Json, pointers: list[str]) -> None:
    for extra in ({"organization_id": unchanged.own.id}, {}):
        answer = await unchanged.operator.send("POST", "billing-models", model | extra)
        assert answer.problem(422, "validation") == pointers
    if not {"/effective_from", "/name"} & set(pointers):
        sketch = await unchanged.key.send("POST", "billing-models/calculate", {"model": model, "usage": []})
        assert sketch.problem(422, "validation") == [f"/model{pointer}" for pointer in pointers]


async def test_each_mistake_in_a_billing_model_is_named(unchanged: TwoOrganizations) -> None:
    for mistake in MISTAKES:
        saved = await unchanged.operator.send("POST", "billing-models", mistake.model)
        assert (mistake.name, saved.problem(422, "validation")) == (mistake.name, list(mistake.places))
        sketch = await unchanged.key.send("POST", "billing-models/calculate", {"model": mistake.model, "usage": []})
        if mistake.calculable:
            assert sketch.status == 200, mistake.name
        else:
            assert sketch.problem(422, "validation") == [f"/model{place}" for place in mistake.places]


async def test_a_model_has_its_organizations_currency(unchanged: TwoOrganizations) -> None:
    body = MODEL | {"currency": "EUR", "organization_id": unchanged.own.id}
    assert (await unchanged.operator.send("POST", "billing-models", body)).problem(422, "validation") == ["/currency"]


async def test_a_version_keeps_what_its_keys_mean_and_takes_effect_ahead(unchanged: TwoOrganizations) -> None:
    path = f"billing-models/{unchanged.model['id']}"
    etag = (await unchanged.operator.send("GET", path)).headers["ETag"]

    async def refused(body: Json) -> list[str]:
        answer = await unchanged.operator.send("PUT", path, body, headers={"If-Match": etag})
        return answer.problem(422, "validation")

    other_meter = CHARGE | {"meter": {"event_type": "other"}}
    assert await refused(MODEL | {"charges": [other_meter]}) == [
        "/charges/0/meter/event_type",
        "/charges/0/meter/aggregation",
        "/charges/0/meter/value",
    ]
    assert await refused(MODEL | {"charges": [CHARGE | {"scope": "organization"}]}) == ["/charges/0/scope"]
    assert await refused(MODEL | {"effective_from": "2026-11-18T10:05:00Z"}) == ["/effective_from"]
    assert await refused(MODEL | {"currency": "EUR"}) == ["/currency"]


async def test_what_begins_far_ahead_is_refused(unchanged: TwoOrganizations) -> None:
    body = MODEL | {"effective_from": "9999-12-31T23:59:59.999999Z"}
    refused = await unchanged.operator.send("POST", "billing-models", body)
    assert refused.problem(422, "validation") == ["/effective_from"]
