"""Fees by quarter and year, setup fees and seats in documents over months.

Every figure is worked out by hand.
"""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization
from tests.doubles.worlds.charges import commands

Json = dict[str, Any]


def fee(key: str, amount: str, interval: str = "month", timing: str = "arrears", scope: str = "organization") -> Json:
    named = {"key": key, "type": "flat_fee", "amount": amount}
    return named | {"interval": interval, "timing": timing, "scope": scope}


def per_head(key: str, kind: str, price: str, interval: str = "month", timing: str = "arrears", **more: str) -> Json:
    """For each agent, or each seat."""
    priced = {"key": key, "type": kind, "pricing": {"type": "per_unit", "unit_amount": price}}
    return priced | {"interval": interval, "timing": timing, **more}


def command(quantity: str, time: str) -> Json:
    return {"id": time, "type": "command", "agent": "coder", "time": time, "data": {"quantity": quantity}}


async def move(organization: Organization, agent: Json, model: Json | None, since: str) -> None:
    change = {"billing_model_id": model["id"] if model else None, "billing_model_from": since}
    (await organization.key.send("PATCH", f"agents/{agent['id']}", change)).expect(200)


def shown(document: Json) -> list[tuple[str, str, str]]:
    """What a document says: the month that is billed, the charge with its agent's place among them, the amount."""
    agents = sorted({line["agent_id"] for line in document["lines"] if line["agent_id"]})
    place = {agent: f" {agents.index(agent) + 1}" for agent in agents}
    return sorted(
        (line["period"]["start"][:7], line["charge"] + place.get(line["agent_id"], ""), line["amount"])
        for line in document["lines"]
    )


async def billed(organization: Organization) -> dict[tuple[str, str], Decimal]:
    """What all documents bill for each month and charge, where it is anything."""
    found: dict[tuple[str, str], Decimal] = {}
    for invoice in await organization.invoices():
        for document in (invoice, *invoice["credit_notes"]):
            for line in document["lines"]:
                key = (line["period"]["start"][:7], line["charge"])
                found[key] = found.get(key, Decimal(0)) + Decimal(line["amount"])
    return {key: amount for key, amount in found.items() if amount}


async def test_each_part_of_a_month_has_the_prices_the_model_and_the_seats_that_were_in_force(
    time_machine: TimeMachine,
) -> None:
    await time_machine.at("2027-04-01T00:00:00Z")
    organization = await time_machine.xyra.organization(seats=2)
    old = [fee("platform", "300.00"), per_head("seats", "seat", "30.00", quantity="seats"), commands("1.00", "0.50")]
    new = [fee("platform", "600.00"), per_head("seats", "seat", "60.00", quantity="seats"), commands("2.00", "0.10")]
    model = await organization.model(*old)
    other = await organization.model(fee("platform", "900.00"), commands("3.00", "1.00"))
    agent = await organization.agent(billing_model_id=model["id"])

    await time_machine.at("2027-04-09T00:00:00Z")
    path = f"billing-models/{model['id']}"
    etag = (await organization.operator.send("GET", path)).headers["ETag"]
    version = {"name": "Model", "currency": "USD", "effective_from": "2027-04-11T00:00:00Z", "charges": new}
    (await organization.operator.send("PUT", path, version, headers={"If-Match": etag})).expect(200)
    seats = {"seats": 5, "seats_from": "2027-04-16T00:00:00Z"}
    (await organization.key.send("PATCH", f"organizations/{organization.id}", seats)).expect(200)
    await move(organization, agent, other, "2027-04-21T00:00:00Z")
    await time_machine.at("2027-04-25T00:00:00Z")
    await organization.key.report(
        command("8", "2027-04-10T23:59:59Z"), command("7", "2027-04-11T00:00:00Z"), command("2", "2027-04-21T00:00:00Z")
    )
    await time_machine.at("2027-05-01T00:01:00Z")
    preview = await organization.preview("2027-04")
    (invoice,) = await time_machine.xyra.generate(organization, "2027-04")
    assert preview["lines"] == invoice["lines"]
    amounts = {(line["key"].split("/")[0], line["charge"]): line["amount"] for line in invoice["lines"]}
    assert amounts == {
        # 10 of 30 days at 300.00, 10 at 600.00
        (model["id"], "platform"): "300.00",
        # 2 seats: 10 days at 30.00, 5 at 60.00; 5 seats: 5 days at 60.00. That is 20.00 + 20.00 + 50.00.
        (model["id"], "seats"): "90.00",
        # 8 at the old first price; the tiers go on: 2 at the new first price, 5 at the new further one
        (model["id"], "commands"): "12.50",
        # The other model for the 10 days that are left. Its tiers begin anew.
        (other["id"], "platform"): "300.00",
        (other["id"], "commands"): "6.00",
    }
    steps = next(line["steps"] for line in invoice["lines"] if line["charge"] == "seats")
    assert [(step["kind"], step["version"], step["amount"]) for step in steps] == [
        ("unit", 1, "60"),
        ("unit", 2, "420"),
        ("proration", 1, "-40"),
        ("proration", 2, "-350"),
    ]


