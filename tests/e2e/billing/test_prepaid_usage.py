"""Usage of prepaid organizations: drawn from credits as it happens, invoiced after the close."""

from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.charges import commands

Json = dict[str, Any]

PREPAID = {"billing_mode": "prepaid", "credit_value": "0.03"}
FEE = {"key": "platform", "type": "flat_fee", "amount": "100.00"}


def command(event_id: str, quantity: str, time: str = "2026-11-10T12:00:00Z") -> Json:
    return {"id": event_id, "type": "command", "agent": "coder", "time": time, "data": {"quantity": quantity}}


async def prepaid(xyra: Xyra, amount: str = "1000", start: str = "2026-10-01T00:00:00Z", **fields: str) -> Organization:
    organization = await xyra.organization(**(PREPAID | fields))
    model = await organization.model(FEE, commands("1.005", "0.333"), effective_from=start)
    await organization.agent(billing_model_id=model["id"], billing_model_from=start)
    grant = {"organization_id": organization.id, "amount": amount, "source": "purchase"}
    await organization.operator.post("credits/grants", grant, headers={"Idempotency-Key": "first"})
    return organization


async def available(organization: Organization) -> Decimal:
    return Decimal((await organization.key.get("credits/balance"))["available"])


async def draws(organization: Organization) -> list[str]:
    transactions = (await organization.key.get("credits/transactions", limit="200"))["data"]
    found = [each for each in reversed(transactions) if each["type"] == "draw"]
    assert all(each["reason"].startswith("Usage of the billing period that starts at 20") for each in found)
    return [each["amount"] for each in found]


@pytest.mark.walk
async def test_usage_is_drawn_as_it_happens_and_once(xyra: Xyra) -> None:
    organization = await prepaid(xyra)
    await organization.key.report(command("1", "10"), command("2", "3"))
    await xyra.idle()
    # 10 x 1.005 + 3 x 0.333 = 11.049, so 11.05 of 0.03 each
    assert await available(organization) == 1000 - Decimal("368.333333")
    await organization.key.report(command("1", "10"), command("2", "3"))
    await xyra.idle()
    assert await draws(organization) == ["368.333333"]
    await organization.key.report(command("3", "0.1"))
    await xyra.idle()
    # 11.0823, so 11.08
    assert await available(organization) == 1000 - Decimal("369.333333")
    assert [line["charge"] for line in (await organization.preview("2026-11"))["lines"]] == ["platform"]


async def test_usage_beyond_the_credits_is_debt_that_refuses_uses(xyra: Xyra) -> None:
    organization = await prepaid(xyra, "10")
    await organization.key.report(command("1", "10"))
    await xyra.idle()
    assert await available(organization) == -325
    use = {"agent_type": "QAAgent", "action": "answer_question"}
    refused = await organization.key.send("POST", "credits/use", use, headers={"Idempotency-Key": "k"})
    refused.problem(402, "insufficient_credits")
    verified = await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)
    assert verified["ok"]


