"""Distinct values of a meter are counted up to a limit; what is beyond it waits until the limit is raised."""

from collections.abc import Callable
from typing import Any

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Organization
from tests.doubles.clients.xyra_process import XyraProcess

Json = dict[str, Any]

MONTH = "2026-11"
START = "2026-11-01T00:00:00Z"
USERS = {
    "key": "users",
    "type": "activity",
    "scope": "organization",
    "meter": {"event_type": "session", "aggregation": "unique", "value": "data.user"},
    "pricing": {"type": "per_unit", "unit_amount": "2"},
}


def session(number: int, user: int) -> Json:
    return {"id": f"s{number}", "type": "session", "agent": f"a{number % 2}", "data": {"user": f"u{user}"}}


async def quantity_and_total(organization: Organization) -> tuple[str, str]:
    preview = await organization.preview(MONTH)
    return preview["lines"][0]["quantity"], preview["total"]


async def test_values_beyond_the_limit_are_parked_and_counted_once_it_is_raised(
    new_process: Callable[..., XyraProcess],
) -> None:
    first = new_process(XYRA_MAXIMUM_DISTINCT_VALUES="5")
    async with (await Served.by(first)).clients() as xyra:
        organization = await xyra.organization(shard_count=1)
        model = await organization.model(USERS, effective_from=START)
        for name in ("a0", "a1"):
            await organization.agent(name, billing_model_id=model["id"], billing_model_from=START)
        await organization.key.report(*(session(number, number // 2) for number in range(16)))
        await xyra.idle()
        assert await quantity_and_total(organization) == ("5", "10.00")
        assert await organization.usage(MONTH, "users") == 10  # 5 of each agent
        parked = (await organization.key.get("events/parked"))["data"]
        assert len(parked) == 6
        assert all("has 5 distinct values in this period" in each["reason"] for each in parked)
        await organization.key.report(session(100, 1))
        await xyra.idle()
        assert len((await organization.key.get("events/parked"))["data"]) == 6
    assert first.stop() == 0
    assert "almost as many distinct values" in first.log.read_text(encoding="utf-8")
    async with (await Served.by(new_process())).clients() as xyra:
        organization = xyra.again(organization)
        body = {"all": True}
        await organization.operator.post("events/parked/replay", body, expect=202, organization_id=organization.id)
        await xyra.idle()
        assert (await organization.key.get("events/parked"))["data"] == []
        assert await quantity_and_total(organization) == ("8", "16.00")
        assert await organization.usage(MONTH, "users") == 16