async def test_a_year_of_invoices_with_an_agent_that_joins_in_march_and_leaves_in_august(
    time_machine: TimeMachine,
) -> None:
    await time_machine.at("2026-12-31T12:00:00Z")
    organization = await time_machine.xyra.organization()
    model = await organization.model(
        fee("monthly", "100.00"),
        fee("year_ahead", "3650.00", "year", "advance", "agent"),
        fee("year_after", "730.00", "year", "arrears", "agent"),
        per_head("quarter_ahead", "agent", "900.00", "quarter", "advance"),
        fee("quarter_after", "450.00", "quarter", "arrears", "agent"),
        effective_from="2026-12-31T12:00:00Z",
    )
    first = {"billing_model_id": model["id"], "billing_model_from": "2027-01-01T00:00:00Z"}
    await organization.agent("coder", **first)
    said: dict[str, tuple[str, list[tuple[str, str, str]], list[str]]] = {}

    async def close(month: str, following: str) -> None:
        await time_machine.at(f"{following}-01T00:01:00Z")
        preview = await organization.preview(month)
        (invoice,) = await time_machine.xyra.generate(organization, month)
        assert (preview["lines"], preview["total"]) == (invoice["lines"], invoice["total"])
        notes = [note["total"] for note in preview["credit_notes"]]
        said[month] = (invoice["total"], shown(invoice), notes)

    months = ["2026-12", *(f"2027-{month:02d}" for month in range(1, 13)), "2028-01"]
    for month, following in pairwise(months):
        if month == "2027-03":
            await time_machine.at("2027-03-10T12:00:00Z")
            second = {"billing_model_id": model["id"], "billing_model_from": "2027-03-11T00:00:00Z"}
            helper = await organization.agent("helper", **second)
        if month == "2027-08":
            await time_machine.at("2027-08-10T12:00:00Z")
            await move(organization, helper, None, "2027-08-20T00:00:00Z")
        await close(month, following)

    def monthly(month: str) -> tuple[str, list[tuple[str, str, str]], list[str]]:
        return "100.00", [(month, "monthly", "100.00")], []

    assert said == {
        "2026-12": ("4550.00", [("2027-01", "quarter_ahead", "900.00"), ("2027-01", "year_ahead 1", "3650.00")], []),
        "2027-01": monthly("2027-01"),
        "2027-02": monthly("2027-02"),
        "2027-03": (
            "5625.00",
            [
                # The second agent for 21 of the 90 days of the quarter that January had billed.
                ("2027-01", "quarter_ahead", "210.00"),
                ("2027-03", "monthly", "100.00"),
                ("2027-03", "quarter_after 1", "450.00"),
                ("2027-03", "quarter_after 2", "105.00"),
                # From 11 March on 296 of 365 days, as far as one knows.
                ("2027-03", "year_ahead 2", "2960.00"),
                ("2027-04", "quarter_ahead", "1800.00"),
            ],
            [],
        ),
        "2027-04": monthly("2027-04"),
        "2027-05": monthly("2027-05"),
        "2027-06": (
            "2800.00",
            [
                ("2027-06", "monthly", "100.00"),
                ("2027-06", "quarter_after 1", "450.00"),
                ("2027-06", "quarter_after 2", "450.00"),
                ("2027-07", "quarter_ahead", "1800.00"),
            ],
            [],
        ),
        "2027-07": monthly("2027-07"),
        # The year comes to 162 days, 1340.00 less than billed; the quarter to 50 of 92 days, 489.13, so 410.87 less.
        # 100.00 of it is offset, the rest is a note.
        "2027-08": ("0.00", [("2027-03", "year_ahead 1", "-100.00"), ("2027-08", "monthly", "100.00")], ["-1650.87"]),
        "2027-09": (
            "1694.57",
            [
                ("2027-09", "monthly", "100.00"),
                ("2027-09", "quarter_after 1", "450.00"),
                ("2027-09", "quarter_after 2", "244.57"),
                ("2027-10", "quarter_ahead", "900.00"),
            ],
            [],
        ),
        "2027-10": monthly("2027-10"),
        "2027-11": monthly("2027-11"),
        "2027-12": (
            "6154.00",
            [
                ("2027-12", "monthly", "100.00"),
                ("2027-12", "quarter_after 1", "450.00"),
                ("2027-12", "year_after 1", "730.00"),
                ("2027-12", "year_after 2", "324.00"),
                ("2028-01", "quarter_ahead", "900.00"),
                ("2028-01", "year_ahead 1", "3650.00"),
            ],
            [],
        ),
    }
    # 12 x 100.00; 3650.00 + 1620.00; 730.00 + 324.00; quarters ahead 1110.00 + 1800.00 + 1389.13 + 900.00; quarters
    # after 555.00 + 900.00 + 694.57 + 450.00
    year = {key: amount for key, amount in (await billed(organization)).items() if key[0] < "2028"}
    assert sum(year.values()) == Decimal("15322.70")


