"""Quarters, years and months of plans: where they begin, and what parts of them cost.

Every figure is worked out by hand. A year of 365.00 costs 1.00 a day.
"""

from decimal import Decimal
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization
from tests.doubles.worlds.commanded_subscriptions import command, issued, lines
from tests.doubles.worlds.plans import documents, fee, plan, seats, subscribe

Json = dict[str, Any]


async def interims(organization: Organization) -> list[Json]:
    """In the order of their issue."""
    invoices = [invoice for invoice in await organization.invoices() if invoice["kind"] == "interim"]
    return sorted(invoices, key=lambda invoice: invoice["number"])


def days(cycle: Json) -> tuple[str, str]:
    return cycle["start"][:10], cycle["end"][:10]


async def test_a_year_in_advance_is_changed_in_month_5_on_one_document(time_machine: TimeMachine) -> None:
    """After the period that billed it was settled. 10 May to 31 December are 236 days."""
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    annual = await plan(time_machine.xyra, fee("365.00", interval="year"), name="Annual", interval="year")
    double = await plan(time_machine.xyra, fee("730.00", interval="year"), name="Double", interval="year")
    made = await subscribe(organization, annual)
    assert await issued(organization, made) == {"Annual subscription": "365.00"}
    assert days(made["current_cycle"]) == ("2027-01-01", "2028-01-01")
    for month in range(2, 6):
        await time_machine.at(f"2027-{month:02}-03T01:00:00Z")
    await time_machine.at("2027-05-10T12:00:00Z")
    changed = await command(organization, made, "change", plan=double["key"])
    assert await issued(organization, changed) == {"Annual subscription": "-236.00", "Double subscription": "472.00"}
    (of_annual,) = [
        line
        for line in (await organization.key.get(f"invoices/{changed['invoice_id']}"))["lines"]
        if line["amount"] == "-236.00"
    ]
    assert days(of_annual["adjusts"]) == ("2027-01-01", "2027-02-01")
    await time_machine.at("2027-06-03T01:00:00Z")
    assert len(await documents(organization)) == 2
    assert days(changed["current_cycle"]) == ("2027-01-01", "2028-01-01")


async def test_a_year_that_falls_is_credited_with_the_period(time_machine: TimeMachine) -> None:
    """From a year to a month on 15 June: 200 days of the year fall, 16 of June's 30 days are new."""
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    annual = await plan(time_machine.xyra, fee("365.00", interval="year"), name="Annual", interval="year")
    monthly = await plan(time_machine.xyra, fee("30.00"), name="Monthly")
    made = await subscribe(organization, annual)
    await time_machine.at("2027-06-15T08:00:00Z")
    changed = await command(organization, made, "change", plan=monthly["key"])
    assert changed["invoice_id"] is None
    await time_machine.at("2027-07-01T01:00:00Z")
    noted, closing = sorted(await organization.invoices(), key=lambda invoice: invoice["number"])
    # 46.00 of it are offset on the invoice of June; the note names the invoice that it corrects.
    assert sorted(line["amount"] for line in closing["lines"]) == ["-46.00", "16.00", "30.00"]
    assert [(note["total"], len(note["lines"])) for note in noted["credit_notes"]] == [("-154.00", 1)]


async def test_what_a_dated_change_takes_off_a_year_is_credited_before_its_date(
    time_machine: TimeMachine,
) -> None:
    """What is due is a function of what is agreed. 10 August to 31 December are 144 days."""
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    annual = await plan(time_machine.xyra, fee("365.00", interval="year"), name="Annual", interval="year")
    double = await plan(time_machine.xyra, fee("730.00", interval="year"), name="Double", interval="year")
    made = await subscribe(organization, annual)
    await time_machine.at("2027-05-10T12:00:00Z")
    dated = {"plan": double["key"], "at": "2027-08-10T00:00:00Z"}
    assert (await command(organization, made, "change", **dated))["invoice_id"] is None
    await time_machine.at("2027-06-01T01:00:00Z")
    assert (await documents(organization))[1:] == [[("2027-01-01", "subscription", "-144.00")]]
    # Taken back, it is billed again, and agreed anew, credited again.
    withdrawn = await command(organization, made, "withdraw")
    assert await issued(organization, withdrawn) == {"Annual subscription": "144.00"}
    await command(organization, made, "change", **dated)
    await time_machine.at("2027-07-01T01:00:00Z")
    await time_machine.at("2027-08-10T01:00:00Z")
    assert lines((await interims(organization))[-1]) == {"Double subscription": "288.00"}
    amounts = [Decimal(amount) for document in await documents(organization) for _, _, amount in document]
    assert sum(amounts) == Decimal("509.00")  # 221 days at 1.00, 144 at 2.00


