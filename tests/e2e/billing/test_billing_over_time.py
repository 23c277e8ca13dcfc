"""Documents over months: versions, late events, advance fees, corrections, catching up, and the grace time."""

from decimal import Decimal
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization
from tests.doubles.worlds.charges import commands

Json = dict[str, Any]

OCTOBER = {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
NOVEMBER = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}


def fee(amount: str, timing: str = "arrears") -> Json:
    return {"key": "platform", "type": "flat_fee", "amount": amount, "timing": timing}


def command(event_id: str, quantity: str, time: str) -> Json:
    return {"id": event_id, "type": "command", "agent": "coder", "time": time, "data": {"quantity": quantity}}


async def priced(time_machine: TimeMachine, *charges: Json) -> tuple[Organization, Json, Json]:
    """A new organization with a model and an agent on it, from now on."""
    organization = await time_machine.xyra.organization()
    model = await organization.model(*charges)
    agent = await organization.agent(billing_model_id=model["id"])
    return organization, model, agent


async def publish(organization: Organization, model: Json, effective_from: str, *charges: Json) -> None:
    path = f"billing-models/{model['id']}"
    etag = (await organization.operator.send("GET", path)).headers["ETag"]
    body = {"name": "Model", "currency": "USD", "effective_from": effective_from, "charges": charges}
    (await organization.operator.send("PUT", path, body, headers={"If-Match": etag})).expect(200)


def amounts(document: Json) -> dict[str, str]:
    return {line["charge"]: line["amount"] for line in document["lines"]}


