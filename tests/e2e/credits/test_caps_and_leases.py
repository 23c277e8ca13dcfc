"""Caps that change, move or refuse while leases are out, and what answers say of them, over HTTP."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.domain.kernel.ids import named_id
from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.xyra_client import Answer, Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

Json = dict[str, Any]


async def with_credits(xyra: Xyra, amount: str = "1000", **fields: Any) -> Organization:
    organization = await xyra.organization(**fields)
    await grant(organization, amount)
    return organization


async def grant(organization: Organization, amount: str) -> None:
    body = {"organization_id": organization.id, "amount": amount, "source": "purchase"}
    await organization.operator.post("credits/grants", body, headers={"Idempotency-Key": uuid4().hex})


async def send(organization: Organization, path: str, body: Json, key: str | None = None) -> Answer:
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await organization.key.send("POST", f"credits/{path}", body, headers=headers)


async def send_as_operator(organization: Organization, path: str, body: Json) -> Answer:
    headers = {"Idempotency-Key": uuid4().hex}
    query = {"organization_id": organization.id}
    return await organization.operator.send("POST", f"credits/{path}", body, headers=headers, **query)


async def put(organization: Organization, budget_id: str = "cap", **fields: Any) -> None:
    body = {"scope": "organization", "window": "day", "limit": "10", **fields}
    assert (await organization.key.send("PUT", f"budgets/{budget_id}", body)).status in (200, 201)


async def shown(organization: Organization, budget_id: str = "cap", **query: Any) -> tuple[str, ...]:
    found = await organization.key.get(f"budgets/{budget_id}", **query)
    return tuple(found[name] for name in ("spent", "held", "unreported", "left", "over"))


@pytest.mark.walk
async def test_budgets_do_not_fall_behind_the_revision_of_any_answer(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    await put(organization, window="once", limit="100")
    revisions: list[int] = []

    async def counts(answer: Answer, *counted: str) -> Json:
        """What a budget shows that is not behind the answer."""
        body = answer.json()
        revisions.append(body["revision"])
        assert await shown(organization, at_least=body["revision"]) == counted
        return dict(body)

    lease = await counts(await send(organization, "leases", {"amount": "10"}), "0", "10", "0", "90", "0")
    hold = await counts(await send(organization, "reserve", {"amount": "5"}), "0", "15", "0", "85", "0")
    used = await counts(await send(organization, "use", {"amount": "4"}), "4", "15", "0", "81", "0")
    path = f"leases/{lease['lease_id']}"
    await counts(await send(organization, f"{path}/settle", {"total": "3"}), "7", "12", "0", "81", "0")
    await counts(await send(organization, f"{path}/extend", {"amount": "2"}), "7", "14", "0", "79", "0")
    await counts(await send(organization, f"{path}/end", {"total": "6"}), "10", "5", "0", "85", "0")
    captured = await send(organization, f"holds/{hold['hold_id']}/capture", {"amount": "1"})
    await counts(captured, "11", "0", "0", "89", "0")
    refund = {"amount": "4", "reason": "wrong"}
    refunded = await send_as_operator(organization, f"transactions/{used['transaction_id']}/refund", refund)
    await counts(refunded, "7", "0", "0", "93", "0")
    other = (await send(organization, "reserve", {"amount": "5"})).expect(201)
    released = await send(organization, f"holds/{other['hold_id']}/release", {})
    await counts(released, "7", "0", "0", "93", "0")
    assert revisions == sorted(set(revisions)), "it rises with each of them"
    again = (await organization.key.get("budgets/cap"))["revision"]
    assert again == revisions[-1]
    beyond = await organization.key.send("GET", "budgets/cap", at_least=again + 1)
    beyond.problem(503, "unavailable")


async def test_six_scopes_cap_one_lease(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    project, department = await organization.project(), await organization.department()
    await organization.agent(project_id=project["id"], department_id=department["id"])
    (key,) = (await organization.key.get("api-keys"))["data"]
    caps = {
        "f": ("run", "each"),
        "e": ("api_key", key["id"]),
        "d": ("agent", "coder"),
        "c": ("department", department["id"]),
        "b": ("project", project["id"]),
        "a": ("organization", None),
    }
    for limit, (name, (scope, ref)) in enumerate(caps.items(), start=1):
        await put(organization, name, scope=scope, ref=ref, limit=str(limit), window="once")
    spent_for = {"agent": "coder", "run": "run-1"}
    for amount, named in zip(range(7, 1, -1), "abcdef", strict=True):
        refused = await send(organization, "leases", {"amount": str(amount), **spent_for})
        refused.problem(403, "limit_exceeded")
        assert (refused.json()["budget_id"], refused.json()["window"]["end"]) == (named, None)
    taken = (await send(organization, "leases", {"amount": "1", **spent_for})).expect(201)
    refused = await send(organization, f"leases/{taken['lease_id']}/extend", {"amount": "1"})
    assert refused.json()["budget_id"] == "f"
    for limit, name in enumerate(caps, start=1):
        asked = {"ref": "run-1"} if name == "f" else {}
        assert await shown(organization, name, **asked) == ("0", "1", "0", str(limit - 1), "0")
    (await send(organization, f"leases/{taken['lease_id']}/end", {"total": "1"})).expect(200)
    for limit, name in enumerate(caps, start=1):
        asked = {"ref": "run-1"} if name == "f" else {}
        assert await shown(organization, name, **asked) == ("1", "0", "0", str(limit - 1), "0")


async def test_refusals_for_money_are_final_for_their_key_and_404_is_not(xyra: Xyra) -> None:
    organization = await with_credits(xyra, "20")
    await put(organization)
    body = {"amount": "11"}
    refused = await send(organization, "leases", body, "over the cap")
    refused.problem(403, "limit_exceeded")
    await put(organization, limit="100")
    again = await send(organization, "leases", body, "over the cap")
    assert (again.status, again.json()["left"]) == (403, refused.json()["left"])
    (await send(organization, "leases", body, "with another key")).expect(201)
    short = await send(organization, "use", {"amount": "10"}, "short")
    short.problem(402, "insufficient_credits")
    await grant(organization, "50")
    assert (await send(organization, "use", {"amount": "10"}, "short")).status == 402
    lease_id = named_id("lease", "caller", organization.id, "later")
    path = f"leases/{lease_id}/settle"
    (await send(organization, path, {"total": "1"}, "too early")).problem(404, "not_found")
    assert (await send(organization, "leases", {"amount": "2"}, "later")).expect(201)["lease_id"] == lease_id
    assert (await send(organization, path, {"total": "1"}, "too early")).expect(200)["reported"] == "1"


async def test_a_lease_needs_a_key_for_whatever_is_done_with_it_and_a_settle_is_always_taken(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    taken = (await send(organization, "leases", {"amount": "2"}, "taken")).expect(201)
    path = f"leases/{taken['lease_id']}"
    bodies = {"": {"amount": "1"}, "/extend": {}, "/settle": {"total": "1"}, "/end": {"total": "1"}}
    for step, body in bodies.items():
        whole = f"credits/leases{step and '/' + taken['lease_id'] + step}"
        answer = await organization.key.send("POST", whole, body)
        assert answer.problem(422, "validation") == ["Idempotency-Key"]
    headers = {"Idempotency-Key": "written off"}
    query = {"organization_id": organization.id}
    open_still = await organization.operator.send("POST", f"credits/{path}/write-off", {}, headers=headers, **query)
    open_still.problem(409, "conflict")
    repeated = (await send(organization, "leases", {"amount": "2"}, "taken")).expect(201)
    assert repeated == taken, "the same answer: a client counts from when it first sent it"
    (await send(organization, "leases", {"amount": "3"}, "taken")).problem(409, "idempotency_conflict")
    (await send(organization, f"{path}/end", {"total": "1"})).expect(200)
    (await send(organization, f"{path}/extend", {})).problem(409, "hold_resolved")
    late = (await send(organization, f"{path}/settle", {"total": "1.5"})).expect(200)
    assert (late["state"], late["reported"], late["over"], late["late"]) == ("ended", "1.5", "0", False)
    lower = (await send(organization, f"{path}/settle", {"total": "0"})).expect(200)
    assert lower["reported"] == "1.5"


async def test_a_cap_that_is_lowered_binds_what_comes_after_and_keeps_what_is_out(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    await put(organization, window="once", limit="20")
    (await send(organization, "use", {"amount": "3"})).expect(200)
    taken = (await send(organization, "leases", {"amount": "10"})).expect(201)
    path = f"leases/{taken['lease_id']}"
    await put(organization, window="once", limit="5")
    assert await shown(organization) == ("3", "10", "0", "0", "8")
    assert (await organization.key.get("budgets/cap"))["state"] == "exhausted"
    (await send(organization, f"{path}/extend", {"amount": "1"})).problem(403, "limit_exceeded")
    (await send(organization, f"{path}/extend", {"expires_in": 600})).expect(201)
    assert (await send(organization, f"{path}/settle", {"total": "10"})).expect(200)["over"] == "0"
    assert await shown(organization) == ("13", "0", "0", "0", "8")
    (await send(organization, "leases", {"amount": "0.000001"})).problem(403, "limit_exceeded")
    await put(organization, window="once", limit="13.5")
    (await send(organization, "leases", {"amount": "0.5"})).expect(201)


async def test_a_cap_that_is_deleted_forgets_nothing_that_is_out(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    await put(organization, window="once", limit="10")
    taken = (await send(organization, "leases", {"amount": "8"})).expect(201)
    (await organization.key.send("DELETE", "budgets/cap")).expect(204)
    (await send(organization, f"leases/{taken['lease_id']}/extend", {"amount": "5"})).expect(201)
    (await send(organization, "use", {"amount": "4"})).expect(200)
    await put(organization, window="once", limit="16")
    assert await shown(organization) == ("4", "13", "0", "0", "1")
    (await send(organization, f"leases/{taken['lease_id']}/end", {"total": "6"})).expect(200)
    assert await shown(organization) == ("10", "0", "0", "6", "0")
    refused = await send(organization, "leases", {"amount": "7"})
    assert (refused.status, refused.json()["left"]) == (403, "6")


async def test_a_cap_with_a_shorter_window_ends_a_lease_that_goes_beyond_it(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-10T10:50:00Z")
    organization = await with_credits(time_machine.xyra)
    taken = (await send(organization, "leases", {"amount": "4", "expires_in": 3600})).expect(201)
    assert taken["cut_by"] is None
    expires_at, returns_at = (datetime.fromisoformat(taken[name]) for name in ("expires_at", "returns_at"))
    assert returns_at - expires_at == timedelta(minutes=5)
    await put(organization, window="hour")
    path = f"leases/{taken['lease_id']}"
    (await send(organization, f"{path}/extend", {"amount": "1"})).problem(409, "window_ended")
    assert (await send(organization, f"{path}/end", {"total": "3"})).expect(200)["state"] == "ended"
    cut = (await send(organization, "leases", {"amount": "7", "expires_in": 3600})).expect(201)
    assert (cut["cut_by"], cut["expires_at"]) == ("cap", "2026-11-10T11:00:00Z")
    assert cut["returns_at"] == "2026-11-10T11:05:00Z"
    assert cut["expires_in"] <= 600


async def test_the_budgets_of_one_thing_tell_so_many_shares(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    shares = [str(10 * tenth) for tenth in range(1, 11)]
    for number in range(20):
        await put(organization, f"cap {number}", window="once", alert_at=shares)
    body = {"scope": "organization", "window": "once", "limit": "10"}
    answer = await organization.key.send("PUT", "budgets/one more", body)
    answer.problem(409, "conflict")
    assert "alert_at" in answer.json()["detail"]
    await put(organization, "without", window="once", alert_at=[])
    await put(organization, "cap 0", window="once", alert_at=shares[1:])
    await put(organization, "of agents", scope="agent", ref="each")


async def test_events_on_their_way_are_pending(new_process: Callable[..., XyraProcess]) -> None:
    served = await Served.by(new_process(**{"AzureWebJobs.rate_usage.Disabled": "true"}))
    async with served.clients() as xyra:
        organization = await with_credits(xyra, credit_value="0.5")
        await organization.agent()
        await put(organization)
        event = {"type": "command", "agent": "coder", "data": {"quantity": "5"}}
        await organization.key.report({**event, "id": "1"}, {**event, "id": "2"}, {**event, "id": "3"})
        found = await organization.key.get("budgets/cap")
        assert (found["pending"]["events"], found["pending"]["at_least"], found["metered"]) == (3, False, "0")
        assert found["pending"]["oldest"] is not None
        stranger = await xyra.organization()
        await put(stranger)
        assert (await stranger.key.get("budgets/cap"))["pending"]["events"] == 0


async def test_where_the_timezone_moves_every_window_but_once_begins_anew(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-20T12:00:00Z")
    organization = await with_credits(time_machine.xyra, timezone="Europe/Berlin")
    path = f"organizations/{organization.id}"
    (await organization.key.send("PATCH", path, {"timezone": "America/New_York"})).expect(200)
    for window, limit in (("day", "10"), ("month", "16"), ("once", "40")):
        await put(organization, window, window=window, limit=limit)
    await time_machine.at("2026-11-30T22:30:00Z")  # half past eleven in Berlin, before the first of December
    (await send(organization, "use", {"amount": "6"})).expect(200)
    lease = (await send(organization, "leases", {"amount": "4", "expires_in": 3600})).expect(201)
    assert (lease["expires_at"], lease["cut_by"]) == ("2026-11-30T23:00:00Z", "day")
    refused = await send(organization, "use", {"amount": "1"})
    assert (refused.json()["budget_id"], refused.json()["window"]["end"][:19]) == ("day", "2026-11-30T23:00:00")
    await time_machine.at("2026-11-30T23:00:30Z")  # December in Berlin; six in the evening in New York
    (await send(organization, "use", {"amount": "10"})).expect(200)
    day, month = [(await organization.key.get(f"budgets/{name}"))["window"] for name in ("day", "month")]
    cut = {"start": "2026-11-30T23:00:00Z", "end": "2026-12-01T05:00:00Z", "timezone": "America/New_York"}
    assert (day, month) == (cut, cut)
    settled = (await send(organization, f"leases/{lease['lease_id']}/end", {"total": "4"})).expect(200)
    assert (settled["late"], settled["state"]) == (False, "ended")
    assert await shown(organization, "day") == ("10", "0", "0", "0", "0"), "a lease counts where it was taken"
    assert await shown(organization, "once") == ("20", "0", "0", "20", "0")
    await time_machine.at("2026-12-01T05:00:30Z")
    (await send(organization, "use", {"amount": "10"})).expect(200)
    assert (await organization.key.get("budgets/month"))["window"]["end"] == "2027-01-01T05:00:00Z"
    await time_machine.at("2026-12-02T05:00:30Z")
    refused = await send(organization, "use", {"amount": "7"})
    assert refused.json()["budget_id"] == "month"
    (await send(organization, "use", {"amount": "6"})).expect(200)
    (await send(organization, "use", {"amount": "5"})).problem(403, "limit_exceeded")