async def test_a_stub_of_12_days_pays_12_of_31(time_machine: TimeMachine) -> None:
    """The anchor moves from the 1st to the 13th in February 2027: the month is 13 January to 13 February."""
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    team = await plan(time_machine.xyra, fee("31.00"), seats("3.10"), name="Team")
    made = await subscribe(organization, team, seats=2)
    await time_machine.at("2027-01-13T00:00:00Z")
    moved = await command(organization, made, "change", reset_anchor=True)
    assert moved["invoice_id"] is None
    await time_machine.at("2027-02-01T01:00:00Z")
    await time_machine.at("2027-02-13T01:00:00Z")
    assert (await documents(organization))[1:] == [
        [("2027-02-01", "seats", "2.40"), ("2027-02-01", "subscription", "12.00")],
        [("2027-02-13", "seats", "6.20"), ("2027-02-13", "subscription", "31.00")],
    ]
    read = await organization.key.get(f"subscriptions/{made['id']}")
    assert days(read["current_period"]) == ("2027-02-13", "2027-03-13")


async def test_an_anchor_is_moved_with_a_monthly_and_a_yearly_fee(time_machine: TimeMachine) -> None:
    """Of the first year 12 days are left, a new one begins; the months begin on the 13th from February on."""
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    licence = fee("365.00", key="licence", interval="year")
    team = await plan(time_machine.xyra, fee("31.00"), licence, name="Team")
    made = await subscribe(organization, team)
    assert await issued(organization, made) == {"Team subscription": "31.00", "Team licence": "365.00"}
    await time_machine.at("2027-01-13T10:00:00Z")
    moved = await command(organization, made, "change", reset_anchor=True)
    assert await issued(organization, moved) == {"Team licence": "12.00"}
    await time_machine.at("2027-02-01T01:00:00Z")
    assert (await documents(organization))[2:] == [[("2027-02-01", "subscription", "12.00")]]
    await time_machine.at("2028-01-12T01:00:00Z")
    before = len(await documents(organization))
    await time_machine.at("2028-01-13T01:00:00Z")
    # The next year begins with a period, so the invoice of the one before has it.
    assert (await documents(organization))[before:] == [
        [("2028-01-13", "licence", "365.00"), ("2028-01-13", "subscription", "31.00")]
    ]


async def test_a_year_begins_inside_a_month_and_is_invoiced_on_that_day(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-03-10T15:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0, timezone="Asia/Kolkata")
    annual = await plan(time_machine.xyra, fee("365.00", interval="year"), name="Annual", interval="year")
    made = await subscribe(organization, annual)
    assert made["current_cycle"] == {"start": "2027-03-09T18:30:00Z", "end": "2028-03-09T18:30:00Z"}
    # 10 March 2027 to 9 March 2028 are 366 days, with 29 February.
    assert await issued(organization, made) == {"Annual subscription": "365.00"}
    await time_machine.at("2028-03-09T18:00:00Z")
    assert len(await interims(organization)) == 1
    await time_machine.at("2028-03-09T19:40:00Z")
    _, anniversary = await interims(organization)
    assert (lines(anniversary), anniversary["lines"][0]["covers"]) == (
        {"Annual subscription": "365.00"},
        {"start": "2028-03-09T18:30:00Z", "end": "2029-03-09T18:30:00Z"},
    )
    await time_machine.at("2028-04-01T19:00:00Z")
    assert len(await documents(organization)) == 2


