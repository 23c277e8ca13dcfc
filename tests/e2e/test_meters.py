"""Meters of every kind, from events to the usage shown and the invoice."""

from typing import Any

from tests.doubles.xyra_client import Xyra

Json = dict[str, Any]

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


def session(event_id: str, time: str, **data: str) -> Json:
    return {"id": event_id, "type": "session", "agent": "coder", "time": time, "data": {"status": "ok", **data}}


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