async def test_after_the_close_invoices_bill_what_is_late_and_credits_return(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-05T00:00:00Z")
    organization = await prepaid(time_machine.xyra, "1000", "2026-11-01T00:00:00Z")
    await organization.key.report(command("1", "10", "2026-11-04T00:00:00Z"))
    await time_machine.at("2026-11-06T00:00:00Z")
    assert await available(organization) == 665
    await time_machine.at("2026-12-02T00:05:00Z")
    (invoice,) = await time_machine.xyra.generate(organization, "2026-11")
    assert {line["charge"]: line["amount"] for line in invoice["lines"]} == {"platform": "100.00"}
    assert await available(organization) == 665

    await organization.key.report(command("late", "5", "2026-11-20T00:00:00Z"))
    await time_machine.at("2027-01-02T00:05:00Z")
    invoices = await organization.invoices()
    late = [line for line in invoices[-1]["lines"] if line["charge"] == "commands"]
    # 5 x 0.333 = 1.665: 11.72 due (11.715), 10.05 of it drawn
    assert [(line["type"], line["amount"], line["adjusts"]["start"]) for line in late] == [
        ("adjustment", "1.67", "2026-11-01T00:00:00Z")
    ]
    assert await draws(organization) == ["335", "0", "0"]  # with the closes of November and December


async def test_no_unit_is_paid_twice_when_the_billing_mode_changes(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-05T00:00:00Z")
    xyra = time_machine.xyra
    organization = await prepaid(xyra, billing_mode="postpaid")
    await organization.key.report(command("october", "2", "2026-10-04T00:00:00Z"))
    await xyra.idle()
    assert await draws(organization) == []
    path = f"organizations/{organization.id}"
    changed = (await xyra.operator.send("PATCH", path, {"billing_mode": "prepaid"})).expect(200)
    assert (changed["billing_mode"], changed["billing_mode_from"]) == ("prepaid", "2026-11-01T00:00:00Z")
    await time_machine.at("2026-11-10T00:00:00Z")
    await organization.key.report(
        command("november", "4", "2026-11-09T00:00:00Z"), command("more", "1", "2026-10-30T00:00:00Z")
    )
    await xyra.idle()
    assert await draws(organization) == ["134"]
    (await xyra.operator.send("PATCH", path, {"billing_mode": "postpaid"})).expect(200)
    await time_machine.at("2026-12-10T00:00:00Z")
    await organization.key.report(command("december", "1", "2026-12-09T00:00:00Z"))
    await time_machine.at("2027-01-10T00:00:00Z")
    paid: dict[str, Decimal] = {}
    for invoice in await organization.invoices():
        for line in invoice["lines"]:
            if line["charge"] == "commands":
                start = line["period"]["start"]
                paid[start] = paid.get(start, Decimal(0)) + Decimal(line["amount"])
    # October 3 x 1.005, December 1 x 1.005; November's 4.02 were drawn.
    assert paid == {"2026-10-01T00:00:00Z": Decimal("3.02"), "2026-12-01T00:00:00Z": Decimal("1.01")}
    assert await draws(organization) == ["134", "0"]


async def test_a_charge_may_settle_on_the_other_side(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-05T00:00:00Z")
    organization = await time_machine.xyra.organization(**PREPAID)
    start = "2026-11-01T00:00:00Z"
    charges = (FEE | {"settles": "wallet"}, commands("3", "3") | {"settles": "invoice"})
    model = await organization.model(*charges, effective_from=start)
    await organization.agent(billing_model_id=model["id"], billing_model_from=start)
    await organization.key.report(command("1", "2", "2026-11-04T00:00:00Z"))
    await time_machine.at("2026-11-30T00:00:00Z")
    assert await draws(organization) == []
    body = {"name": "Model", "currency": "USD", "effective_from": "2026-12-05T00:00:00Z", "charges": [FEE]}
    path = f"billing-models/{model['id']}"
    etag = (await organization.operator.send("GET", path)).headers["ETag"]
    refused = await organization.operator.send("PUT", path, body, headers={"If-Match": etag})
    assert refused.problem(422, "validation") == ["/charges/0/settles"]
    await time_machine.at("2026-12-05T00:05:00Z")
    (invoice,) = await organization.invoices()
    assert {line["charge"]: (line["amount"], line["settles"]) for line in invoice["lines"]} == {
        "commands": ("6.00", "invoice")
    }
    assert await draws(organization) == ["3333.333333"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"billing_mode": "prepaid"}, "/billing_mode"),
        ({"credit_value": "0"}, "/credit_value"),
        ({"credit_value": "10000"}, "/credit_value"),
        ({"credit_value": "-1"}, "/credit_value"),
    ],
)
async def test_settlements_that_cannot_be(xyra: Xyra, fields: Json, pointer: str) -> None:
    organization = await xyra.organization()
    body = {"name": "Other", "currency": "USD", **fields}
    assert (await xyra.operator.send("POST", "organizations", body)).problem(422, "validation") == [pointer]
    path = f"organizations/{organization.id}"
    assert (await xyra.operator.send("PATCH", path, fields)).problem(422, "validation") == [pointer]
    (await organization.key.send("PATCH", path, PREPAID)).problem(403, "forbidden")
