"""Daily and monthly limits of departments over HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra

Json = dict[str, Any]


async def use(client: Client, amount: str, department_id: str | None = None, **fields: str) -> Answer:
    named = {} if department_id is None else {"department_id": department_id}
    headers = {"Idempotency-Key": uuid4().hex}
    return await client.send("POST", "credits/use", {"amount": amount, **named, **fields}, headers=headers)


async def limited(xyra: Xyra, **limits: str | None) -> tuple[Organization, str]:
    """An organization with 1,000 credits, and its department with these limits."""
    organization = await xyra.organization(timezone="America/New_York")
    grant = {"organization_id": organization.id, "amount": "1000", "source": "purchase"}
    await organization.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})
    department = await organization.department()
    path = f"credits/departments/{department['id']}/limits"
    (await organization.key.send("PUT", path, limits)).expect(200)
    return organization, department["id"]


@pytest.mark.walk
async def test_ten_calls_at_once_pass_no_limit(xyra: Xyra) -> None:
    organization, department = await limited(xyra, daily="10")
    answers = await asyncio.gather(*(use(organization.key, "3", department) for _ in range(10)))
    refused = [answer for answer in answers if answer.status == 403]
    assert sorted(answer.status for answer in answers) == [200] * 3 + [403] * 7
    for answer in refused:
        answer.problem(403, "limit_exceeded")
        body = answer.json()
        assert (body["left"], body["window"]["name"]) == ("1", "day")
    shown = await organization.key.get(f"credits/departments/{department}/limits")
    assert shown["daily"] == {"limit": "10", "spent": "9"}
    assert shown["monthly"] == {"limit": None, "spent": "9"}
    (await use(organization.key, "500")).expect(200)
    (await use(organization.key, "1", department)).expect(200)


async def test_an_agents_uses_count_for_its_department_and_holds_as_well(xyra: Xyra) -> None:
    organization, department = await limited(xyra, monthly="5")
    await organization.agent(department_id=department)
    body = {"amount": "4", "agent": "coder"}
    hold = await organization.key.post("credits/reserve", body, headers={"Idempotency-Key": "hold"})
    refused = await use(organization.key, "2", agent="coder")
    refused.problem(403, "limit_exceeded")
    assert (refused.json()["left"], refused.json()["window"]["name"]) == ("1", "month")
    path = f"credits/holds/{hold['hold_id']}/release"
    await organization.key.post(path, {}, expect=200, headers={"Idempotency-Key": "release"})
    (await use(organization.key, "2", agent="coder")).expect(200)


async def test_a_day_ends_at_local_midnight(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-10T04:59:00Z")  # a minute before midnight in New York
    organization, department = await limited(time_machine.xyra, daily="10", monthly="15")
    (await use(organization.key, "10", department)).expect(200)
    (await use(organization.key, "1", department)).problem(403, "limit_exceeded")
    await time_machine.at("2026-11-10T05:00:30Z")
    (await use(organization.key, "5", department)).expect(200)
    refused = await use(organization.key, "1", department)
    assert refused.json()["window"]["name"] == "month"
    assert refused.json()["window"]["end"] == "2026-12-01T05:00:00Z"


async def test_limits_are_replaced_under_their_etag(xyra: Xyra) -> None:
    organization, department = await limited(xyra, daily="10", monthly="100")
    path = f"credits/departments/{department}/limits"
    etag = (await organization.key.send("GET", path)).headers["ETag"]
    changed = await organization.key.send("PUT", path, {"daily": "20"}, headers={"If-Match": etag})
    assert changed.expect(200)["monthly"]["limit"] is None
    stale = await organization.key.send("PUT", path, {"daily": "30"}, headers={"If-Match": etag})
    stale.problem(412, "precondition_failed")
    entries = (await organization.key.get("audit", action="department_limits.update"))["data"]
    assert [entry["target"]["id"] for entry in entries] == [department] * 2
    (await organization.key.send("PUT", path, {"daily": "-1"})).problem(422, "validation")
    (await organization.key.send("PUT", path, {"daily": "0.0000001"})).problem(422, "validation")
    reader = await xyra.key_of(organization.id, ["credits:read"])
    (await reader.send("PUT", path, {})).problem(403, "forbidden")
    other = await xyra.organization()
    (await other.key.send("PUT", path, {})).problem(404, "not_found")
    (await other.key.send("GET", path)).problem(404, "not_found")
