"""An event is the same event when its organization, source and id are the same: whatever else has changed since it was
sent first, it counts once.
"""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]

EVENTS = 60
BEGIN = datetime.fromisoformat("2026-11-18T10:00:00+00:00")
START = "2026-09-01T00:00:00Z"
FIRST_TIME = "2026-11-10T12:00:00Z"
MONTHS = ("2026-09", "2026-10", "2026-11", "2026-12", "2027-01")
METER = {"event_type": "step"}
PRICE = {"type": "per_unit", "unit_amount": "1"}
CHARGES = [
    {"key": "counted", "type": "activity", "meter": METER, "pricing": PRICE},
    # Each event adds its own, so the sum shows which were counted.
    {
        "key": "summed",
        "type": "activity",
        "meter": METER | {"aggregation": "sum", "value": "data.quantity"},
        "pricing": PRICE,
    },
]


SPOKEN = "2026-11-10T10:00:00Z"
USES = {"quantity": "2.50"}
CALL = {"model": "gpt-4o", "input_tokens": 1200, "output_tokens": 90, "cost": "0.50"}
DEAL = {"value": "20", "evidence": {"score": "1.50"}, "interaction_time": SPOKEN}
REPORTS = {
    "an activity": (
        "activities",
        {"activity_type": "lookup", **USES, "metadata": {"note": "2.50 each"}},
        {"type": "lookup", "data": {**USES, "note": "2.50 each"}},
    ),
    "a cost": ("costs", {"cost_type": "api", "amount": "3.10"}, {"type": "cost.api", "data": {"amount": "3.10"}}),
    "a cost in the organization's currency": (
        "costs",
        {"cost_type": "compute", "amount": "100", "currency": "USD"},
        {"type": "cost.compute", "data": {"amount": "100"}},
    ),
    "an outcome": ("outcomes", {"outcome_type": "deal", **DEAL}, {"type": "outcome.deal", "data": DEAL}),
    "an outcome in the organization's currency": (
        "outcomes",
        {"outcome_type": "lead", "value": "7.0"},
        {"type": "outcome.lead", "data": {"value": "7.0", "currency": "USD"}},
    ),
    "a call": ("llm-calls", CALL, {"type": "llm_call", "data": CALL}),
    "a workflow": (
        "workflows/bulk",
        {"workflows": {"email": "3"}, "metadata": {"list": [1, "2"]}},
        {"type": "workflow.email", "data": {"quantity": "3", "list": [1, "2"]}},
    ),
}
"""By what they are: a convenience route, a body for it, and the same event."""
_FIXED = re.compile(r'("(?:quantity|amount|value|cost|email)": )"([0-9.]+)"')


def as_numbers(body: Json) -> bytes:
    """The amounts as JSON numbers, to the digit."""
    return _FIXED.sub(r"\1\2", json.dumps(body)).encode()


def as_texts(body: Json) -> bytes:
    return json.dumps(body).encode()


def id_of(event_: Json, id_: str) -> str:
    """A report of workflows has an event each."""
    _, is_workflow, name = event_["type"].partition("workflow.")
    return f"{id_}:{name}" if is_workflow else id_


def event(number: int, time: str = FIRST_TIME, **other: Json) -> Json:
    return {"id": f"step-{number}", "type": "step", "agent": "coder", "time": time} | {
        "data": {"quantity": number * number},
        **other,
    }


@dataclass
class Scene:
    time_machine: TimeMachine
    organization: Organization
    agent: Json
    model: Json
    now: datetime = BEGIN

    async def later(self, **how_long: int) -> None:
        """Beyond what takes effect in between, and what a host remembers."""
        self.now += timedelta(**how_long)
        await self.time_machine.at(self.now.isoformat())

    async def repeat(self, time: str | None = None, by: Client | None = None, **query: str) -> None:
        """All of them, by default as of a moment ago."""
        moment = time or (self.now - timedelta(minutes=1)).isoformat()
        others = [
            {"id": id_of(each, name), "agent": "coder", "time": moment} | each for name, (_, _, each) in REPORTS.items()
        ]
        steps = [event(number, moment) for number in range(EVENTS)]
        await (by or self.organization.key).post("events", [*steps, *others], expect=202, **query)

    async def counted(self, charge: str = "counted") -> Decimal:
        """Over all months, and nothing is on its way."""
        await self.time_machine.xyra.idle()
        found = [await self.organization.usage(month, charge) for month in MONTHS]
        assert (await self.organization.key.get("usage"))["pending"] == 0
        return sum(found, Decimal(0))

    async def parked(self) -> list[Json]:
        found: list[Json] = (await self.organization.key.get("events/parked", limit="200"))["data"]
        return found


