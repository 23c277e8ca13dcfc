"""Changes of subscriptions in time: what they issue, when, and what the invoice of the period says then.

Every figure is worked out by hand.
"""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.commanded_subscriptions import body_of, command, issued, lines
from tests.doubles.worlds.plans import documents, fee, plan, seats, subscribe

Json = dict[str, Any]


async def preview(organization: Organization, subscription: Json, name: str, **body: Any) -> Json:
    return await organization.operator.post(
        f"subscriptions/{subscription['id']}/{name}", body_of(name, body), expect=200, preview="true"
    )


async def two_plans(xyra: Xyra) -> tuple[Json, Json]:
    """Of 30.00 and 90.00 a month, in advance."""
    return await plan(xyra, fee("30.00"), name="Small"), await plan(xyra, fee("90.00"), name="Large")


async def test_an_upgrade_in_mid_period_is_on_one_document_and_equals_its_preview(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-04-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    small, large = await two_plans(time_machine.xyra)
    made = await subscribe(organization, small)
    assert await issued(organization, made) == {"Small subscription": "30.00"}

    await time_machine.at("2029-04-11T15:00:00Z")
    seen = await preview(organization, made, "change", plan=large["key"])
    changed = await command(organization, made, "change", plan=large["key"])
    invoice = await organization.key.get(f"invoices/{changed['invoice_id']}")
    assert lines(invoice) == {
        "Small subscription": "-20.00",  # 10 of 30 days are left of it
        "Large subscription": "60.00",  # 20 of 30 days, today with them
    }
    varying = {"id", "number", "status", "lines_url", "as_of", "issued_at", "due_at", "finalized_at"}
    shown, then = ({k: v for k, v in each.items() if k not in varying} for each in (seen["invoice"], invoice))
    assert shown == then
    assert (seen["note"], seen["later"]) == (None, [])
    assert (changed["plan"], changed["history"][0]["plan"]) == (large["key"], small["key"])

    await time_machine.at("2029-05-01T01:00:00Z")
    assert (await documents(organization))[2:] == [[("2029-05-01", "subscription", "90.00")]]


async def test_what_falls_by_a_downgrade_waits_for_the_invoice_of_the_period(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-06-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    small, large = await two_plans(time_machine.xyra)
    made = await subscribe(organization, large)
    await time_machine.at("2029-06-16T00:00:00Z")
    seen = await preview(organization, made, "change", plan=small["key"])
    assert seen["invoice"] is None
    assert sorted(line["amount"] for line in seen["later"]) == ["-45.00", "15.00"]
    changed = await command(organization, made, "change", plan=small["key"])
    assert changed["invoice_id"] is None
    await time_machine.at("2029-07-01T01:00:00Z")
    (closing,) = [invoice for invoice in await organization.invoices() if invoice["kind"] == "period"]
    assert sorted((line["period"]["start"][:7], line["amount"]) for line in closing["lines"]) == [
        ("2029-06", "-45.00"),
        ("2029-06", "15.00"),
        ("2029-07", "30.00"),
    ]
    assert closing["total"] == "0.00"


async def test_a_change_undone_the_same_day_costs_nothing(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-08-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    small = await plan(time_machine.xyra, fee("31.00"), name="Small")
    setup = {"key": "setup", "type": "setup_fee", "amount": "500.00"}
    large = await plan(time_machine.xyra, fee("93.00"), setup, name="Large")
    made = await subscribe(organization, small)
    await time_machine.at("2029-08-10T09:00:00Z")
    changed = await command(organization, made, "change", plan=large["key"])
    assert await issued(organization, changed) == {"Small subscription": "-22.00", "Large subscription": "66.00"}
    await time_machine.at("2029-08-10T21:00:00Z")
    undone = await command(organization, made, "change", plan=small["key"])
    assert undone["invoice_id"] is None
    await time_machine.at("2029-09-01T01:00:00Z")
    of_august = [
        Decimal(line["amount"])
        for invoice in await organization.invoices()
        for document in (invoice, *invoice["credit_notes"])
        for line in document["lines"]
        if line["period"]["start"].startswith("2029-08")
    ]
    assert sum(of_august) == Decimal("31.00")


async def test_two_changes_in_one_day_bill_the_last_one(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-10-01T00:00:00Z")
    organization = await time_machine.xyra.organization(timezone="America/New_York")
    xyra = time_machine.xyra
    one, two, three = [await plan(xyra, fee(f"{amount}.00"), name=f"{amount}") for amount in ("31", "62", "93")]
    await time_machine.at("2029-10-01T05:00:00Z")
    made = await subscribe(organization, one)
    # Both are on 16 October in New York.
    await time_machine.at("2029-10-16T04:00:00Z")
    await command(organization, made, "change", plan=two["key"])
    await time_machine.at("2029-10-17T03:50:00Z")
    last = await command(organization, made, "change", plan=three["key"])
    assert await issued(organization, last) == {"62 subscription": "-32.00", "93 subscription": "48.00"}


@pytest.mark.parametrize(
    ("at", "old", "new"),
    [
        ("2029-11-01T00:00:00Z", "-30.00", "90.00"),  # the first instant: all of the month
        ("2029-11-30T23:50:00Z", "-1.00", "3.00"),  # the last minutes: their day
    ],
)
async def test_a_change_at_the_first_and_the_last_instant(
    time_machine: TimeMachine, at: str, old: str, new: str
) -> None:
    await time_machine.at("2029-11-01T00:00:00Z")
    organization = await time_machine.xyra.organization()
    small, large = await two_plans(time_machine.xyra)
    made = await subscribe(organization, small)
    await time_machine.at(at)
    changed = await command(organization, made, "change", plan=large["key"])
    assert await issued(organization, changed) == {"Small subscription": old, "Large subscription": new}


async def test_seats_are_added_and_billed_from_their_day_on(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-12-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    team = await plan(time_machine.xyra, fee("31.00"), seats("31.00"), name="Team")
    made = await subscribe(organization, team, seats=2)
    assert await issued(organization, made) == {"Team subscription": "31.00", "Team seats": "62.00"}
    await time_machine.at("2029-12-22T12:00:00Z")
    changed = await command(organization, made, "change", seats=5)
    assert changed["seats"] == 5
    assert await issued(organization, changed) == {"Team seats": "30.00"}  # 3 seats for 10 of 31 days
    await time_machine.at("2029-12-30T12:00:00Z")
    await command(organization, made, "change", seats=1, at="period_end")
    await time_machine.at("2030-01-01T01:00:00Z")
    assert (await documents(organization))[2:] == [
        [("2030-01-01", "seats", "31.00"), ("2030-01-01", "subscription", "31.00")]
    ]


async def test_a_subscription_ends_with_its_period_and_can_be_taken_back(time_machine: TimeMachine) -> None:
    await time_machine.at("2030-02-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    small, _ = await two_plans(time_machine.xyra)
    made = await subscribe(organization, small)
    ending = await command(organization, made, "cancel", reason="too small")
    assert (ending["status"], ending["invoice_id"]) == ("active", None)
    assert [(entry["status"], entry["fees_from"]) for entry in ending["upcoming"]] == [
        ("canceled", "2030-03-01T00:00:00Z")
    ]
    assert (await command(organization, made, "withdraw"))["upcoming"] == []
    await command(organization, made, "cancel")
    await time_machine.at("2030-03-01T01:00:00Z")
    assert (await organization.key.get(f"subscriptions/{made['id']}"))["status"] == "canceled"
    assert await documents(organization) == [[("2030-02-01", "subscription", "30.00")]]
    again = await subscribe(organization, small)
    assert again["id"] != made["id"]


async def test_a_subscription_that_ends_now_pays_its_last_day(time_machine: TimeMachine) -> None:
    await time_machine.at("2030-04-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    small, large = await two_plans(time_machine.xyra)
    made = await subscribe(organization, small)
    await time_machine.at("2030-04-10T12:00:00Z")
    ended = await command(organization, made, "cancel", at="now")
    assert (ended["status"], ended["invoice_id"]) == ("canceled", None)
    # Another one on the same day has that day, and the credit is offset on its invoice.
    again = await subscribe(organization, large)
    assert await issued(organization, again) == {"Small subscription": "-21.00", "Large subscription": "63.00"}
    path = f"subscriptions/{made['id']}/change"
    refused = await organization.operator.send("POST", path, {"seats": 1}, headers={"Idempotency-Key": "late"})
    refused.problem(409, "conflict")


async def test_a_change_at_a_date_is_invoiced_on_that_day(time_machine: TimeMachine) -> None:
    await time_machine.at("2030-06-01T00:00:00Z")
    organization = await time_machine.xyra.organization()
    small, large = await two_plans(time_machine.xyra)
    made = await subscribe(organization, small)
    dated = await command(organization, made, "change", plan=large["key"], at="2030-06-21T00:00:00Z")
    assert (dated["plan"], dated["invoice_id"]) == (small["key"], None)
    assert [entry["plan"] for entry in dated["upcoming"]] == [large["key"]]
    await time_machine.at("2030-06-20T23:00:00Z")
    assert len(await organization.invoices()) == 1
    await time_machine.at("2030-06-21T00:10:00Z")
    (interim,) = [lines(each) for each in await organization.invoices() if len(each["lines"]) > 1]
    assert interim == {"Small subscription": "-10.00", "Large subscription": "30.00"}


async def test_a_preview_assumes_the_interim_invoices_before_it_and_shows_their_lines(
    time_machine: TimeMachine,
) -> None:
    await time_machine.at("2030-09-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    small, large = await two_plans(time_machine.xyra)
    made = await subscribe(organization, small)
    await command(organization, made, "change", plan=large["key"], at="2030-09-21T12:00:00Z")
    seen = await organization.preview("2030-09")
    # 10 of 30 days change on the 21st; the invoice of September has October's fee.
    assert lines({"lines": seen["later"]}) == {"Small subscription": "-10.00", "Large subscription": "30.00"}
    assert [(line["period"]["start"][:7], line["amount"]) for line in seen["lines"]] == [("2030-10", "90.00")]
    await time_machine.at("2030-09-21T12:10:00Z")
    assert (await organization.preview("2030-09"))["later"] == []
    await time_machine.at("2030-10-01T01:00:00Z")
    (closing,) = [invoice for invoice in await organization.invoices() if invoice["kind"] == "period"]
    assert [line["amount"] for line in closing["lines"]] == ["90.00"]


async def test_a_preview_in_mid_period_is_the_invoice_after_grace(time_machine: TimeMachine) -> None:
    """July's fee in advance, at the plan that is had since the 11th, and 7 calls under the one that was left."""
    await time_machine.at("2034-06-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=48)
    await organization.agent()
    meter = {"event_type": "call", "aggregation": "count"}
    calls = {"key": "calls", "type": "activity", "scope": "organization", "meter": meter}
    calls["pricing"] = {"type": "per_unit", "unit_amount": "1.50"}
    small = await plan(time_machine.xyra, fee("30.00"), calls, name="Small")
    large = await plan(time_machine.xyra, fee("90.00"), name="Large")
    made = await subscribe(organization, small)
    await time_machine.at("2034-06-05T00:00:00Z")
    event = {"type": "call", "agent": "coder", "time": "2034-06-04T00:00:00Z"}
    await organization.key.report(*({"id": f"call {number}", **event} for number in range(7)))
    await time_machine.at("2034-06-11T12:00:00Z")
    await command(organization, made, "change", plan=large["key"])
    await time_machine.at("2034-06-15T12:00:00Z")
    preview = await organization.preview("2034-06")
    assert lines(preview) == {"Small calls": "10.50", "Large subscription": "90.00"}
    await time_machine.at("2034-07-03T01:00:00Z")
    (closing,) = [invoice for invoice in await organization.invoices() if invoice["kind"] == "period"]
    varying = {"id", "number", "status", "revision", "lines_url", "as_of", "issued_at", "due_at", "finalized_at"}
    shown, then = ({k: v for k, v in each.items() if k not in varying} for each in (preview, closing))
    assert shown == then
    assert closing["total"] == "100.50"


async def test_days_are_local_across_a_change_of_clocks(time_machine: TimeMachine) -> None:
    """March 2030 has 31 days in Berlin, one of them of 23 hours; the 31st begins at 22:00 UTC on the 30th."""
    await time_machine.at("2030-02-28T23:00:00Z")
    organization = await time_machine.xyra.organization(timezone="Europe/Berlin")
    small = await plan(time_machine.xyra, fee("31.00"), name="Small")
    large = await plan(time_machine.xyra, fee("93.00"), name="Large")
    made = await subscribe(organization, small)
    assert await issued(organization, made) == {"Small subscription": "31.00"}
    await time_machine.at("2030-03-31T21:50:00Z")
    changed = await command(organization, made, "change", plan=large["key"])
    assert await issued(organization, changed) == {"Small subscription": "-1.00", "Large subscription": "3.00"}


async def test_a_leap_day_is_a_day(time_machine: TimeMachine) -> None:
    await time_machine.at("2032-02-01T00:00:00Z")
    organization = await time_machine.xyra.organization()
    small, large = [await plan(time_machine.xyra, fee(amount), name=amount) for amount in ("29.00", "58.00")]
    made = await subscribe(organization, small)
    await time_machine.at("2032-02-29T12:00:00Z")
    changed = await command(organization, made, "change", plan=large["key"])
    assert await issued(organization, changed) == {"29.00 subscription": "-1.00", "58.00 subscription": "2.00"}


async def test_commands_are_repeated_by_their_key_and_refused_with_what_is_wrong(xyra: Xyra) -> None:
    organization = await xyra.organization()
    small, large = await two_plans(xyra)
    addon = await plan(xyra, fee("1.00"), kind="addon")
    made = await subscribe(organization, small)
    path = f"subscriptions/{made['id']}/change"
    headers = {"Idempotency-Key": "up"}
    body = {"plan": large["key"]}
    first = await organization.key.post(path, body, expect=200, headers=headers)
    assert await organization.key.post(path, body, expect=200, headers=headers) == first
    read = await organization.key.get(f"subscriptions/{made['id']}")
    assert len(read["history"]) == 2

    async def refused(**body: Any) -> list[str]:
        answer = await organization.key.send("POST", path, body, headers={"Idempotency-Key": uuid4().hex})
        return answer.problem(422, "validation")

    assert await refused() == ["/plan"]
    assert await refused(plan="nothing") == ["/plan"]
    assert await refused(plan=addon["key"]) == ["/plan"]
    assert await refused(seats=2, at="yesterday") == ["/at"]
    assert await refused(seats=2, at="2026-11-17T00:00:00Z") == ["/at"]
    assert await refused(seats=-1) == ["/seats"]
    assert await refused(seats=1, proration="hours") == ["/proration"]
    assert await refused(quantity=2) == ["/quantity"]
    assert await refused(quantity=0) == ["/quantity"]
    headers = {"Idempotency-Key": uuid4().hex}
    tried = await organization.operator.send("POST", path, {"seats": 2, "trial_days": 5}, headers=headers)
    assert tried.problem(422, "validation") == ["/trial_days"]
    without = await organization.key.send("POST", path, body)
    assert without.problem(422, "validation") == ["Idempotency-Key"]
    for name, sent in (("pause", {}), ("resume", None)):
        answer = await organization.key.send("POST", f"subscriptions/{made['id']}/{name}", sent)
        answer.problem(403, "forbidden")


async def test_a_trial_has_no_fees_and_its_end_is_invoiced_on_its_day(time_machine: TimeMachine) -> None:
    await time_machine.at("2033-03-02T12:00:00Z")
    organization = await time_machine.xyra.organization(timezone="Europe/Berlin")
    team = await plan(time_machine.xyra, fee("31.00"), seats("31.00"), name="Team", trial={"days": 14})
    made = await subscribe(organization, team, seats=1)
    assert (made["status"], made["invoice_id"]) == ("trialing", None)
    assert made["trial_ends_at"].startswith("2033-03-16T12:0")
    assert [(entry["status"], entry["fees_from"]) for entry in made["upcoming"]] == [("active", made["trial_ends_at"])]
    await time_machine.at("2033-03-16T11:50:00Z")
    assert await organization.invoices() == []
    await time_machine.at("2033-03-16T12:20:00Z")
    (interim,) = await organization.invoices()
    # The 16th belongs to the plan as it is at its end: 16 of 31 days.
    assert lines(interim) == {"Team subscription": "16.00", "Team seats": "16.00"}
    assert (await organization.key.get(f"subscriptions/{made['id']}"))["status"] == "active"
    # No second trial at the place, unless the operator gives one.
    await command(organization, made, "cancel", at="now")
    assert (await subscribe(organization, team))["status"] == "active"


async def test_a_change_ends_a_trial_and_one_that_is_undone_the_same_day_takes_it_up_again(
    time_machine: TimeMachine,
) -> None:
    await time_machine.at("2033-05-01T00:00:00Z")
    organization = await time_machine.xyra.organization()
    small = await plan(time_machine.xyra, fee("31.00"), name="Small", trial={"days": 10, "then": "canceled"})
    large = await plan(time_machine.xyra, fee("93.00"), name="Large")
    made = await subscribe(organization, small)
    await time_machine.at("2033-05-03T09:00:00Z")
    changed = await command(organization, made, "change", plan=large["key"])
    assert (changed["status"], changed["trial_ends_at"]) == ("active", None)
    assert await issued(organization, changed) == {"Large subscription": "87.00"}
    await time_machine.at("2033-05-03T18:00:00Z")
    back = await command(organization, made, "change", plan=small["key"])
    assert (back["status"], back["trial_ends_at"]) == ("trialing", made["trial_ends_at"])
    # A later cancellation leaves the trial as it is; that of the trial's end is its end.
    ending = await command(organization, made, "cancel")
    assert [entry["fees_from"] for entry in ending["upcoming"]] == [made["trial_ends_at"]]
    await time_machine.at("2033-05-11T00:20:00Z")
    assert (await organization.key.get(f"subscriptions/{made['id']}"))["status"] == "canceled"
    assert (await organization.preview("2033-05"))["credit_notes"][0]["total"] == "-87.00"


async def test_a_pause_has_no_fees_until_its_end(time_machine: TimeMachine) -> None:
    await time_machine.at("2033-07-01T00:00:00Z")
    organization = await time_machine.xyra.organization(due_days=60)
    small, large = await two_plans(time_machine.xyra)
    made = await subscribe(organization, small)
    await time_machine.at("2033-07-10T12:00:00Z")
    paused = await command(organization, made, "pause", until="2033-07-21T12:00:00Z")
    assert (paused["status"], paused["invoice_id"]) == ("paused", None)
    body, headers = {"plan": large["key"]}, {"Idempotency-Key": uuid4().hex}
    path = f"subscriptions/{made['id']}/change"
    (await organization.operator.send("POST", path, body, headers=headers)).problem(409, "conflict")
    await time_machine.at("2033-07-21T12:05:00Z")
    assert (await organization.key.get(f"subscriptions/{made['id']}"))["status"] == "active"
    # 10 days before it, 11 from the 21st on: 21 of 31 days of 30.00
    (july,) = [
        line["amount"]
        for line in (await organization.preview("2033-07"))["lines"]
        if line["period"]["start"].startswith("2033-07")
    ]
    assert july == "-9.68"
    await time_machine.at("2033-07-25T00:00:00Z")
    await command(organization, made, "pause")
    await time_machine.at("2033-07-25T10:00:00Z")
    assert (await command(organization, made, "resume"))["status"] == "active"
