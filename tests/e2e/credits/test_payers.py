"""Organizations whose credits another one pays, over HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra
from tests.doubles.worlds.charges import commands

Json = dict[str, Any]


async def use(client: Client, amount: str, key: str | None = None) -> Answer:
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await client.send("POST", "credits/use", {"amount": amount}, headers=headers)


async def given(organization: Organization, amount: str) -> None:
    grant = {"organization_id": organization.id, "amount": amount, "source": "purchase"}
    await organization.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})


async def change(organization: Organization, payer: str | None) -> Answer:
    return await organization.operator.send("PUT", f"organizations/{organization.id}/payer", {"payer_id": payer})


async def test_two_children_spend_one_wallet_to_the_credit(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-20T00:00:00Z")
    xyra = time_machine.xyra
    parent, *children = [await xyra.organization(credit_value=value) for value in ("0.25", "1", None)]
    await given(parent, "100")
    await given(children[0], "7")
    for child in children:
        assert (await use(child.key, "1", "before")).status == (200 if child is children[0] else 402)
        assert (await change(child, parent.slug)).expect(200) == {"payer_id": parent.id, "from": "2026-12-01T00:00:00Z"}
    await time_machine.at("2026-12-01T00:00:01Z")
    answers = await asyncio.gather(*(use(child.key, "3", f"key {n}") for n in range(20) for child in children))
    assert sorted(answer.status for answer in answers) == [200] * 33 + [402] * 7
    balance = await children[0].key.get("credits/balance")
    assert (balance["available"], balance["payer_id"], balance["granted"]) == ("1", parent.id, "7")
    assert balance["credit_value"] == "0.25", "that of who pays"
    assert (await parent.key.get("credits/balance"))["available"] == "1"
    done = next(answer for answer in answers if answer.status == 200).json()["transaction_id"]
    shown = [await child.key.send("GET", f"credits/transactions/{done}") for child in children]
    assert sorted(answer.status for answer in shown) == [200, 404]
    assert (await parent.key.get(f"credits/transactions/{done}"))["amount"] == "3"
    assert (await use(children[0].key, "1", "before")).expect(200)["available"] == "6"
    (await use(children[0].key, "2", "before")).problem(409, "idempotency_conflict")
    spent = [int((await each.key.get("credits/usage/summary"))["total"]["amount"]) for each in (*children, parent)]
    assert (spent[0] + spent[1], spent[2]) == (100, 99)
    listed = (await children[0].key.get("credits/usage", limit="200"))["data"]
    assert sum(int(each["amount"]) for each in listed) == spent[0]
    assert listed[-1]["amount"] == "1"
    pages: list[Json] = []
    page: Json = {"data": [], "next_cursor": ""}
    while page["next_cursor"] is not None:
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = await children[0].key.get("credits/usage", limit="3", **cursor)
        pages += page["data"]
    assert pages == listed
    for organization in (parent, *children):
        verified = await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)
        assert verified["ok"]


async def test_prepaid_usage_of_a_child_is_drawn_from_its_payer(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-20T00:00:00Z")
    xyra = time_machine.xyra
    parent, child = await xyra.organization(), await xyra.organization(billing_mode="prepaid", credit_value="0.01")
    await given(parent, "1000")
    start = "2026-11-01T00:00:00Z"
    model = await child.model(commands("1", "1"), effective_from=start)
    await child.agent(billing_model_id=model["id"], billing_model_from=start)
    event = {"type": "command", "agent": "coder", "data": {"quantity": "2"}}
    await child.key.report({**event, "id": "own", "time": "2026-11-19T00:00:00Z"})
    await xyra.idle()
    (await change(child, parent.id)).expect(200)
    await time_machine.at("2026-12-02T00:00:00Z")
    await child.key.report({**event, "id": "paid", "time": "2026-12-01T12:00:00Z"})
    await child.key.report({**event, "id": "late", "time": "2026-11-30T12:00:00Z"})
    await xyra.idle()
    assert (await parent.key.get("credits/balance"))["available"] == "800"
    own = await child.key.get("credits/balance")
    assert own["consumed"] in ("200", "400")  # what is late is drawn with the close


async def test_who_cannot_pay(xyra: Xyra) -> None:
    parent, child, other = [await xyra.organization() for _ in range(3)]
    euros = await xyra.organization(currency="EUR")
    for payer in (child.id, euros.id, "nobody"):
        assert (await change(child, payer)).problem(422, "validation") == ["/payer_id"]
    (await change(child, parent.id)).expect(200)
    assert (await change(parent, other.id)).problem(422, "validation") == ["/payer_id"]
    assert (await change(other, child.id)).problem(422, "validation") == ["/payer_id"]
    path = f"organizations/{child.id}/payer"
    (await child.key.send("PUT", path, {"payer_id": None})).problem(403, "forbidden")
    assert (await change(child, None)).expect(200)["payer_id"] is None


async def test_a_child_sees_no_more_than_its_own_budget_leaves(xyra: Xyra) -> None:
    parent, child = [await xyra.organization() for _ in range(2)]
    await given(parent, "50")
    (await change(child, parent.slug)).expect(200)
    assert (await child.key.get("credits/balance"))["available"] == "50"
    budget = {"scope": "organization", "window": "month", "limit": "12", "unit": "credits", "enforcement": "hard"}
    (await child.key.send("PUT", "budgets/own", budget)).expect(201)
    assert (await child.key.get("credits/balance"))["available"] == "12"
    assert (await use(child.key, "2")).expect(200)["available"] == "48"
    assert (await child.key.get("credits/balance"))["available"] == "10"
    (await use(child.key, "10.5")).problem(403, "limit_exceeded")
    assert (await parent.key.get("credits/balance"))["available"] == "48"
