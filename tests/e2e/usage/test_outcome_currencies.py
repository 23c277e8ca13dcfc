"""Values of outcomes in other currencies than their organization's."""

import asyncio

from tests.doubles.clients import command_line
from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.reported_outcomes import (
    RESOLVED,
    START,
    amounts,
    decide,
    outcomes,
    pending_and_verified,
    priced,
    resolved,
    statuses,
)


async def put_rate(xyra: Xyra, pair: str, rate: str, **fields: str) -> None:
    (await xyra.operator.send("PUT", f"exchange-rates/{pair}", {"rate": rate, **fields})).expect(200)


async def assert_nothing_to_repair(host: Served, organization: Organization) -> None:
    settings = {"XYRA_DATA_DIR": str(host.process.data_dir), "XYRA_CLOCK_FILE": str(host.process.clock_file)}
    named = ("--organization", organization.slug, "--period", "2026-10")
    end = await asyncio.to_thread(command_line.run, "repair", *named, **settings)
    assert (end.returncode, end.stdout.splitlines()[-1].split(", ")[-1]) == (0, "0 wrong"), end


async def test_a_value_in_another_currency_is_converted_once(
    time_machine: TimeMachine, travelling_host: Served
) -> None:
    """By 0.598765: reported 333.33, which is 199.58633745, and verified as 250.01, which is 149.69723765."""
    xyra = time_machine.xyra
    await time_machine.at("2026-10-21T00:00:00Z")
    charge = RESOLVED | {"pricing": {"type": "percentage", "rate": "10"}, "auto_verify": {"maximum_value": "50"}}
    organization = await priced(xyra, charge, grace_hours=0)
    run = await organization.key.post("runs", {"key": "run-1", "agent": "coder"})
    await organization.key.report(
        resolved("large", value="333.33", currency="NZD") | {"run": "run-1"},
        resolved("small", value="80", currency="NZD") | {"run": "run-1"},
        resolved("nothing", value="0", currency="NZD"),
        resolved("own", value="3"),
    )
    await xyra.idle()
    assert await statuses(organization) == {"nothing": "verified", "own": "verified"}
    parked = (await organization.key.get("events/parked"))["data"]
    assert {each["reason"] for each in parked} == {"there is no exchange rate from NZD to USD"}

    await put_rate(xyra, "NZD/USD", "0.598765", effective_from=START)
    await xyra.operator.post("events/parked/replay", {"all": True}, expect=202, organization_id=organization.id)
    await xyra.idle()
    assert (await organization.key.get("events/parked"))["data"] == []
    found = await outcomes(organization)
    assert {name: each["status"] for name, each in found.items()} == {
        "large": "pending",
        "small": "verified",  # 47.9012 is within the bound, which is in the organization's currency
        "nothing": "verified",
        "own": "verified",
    }
    worth = ("value", "currency", "exchange_rate", "converted_value")
    assert {name: tuple(each[field] for field in worth) for name, each in found.items()} == {
        "large": ("333.33", "NZD", "0.598765", "199.58633745"),
        "small": ("80", "NZD", "0.598765", "47.9012"),
        "nothing": ("0", "NZD", None, "0"),
        "own": ("3", "USD", None, "3"),
    }
    event = await organization.key.get(f"events/{found['large']['event_id']}")
    assert event["exchange_rate"] == "0.598765"
    assert event["data"] == {"value": "333.33", "currency": "NZD"}
    assert await pending_and_verified(organization) == [(1, "199.58633745"), (3, "50.9012")]
    await assert_nothing_to_repair(travelling_host, organization)

    await put_rate(xyra, "NZD/USD", "0.7")
    await time_machine.at("2026-10-22T00:00:00Z")
    await decide(organization, "large", "verify", value="333.34", expect=422)
    shown = await decide(organization, "large", "verify", value="250.01")
    assert (shown["value"], shown["verified_value"], shown["currency"]) == ("333.33", "250.01", "NZD")
    assert (shown["exchange_rate"], shown["converted_value"]) == ("0.598765", "149.69723765")
    assert (shown["currency"], shown["converted_currency"]) == ("NZD", "USD")
    assert await decide(organization, "large", "verify", value="250.01") == shown
    assert await pending_and_verified(organization) == [(0, "0"), (4, "200.59843765")]
    figures = await organization.key.get(f"runs/{run['id']}")
    assert (figures["price"], figures["outcome_value"]) == ("19.759843765", "197.59843765")
    await assert_nothing_to_repair(travelling_host, organization)

    await time_machine.at("2026-11-02T12:00:00Z")
    (invoice,) = await organization.invoices()
    assert amounts(invoice) == [("resolved", "20.06")]  # 10 % of 200.59843765
    reversed_ = await decide(organization, "large", "reverse")
    assert (reversed_["status"], reversed_["converted_value"]) == ("reversed", "149.69723765")
    await time_machine.at("2026-12-02T12:00:00Z")
    (note,) = (await organization.key.get(f"invoices/{invoice['id']}"))["credit_notes"]
    assert [line["amount"] for line in note["lines"]] == ["-14.97"]  # 10 % of 50.9012 is 5.09
    assert await pending_and_verified(organization) == [(0, "0"), (3, "50.9012")]
    assert (await organization.key.get(f"runs/{run['id']}"))["outcome_value"] == "47.9012"
    await assert_nothing_to_repair(travelling_host, organization)


async def test_where_no_charge_needs_a_value_it_needs_no_rate_and_is_in_no_sum(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED)
    await organization.key.report(resolved("foreign", value="10", currency="ZAR"), resolved("own", value="3"))
    await xyra.idle()
    await put_rate(xyra, "ZAR/USD", "0.05", effective_from=START)
    shown = await decide(organization, "foreign", "verify")
    assert (shown["value"], shown["exchange_rate"], shown["converted_value"]) == ("10", None, None)
    assert await pending_and_verified(organization) == [(1, "3"), (1, "0")]
    assert amounts(await organization.preview("2026-10")) == [("resolved", "2.00")]
