"""One event may be written in several ways; what means something else is other content."""

import json
from itertools import permutations
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.routes_of_one_event import (
    FIRST_TIME,
    METER,
    PRICE,
    REPORTS,
    START,
    as_numbers,
    as_texts,
    id_of,
)

Json = dict[str, Any]


@pytest.mark.parametrize("name", REPORTS)
async def test_by_whichever_route_and_however_its_amounts_are_written_it_is_one_event(xyra: Xyra, name: str) -> None:
    organization = await xyra.organization()
    agent = await organization.agent()
    route, body, by_hand = REPORTS[name]
    own = {"agent": "coder", "time": FIRST_TIME}
    forms = [
        (path, written) for path in (f"agents/{agent['id']}/{route}", "events") for written in (as_texts, as_numbers)
    ]
    pairs = list(permutations(forms, 2))
    for number, pair in enumerate(pairs):
        for path, written in pair:
            told = by_hand | own | {"id": id_of(by_hand, f"{number}")} if path == "events" else body
            told = {"id": f"{number}", "time": FIRST_TIME} | told
            (await organization.key.send("POST", path, raw=written(told))).expect(202)
            await xyra.idle()
    assert (await organization.key.get("events/parked"))["data"] == []
    recorded = {each["id"]: each["data"] for each in (await organization.key.get("events"))["data"]}
    assert len(recorded) == len(pairs)
    # A route writes what the same texts would have been by hand; what is in money says in which.
    in_money = by_hand["type"].startswith(("cost.", "outcome.", "llm_call"))
    data = by_hand["data"] | ({"currency": "USD"} if in_money else {})
    for number, ((path, written), _) in enumerate(pairs):
        found = recorded[id_of(by_hand, f"{number}")]
        if (path, written) != ("events", as_numbers):
            assert {n: v for n, v in found.items() if n != "uncached_input_tokens"} == data


