from datetime import UTC, datetime
from typing import Any

import pydantic
import pytest

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import History
from shared.domain.kernel.validation import validation_error
from shared.domain.pricing.billing_models import (
    BillingModel,
    BillingModelDraft,
    Version,
    VersionReference,
    check_succession,
    version_history,
)

FLAT = {"key": "platform", "type": "flat_fee", "amount": "499.00"}
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "base_fee": {"amount": "15.00", "per": "agent"},
    "meter": {
        "event_type": "command",
        "aggregation": "sum",
        "value": "data.quantity",
        "filter": {"data.status": ["ok"]},
    },
    "pricing": {
        "type": "graduated",
        "tiers": [
            {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "0"},
            {"up_to": None, "unit_amount": "0.005"},
        ],
    },
    "scope": "agent",
    "included_units": "0",
    "minimum": "5.00",
    "minimum_when_unused": True,
    "maximum": None,
}
INPUT = {
    "key": "input",
    "type": "activity",
    "meter": {
        "event_type": "llm_call",
        "aggregation": "sum",
        "value": "data.uncached_input_tokens",
        "unit": {"divide_by": "1000000"},
    },
    "pricing": {"type": "per_unit", "unit_amount": "2.00"},
}


def draft(*charges: dict[str, Any], **more: Any) -> BillingModelDraft:
    return BillingModelDraft.model_validate(
        {"name": "Coding agent", "currency": "USD", "charges": list(charges), **more}
    )


def places(*charges: Any, **more: Any) -> list[str]:
    with pytest.raises(pydantic.ValidationError) as refused:
        draft(*charges, **more)
    return [error.pointer for error in validation_error(refused.value).errors]


def test_a_model_is_written_as_it_was_sent_with_the_defaults_filled_in():
    written = draft(FLAT, COMMANDS, INPUT).model_dump(mode="json")
    defaults = {"interval": "month", "timing": "arrears", "scope": "organization", "settles": "invoice"}
    assert written["charges"][0] == {**FLAT, **defaults}
    commands = written["charges"][1]
    assert commands["base_fee"] == COMMANDS["base_fee"]
    assert commands["minimum"] == "5.00"
    assert commands["pricing"]["tiers"][1] == {"up_to": None, "unit_amount": "0.005", "flat_amount": "0"}
    assert written["charges"][2]["scope"] == "agent"
    assert BillingModelDraft.model_validate(written) == draft(FLAT, COMMANDS, INPUT)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"type": "lottery"}, "/charges/0/type"),
        ({"key": "Commands"}, "/charges/0/key"),
        ({"key": ""}, "/charges/0/key"),
        ({"key": "a" * 65}, "/charges/0/key"),
        ({"minimum": "-1"}, "/charges/0/minimum"),
        ({"minimum": "NaN"}, "/charges/0/minimum"),
        ({"maximum": "4.99"}, "/charges/0/minimum"),
        ({"included_units": "-1"}, "/charges/0/included_units"),
        ({"base_fee": {"amount": "-1", "per": "agent"}}, "/charges/0/base_fee/amount"),
        ({"base_fee": {"amount": "1", "per": "moon"}}, "/charges/0/base_fee/per"),
        ({"scope": "planet"}, "/charges/0/scope"),
        ({"meter": {"event_type": "command", "aggregation": "sum"}}, "/charges/0/meter/value"),
        ({"pricing": {"type": "lottery"}}, "/charges/0/pricing/type"),
        ({"pricing": {"type": "graduated", "tiers": []}}, "/charges/0/pricing/tiers"),
        (
            {
                "pricing": {
                    "type": "graduated",
                    "tiers": [
                        {"up_to": "5", "unit_amount": "1"},
                        {"up_to": "5", "unit_amount": "1"},
                        {"up_to": None, "unit_amount": "1"},
                    ],
                }
            },
            "/charges/0/pricing/tiers/1/up_to",
        ),
        ({"discount": "10"}, "/charges/0/discount"),
    ],
)
def test_a_charge_that_means_nothing_is_refused_at_its_place(change, place):
    assert places({**COMMANDS, **change}) == [place]


