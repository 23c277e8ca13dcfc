"""Leases over HTTP: slices that clients spend by themselves, settled by totals."""

from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Answer, Organization, Xyra

Json = dict[str, Any]


async def with_credits(xyra: Xyra, amount: str = "100", **fields: Any) -> Organization:
    organization = await xyra.organization(**fields)
    grant = {"organization_id": organization.id, "amount": amount, "source": "purchase"}
    await organization.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})
    return organization


async def send(organization: Organization, path: str, body: Json, key: str | None = None) -> Answer:
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await organization.key.send("POST", f"credits/leases{path}", body, headers=headers)


async def lease(organization: Organization, amount: str = "10", **fields: Any) -> Json:
    return (await send(organization, "", {"amount": amount, **fields})).expect(201)


async def settle(organization: Organization, taken: Json, total: str, **fields: Any) -> Json:
    return (await send(organization, f"/{taken['lease_id']}/settle", {"total": total, **fields})).expect(200)


async def budget(organization: Organization, limit: str = "20", window: str = "month") -> None:
    body = {"scope": "organization", "window": window, "limit": limit}
    assert (await organization.key.send("PUT", "budgets/all", body)).status in (200, 201)


async def counted(organization: Organization) -> tuple[str, str, str, str]:
    shown = await organization.key.get("budgets/all")
    return shown["spent"], shown["held"], shown["unreported"], shown["over"]


@pytest.mark.walk
async def test_a_slice_is_spent_and_settled_by_totals(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    await organization.agent()
    await budget(organization)
    taken = await lease(organization, agent="coder", run="run-7")
    assert (taken["amount"], taken["expires_in"], taken["cut_by"], taken["available"]) == ("10", 300, None, "90")
    assert await counted(organization) == ("0", "10", "0", "0")
    entries = [{"agent_type": "A", "action": "a", "amount": "2.25"}, {"amount": "1"}]
    settled = await settle(organization, taken, "3.25", entries=entries)
    assert (settled["reported"], settled["left"], settled["over"]) == ("3.25", "6.75", "0")
    assert (settled["state"], settled["late"], settled["available"]) == ("open", False, "90")
    again = await settle(organization, taken, "2")
    assert again["reported"] == "3.25", "a lower total changes nothing"
    wrong = await send(organization, f"/{taken['lease_id']}/settle", {"total": "5", "entries": [{"amount": "1"}]})
    wrong.problem(422, "validation")
    extended = await send(organization, f"/{taken['lease_id']}/extend", {"amount": "5", "expires_in": 600}, key="x")
    assert (extended.expect(201)["amount"], extended.json()["available"]) == ("15", "85")
    assert (
        await send(organization, f"/{taken['lease_id']}/extend", {"amount": "5", "expires_in": 600}, key="x")
    ).json() == (extended.json())
    (await send(organization, f"/{taken['lease_id']}/extend", {"amount": "6"})).problem(403, "limit_exceeded")
    ended = (await send(organization, f"/{taken['lease_id']}/end", {"total": "4"})).expect(200)
    assert (ended["state"], ended["left"], ended["available"]) == ("ended", "0", "96")
    assert await counted(organization) == ("4", "0", "0", "0")
    (await send(organization, f"/{taken['lease_id']}/extend", {"amount": "1"})).problem(409, "hold_resolved")
    balance = await organization.key.get("credits/balance")
    assert (balance["consumed"], balance["leased"], balance["available"]) == ("4", "0", "96")
    usage = (await organization.key.get("credits/usage", run="run-7"))["data"]
    assert sorted(each["amount"] for each in usage) == ["0.75", "1", "2.25"]
    refund = {"amount": "1", "reason": "a bad answer"}
    path = f"credits/transactions/{settled['transaction_id']}/refund"
    query = {"organization_id": organization.id}
    refunded = await organization.operator.send("POST", path, refund, headers={"Idempotency-Key": "r"}, **query)
    assert refunded.expect(200)["available"] == "97"
    assert await counted(organization) == ("3", "0", "0", "0")
    proof = await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)
    assert proof["ok"] is True, proof


async def test_a_lease_says_what_its_credits_count_in_money(xyra: Xyra) -> None:
    organization = await with_credits(xyra, credit_value="0.25")
    assert (await lease(organization))["credit_value"] == "0.25"
    balance = await organization.key.get("credits/balance")
    assert (balance["currency"], balance["credit_value"]) == ("USD", "0.25")
    images = await organization.key.get("credits/balance", kind="images")
    assert (images["currency"], images["credit_value"]) == ("USD", None)
    without = await with_credits(xyra)
    assert (await lease(without))["credit_value"] is None