@pytest.fixture
async def scene(time_machine: TimeMachine) -> Scene:
    """All events have been sent and counted once."""
    await time_machine.at(BEGIN.isoformat())
    organization = await time_machine.xyra.organization(timezone="UTC", shard_count=1)
    model = await organization.model(*CHARGES, effective_from=START)
    agent = await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    made = Scene(time_machine, organization, agent, model)
    await made.repeat(FIRST_TIME)
    return made


async def another_route(scene: Scene) -> None:
    key = scene.organization.key
    for number in range(0, EVENTS, 3):
        body = {"activity_type": "step", "quantity": number * number, "time": FIRST_TIME, "id": f"step-{number}"}
        await key.post(f"agents/{scene.agent['id']}/activities", body, expect=202)
    for name, (route, body, _) in REPORTS.items():
        for written in (as_texts, as_numbers):
            told = written({**body, "id": name, "time": FIRST_TIME})
            (await key.send("POST", f"agents/{scene.agent['id']}/{route}", raw=told)).expect(202)
    cloud = [
        {"specversion": "1.0", "source": "api", "subject": "coder"}
        | {n: v for n, v in event(each).items() if n != "agent"}
        for each in range(EVENTS)
    ]
    for content_type, body in (
        ("application/cloudevents-batch+json", cloud),
        ("application/cloudevents+json", cloud[-1]),
        ("application/json", {"events": [event(each) for each in range(EVENTS)]}),
    ):
        answer = await key.send("POST", "events", body, headers={"Content-Type": content_type})
        answer.expect(202)
    binary = {f"ce-{name}": value for name, value in cloud[1].items() if name != "data"}
    (await key.send("POST", "events", cloud[1]["data"], headers=binary)).expect(202)


async def another_name_of_the_agent(scene: Scene) -> None:
    by_id = [event(each) | {"agent": scene.agent["id"]} for each in range(EVENTS)]
    await scene.organization.key.post("events", by_id, expect=202)


async def another_key(scene: Scene) -> None:
    xyra = scene.time_machine.xyra
    await scene.repeat(FIRST_TIME, await xyra.key_of(scene.organization.id, ["events:write"]))
    await scene.repeat(FIRST_TIME, xyra.operator, organization_id=scene.organization.id)


async def another_time(scene: Scene) -> None:
    await scene.repeat("2026-11-11T00:00:00+05:30")
    await scene.repeat(None)


async def another_period(scene: Scene) -> None:
    """The time says October; and when October and November are billed, December."""
    await scene.repeat("2026-10-05T00:00:00Z")
    await scene.later(days=20)
    for month in ("2026-10", "2026-11"):
        await scene.time_machine.xyra.generate(scene.organization, month)
    await scene.repeat("2026-11-30T23:59:59Z")
    await scene.repeat(None)


async def another_timezone(scene: Scene) -> None:
    """From the end of the last period that was laid; a boundary is elsewhere from then on."""
    await scene.organization.key.send("PATCH", f"organizations/{scene.organization.id}", {"timezone": "Asia/Tokyo"})
    await scene.later(days=50)
    for time in ("2026-11-30T16:00:00Z", "2026-12-31T16:00:00Z", None):
        await scene.repeat(time)


async def another_model_version(scene: Scene) -> None:
    model = await scene.time_machine.xyra.operator.send("GET", f"billing-models/{scene.model['id']}")
    headers = {"If-Match": model.headers["ETag"]}
    dearer = [charge | {"pricing": PRICE | {"unit_amount": "5"}} for charge in CHARGES]
    body = {"name": "Model", "currency": "USD", "charges": dearer}
    answer = await scene.time_machine.xyra.operator.send(
        "PUT", f"billing-models/{scene.model['id']}", body, headers=headers
    )
    answer.expect(200)
    await scene.later(minutes=15)
    await scene.repeat(None)