@pytest.mark.parametrize("interval", ["month", "quarter", "year"])
def test_a_fee_has_its_own_interval(interval):
    assert draft({**FLAT, "interval": interval}).charges[0].interval == interval


def test_an_interval_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(pydantic.ValidationError) as refused:
        draft({**FLAT, "interval": "fortnight"})
    (error,) = validation_error(refused.value).errors
    assert error.pointer == "/charges/0/interval"
    assert all(interval in error.detail for interval in ("month", "quarter", "year"))


def test_several_faults_are_all_named():
    assert places({**FLAT, "amount": "-1"}, {**COMMANDS, "minimum": "x"}, currency="XAU") == [
        "/currency",
        "/charges/0/amount",
        "/charges/1/minimum",
    ]


def test_keys_are_unique():
    assert places(FLAT, COMMANDS, {**FLAT, "amount": "1"}) == ["/charges/2/key"]


@pytest.mark.parametrize("count", [0, 101])
def test_a_model_has_one_to_a_hundred_charges(count):
    assert places(*[{**FLAT, "key": f"fee-{number}"} for number in range(count)]) == ["/charges"]


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"currency": "DOLLAR"}, "/currency"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"effective_from": "2026-10-01T00:00:00"}, "/effective_from"),
        ({"price": 1}, "/price"),
    ],
)
def test_what_surrounds_the_charges_is_checked(more, place):
    assert places(FLAT, **more) == [place]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"scope": "organization"}, "/charges/1/scope"),
        ({"meter": {**COMMANDS["meter"], "event_type": "query"}}, "/charges/1/meter/event_type"),
        ({"meter": {**COMMANDS["meter"], "value": "data.tokens"}}, "/charges/1/meter/value"),
        ({"meter": {**COMMANDS["meter"], "filter": {}}}, "/charges/1/meter/filter"),
        ({"meter": {**COMMANDS["meter"], "unit": {"divide_by": "1000"}}}, "/charges/1/meter/unit"),
    ],
)
def test_a_key_keeps_its_meaning_over_the_versions_of_a_model(change, place):
    before = draft(COMMANDS).charges
    with pytest.raises(ValidationError) as refused:
        check_succession(before, draft(FLAT, {**COMMANDS, **change}).charges)
    assert [error.pointer for error in refused.value.errors] == [place]


def test_a_key_keeps_its_type():
    with pytest.raises(ValidationError) as refused:
        check_succession(draft(FLAT).charges, draft({**COMMANDS, "key": "platform"}).charges)
    assert [error.pointer for error in refused.value.errors] == ["/charges/0/type"]


def test_prices_change_and_charges_come_and_go():
    before = draft(FLAT, COMMANDS).charges
    repriced = {**COMMANDS, "pricing": {"type": "per_unit", "unit_amount": "1"}, "minimum": None, "base_fee": None}
    check_succession(before, draft(repriced, INPUT).charges)


def test_versions_in_any_order_are_a_history():
    def version(number: int, day: int) -> Version:
        start = datetime(2026, 10, day, tzinfo=UTC)
        return Version(
            id=f"bmv_{number}", model_id="bm_1", number=number, effective_from=start, charges=draft(FLAT).charges
        )

    history = version_history([version(2, 15), version(1, 1)])
    assert history.at(datetime(2026, 10, 14, tzinfo=UTC)) == version(1, 1)
    assert history.at(datetime(2026, 10, 15, tzinfo=UTC)) == version(2, 15)


def test_models_and_versions_are_read_back_from_their_documents():
    start = datetime(2026, 10, 1, tzinfo=UTC)
    version = Version(
        id="bmv_1", model_id="bm_1", number=1, effective_from=start, charges=draft(FLAT, COMMANDS, INPUT).charges
    )
    model = BillingModel(
        id="bm_1",
        organization_id=None,
        name="Coding agent",
        currency="USD",
        versions=History[VersionReference].starting(VersionReference(id="bmv_1", number=1), at=start),
    )
    assert Version.read(version.document()) == version
    assert BillingModel.read(model.document()) == model
