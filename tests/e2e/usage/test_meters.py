"""Meters of every kind, from events to the usage shown and the invoice."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from shared.domain.usage.events import event_key, shard_of
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.clients.xyra_process import XyraProcess

Json = dict[str, Any]
MakeProcess = Callable[..., XyraProcess]

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

START = "2026-10-01T00:00:00Z"
PRICE = {"type": "per_unit", "unit_amount": "2"}


def metered(key: str, aggregation: str, value: str | None, **more: Json) -> Json:
    meter = {"event_type": "session", "aggregation": aggregation, "value": value, "filter": {"data.status": ["ok"]}}
    return {"key": key, "type": "activity", "meter": meter, "pricing": PRICE, **more}


PERCENTAGE = {"type": "percentage", "rate": "10", "free_events": 1, "minimum_per_event": "0.60"}
CHARGES = [
    metered("count", "count", None),
    metered("sum", "sum", "data.level"),
    metered("max", "max", "data.level"),
    metered("last", "last", "data.level"),
    metered("unique", "unique", "data.user"),
    metered("weighted", "weighted_sum", "data.change"),
    metered("share", "sum", "data.level", pricing=PERCENTAGE),
]


def session(event_id: str, time: str, agent: str = "coder", **data: str) -> Json:
    return {"id": event_id, "type": "session", "agent": agent, "time": time, "data": {"status": "ok", **data}}


SESSIONS = [
    session("late", "2026-10-20T00:00:00Z", level="5", user="ada", change="0"),
    session("first", START, level="3", user="ada", change="10"),
    session("middle", "2026-10-16T12:00:00Z", level="7.5", user="ben", change="-4"),
    session("failed", "2026-10-30T00:00:00Z", level="99", user="eve", change="99", status="failed"),
]


async def test_each_kind_of_meter_is_shown_and_invoiced(xyra: Xyra) -> None:
    organization = await xyra.organization()
    model = await organization.model(*CHARGES, effective_from=START)
    await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    for event in SESSIONS:
        await organization.key.report(event)
        await xyra.idle()
    await organization.key.report(*SESSIONS)
    await xyra.idle()

    usage = await organization.key.get("usage", period="2026-10")
    assert {row["charge"]: row["quantity"] for row in usage["data"] if row["charge"]} == {
        "count": "3",
        "sum": "15.5",
        "max": "7.5",
        "last": "5",
        "unique": "2",
        "weighted": "8",  # 10 for all of October, less 4 for half of it
        "share": "15.5",
    }
    (invoice,) = await xyra.generate(organization, "2026-10")
    assert {line["charge"]: line["amount"] for line in invoice["lines"]} == {
        "count": "6.00",
        "sum": "31.00",
        "max": "15.00",
        "last": "10.00",
        "unique": "4.00",
        "weighted": "16.00",
        "share": "1.35",  # 3 is free, 7.5 pays 0.75, 5 pays the minimum
    }


SHARDS = 4
AGENTS = ("coder", "tester")
OF_ORGANIZATION = {"scope": "organization"}
EVERY_METER = [
    *CHARGES[:6],
    metered("pooled_max", "max", "data.level", **OF_ORGANIZATION),
    metered("pooled_unique", "unique", "data.user", **OF_ORGANIZATION),
]


def random_sessions(random: Random, count: int) -> list[Json]:
    """Of October, in any order; some at the same moment, some that no meter wants."""
    moments = [OCTOBER + timedelta(seconds=random.randrange(31 * 24 * 3600)) for _ in range(count // 2)]
    return [
        session(
            f"s{number}",
            random.choice(moments).isoformat(),
            agent=random.choice(AGENTS),
            status=random.choices(("ok", "failed"), (9, 1))[0],
            level=str(Decimal(random.randrange(100_000)) / 1000),
            user=f"user {random.randrange(count // 3)}",
            change=str(random.randrange(-50, 60)),
        )
        for number in range(count)
    ]


def plainly(organization_id: str, sessions: Sequence[Json]) -> Mapping[str, Fraction]:
    """What each meter comes to, computed over the whole list."""
    good = [each for each in sessions if each["data"]["status"] == "ok"]
    levels = [Fraction(each["data"]["level"]) for each in good]
    end = OCTOBER + timedelta(days=31)

    def place(each: Json) -> tuple[datetime, str]:
        return datetime.fromisoformat(each["time"]), event_key(organization_id, "api", each["id"])

    def share(each: Json) -> Fraction:
        return Fraction((end - place(each)[0]) // MICROSECOND, (end - OCTOBER) // MICROSECOND)

    return {
        "count": Fraction(len(good)),
        "sum": sum(levels, Fraction(0)),
        "max": max(levels),
        "last": Fraction(max(good, key=place)["data"]["level"]),
        "unique": Fraction(len({each["data"]["user"] for each in good})),
        "weighted": sum((Fraction(each["data"]["change"]) * share(each) for each in good), Fraction(0)),
    }


def cut_to_12_places(number: Fraction) -> Decimal:
    return Decimal(int(number * 10**12)).scaleb(-12)


@pytest.mark.parametrize("seed", range(2))
async def test_all_meters_over_shards_equal_a_plain_computation(xyra: Xyra, seed: int) -> None:
    """Events are sent shuffled and in batches, some of them twice.

    Some come long after the others, when their month is over.
    """
    random = Random(seed)
    organization = await xyra.organization(shard_count=SHARDS)
    model = await organization.model(*EVERY_METER, effective_from=START)
    ids = {
        name: (await organization.agent(name, billing_model_id=model["id"], billing_model_from=START))["id"]
        for name in AGENTS
    }
    sessions = random_sessions(random, 600)
    sent = [*sessions, *random.sample(sessions, 200)]
    random.shuffle(sent)
    while sent:
        size = random.randint(1, 150)
        answer = await organization.key.post("events", sent[:size], expect=202)
        assert answer["accepted"] + answer["duplicates_in_request"] == len(sent[:size])
        del sent[:size]
        if random.random() < 0.3:
            await xyra.idle()
    await xyra.idle()

    usage = await organization.key.get("usage", period="2026-10")
    assert usage["pending"] == 0
    shown = {(row["agent_id"], row["charge"]): Decimal(row["quantity"]) for row in usage["data"] if row["charge"]}
    expected = {
        (ids[agent], charge): cut_to_12_places(number)
        for agent in AGENTS
        for charge, number in plainly(organization.id, [each for each in sessions if each["agent"] == agent]).items()
    }
    assert {place: quantity for place, quantity in shown.items() if not place[1].startswith("pooled")} == expected
    assert {shard_of(event_key(organization.id, "api", each["id"]), SHARDS) for each in sessions} == set(range(SHARDS))
    lines = (await organization.preview("2026-10"))["lines"]
    pooled = {line["charge"]: Decimal(line["quantity"]) for line in lines if line["agent_id"] is None}
    whole = plainly(organization.id, sessions)
    assert pooled == {f"pooled_{name}": Decimal(cut_to_12_places(whole[name])) for name in ("max", "unique")}


async def test_reading_says_how_many_accepted_events_are_on_their_way(new_process: MakeProcess) -> None:
    """One host accepts and does not meter; another one comes and does."""
    accepting = new_process(**{"AzureWebJobs.rate_usage.Disabled": "true"})
    async with (await Served.by(accepting)).clients() as xyra:
        organization = await xyra.organization(shard_count=SHARDS)
        other = await xyra.organization()
        for each in (organization, other):
            await each.agent()
        await organization.key.report(*(session(f"s{number}", START) for number in range(150)))
        await other.key.report(session("other", START))
        usage = await organization.key.get("usage", period="2026-10")
        assert (usage["pending"], usage["data"]) == (150, [])
        assert (await other.key.get("usage", period="2026-10"))["pending"] == 1
    async with (await Served.by(new_process())).clients() as xyra:
        await xyra.idle()
        usage = await xyra.again(organization).key.get("usage", period="2026-10")
        assert usage["pending"] == 0
        assert [row["quantity"] for row in usage["data"]] == ["150"]