async def test_each_event_has_the_price_of_its_time(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-01T00:00:00Z")
    organization, model, _ = await priced(time_machine, fee("310.00"), commands("1.00", "0.50"))
    await time_machine.at("2026-10-10T00:00:00Z")
    await publish(organization, model, "2026-10-16T00:00:00Z", fee("620.00"), commands("2.00", "0.10"))
    await time_machine.at("2026-10-20T00:00:00Z")
    await organization.key.report(
        command("new", "3", "2026-10-16T00:00:00Z"),
        command("old", "8", "2026-10-15T23:59:59.999999Z"),
        command("newer", "4", "2026-10-20T00:00:00Z"),
    )
    await time_machine.at("2026-11-01T00:01:00Z")
    preview = await organization.preview("2026-10")
    (invoice,) = await time_machine.xyra.generate(organization, "2026-10")
    assert preview["lines"] == invoice["lines"]
    # 15 of 31 days at 310, 16 at 620; 8 commands at the old first price, then the tiers go on: 2 at the new first
    # price, 5 at the new further price.
    assert amounts(invoice) == {"platform": "470.00", "commands": "12.50"}
    steps = next(line for line in invoice["lines"] if line["charge"] == "commands")["steps"]
    assert [(each["version"], each["quantity"], each["unit_amount"], each["amount"]) for each in steps] == [
        (1, "8", "1", "8"),
        (2, "2", "2", "4"),
        (2, "5", "0.1", "0.5"),
    ]


async def test_a_late_event_becomes_an_adjustment_and_the_sum_is_the_same(time_machine: TimeMachine) -> None:
    charges = (fee("100.00"), commands("1.005", "0.333"))
    await time_machine.at("2026-10-01T00:00:00Z")
    late, punctual = [(await priced(time_machine, *charges))[0] for _ in range(2)]
    events = [
        command("1", "9", "2026-10-10T00:00:00Z"),
        command("2", "4", "2026-10-31T23:59:59Z"),
        command("3", "5", "2026-11-02T00:00:00Z"),
    ]
    await time_machine.at("2026-10-31T23:59:59.5Z")
    await punctual.key.report(*events[:2])
    await late.key.report(events[0])
    await time_machine.at("2026-11-02T00:00:30Z")
    for each in (late, punctual):
        await time_machine.xyra.generate(each, "2026-10")
        await each.key.report(events[2])
    await late.key.report(events[1])
    await time_machine.at("2026-12-01T00:01:00Z")
    for each in (late, punctual):
        await time_machine.xyra.generate(each, "2026-11")

    october, november = await late.invoices()
    # 9 x 1.005 = 9.045; 10 x 1.005 + 3 x 0.333 = 11.049; 5 x 1.005 = 5.025
    assert amounts(october) == {"platform": "100.00", "commands": "9.05"}
    adjustments = [line for line in november["lines"] if line["type"] == "adjustment"]
    assert [(line["adjusts"], line["period"], line["amount"]) for line in adjustments] == [(OCTOBER, OCTOBER, "2.00")]
    own = [(line["charge"], line["amount"]) for line in november["lines"] if line["type"] != "adjustment"]
    assert own == [("commands", "5.03"), ("platform", "100.00")]
    assert november["number"] == f"INV-{late.slug.upper()}-2026-000002"
    assert [each["total"] for each in await punctual.invoices()] == ["111.05", "105.03"]
    assert sum(Decimal(each["total"]) for each in (october, november)) == Decimal("111.05") + Decimal("105.03")


async def test_a_fee_in_advance_is_billed_with_the_period_before(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-01T00:00:00Z")
    organization, _, _ = await priced(time_machine, fee("310.00", "advance"), commands("1", "1"))
    (september,) = await time_machine.xyra.generate(organization, "2026-09")
    assert [(line["timing"], line["period"], line["amount"]) for line in september["lines"]] == [
        ("advance", OCTOBER, "310.00")
    ]
    await time_machine.at("2026-10-05T00:00:00Z")
    await organization.key.report(command("1", "3", "2026-10-05T00:00:00Z"))
    await time_machine.at("2026-11-01T00:01:00Z")
    (october,) = await time_machine.xyra.generate(organization, "2026-10")
    assert [(line["charge"], line["period"], line["amount"]) for line in october["lines"]] == [
        ("commands", OCTOBER, "3.00"),
        ("platform", NOVEMBER, "310.00"),
    ]


async def test_what_was_billed_too_much_becomes_a_correction_note(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-01T00:00:00Z")
    organization, _, agent = await priced(time_machine, fee("310.00", "advance"))
    (september,) = await time_machine.xyra.generate(organization, "2026-09")
    await time_machine.at("2026-10-15T12:00:00Z")
    (await organization.key.send("DELETE", f"agents/{agent['id']}")).expect(204)
    await time_machine.at("2026-11-01T00:01:00Z")
    preview = await organization.preview("2026-10")
    assert preview["lines"] == []
    # 15 of 31 days: 150.00 is due, 310.00 was billed.
    assert [note["total"] for note in preview["credit_notes"]] == ["-160.00"]
    assert await time_machine.xyra.generate(organization, "2026-10") == []
    (invoice,) = await organization.invoices()
    (note,) = invoice.pop("credit_notes")
    lowered = {"status": "overdue", "amount_due": "150.00"}  # the note covers 160.00 of what is open
    assert invoice == {name: value for name, value in september.items() if name != "credit_notes"} | lowered
    assert (note["number"], note["reason"], note["total"]) == (
        f"CN-{organization.slug.upper()}-2026-000001",
        "correction",
        "-160.00",
    )
    assert [(line["type"], line["adjusts"], line["amount"]) for line in note["lines"]] == [
        ("correction", OCTOBER, "-160.00")
    ]
    await time_machine.at("2026-12-02T00:06:00Z")
    assert len(await organization.invoices()) == 1


async def test_months_of_silence_are_caught_up(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-06-16T00:00:00Z")
    organization, _, _ = await priced(time_machine, fee("300.00"))
    await time_machine.at("2026-11-05T00:00:00Z")
    invoices = await organization.invoices()
    assert [each["total"] for each in invoices] == ["150.00", "300.00", "300.00", "300.00", "300.00"]
    assert [each["period"]["start"][:7] for each in invoices] == [f"2026-{month:02d}" for month in range(6, 11)]
    assert [each["number"][-6:] for each in invoices] == ["000001", "000002", "000003", "000004", "000005"]
    assert {each["status"] for each in invoices} == {"pending"}


async def test_nothing_to_bill_makes_no_invoice(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-01T00:00:00Z")
    organization, _, _ = await priced(time_machine, commands("1", "1"))
    await organization.agent("free")
    await time_machine.at("2026-10-05T00:00:00Z")
    await organization.key.report(
        command("1", "0", "2026-10-05T00:00:00Z"),
        command("2", "5", "2026-10-05T00:00:00Z") | {"agent": "free"},
    )
    await time_machine.at("2026-11-03T00:00:00Z")
    assert await time_machine.xyra.generate(organization, "2026-10") == []
    assert await organization.invoices() == []
    assert await organization.usage("2026-10", "commands") == 0


async def test_the_timer_drafts_at_once_and_finalizes_after_the_grace_time(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-01T00:00:00Z")
    organization, _, _ = await priced(time_machine, fee("100.00"), commands("1", "1"))
    await time_machine.at("2026-10-31T23:30:00Z")
    assert await organization.invoices() == []
    await time_machine.at("2026-11-01T00:06:00Z")
    (draft,) = await organization.invoices()
    assert (draft["status"], draft["number"], draft["total"]) == ("draft", None, "100.00")
    await organization.key.report(command("late", "7", "2026-10-31T23:59:59Z"))
    await time_machine.at("2026-11-01T23:06:00Z")
    (still,) = await organization.invoices()
    assert still["status"] == "draft"
    await time_machine.at("2026-11-02T00:06:00Z")
    (invoice,) = await organization.invoices()
    assert (invoice["id"], invoice["status"], invoice["total"]) == (draft["id"], "pending", "107.00")
    assert invoice["number"] == f"INV-{organization.slug.upper()}-2026-000001"
    assert invoice["issued_at"].startswith("2026-11-02T00:06")
    assert invoice["due_at"].startswith("2026-11-17T00:06")
    await time_machine.at("2026-11-02T05:06:00Z")
    assert await organization.invoices() == [invoice]


async def test_the_year_in_a_number_is_that_of_the_issue_in_the_organizations_timezone(
    time_machine: TimeMachine,
) -> None:
    await time_machine.at("2026-11-01T12:00:00Z")
    organization = await time_machine.xyra.organization(timezone="Asia/Tokyo")
    model = await organization.model(fee("100.00"))
    await organization.agent(billing_model_id=model["id"])
    await time_machine.at("2026-12-31T14:59:00Z")
    (november,) = await time_machine.xyra.generate(organization, "2026-11")
    await time_machine.at("2026-12-31T15:01:00Z")
    (december,) = await time_machine.xyra.generate(organization, "2026-12")
    assert november["number"].endswith("-2026-000001")
    assert december["number"].endswith("-2027-000001")


async def test_an_agent_that_gets_its_model_later_is_billed_without_any_usage(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-01T00:00:00Z")
    organization = await time_machine.xyra.organization()
    model = await organization.model(fee("310.00"))
    agent = await organization.agent()
    change = {"billing_model_id": model["id"], "billing_model_from": "2026-10-17T00:00:00Z"}
    (await organization.key.send("PATCH", f"agents/{agent['id']}", change)).expect(200)
    await time_machine.at("2026-10-17T00:01:00Z")
    await time_machine.at("2026-11-03T00:10:00Z")
    assert [(each["status"], each["total"]) for each in await organization.invoices()] == [("pending", "150.00")]


async def test_an_end_does_not_wait_for_a_change_that_was_planned(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-01T00:00:00Z")
    organization, _, agent = await priced(time_machine, fee("310.00"))
    other = await organization.model(fee("3100.00"))
    change = {"billing_model_id": other["id"], "billing_model_from": "2026-12-15T00:00:00Z"}
    (await organization.key.send("PATCH", f"agents/{agent['id']}", change)).expect(200)
    await time_machine.at("2026-10-15T12:00:00Z")
    (await organization.key.send("DELETE", f"agents/{agent['id']}")).expect(204)
    await time_machine.at("2026-11-03T00:10:00Z")
    late = command("after", "1", "2026-11-02T00:00:00Z")
    assert (await organization.key.send("POST", "events", late)).problem(422, "validation") == ["/agent"]
    (october,) = await time_machine.xyra.generate(organization, "2026-10")
    assert amounts(october) == {"platform": "150.00"}
    await time_machine.at("2027-01-01T00:01:00Z")
    assert await time_machine.xyra.generate(organization, "2026-12") == []


async def test_a_draft_shows_what_finalizing_it_issues(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-01T00:00:00Z")
    organization, _, agent = await priced(time_machine, fee("310.00", "advance"))
    await time_machine.xyra.generate(organization, "2026-09")
    await time_machine.at("2026-10-15T12:00:00Z")
    (await organization.key.send("DELETE", f"agents/{agent['id']}")).expect(204)
    await time_machine.at("2026-11-01T00:01:00Z")
    preview = await organization.preview("2026-10")
    (draft,) = await time_machine.xyra.generate(organization, "2026-10", finalize=False)
    shown = [(each["lines"], each["total"], each["credit_notes"]) for each in (preview, draft)]
    assert shown[0] == shown[1]
    issued = (await organization.operator.send("POST", f"invoices/{draft['id']}/finalize")).expect(200)
    assert (issued["id"], issued["lines"]) == (None, [])
    assert [(note["number"], note["total"]) for note in issued["credit_notes"]] == [
        (f"CN-{organization.slug.upper()}-2026-000001", "-160.00")
    ]