async def test_402_and_403_are_as_for_any_use(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    (await send(organization, "", {"amount": "101"})).problem(402, "insufficient_credits")
    await budget(organization)
    refused = await send(organization, "", {"amount": "21"})
    refused.problem(403, "limit_exceeded")
    assert (refused.json()["budget_id"], refused.json()["left"]) == ("all", "20")
    plain = await xyra.key_of(organization.id, ["credits:use"])
    answer = await plain.send("POST", "credits/leases", {"amount": "1"}, headers={"Idempotency-Key": "k"})
    answer.problem(403, "forbidden")
    without_key = await organization.key.send("POST", "credits/leases", {"amount": "1"})
    assert without_key.status in (400, 422, 428)
    (await send(organization, "/lease_00000000000000000000000000/settle", {"total": "1"})).problem(404, "not_found")


async def test_what_is_not_reported_returns_to_the_wallet_and_stays_in_the_caps(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-10T10:00:00Z")
    organization = await with_credits(time_machine.xyra)
    await budget(organization)
    taken = await lease(organization, "12")
    await settle(organization, taken, "3")
    await time_machine.at("2026-11-10T10:06:00Z")  # expired, and not yet returned
    assert (await organization.key.get(f"credits/leases/{taken['lease_id']}"))["state"] == "open"
    (await send(organization, f"/{taken['lease_id']}/extend", {"amount": "1"})).problem(409, "hold_expired")
    assert (await settle(organization, taken, "4"))["late"] is False
    await time_machine.at("2026-11-10T10:10:30Z")
    shown = await organization.key.get(f"credits/leases/{taken['lease_id']}")
    assert (shown["state"], shown["reported"], shown["left"], shown["unreported"]) == ("expired", "4", "0", "8")
    assert await counted(organization) == ("4", "0", "8", "0")
    assert (await organization.key.get("credits/balance"))["available"] == "96"
    (await send(organization, "", {"amount": "9"})).problem(403, "limit_exceeded")
    late = await settle(organization, taken, "6")
    assert (late["late"], late["state"], late["available"], late["over"]) == (True, "expired", "94", "0")
    assert await counted(organization) == ("6", "0", "6", "0")
    listed = (await organization.key.get("credits/leases", state="expired", unreported="true"))["data"]
    assert [each["lease_id"] for each in listed] == [taken["lease_id"]]
    body, query = {"reason": "the host is gone"}, {"organization_id": organization.id}
    path = f"credits/leases/{taken['lease_id']}/write-off"
    (await organization.key.send("POST", path, body, headers={"Idempotency-Key": "w"})).problem(403, "forbidden")
    written = await organization.operator.send("POST", path, body, headers={"Idempotency-Key": "w"}, **query)
    assert written.expect(200)["written_off"] == "6"
    assert await counted(organization) == ("6", "0", "0", "0")
    assert (await organization.key.get("credits/leases", unreported="true"))["data"] == []
    (await send(organization, "", {"amount": "14"})).expect(201)
    after = await settle(organization, taken, "13")
    assert (after["over"], after["available"]) == ("1", "73")
    assert await counted(organization) == ("13", "14", "0", "7")


async def test_a_lease_ends_with_the_window_of_a_cap(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-10T10:58:00Z")
    organization = await with_credits(time_machine.xyra)
    await budget(organization, window="hour")
    taken = await lease(organization, expires_in=600)
    assert (taken["expires_in"] <= 120, taken["cut_by"]) == (True, "all")
    assert taken["expires_at"] == "2026-11-10T11:00:00Z"
    more = (await send(organization, f"/{taken['lease_id']}/extend", {"amount": "2", "expires_in": 600})).expect(201)
    assert (more["expires_at"], more["cut_by"], more["amount"]) == (taken["expires_at"], "all", "12")
    await time_machine.at("2026-11-10T11:00:01Z")
    (await send(organization, f"/{taken['lease_id']}/extend", {"amount": "1"})).problem(409, "window_ended")
    assert (await settle(organization, taken, "12"))["late"] is False
    assert (await lease(organization, "20"))["cut_by"] is None
    shown = await organization.key.get("budgets/all")
    assert (shown["spent"], shown["held"]) == ("0", "20")


async def test_a_late_report_becomes_debt_where_nothing_is_free(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-10T10:00:00Z")
    organization = await with_credits(time_machine.xyra, "10")
    taken = await lease(organization)
    await time_machine.at("2026-11-10T10:11:00Z")
    used = await organization.key.send("POST", "credits/use", {"amount": "8"}, headers={"Idempotency-Key": "use"})
    assert used.expect(200)["available"] == "2"
    late = (await send(organization, f"/{taken['lease_id']}/end", {"total": "5"})).expect(200)
    assert (late["late"], late["state"], late["available"]) == (True, "ended", "-3")
    assert (await organization.key.get("credits/balance"))["debt"] == "3"


async def test_they_are_listed_page_by_page(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    taken = [await lease(organization, "1") for _ in range(5)]
    for each in taken[:2]:
        (await send(organization, f"/{each['lease_id']}/end", {"total": "0"})).expect(200)
    first = await organization.key.get("credits/leases", limit=2)
    second = await organization.key.get("credits/leases", limit=3, cursor=first["next_cursor"])
    ids = [each["lease_id"] for each in (*first["data"], *second["data"])]
    assert ids == [each["lease_id"] for each in reversed(taken)]
    ended = (await organization.key.get("credits/leases", state="ended"))["data"]
    assert [each["lease_id"] for each in ended] == [taken[1]["lease_id"], taken[0]["lease_id"]]
    stranger = await xyra.organization()
    assert (await stranger.key.get("credits/leases"))["data"] == []
    (await stranger.key.send("GET", f"credits/leases/{taken[0]['lease_id']}")).problem(404, "not_found")