async def test_quarters_from_the_31st_end_with_short_months(time_machine: TimeMachine) -> None:
    await time_machine.at("2028-01-31T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    quarterly = await plan(time_machine.xyra, fee("92.00", interval="quarter"), name="Quarterly", interval="quarter")
    made = await subscribe(organization, quarterly)
    assert days(made["current_cycle"]) == ("2028-01-31", "2028-04-30")
    await time_machine.at("2028-04-30T01:00:00Z")
    read = await organization.key.get(f"subscriptions/{made['id']}")
    assert days(read["current_cycle"]) == ("2028-04-30", "2028-07-31")
    # 92 days from 30 April on, of which 62 are left from 30 May on.
    await time_machine.at("2028-05-30T00:00:00Z")
    seen = await organization.operator.post(
        f"subscriptions/{made['id']}/cancel", {"at": "now"}, expect=200, preview="true"
    )
    # The day on which it ends is its own.
    assert [line["amount"] for line in seen["later"]] == ["-61.00"]


async def test_calendar_years_begin_in_january_and_a_late_one_pays_its_days(time_machine: TimeMachine) -> None:
    """2027 has 365 days, 31 of them in December."""
    await time_machine.at("2027-12-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    charged = fee("365.00", interval="year")
    annual = await plan(time_machine.xyra, charged, name="Annual", interval="year", anchor="calendar")
    made = await subscribe(organization, annual)
    assert await issued(organization, made) == {"Annual subscription": "31.00"}
    assert days(made["current_cycle"]) == ("2027-12-01", "2028-01-01")
    await time_machine.at("2028-01-01T01:00:00Z")
    assert (await documents(organization))[1:] == [[("2028-01-01", "subscription", "365.00")]]


async def test_months_begin_on_the_day_that_is_first_paid(time_machine: TimeMachine) -> None:
    """After a trial of 3 days, on the 31st, and so on the last day of February."""
    await time_machine.at("2027-01-28T09:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    team = await plan(
        time_machine.xyra, fee("31.00"), seats("31.00"), name="Team", trial={"days": 3}, anchor="anniversary"
    )
    made = await subscribe(organization, team, seats=1)
    assert days(made["current_period"]) == ("2026-12-31", "2027-01-31")
    await time_machine.at("2027-01-31T09:10:00Z")
    (interim,) = await interims(organization)
    assert (lines(interim), days(interim["period"])) == (
        {"Team subscription": "31.00", "Team seats": "31.00"},
        ("2027-01-31", "2027-02-28"),
    )


async def test_a_year_begins_with_the_first_day_that_is_paid_and_its_owner_ends_it_with_its_end(
    time_machine: TimeMachine,
) -> None:
    await time_machine.at("2027-04-01T12:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    annual = await plan(
        time_machine.xyra, fee("366.00", interval="year"), name="Annual", interval="year", trial={"days": 14}
    )
    made = await subscribe(organization, annual)
    await time_machine.at("2027-04-15T13:00:00Z")
    read = await organization.key.get(f"subscriptions/{made['id']}")
    assert days(read["current_cycle"]) == ("2027-04-15", "2028-04-15")
    path, headers = f"subscriptions/{made['id']}/cancel", {"Idempotency-Key": "now"}
    (await organization.key.send("POST", path, {"at": "now"}, headers=headers)).problem(403, "forbidden")
    ending = await organization.key.post(path, {}, expect=200, headers={"Idempotency-Key": "end"})
    assert [entry["fees_from"] for entry in ending["upcoming"]] == ["2028-04-15T00:00:00Z"]
    ended = await command(organization, made, "cancel", at="now")
    assert ended["status"] == "canceled"
    # Its last day is its own: 365 of 366 days fall.
    assert [
        line["amount"] for note in (await organization.preview("2027-04"))["credit_notes"] for line in note["lines"]
    ] == ["-365.00"]


async def test_an_addon_is_had_more_than_once(time_machine: TimeMachine) -> None:
    await time_machine.at("2030-04-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    setup = {"key": "setup", "type": "setup_fee", "amount": "5.00", "timing": "advance"}
    addon = await plan(time_machine.xyra, fee("30.00"), setup, seats("1.00"), name="Extra", kind="addon")
    made = await subscribe(organization, addon, quantity=3, seats=2)
    assert made["quantity"] == 3
    # Seats are the organization's: they do not multiply.
    assert await issued(organization, made) == {
        "Extra subscription": "90.00",
        "Extra setup": "15.00",
        "Extra seats": "2.00",
    }
    await time_machine.at("2030-04-16T00:00:00Z")
    changed = await command(organization, made, "change", quantity=5)
    # 15 of 30 days of two more; what was set up stays.
    assert (changed["quantity"], await issued(organization, changed)) == (5, {"Extra subscription": "30.00"})
    undone = await command(organization, made, "change", quantity=3)
    assert undone["invoice_id"] is None
    await time_machine.at("2030-05-01T01:00:00Z")
    assert (await documents(organization))[2:] == [
        [
            ("2030-04-01", "subscription", "-30.00"),
            ("2030-05-01", "seats", "2.00"),
            ("2030-05-01", "subscription", "90.00"),
        ]
    ]
