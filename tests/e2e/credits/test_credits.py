"""Credits over HTTP: given, spent, set aside, refunded, listed and proved."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra

Json = dict[str, Any]


async def send(client: Client, path: str, body: Json | None = None, key: str | None = None, **query: str) -> Answer:
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await client.send("POST", f"credits/{path}", body or {}, headers=headers, **query)


async def given(organization: Organization, amount: str, **fields: Any) -> Json:
    body = {"organization_id": organization.id, "amount": amount, "source": "purchase", **fields}
    answer: Json = (await send(organization.operator, "grants", body)).expect(201)
    return answer


async def balance(organization: Organization, **query: str) -> Json:
    found: Json = await organization.key.get("credits/balance", **query)
    names = ("consumed", "reserved", "leased", "expired", "clawed_back")
    spent = sum(Decimal(found[name]) for name in names)
    assert Decimal(found["available"]) == Decimal(found["granted"]) - spent
    return found


async def verified(organization: Organization) -> Json:
    answer: Json = await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)
    assert answer["status"] == "done"
    return answer


@pytest.mark.walk
async def test_credits_are_given_used_reserved_refunded_and_proved(xyra: Xyra) -> None:
    organization = await xyra.organization()
    department = await organization.department()
    agent = await organization.agent(department_id=department["id"])
    grant = await given(organization, "100", cost_basis={"amount": "9.90", "currency": "USD"}, reason="A package")
    assert grant["available"] == "100"

    used = (await send(organization.key, "use", {"amount": "3.5", "agent": "coder", "metadata": {"n": 1.50}})).expect(
        200
    )
    assert (used["amount"], used["available"], used["uses"]) == ("3.5", "96.5", None)
    action = {"agent_type": "VideoAgent", "action": "generate_video", "quantity": "2", "agent": agent["id"]}
    assert (await send(organization.key, "use", action)).expect(200)["available"] == "76.5"
    uses = {"uses": [{"agent_type": "QAAgent", "action": "answer_question"}, {"amount": "1"}]}
    assert (await send(organization.key, "use", uses)).expect(200)["uses"] == [{"amount": "0.5"}, {"amount": "1"}]

    hold = (await send(organization.key, "reserve", {"amount": "50", "run": "run/1"})).expect(201)
    assert hold["available"] == "25"
    done = {"agent_type": "VideoAgent", "action": "generate_video", "metadata": {"n": 2}}
    path = f"holds/{hold['hold_id']}/capture"
    captured = (await send(organization.key, path, {"amount": "20", **done})).expect(200)
    (usage,) = (await organization.key.get("credits/usage", run="run/1"))["data"]
    assert {name: usage[name] for name in done} == done
    assert (captured["amount"], captured["returned"], captured["available"]) == ("20", "30", "55")
    released = (await send(organization.key, "reserve", {"amount": "5"})).expect(201)["hold_id"]
    assert (await send(organization.key, f"holds/{released}/release")).expect(200)["available"] == "55"

    refund = {"amount": "1.5", "reason": "A wrong answer"}
    path = f"transactions/{used['transaction_id']}/refund"
    answer = (await send(organization.operator, path, refund, organization_id=organization.id)).expect(200)
    assert (answer["refunded"], answer["available"]) == ("1.5", "56.5")
    too_much = await send(
        organization.operator, path, {"amount": "2.1", "reason": "More"}, organization_id=organization.id
    )
    too_much.problem(409, "conflict")

    found = await balance(organization)
    assert (found["available"], found["consumed"], found["reserved"], found["purchased"]) == (
        "56.5",
        "43.5",
        "0",
        "100",
    )
    (listed,) = (await organization.key.get("credits/grants"))["data"]
    assert (listed["remaining"], listed["cost_basis"], listed["reason"]) == (
        "56.5",
        {"amount": "9.90", "currency": "USD"},
        "A package",
    )
    transactions = (await organization.key.get("credits/transactions"))["data"]
    types = ["refund", "release", "reserve", "capture", "reserve", "use", "use", "use", "grant"]
    assert [each["type"] for each in transactions] == types
    first = await organization.key.get(f"credits/transactions/{used['transaction_id']}")
    assert first == transactions[-2]
    assert (first["uses"][0]["agent_id"], first["uses"][0]["department_id"]) == (agent["id"], department["id"])
    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
    statement = await organization.key.get("credits/statement", **span)
    assert (statement["opening"], statement["closing"], len(statement["lines"])) == ("0", "56.5", 9)
    assert sum(Decimal(line["change"]) for line in statement["lines"]) == Decimal("56.5")
    proof = await verified(organization)
    assert (proof["ok"], proof["checked_to"], proof["problems"]) == (True, 10, [])
    assert await organization.key.get(f"credits/verifications/{proof['id']}") == proof


async def test_a_short_wallet_refuses_and_stays_at_that_for_the_key(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "2")
    refused = await send(organization.key, "use", {"amount": "3"}, key="k")
    refused.problem(402, "insufficient_credits")
    assert refused.json()["available"] == "2"
    await given(organization, "10")
    (await send(organization.key, "use", {"amount": "3"}, key="k")).problem(402, "insufficient_credits")
    (await send(organization.key, "use", {"amount": "4"}, key="k")).problem(409, "idempotency_conflict")
    assert (await send(organization.key, "use", {"amount": "3"})).expect(200)["available"] == "9"


async def test_another_caller_cannot_use_a_key_that_is_taken(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "10")
    (await send(organization.key, "use", {"amount": "1"}, key="k")).expect(200)
    other = await xyra.key_of(organization.id)
    (await send(other, "use", {"amount": "1"}, key="k")).problem(409, "idempotency_conflict")
    another = await xyra.organization()
    await given(another, "10")
    assert (await send(another.key, "use", {"amount": "1"}, key="k")).expect(200)["available"] == "9"


@pytest.mark.parametrize(
    "amount", ["0", "-1", 0, -1, "abc", "1e30", "1e-30", "0.0000001", "NaN", True, None, [], "1" * 40]
)
@pytest.mark.parametrize("path", ["use", "reserve"])
async def test_amounts_that_are_none_are_refused(xyra: Xyra, path: str, amount: Any) -> None:
    organization = await xyra.organization()
    answer = await send(organization.key, path, {"amount": amount})
    assert answer.problem(422, "validation") == ["/amount"]
    assert (await balance(organization))["sequence"] == 0


async def test_what_nobody_can_do_with_holds(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "10")
    hold = (await send(organization.key, "reserve", {"amount": "5"})).expect(201)["hold_id"]
    path = f"holds/{hold}"
    assert (await send(organization.key, f"{path}/capture", {"amount": "6"})).problem(422, "validation") == []
    (await send(organization.key, f"{path}/capture", {"amount": "0"})).problem(422, "validation")
    (await send(organization.key, f"{path}/release")).expect(200)
    (await send(organization.key, f"{path}/release")).problem(409, "hold_resolved")
    (await send(organization.key, f"{path}/capture")).problem(409, "hold_resolved")
    (await send(organization.key, "holds/hold_unknown/release")).problem(404, "not_found")
    other = await xyra.organization()
    (await send(other.key, f"{path}/release")).problem(404, "not_found")
    assert (await balance(organization))["available"] == "10"


async def test_without_a_key_nothing_moves(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await organization.key.send("POST", "credits/use", {"amount": "1"})
    assert answer.problem(422, "validation") == ["Idempotency-Key"]


async def test_a_list_is_taken_as_a_whole_or_not_at_all(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "5")
    (await send(organization.key, "use", {"uses": [{"amount": "3"}, {"amount": "3"}]})).problem(
        402, "insufficient_credits"
    )
    wrong = await send(organization.key, "use", {"uses": [{"amount": "1"}, {"amount": "1", "agent": "nobody"}]})
    assert wrong.problem(422, "validation") == ["/uses/1/agent"]
    both = await send(organization.key, "use", {"uses": [{"amount": "1", "agent_type": "A", "action": "b"}]})
    assert both.problem(422, "validation") == ["/uses/0/amount"]
    assert (await balance(organization))["available"] == "5"


async def test_an_amount_needs_a_permission_of_its_own(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "5")
    key = await xyra.key_of(organization.id, ["credits:use", "credits:read"])
    (await send(key, "use", {"amount": "1"})).problem(403, "forbidden")
    (await send(key, "use", {"uses": [{"amount": "1"}]})).problem(403, "forbidden")
    (await send(key, "reserve", {"amount": "1"})).problem(403, "forbidden")
    action = {"agent_type": "Unknown", "action": "anything"}
    assert (await send(key, "use", action)).expect(200)["amount"] == "1"


async def test_the_operator_sets_what_actions_cost(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "50")
    name = f"Agent {uuid4().hex}"
    path = f"credits/costs/{name}/act"
    (await organization.key.send("PUT", path, {"cost": "2.5"})).problem(403, "forbidden")
    (await xyra.operator.send("PUT", path, {"cost": "2.5"})).expect(200)
    assert (await send(organization.key, "use", {"agent_type": name, "action": "act", "quantity": "3"})).expect(200)[
        "amount"
    ] == "7.5"
    table = await organization.key.get("credits/costs")
    assert table["default_cost"] == "1"
    costs = {(each["agent_type"], each["action"]): each["cost"] for each in table["data"]}
    assert costs[name, "act"] == "2.5"
    assert costs["VideoAgent", "generate_video"] == "10"


async def test_credits_may_fall_below_zero_by_the_overdraft_and_what_comes_in_pays_debt(xyra: Xyra) -> None:
    organization = await xyra.organization(settings={"overdraft": "5"})
    await given(organization, "10")
    assert (await send(organization.key, "use", {"amount": "14"})).expect(200)["available"] == "-4"
    (await send(organization.key, "use", {"amount": "1.5"})).problem(402, "insufficient_credits")
    assert (await balance(organization))["debt"] == "4"
    assert (await given(organization, "10"))["available"] == "6"
    assert (await balance(organization))["debt"] == "0"


async def test_the_operator_changes_the_overdraft(xyra: Xyra) -> None:
    organization = await xyra.organization()
    path, changed = f"organizations/{organization.id}", {"settings": {"overdraft": "5"}}
    etag = (await xyra.operator.send("GET", path)).headers["ETag"]
    (await organization.key.send("PATCH", path, changed, headers={"If-Match": etag})).problem(403, "forbidden")
    (await xyra.operator.send("PATCH", path, changed, headers={"If-Match": etag})).expect(200)
    assert (await send(organization.key, "use", {"amount": "5"})).expect(200)["available"] == "-5"
    refused = await send(organization.key, "use", {"amount": "0.000001"})
    refused.problem(402, "insufficient_credits")
    assert refused.json()["available"] == "-5"


async def test_kinds_never_mix(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "10", kind="images")
    (await send(organization.key, "use", {"amount": "1"})).problem(402, "insufficient_credits")
    (await send(organization.key, "use", {"amount": "1", "kind": "images"})).expect(200)
    assert (await balance(organization, kind="images"))["available"] == "9"
    assert (await balance(organization))["available"] == "0"


async def test_a_hold_expires_by_itself_and_grants_end_at_their_instant(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at("2026-12-01T10:00:00Z")
    organization = await xyra.organization(timezone="Europe/Berlin")
    await given(organization, "10", expires_at="2026-12-01T23:00:00Z")
    await given(organization, "5")
    hold = (await send(organization.key, "reserve", {"amount": "12", "expires_in": 60})).expect(201)["hold_id"]
    await time_machine.at("2026-12-01T10:02:00Z")
    assert (await balance(organization))["available"] == "15"
    (await send(organization.key, f"holds/{hold}/capture")).problem(409, "hold_expired")
    await time_machine.at("2026-12-01T10:04:00Z")
    types = [each["type"] for each in (await organization.key.get("credits/transactions"))["data"]]
    assert types == ["hold_expiry", "reserve", "grant", "grant"]
    assert (await balance(organization))["expiring"] == [{"amount": "10", "at": "2026-12-01T23:00:00Z"}]
    await time_machine.at("2026-12-01T23:00:00Z")
    found = await balance(organization)
    assert (found["available"], found["expired"]) == ("5", "10")
    (await send(organization.key, "use", {"amount": "6"})).problem(402, "insufficient_credits")
    assert (await verified(organization))["ok"]


async def test_many_connections_spend_one_wallet_to_the_credit(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "100")

    async def spend(number: int) -> int:
        while True:
            answer = await send(organization.key, "use", {"amount": "3"}, key=f"spend {number}")
            if answer.status != 429:
                return answer.status

    statuses = Counter(await asyncio.gather(*(spend(number) for number in range(40))))
    assert statuses == {200: 33, 402: 7}
    assert (await balance(organization))["available"] == "1"


async def test_the_same_key_at_once_has_one_effect_and_one_answer(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "10")
    answers = await asyncio.gather(*(send(organization.key, "use", {"amount": "2"}, key="same") for _ in range(10)))
    assert {answer.body for answer in answers} == {answers[0].body}
    assert answers[0].expect(200)["available"] == "8"