async def another_model_of_the_agent(scene: Scene) -> None:
    other = await scene.organization.model(*CHARGES, effective_from=START)
    await change_agent(scene, billing_model_id=other["id"])
    await scene.repeat(None)
    await change_agent(scene, billing_model_id=None)
    await scene.repeat(None)


async def change_agent(scene: Scene, **changes: Json | None) -> None:
    start = {"billing_model_from": (scene.now + timedelta(minutes=11)).isoformat()}
    (await scene.organization.key.send("PATCH", f"agents/{scene.agent['id']}", changes | start)).expect(200)
    await scene.later(minutes=15)


async def more_shards(scene: Scene) -> None:
    for count in (2, 16, 64):
        path = f"organizations/{scene.organization.id}"
        (await scene.time_machine.xyra.operator.send("PATCH", path, {"shard_count": count})).expect(200)
        await scene.repeat(None)
        await scene.later(minutes=15)
        await scene.repeat(None)


CHANGES: Sequence[Callable[[Scene], Awaitable[None]]] = (
    another_route,
    another_name_of_the_agent,
    another_key,
    another_time,
    another_model_version,
    more_shards,
    another_period,
    another_model_of_the_agent,
    another_timezone,
)


async def assert_counted_once(scene: Scene) -> None:
    assert await scene.counted("counted") == EVENTS
    assert await scene.counted("summed") == sum(number * number for number in range(EVENTS))
    for _, _, each in REPORTS.values():
        assert len((await scene.organization.key.get("events", type=each["type"]))["data"]) == 1
    assert await scene.parked() == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_a_change_makes_no_event_another_one(scene: Scene, change: Callable[[Scene], Awaitable[None]]) -> None:
    await assert_counted_once(scene)
    await change(scene)
    await assert_counted_once(scene)


async def test_nor_do_all_of_them_one_after_the_other(scene: Scene) -> None:
    for change in CHANGES:
        await change(scene)
    await assert_counted_once(scene)
    for month in MONTHS[:4]:
        await scene.time_machine.xyra.generate(scene.organization, month)
    total = EVENTS + sum(number * number for number in range(EVENTS))
    billed = await scene.organization.invoices()
    assert sum(Decimal(each["total"]) for each in billed) == total


@pytest.mark.parametrize("change", [another_time, another_model_version, more_shards], ids=lambda each: each.__name__)
async def test_other_content_under_the_same_identity_is_parked_not_dropped(
    scene: Scene, change: Callable[[Scene], Awaitable[None]]
) -> None:
    await change(scene)
    others = [event(number, data={"quantity": 1_000_000}) for number in range(5)]
    others += [event(number) | {"type": "search"} for number in range(5, 10)]
    others += [event(number) | {"run": "another"} for number in range(10, 15)]
    await scene.organization.key.report(*others)
    await scene.organization.key.report(*others)
    assert await scene.counted("counted") == EVENTS
    assert await scene.counted("summed") == sum(number * number for number in range(EVENTS))
    parked = await scene.parked()
    assert {each["reason"] for each in parked} == {"the same identity was used for an event with other content"}
    assert sorted(each["subject"]["id"] for each in parked) == sorted(other["id"] for other in others)


@pytest.mark.parametrize("change", [another_time, more_shards], ids=lambda each: each.__name__)
async def test_the_same_id_of_another_source_is_another_event(
    scene: Scene, change: Callable[[Scene], Awaitable[None]]
) -> None:
    await change(scene)
    await scene.organization.key.report(*(event(number) | {"source": "elsewhere"} for number in range(EVENTS)))
    await scene.organization.key.report(*(event(number) | {"source": "elsewhere"} for number in range(EVENTS)))
    assert await scene.counted("counted") == 2 * EVENTS
    assert await scene.counted("summed") == 2 * sum(number * number for number in range(EVENTS))
    assert await scene.parked() == []


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
