"""Subscriptions to plans, and the fees that invoices bill for them. Every figure is worked out by hand."""

import asyncio
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.plans import documents, fee, plan, seats, subscribe

Json = dict[str, Any]


async def test_a_subscription_of_an_organization_without_agents_pays_its_fee(time_machine: TimeMachine) -> None:
    await time_machine.at("2028-01-21T09:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization(grace_hours=0)
    team = await plan(xyra, fee("31.00"), seats("15.50"), {"key": "setup", "type": "setup_fee", "amount": "100.00"})
    made = await subscribe(organization, team, seats=2)
    assert (made["place"], made["plan"], made["status"], made["seats"]) == ("base", team["key"], "active", 2)
    assert made["current_period"] == {"start": "2028-01-01T00:00:00Z", "end": "2028-02-01T00:00:00Z"}

    await time_machine.at("2028-02-01T01:00:00Z")
    await time_machine.at("2028-03-01T01:00:00Z")
    assert await documents(organization) == [
        # At once, what is charged in advance: 11 of January's 31 days
        [("2028-01-01", "seats", "11.00"), ("2028-01-01", "subscription", "11.00")],
        [
            ("2028-01-01", "setup", "100.00"),
            ("2028-02-01", "seats", "31.00"),
            ("2028-02-01", "subscription", "31.00"),
        ],
        [("2028-03-01", "seats", "31.00"), ("2028-03-01", "subscription", "31.00")],
    ]


async def test_what_a_line_of_a_plan_says(time_machine: TimeMachine) -> None:
    await time_machine.at("2028-04-01T00:00:00Z")
    organization = await time_machine.xyra.organization()
    team = await plan(time_machine.xyra, fee("29.00"), name="Team")
    await subscribe(organization, team)
    (line,) = (await organization.preview("2028-04"))["lines"][:1]
    assert (line["model_name"], line["agent_id"], line["amount"]) == ("Team", None, "29.00")
    assert line["key"].endswith("/subscription/-")


async def test_a_subscription_that_starts_later_pays_from_then_on(time_machine: TimeMachine) -> None:
    await time_machine.at("2028-04-02T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0, due_days=60)
    team = await plan(time_machine.xyra, fee("30.00"))
    made = await subscribe(organization, team, start="2028-05-17T00:00:00Z")
    assert (made["status"], made["history"]) == ("scheduled", [])
    assert [entry["fees_from"] for entry in made["upcoming"]] == ["2028-05-17T00:00:00Z"]
    await time_machine.at("2028-05-01T01:00:00Z")
    await time_machine.at("2028-05-03T01:00:00Z")
    assert await documents(organization) == []
    await time_machine.at("2028-05-17T00:10:00Z")
    assert await documents(organization) == [[("2028-05-01", "subscription", "14.52")]]
    await time_machine.at("2028-06-01T01:00:00Z")
    assert (await documents(organization))[1:] == [[("2028-06-01", "subscription", "30.00")]]
    read = await organization.key.get(f"subscriptions/{made['id']}")
    assert (read["status"], read["upcoming"]) == ("active", [])


async def test_a_place_has_one_subscription_and_add_ons_stand_beside_it(xyra: Xyra) -> None:
    organization = await xyra.organization()
    team, other = await plan(xyra, fee("29.00")), await plan(xyra, fee("99.00"))
    addon = await plan(xyra, fee("10.00"), kind="addon")
    body = {"plan": team["key"], "organization_id": organization.id}
    headers = {"Idempotency-Key": "first"}
    first = await xyra.operator.post("subscriptions", body, headers=headers)
    assert await xyra.operator.post("subscriptions", body, headers=headers) == first
    for taken in (team, other):
        refused = await xyra.operator.send("POST", "subscriptions", body | {"plan": taken["id"]})
        assert refused.problem(409, "place_taken") == ["/plan"]
        assert refused.json()["subscription_id"] == first["id"]
    beside = await subscribe(organization, addon)
    assert beside["place"] == addon["key"]
    listed = (await organization.key.get("subscriptions"))["data"]
    assert {each["id"] for each in listed} == {first["id"], beside["id"]}


async def test_the_number_of_an_order_stands_on_what_is_invoiced_for_it(xyra: Xyra) -> None:
    organization = await xyra.organization()
    team, addon = await plan(xyra, fee("29.00")), await plan(xyra, fee("10.00"), kind="addon")
    beside = await subscribe(organization, addon, purchase_order="PO-2")
    assert beside["purchase_order"] == "PO-2"
    made = await subscribe(organization, team, purchase_order="PO-1")
    numbers = [
        (await organization.key.get(f"invoices/{each['invoice_id']}"))["purchase_order"] for each in (beside, made)
    ]
    assert numbers == ["PO-2", "PO-1"]
    assert (await organization.key.get("invoices/preview"))["purchase_order"] == "PO-1"


async def test_of_many_subscriptions_at_once_one_is_made(xyra: Xyra) -> None:
    organization = await xyra.organization()
    team = await plan(xyra, fee("29.00"))
    body = {"plan": team["key"], "organization_id": organization.id}
    answers = await asyncio.gather(*(xyra.operator.send("POST", "subscriptions", body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert len((await organization.key.get("subscriptions"))["data"]) == 1


async def test_what_cannot_be_subscribed_to_is_refused(xyra: Xyra) -> None:
    organization, european = await xyra.organization(), await xyra.organization(currency="EUR")
    team, hidden = await plan(xyra, fee("29.00")), await plan(xyra, fee("29.00"), public=False)
    old = await plan(xyra, fee("29.00"))
    await xyra.operator.post(f"plans/{old['id']}/archive", expect=200)
    for key, body in (
        (organization.key, {"plan": "nothing"}),
        (organization.key, {"plan": hidden["key"]}),
        (organization.key, {"plan": old["key"]}),
        (european.key, {"plan": team["key"]}),
    ):
        assert (await key.send("POST", "subscriptions", body)).problem(422, "validation") == ["/plan"]
    past = {"plan": team["key"], "organization_id": organization.id, "start": "2026-11-18T00:00:00Z"}
    assert (await xyra.operator.send("POST", "subscriptions", past)).problem(422, "validation") == ["/start"]
    own = {"plan": team["key"], "start": "2027-11-18T00:00:00Z"}
    (await organization.key.send("POST", "subscriptions", own)).problem(403, "forbidden")
    own = {"plan": team["key"], "trial_days": 14}
    (await organization.key.send("POST", "subscriptions", own)).problem(403, "forbidden")
    for field, value in (("quantity", 2), ("quantity", 0), ("anchor", 15), ("purchase_order", "")):
        body = {"plan": team["key"], field: value}
        assert (await organization.key.send("POST", "subscriptions", body)).problem(422, "validation") == [f"/{field}"]
    body = {"plan": team["key"], "coupons": ["nothing"]}
    assert (await organization.key.send("POST", "subscriptions", body)).problem(422, "validation") == ["/coupons/0"]
    await organization.key.post("subscriptions", {"plan": team["key"]})
