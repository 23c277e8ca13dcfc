"""Coupons over HTTP: the catalog, redeeming, and what they take off invoices. Figures are worked out by hand."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.plans import fee, plan, subscribe

Json = dict[str, Any]

USED = {
    "key": "commands",
    "type": "activity",
    "scope": "organization",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1.00"},
}
PLATFORM = {"key": "platform", "type": "flat_fee", "amount": "40.00", "scope": "organization"}


async def coupon(xyra: Xyra, **fields: Any) -> Json:
    body = {"code": f"C{uuid4().hex}", "name": "Welcome", "duration": "once", **fields}
    return await xyra.operator.post("coupons", body)


async def redeem(organization: Organization, code: str, **fields: str) -> Json:
    return await organization.key.post(f"organizations/{organization.id}/coupons", {"code": code, **fields})


def lines(document: Json) -> list[tuple[str, str, str, str]]:
    return [(line["period"]["start"][:7], line["charge"], line["type"], line["amount"]) for line in document["lines"]]


async def test_a_coupon_is_made_redeemed_and_archived(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-01-10T00:00:00Z")
    xyra = time_machine.xyra
    made = await coupon(xyra, percent="20", duration="periods", periods=3, maximum_redemptions=5)
    assert (made["percent"], made["redeemed"], made["per_organization"]) == ("20", 0, 1)
    organization = await xyra.organization()
    redeemed = await redeem(organization, made["code"].lower())
    assert (redeemed["coupon"], redeemed["ends"]) == (made["code"], "2029-04-01T00:00:00Z")
    assert [each["start"][:10] for each in redeemed["periods"]] == ["2029-01-01", "2029-02-01", "2029-03-01"]
    again = await organization.key.send("POST", f"organizations/{organization.id}/coupons", {"code": made["code"]})
    again.problem(409, "conflict")
    listed = await organization.key.get(f"organizations/{organization.id}/coupons")
    assert listed["data"] == [redeemed]
    assert (await xyra.operator.get(f"coupons/{made['id']}"))["redeemed"] == 1
    catalog = await xyra.operator.get("coupons", limit="200")
    assert made["id"] in [each["id"] for each in catalog["data"]]

    (await xyra.operator.send("POST", f"coupons/{made['id']}/archive")).expect(200)
    other = await xyra.organization()
    refused = await other.key.send("POST", f"organizations/{other.id}/coupons", {"code": made["code"]})
    assert refused.problem(422, "validation") == ["/code"]
    (await organization.key.send("GET", "coupons")).problem(403, "forbidden")
    (await organization.key.send("GET", f"coupons/{made['id']}")).problem(403, "forbidden")

    path = f"organizations/{organization.id}/coupons/{redeemed['id']}"
    (await organization.key.send("DELETE", path)).expect(204)
    (await organization.key.send("DELETE", path)).expect(204)
    (ended,) = (await organization.key.get(f"organizations/{organization.id}/coupons"))["data"]
    assert (ended["ends"], len(ended["periods"]), ended["ended_at"][:10]) == ("2029-02-01T00:00:00Z", 1, "2029-01-10")


async def test_what_is_wrong_with_a_coupon_is_said(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-01-10T00:00:00Z")
    xyra = time_machine.xyra
    for fields, pointer in (
        ({"percent": "0"}, "/percent"),
        ({"amounts": {"USD": "1.001"}}, "/amounts/USD"),
        ({"amounts": {"XXX": "1"}}, "/amounts/XXX"),
        ({"percent": "5", "plans": ["none"]}, "/plans/0"),
        ({"percent": "5", "periods": 2}, "/periods"),
    ):
        body = {"code": "C1", "name": "Welcome", "duration": "once", **fields}
        assert (await xyra.operator.send("POST", "coupons", body)).problem(422, "validation") == [pointer]
    made = await coupon(xyra, amounts={"EUR": "5.00"})
    organization = await xyra.organization()
    path = f"organizations/{organization.id}/coupons"
    dollars = await organization.key.send("POST", path, {"code": made["code"]})
    assert dollars.problem(422, "validation") == ["/code"]
    made = await coupon(xyra, percent="5")
    earlier = await organization.key.send("POST", path, {"code": made["code"], "from": "2028-12"})
    earlier.problem(403, "forbidden")
    before = await xyra.operator.send("POST", path, {"code": made["code"], "from": "2028-12"})
    assert before.problem(422, "validation") == ["/from"]


async def test_a_late_event_changes_a_discount_that_was_used(time_machine: TimeMachine) -> None:
    """20.00 over 60.00 and 40.00 are 12.00 and 8.00; over 160.00 and 40.00 they are 16.00 and 4.00."""
    await time_machine.at("2029-03-01T00:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization(grace_hours=0)
    model = await organization.model(PLATFORM, USED)
    await organization.agent(billing_model_id=model["id"])
    made = await coupon(xyra, amounts={"USD": "20.00"})
    redeemed = await redeem(organization, made["code"])
    await time_machine.at("2029-03-15T00:00:00Z")
    event = {"type": "command", "agent": "coder", "time": "2029-03-15T00:00:00Z"}
    await organization.key.report({**event, "id": "in time", "data": {"quantity": "60"}})
    await xyra.idle()
    preview = await organization.preview("2029-03")
    await time_machine.at("2029-04-01T01:00:00Z")
    (march,) = await organization.invoices()
    assert (
        lines(march)
        == lines(preview)
        == [
            ("2029-03", "commands", "activity", "60.00"),
            ("2029-03", "commands", "discount", "-12.00"),
            ("2029-03", "platform", "flat_fee", "40.00"),
            ("2029-03", "platform", "discount", "-8.00"),
        ]
    )
    for document in (march, preview):
        assert (document["subtotal"], document["discount_total"], document["total"]) == ("100.00", "20.00", "80.00")
        assert document["discounts"] == [{"redemption_id": redeemed["id"], "name": "Welcome", "amount": "20.00"}]
    assert [line["discount_amount"] for line in march["lines"]] == ["12.00", None, "8.00", None]
    shown = await organization.key.get(f"invoices/{march['id']}", group_by="agent")
    assert [each["amount"] for each in shown["subtotals"]] == ["80.00"]

    await organization.key.report({**event, "id": "late", "data": {"quantity": "100"}})
    await xyra.idle()
    await time_machine.at("2029-05-01T01:00:00Z")
    april = (await organization.invoices())[-1]
    assert lines(april) == [
        ("2029-03", "commands", "adjustment", "100.00"),
        ("2029-03", "commands", "discount", "-4.00"),
        ("2029-03", "platform", "discount", "4.00"),
        ("2029-04", "platform", "flat_fee", "40.00"),
    ]
    assert (april["subtotal"], april["discount_total"], april["total"]) == ("140.00", "0.00", "140.00")


async def test_a_subscription_begins_with_a_coupon_and_shares_it_again_at_the_close(time_machine: TimeMachine) -> None:
    """10.00 off 11 of 31 days of 31.00; with 22 used at the close, a third of it is on the fee."""
    await time_machine.at("2029-07-21T00:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization(grace_hours=0)
    team = await plan(xyra, fee("31.00"), USED)
    await organization.agent()
    made = await coupon(xyra, amounts={"USD": "10.00"})
    refused = await xyra.operator.send(
        "POST", "subscriptions", {"plan": team["key"], "organization_id": organization.id, "coupons": ["none"]}
    )
    assert refused.problem(422, "validation") == ["/coupons/0"]
    body = {"plan": team["key"], "coupons": [made["code"], "none"]}
    assert (await organization.key.send("POST", "subscriptions", body)).problem(422, "validation") == ["/coupons/1"]
    assert (await organization.key.get(f"organizations/{organization.id}/coupons"))["data"] == []
    await subscribe(organization, team, coupons=[made["code"]])
    await xyra.idle()
    (interim,) = await organization.invoices()
    assert lines(interim) == [
        ("2029-07", "subscription", "flat_fee", "11.00"),
        ("2029-07", "subscription", "discount", "-10.00"),
    ]
    await time_machine.at("2029-07-25T00:00:00Z")
    event = {"type": "command", "agent": "coder", "time": "2029-07-25T00:00:00Z", "data": {"quantity": "22"}}
    await organization.key.report({**event, "id": "used"})
    await time_machine.at("2029-08-01T01:00:00Z")
    documents = await organization.invoices()
    july = next(each for each in documents if each["kind"] == "period")
    assert [each for each in lines(july) if each[0] == "2029-07"] == [
        ("2029-07", "commands", "activity", "22.00"),
        ("2029-07", "commands", "discount", "-6.67"),
        ("2029-07", "subscription", "discount", "6.67"),
    ]
    assert sum(Decimal(each["discount_total"]) for each in documents) == 10


async def test_a_coupon_for_a_plan_is_for_its_lines_only(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-09-01T00:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization(grace_hours=0)
    base, addon = await plan(xyra, fee("30.00")), await plan(xyra, fee("20.00"), kind="addon")
    made = await coupon(xyra, percent="50", plans=[addon["key"]], duration="forever")
    assert made["plans"] == [addon["id"]]
    await redeem(organization, made["code"])
    await subscribe(organization, base)
    await subscribe(organization, addon)
    await xyra.idle()
    totals = sorted(each["total"] for each in await organization.invoices())
    assert totals == ["10.00", "30.00"]


async def test_of_twenty_at_once_one_redeems_what_is_left(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-11-10T00:00:00Z")
    xyra = time_machine.xyra
    made = await coupon(xyra, percent="20", maximum_redemptions=1)
    organizations = [await xyra.organization() for _ in range(20)]
    answers = await asyncio.gather(
        *(each.key.send("POST", f"organizations/{each.id}/coupons", {"code": made["code"]}) for each in organizations)
    )
    assert sorted(answer.status for answer in answers) == [201] + 19 * [409]
    assert (await xyra.operator.get(f"coupons/{made['id']}"))["redeemed"] == 1