@pytest.mark.parametrize(
    ("event_type", "data", "again"),
    [
        ("step", '{"quantity": 3.10}', '{"quantity": 3.1}'),
        ("step", '{"quantity": "3"}', '{"quantity": 3}'),
        ("step", '{"quantity": 1e2}', '{"quantity": 100}'),
        ("workflow.email", '{"quantity": "0.50"}', '{"quantity": 5E-1}'),
        ("step", '{"quantity": "00"}', '{"quantity": -0.0}'),
        ("step", '{"score": 123456789012345678901234567890.0}', '{"score": 123456789012345678901234567890}'),
        ("step", '{"a": {"b": [1.0, 2.50, {"c": 1e20}]}}', '{"a": {"b": [1, 2.5, {"c": 100000000000000000000}]}}'),
        ("step", '{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
        ("cost.api", '{"amount": 1}', '{"amount": "1.00", "currency": "USD"}'),
        ("outcome.deal", '{"value": "5.0"}', '{"value": 5, "currency": "USD", "interaction_time": null}'),
        ("llm_call", '{"cost": "0.50"}', '{"cost": 0.5, "currency": "USD"}'),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
async def test_an_event_that_was_serialized_again_is_the_same(
    xyra: Xyra, event_type: str, data: str, again: str, turned: bool
) -> None:
    pair = (again, data) if turned else (data, again)
    assert await sent_after_each_other(xyra, *pair, event_type=event_type) == []


@pytest.mark.parametrize(
    ("data", "other"),
    [
        ('{"value": 3.1}', '{"value": 3.11}'),
        ('{"quantity": "3.10"}', '{"quantity": "3.1"}'),  # it is an outcome: only activities and workflows have one
        ('{"label": "3"}', '{"label": 3}'),
        ('{"label": "3.10"}', '{"label": "3.1"}'),
        ('{"a": {"quantity": "3"}}', '{"a": {"quantity": 3}}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": 0}', '{"a": false}'),
        ('{"a": 0.00000000000000000000000000000000000001}', '{"a": 0.00000000000000000000000000000000000002}'),
        (f'{{"a": 1{"0" * 60}}}', f'{{"a": 1{"0" * 59}1}}'),
        ('{"amount": 1, "currency": "EUR"}', '{"amount": 1}'),
        ('{"interaction_time": "2026-11-10T10:00:00Z"}', '{"interaction_time": "2026-11-10T10:00:01Z"}'),
        ('{"run_time": "2026-11-10T10:00:00Z"}', '{"run_time": "2026-11-10T10:00:00+00:00"}'),
    ],
)
async def test_what_is_written_otherwise_and_means_something_else_is_another_content(
    xyra: Xyra, data: str, other: str
) -> None:
    assert len(await sent_after_each_other(xyra, data, other)) == 1


async def test_an_interaction_is_at_the_same_time_in_every_zone(xyra: Xyra) -> None:
    times = ("2026-11-10T10:00:00Z", "2026-11-10T10:00:00+00:00", "2026-11-10T15:30:00.000+05:30")
    assert await sent_after_each_other(xyra, *(f'{{"interaction_time": "{time}"}}' for time in times)) == []


@pytest.mark.parametrize(
    ("data", "other"),
    [
        ('{"value": "007"}', '{"value": "7"}'),
        ('{"cost": "1e3"}', '{"cost": 1000}'),
        ('{"input_tokens": "01"}', '{"input_tokens": 1}'),
        ('{"interaction_time": "2026-11-10T10:00:00Z"}', '{"interaction_time": "2026-11-10T10:00:00+00:00"}'),
        ('{"amount": 1, "currency": "USD"}', '{"amount": 1}'),
        ('{"quantity": 1}', "{}"),
    ],
)
async def test_a_field_means_something_only_in_the_types_that_have_it(xyra: Xyra, data: str, other: str) -> None:
    assert len(await sent_after_each_other(xyra, data, other, event_type="step")) == 1


async def test_a_filter_sees_one_quantity_by_whichever_route_it_came_first(xyra: Xyra) -> None:
    charge = {
        "key": "halves",
        "type": "activity",
        "meter": METER | {"filter": {"data.quantity": ["2.5"]}, "aggregation": "sum", "value": "data.quantity"},
        "pricing": PRICE,
    }
    seen = []
    for turned in (False, True):
        organization = await xyra.organization()
        model = await organization.model(charge, effective_from=START)
        agent = await organization.agent(billing_model_id=model["id"], billing_model_from=START)
        route = f"agents/{agent['id']}/activities"
        told = {"id": "one", "time": FIRST_TIME, "activity_type": "step"}
        sent = {"id": "one", "time": FIRST_TIME, "type": "step", "agent": "coder"}
        reports = [
            (route, json.dumps(told | {"quantity": "2.50"})),
            ("events", json.dumps(sent | {"data": {"quantity": 2.5}})),
        ]
        for path, body in reversed(reports) if turned else reports:
            (await organization.key.send("POST", path, raw=body.encode())).expect(202)
            await xyra.idle()
        assert (await organization.key.get("events/parked"))["data"] == []
        usage = await organization.key.get("usage", period="2026-11")
        preview = await organization.preview("2026-11")
        seen.append(
            [
                [(row["charge"], row["quantity"]) for row in usage["data"]],
                [(line["charge"], line["amount"]) for line in preview["lines"]],
            ]
        )
    assert seen == [[[("halves", "2.5")], [("halves", "2.50")]]] * 2


async def sent_after_each_other(xyra: Xyra, *data: str, event_type: str = "outcome.deal") -> list[Json]:
    """What is parked then."""
    organization = await xyra.organization(currency="USD")
    await organization.agent()
    for each in data:
        raw = f'{{"id": "one", "type": "{event_type}", "agent": "coder", "time": "{FIRST_TIME}", "data": {each}}}'
        (await organization.key.send("POST", "events", raw=raw.encode())).expect(202)
        await xyra.idle()
    found: list[Json] = (await organization.key.get("events/parked"))["data"]
    assert {each["reason"] for each in found} <= {"the same identity was used for an event with other content"}
    return found
