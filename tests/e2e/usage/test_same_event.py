"""An event is the same event when its organization, source and id are the same: whatever else has changed since it was
sent first, it counts once.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Client, Organization
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
EVENTS = 60
BEGIN = datetime.fromisoformat("2026-11-18T10:00:00+00:00")
MONTHS = ("2026-09", "2026-10", "2026-11", "2026-12", "2027-01")
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
    """Another timezone from the end of the last stored period on.

    A boundary is elsewhere from then on.
    """
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