async def test_an_adjustment_of_a_fee_in_advance_names_the_period_and_the_year(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-12-31T12:00:00Z")
    organization = await time_machine.xyra.organization(seats=1)
    model = await organization.model(per_head("seats", "seat", "365.00", "year", "advance", quantity="seats"))
    await organization.agent(billing_model_id=model["id"], billing_model_from="2027-01-01T00:00:00Z")
    january = {"start": "2027-01-01T00:00:00Z", "end": "2027-02-01T00:00:00Z"}
    year = {"start": "2027-01-01T00:00:00Z", "end": "2028-01-01T00:00:00Z"}
    await time_machine.at("2027-01-01T00:01:00Z")
    (december,) = await time_machine.xyra.generate(organization, "2026-12")
    ((ahead),) = december["lines"]
    assert (ahead["period"], ahead["covers"], ahead["adjusts"], ahead["amount"]) == (january, year, None, "365.00")
    await time_machine.at("2027-06-10T00:00:00Z")
    seats = {"seats": 3, "seats_from": "2027-06-16T00:00:00Z"}
    (await organization.key.send("PATCH", f"organizations/{organization.id}", seats)).expect(200)
    await time_machine.at("2027-06-20T00:00:00Z")
    assert [invoice["number"] for invoice in await organization.invoices()] == [
        december["number"]
    ]  # until a month ends
    await time_machine.at("2027-07-01T00:01:00Z")
    (june,) = await time_machine.xyra.generate(organization, "2027-06")
    ((more),) = june["lines"]
    # 2 seats more for 199 days
    assert (more["type"], more["amount"]) == ("adjustment", "398.00")
    assert (more["period"], more["covers"], more["adjusts"]) == (january, year, january)
    await time_machine.at("2028-03-03T00:00:00Z")
    assert await billed(organization) == {("2027-01", "seats"): Decimal(763), ("2028-01", "seats"): Decimal(1095)}


async def test_a_year_that_falls_due_in_another_month_is_taken_back_by_its_name(time_machine: TimeMachine) -> None:
    """March billed it with the first agent. By another one that starts in the past it was due in January."""
    await time_machine.at("2027-03-02T12:00:00Z")
    organization = await time_machine.xyra.organization()
    model = await organization.model(
        fee("year_ahead", "365.00", "year", "advance"), effective_from="2027-01-01T00:00:00Z"
    )
    await organization.agent("coder", billing_model_id=model["id"])
    await time_machine.at("2027-04-01T00:01:00Z")
    (march,) = await time_machine.xyra.generate(organization, "2027-03")
    assert shown(march) == [("2027-03", "year_ahead", "305.00")]  # from 2 March on
    await organization.agent("helper", billing_model_id=model["id"], billing_model_from="2027-01-11T00:00:00Z")
    await time_machine.at("2027-05-03T00:00:00Z")
    assert await billed(organization) == {("2027-01", "year_ahead"): Decimal(355)}
    year = {"start": "2027-01-01T00:00:00Z", "end": "2028-01-01T00:00:00Z"}
    documents = [each for invoice in await organization.invoices() for each in (invoice, *invoice["credit_notes"])]
    lines = [line for document in documents for line in document["lines"]]
    assert [(line["amount"], line["covers"]) for line in lines if line["amount"][0] == "-"] == [("-305.00", year)]
    assert {line["description"] for line in lines} == {
        "Year ahead (fee per year)",
        "Adjustment of Year ahead (fee per year): 0.00 due, 305.00 billed before",
    }


async def test_an_agent_that_starts_in_the_past_adds_to_what_january_had_billed_for_that_year(
    time_machine: TimeMachine,
) -> None:
    await time_machine.at("2025-12-31T12:00:00Z")
    organization = await time_machine.xyra.organization()
    model = await organization.model(per_head("agents", "agent", "365.00", "year", "advance"))
    first = {"billing_model_id": model["id"], "billing_model_from": "2026-01-01T00:00:00Z"}
    await organization.agent("coder", **first)
    for month in ("2026-01-03", "2026-06-03", "2027-01-03", "2027-02-03"):
        await time_machine.at(f"{month}T00:00:00Z")
    assert await billed(organization) == {("2026-01", "agents"): Decimal(365), ("2027-01", "agents"): Decimal(365)}
    second = {"billing_model_id": model["id"], "billing_model_from": "2026-10-01T00:00:00Z"}
    await organization.agent("helper", **second)
    await time_machine.at("2027-03-03T00:00:00Z")
    # 92 days of 2026, and the next year
    assert await billed(organization) == {("2026-01", "agents"): Decimal(457), ("2027-01", "agents"): Decimal(730)}


async def test_a_setup_fee_is_due_once_whoever_comes_and_returns(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-02-10T00:00:00Z")
    organization = await time_machine.xyra.organization()
    model = await organization.model(
        {"key": "setup", "type": "setup_fee", "amount": "1500.00"},
        {"key": "welcome", "type": "setup_fee", "amount": "10.00", "scope": "agent"},
        effective_from="2027-01-01T00:00:00Z",
    )
    coder = await organization.agent("coder", billing_model_id=model["id"])
    await time_machine.at("2027-02-20T00:00:00Z")
    await move(organization, coder, None, "2027-03-05T00:00:00Z")
    await time_machine.at("2027-03-20T00:00:00Z")
    await organization.agent("helper", billing_model_id=model["id"])
    await move(organization, coder, model, "2027-04-10T00:00:00Z")
    await time_machine.at("2027-05-03T00:00:00Z")
    due = {
        ("2027-02", "setup"): Decimal(1500),
        ("2027-02", "welcome"): Decimal(10),
        ("2027-03", "welcome"): Decimal(10),
    }
    assert await billed(organization) == due
    assert [invoice["total"] for invoice in await organization.invoices()] == ["1510.00", "10.00"]

    past = {"billing_model_id": model["id"], "billing_model_from": "2027-01-15T00:00:00Z"}
    await organization.agent("earlier", **past)
    await time_machine.at("2027-06-03T00:00:00Z")
    del due["2027-02", "setup"]
    due |= {("2027-01", "setup"): Decimal(1500), ("2027-01", "welcome"): Decimal(10)}
    assert await billed(organization) == due


async def test_when_the_organization_ends_all_its_fees_close(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-12-31T12:00:00Z")
    organization = await time_machine.xyra.organization()
    model = await organization.model(
        fee("year_ahead", "365.00", "year", "advance"),
        fee("year_after", "730.00", "year", "arrears"),
        fee("quarter_after", "450.00", "quarter", "arrears"),
        effective_from="2026-12-31T12:00:00Z",
    )
    await organization.agent(billing_model_id=model["id"], billing_model_from="2027-01-01T00:00:00Z")
    await time_machine.at("2027-01-01T00:01:00Z")
    await time_machine.xyra.generate(organization, "2026-12")
    await time_machine.at("2027-04-01T00:01:00Z")
    (march,) = await time_machine.xyra.generate(organization, "2027-03")
    assert shown(march) == [("2027-03", "quarter_after", "450.00")]
    await time_machine.at("2027-05-15T11:00:00Z")
    (await organization.operator.send("DELETE", f"organizations/{organization.id}")).expect(204)
    await time_machine.at("2027-06-01T00:01:00Z")
    (may,) = await time_machine.xyra.generate(organization, "2027-05")
    assert shown(may) == [
        ("2027-01", "year_ahead", "-230.00"),  # 135 days of the year
        ("2027-05", "quarter_after", "222.53"),  # 45 of 91 days
        ("2027-05", "year_after", "270.00"),
    ]
    assert may["total"] == "262.53"
    for month, following in (("2027-06", "2027-07"), ("2027-12", "2028-01")):
        await time_machine.at(f"{following}-03T00:00:00Z")
        assert await time_machine.xyra.generate(organization, month) == []


async def test_members_are_counted_from_when_they_joined(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-04-11T12:00:00Z")
    charge = per_head("seats", "seat", "30.00")
    signed_up = (await time_machine.xyra.sign_up())["organization"]
    own = await time_machine.xyra.key_of(signed_up["id"])
    made = await time_machine.xyra.organization()
    for organization in (Organization(signed_up["id"], signed_up["slug"], own, made.operator), made):
        model = await organization.model(charge, effective_from="2027-04-01T00:00:00Z")
        await organization.agent(billing_model_id=model["id"], billing_model_from="2027-04-01T00:00:00Z")
        preview = await organization.preview("2027-04")
        # Who signed up was there for 20 of 30 days; the operator's own organizations have no members yet.
        assert preview["total"] == ("20.00" if organization.id == signed_up["id"] else "0.00")


async def test_seats_are_chosen_ahead_of_time(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-04-11T12:00:00Z")
    organization = await time_machine.xyra.organization()
    path = f"organizations/{organization.id}"

    async def seats() -> tuple[int, str]:
        found = await organization.key.get(path)
        return found["seats"], (found["seats_from"] or "the beginning")[:16]

    async def change(**fields: Json | int | str) -> Any:
        return await organization.key.send("PATCH", path, fields)

    async def refused(**fields: Json | int | str) -> list[str]:
        return (await change(**fields)).problem(422, "validation")

    assert await seats() == (0, "the beginning")
    (await change(seats=4)).expect(200)
    assert await seats() == (4, "2027-04-11T12:10")
    await time_machine.at("2027-04-11T13:00:00Z")
    assert await refused(seats=4, seats_from="2027-05-01T00:00:00Z") == ["/seats_from"]
    for fields, pointer in (
        ({"seats": 5, "seats_from": "2027-04-11T13:09:00Z"}, "/seats_from"),
        ({"seats_from": "2027-05-01T00:00:00Z"}, "/seats_from"),
        ({"seats": -1}, "/seats"),
        ({"seats": 1_000_001}, "/seats"),
        ({"seats": 1.5}, "/seats"),
    ):
        assert await refused(**fields) == [pointer]
    assert await seats() == (4, "2027-04-11T12:10")
    (await change(seats=6, seats_from="2027-06-01T00:00:00Z")).expect(200)
    (await change(seats=6, seats_from="2027-05-01T00:00:00Z")).expect(200)
    assert await seats() == (6, "2027-05-01T00:00")
    (await change(seats=7, seats_from="2027-07-01T00:00:00Z")).expect(200)
    assert await seats() == (7, "2027-07-01T00:00")
    (await change(seats=4)).expect(200)
    assert await seats() == (4, "2027-04-11T12:10")


@pytest.mark.parametrize("scopes", [["organizations:read"], ["billing_models:write", "agents:write"]])
async def test_only_who_may_change_the_organization_changes_its_seats(
    time_machine: TimeMachine, scopes: list[str]
) -> None:
    organization = await time_machine.xyra.organization()
    key = await time_machine.xyra.key_of(organization.id, scopes)
    (await key.send("PATCH", f"organizations/{organization.id}", {"seats": 1})).problem(403, "forbidden")
