"""Automatic top-ups follow the balance, with a pause and a maximum, and fail as long as nothing can be paid."""

from typing import Any
from uuid import uuid4

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]
SETTING = {"threshold": "50", "package": "medium", "monthly_maximum": "100", "cool_down_seconds": 3600}


async def set_up(organization: Organization, setting: Json | None) -> None:
    path = f"organizations/{organization.id}/settings"
    etag = (await organization.operator.send("GET", path)).headers["ETag"]
    answer = await organization.operator.send("PUT", path, {"top_up": setting}, headers={"If-Match": etag})
    assert answer.expect(200)["top_up"] == setting


async def moved(organization: Organization, path: str, **body: Any) -> int:
    client = organization.operator if path == "grants" else organization.key
    headers = {"Idempotency-Key": uuid4().hex}
    return (await client.send("POST", f"credits/{path}", body, headers=headers)).status


async def failures(organization: Organization) -> list[Json]:
    transactions = (await organization.key.get("credits/transactions", limit="200"))["data"]
    return [each for each in transactions if each["type"] == "top_up_failure"]


async def test_they_follow_the_level_with_a_pause(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at("2027-03-10T10:00:00Z")
    organization = await xyra.organization()
    await moved(organization, "grants", organization_id=organization.id, amount="100", source="bonus")
    nothing = {"setting": None, "open": None, "last_closed_at": None, "charged": "0", "currency": "USD"}
    assert await organization.key.get("credits/top-up") == nothing
    await set_up(organization, SETTING)
    await time_machine.at("2027-03-10T10:02:00Z")  # settings are read anew after a minute
    await moved(organization, "use", amount="50")
    assert await failures(organization) == []
    await moved(organization, "use", amount="1")
    await time_machine.at("2027-03-10T10:03:30Z")
    (failure,) = await failures(organization)
    assert (failure["amount"], failure["lines"]) == ("500", [])
    await moved(organization, "use", amount="1")
    await time_machine.at("2027-03-10T10:06:30Z")
    assert len(await failures(organization)) == 1
    await time_machine.at("2027-03-10T11:07:00Z")
    assert await moved(organization, "use", amount="1000") == 402
    await time_machine.at("2027-03-10T11:09:00Z")
    assert len(await failures(organization)) == 2
    shown = await organization.key.get("credits/top-up")
    assert (shown["setting"], shown["open"], shown["charged"]) == (SETTING, None, "0")
    assert shown["last_closed_at"] >= "2027-03-10T11:07:00Z"
    await time_machine.at("2027-03-10T13:00:00Z")
    await moved(organization, "grants", organization_id=organization.id, amount="100", source="bonus")
    await time_machine.at("2027-03-10T13:03:00Z")
    assert len(await failures(organization)) == 2
    proof = await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)
    assert proof["ok"]


async def test_settings_that_are_none(xyra: Xyra) -> None:
    organization = await xyra.organization()
    path = f"organizations/{organization.id}/settings"
    etag = (await organization.operator.send("GET", path)).headers["ETag"]
    for wrong, pointer in (
        ({"package": "huge"}, "/top_up/package"),
        ({"threshold": "-1"}, "/top_up/threshold"),
        ({"cool_down_seconds": 1}, "/top_up/cool_down_seconds"),
        ({"monthly_maximum": "abc"}, "/top_up/monthly_maximum"),
    ):
        answer = await organization.operator.send("PUT", path, {"top_up": SETTING | wrong}, headers={"If-Match": etag})
        assert answer.problem(422, "validation") == [pointer]
