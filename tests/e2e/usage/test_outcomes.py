"""The life of outcomes, from the report to the invoice and what comes after it."""

import asyncio
import os
import time
from decimal import Decimal
from typing import Any

from tests.doubles.clients import command_line
from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]

MANY = int(os.environ.get("XYRA_OUTCOMES", "1000"))
AT_ONCE = 1000
RESOLVED = {
    "key": "resolved",
    "type": "outcome",
    "meter": {"event_type": "outcome.resolved"},
    "pricing": {"type": "per_unit", "unit_amount": "2.00"},
}
START = "2026-10-01T00:00:00Z"
OCTOBER_20 = "2026-10-20T12:00:00Z"


async def priced(xyra: Xyra, charge: Json, **fields: Json) -> Organization:
    organization = await xyra.organization(**fields)
    model = await organization.model(charge, effective_from=START)
    await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    return organization


def resolved(name: str, time: str = OCTOBER_20, **data: Json) -> Json:
    return {"id": name, "type": "outcome.resolved", "agent": "coder", "time": time, "data": data}


async def outcomes(organization: Organization, **query: str) -> dict[str, Json]:
    """All of them, by the ids of their events."""
    found: dict[str, Json] = {}
    cursor: dict[str, str] = {}
    while True:
        page = await organization.key.get("outcomes", limit="200", **query, **cursor)
        found |= {each["external_event_id"]: each for each in page["data"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def statuses(organization: Organization) -> dict[str, str]:
    return {name: each["status"] for name, each in (await outcomes(organization)).items()}


async def decide(
    organization: Organization, name: str, decision: str, by: Client | None = None, expect: int = 200, **body: Json
) -> Json:
    id_ = (await outcomes(organization))[name]["id"]
    if decision != "verify":
        body.setdefault("reason", "Because")
    named = {} if by is not None else {"organization_id": organization.id}
    return await (by or organization.operator).post(f"outcomes/{id_}/{decision}", body, expect=expect, **named)


def amounts(document: Json) -> list[tuple[str, str]]:
    return [(line["charge"], line["amount"]) for line in document["lines"]]


async def test_only_verified_outcomes_are_billed_and_once(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-21T00:00:00Z")
    organization = await priced(time_machine.xyra, RESOLVED, grace_hours=0)
    names = ("pending", "verified", "rejected", "reversed", "reversed later")
    await organization.key.report(*(resolved(name, value="10") for name in names))
    await time_machine.xyra.idle()
    assert await organization.usage("2026-10", "resolved") == 0
    for name in ("verified", "reversed", "reversed later"):
        assert (await decide(organization, name, "verify"))["status"] == "verified"
    again = await decide(organization, "verified", "verify")
    assert again["status"] == "verified"
    assert (await decide(organization, "rejected", "reject", reason="No"))["reason"] == "No"
    assert (await decide(organization, "rejected", "reject"))["reason"] == "No"
    assert (await decide(organization, "reversed", "reverse"))["status"] == "reversed"
    assert (await decide(organization, "reversed", "reverse"))["status"] == "reversed"
    for name, decision in (
        ("rejected", "verify"),
        ("reversed", "verify"),
        ("verified", "reject"),
        ("pending", "reverse"),
    ):
        await decide(organization, name, decision, expect=409)
    assert await organization.usage("2026-10", "resolved") == 2

    await time_machine.at("2026-11-02T12:00:00Z")
    (invoice,) = await organization.invoices()
    assert amounts(invoice) == [("resolved", "4.00")]
    assert (await organization.key.get("outcomes/billing-ready"))["data"] == []

    await decide(organization, "reversed later", "reverse")
    await decide(organization, "pending", "verify", note="Late")
    ready = (await organization.key.get("outcomes/billing-ready", period="2026-10"))["data"]
    assert [each["external_event_id"] for each in ready] == ["pending"]
    await decide(organization, "verified", "reverse")
    await time_machine.at("2026-12-02T12:00:00Z")
    (note,) = (await organization.key.get(f"invoices/{invoice['id']}"))["credit_notes"]
    assert [(line["period"]["start"], line["amount"]) for line in note["lines"]] == [(START, "-2.00")]
    assert [each["id"] for each in await organization.invoices()] == [invoice["id"]]


async def test_a_reversal_is_set_off_on_the_next_invoice(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-21T00:00:00Z")
    organization = await priced(time_machine.xyra, RESOLVED, grace_hours=0)
    await organization.key.report(resolved("a"), resolved("b"))
    await time_machine.xyra.idle()
    await decide(organization, "a", "verify")
    await decide(organization, "b", "verify")
    await time_machine.at("2026-11-10T00:00:00Z")
    await decide(organization, "a", "reverse")
    await organization.key.report(*(resolved(f"n{number}", "2026-11-09T00:00:00Z") for number in range(3)))
    await time_machine.xyra.idle()
    for number in range(3):
        await decide(organization, f"n{number}", "verify")
    await time_machine.at("2026-12-02T12:00:00Z")
    october, november = await organization.invoices()
    assert october["total"] == "4.00"
    assert [(line["type"], line["amount"]) for line in november["lines"]] == [
        ("adjustment", "-2.00"),
        ("outcome", "6.00"),
    ]
    assert november["total"] == "4.00"


async def test_nobody_verifies_what_the_same_credential_reported(xyra: Xyra) -> None:
    organization = await priced(xyra, {**RESOLVED, "verified_by": "organization"})
    own, other = await xyra.key_of(organization.id), await xyra.key_of(organization.id)
    await own.report(resolved("by key"))
    event = resolved("by operator") | {"organization": organization.id}
    await organization.operator.post("events", event, expect=202)
    await xyra.idle()
    refused = await decide(organization, "by key", "verify", by=own, expect=403)
    assert refused["detail"] == "The credential that reported an outcome cannot verify it"
    await decide(organization, "by operator", "verify", expect=403)
    bulk = await own.post("outcomes/verify", {"filter": {}}, expect=200)
    assert (bulk["verified"], bulk["refused"]) == (1, 1)
    assert [each["problem"]["code"] for each in bulk["data"] if each["status"] is None] == ["forbidden"]
    assert await statuses(organization) == {"by key": "pending", "by operator": "verified"}
    shown = await decide(organization, "by key", "verify", by=other)
    assert (shown["status"], shown["decided_by"]) == ("verified", "organization")
    await decide(organization, "by key", "verify", by=own, expect=403)
    assert (await statuses(organization)) == {"by key": "verified", "by operator": "verified"}


async def test_the_organization_decides_only_where_the_charge_says_so(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED)
    await organization.key.report(resolved("a"))
    await xyra.idle()
    other = await xyra.key_of(organization.id)
    for decision in ("verify", "reject"):
        await decide(organization, "a", decision, by=other, expect=403)
    reader = await xyra.key_of(organization.id, ["outcomes:read"])
    await decide(organization, "a", "verify", by=reader, expect=403)
    assert (await decide(organization, "a", "verify"))["decided_by"] == "operator"
    await decide(organization, "a", "reverse", by=other, expect=403)


async def test_the_organization_takes_back_what_it_verified_itself_while_that_credits_nothing(xyra: Xyra) -> None:
    organization = await priced(xyra, {**RESOLVED, "verified_by": "organization"})
    reporter, other = await xyra.key_of(organization.id), await xyra.key_of(organization.id)
    now = "2026-11-10T12:00:00Z"
    await reporter.report(resolved("own", now), resolved("operator's", now), resolved("of an ended period"))
    await xyra.idle()
    for name in ("own", "of an ended period"):
        await decide(organization, name, "verify", by=other)
    await decide(organization, "operator's", "verify")
    for name in ("operator's", "of an ended period"):
        await decide(organization, name, "reverse", by=other, expect=403)
    await decide(organization, "own", "reverse", by=reporter, expect=403)
    assert (await decide(organization, "own", "reverse", by=other))["decided_by"] == "organization"
    assert (await decide(organization, "of an ended period", "reverse"))["decided_by"] == "operator"


async def test_what_comes_of_an_outcome_as_it_arrives(xyra: Xyra) -> None:
    charge = RESOLVED | {
        "attribution_window_days": 7,
        "auto_verify": {"minimum_value": "10", "maximum_value": "500"},
        "pricing": {"type": "percentage", "rate": "5"},
    }
    organization = await priced(xyra, charge)
    values = {"9.99": "pending", "10": "verified", "500": "verified", "500.01": "pending"}
    await organization.key.report(
        *(resolved(value, value=value) for value in values),
        resolved("in time", value="100", interaction_time="2026-10-13T14:00:00+02:00"),
        resolved("too late", value="100", interaction_time="2026-10-13T11:59:59.999999Z"),
    )
    await xyra.idle()
    assert await statuses(organization) == values | {"in time": "verified", "too late": "rejected"}
    found = await outcomes(organization)
    assert {name: each["verified_value"] for name, each in found.items() if each["status"] == "verified"} == {
        "10": "10",
        "500": "500",
        "in time": "100",
    }
    assert {each["verified_value"] for each in found.values() if each["status"] != "verified"} == {None}
    late = (await outcomes(organization, status="rejected"))["too late"]
    assert (late["reason"], late["decided_by"]) == ("outside_attribution_window", "rule")
    (line,) = (await organization.preview("2026-10"))["lines"]
    assert line["amount"] == "30.50"  # 5 % of 10 + 500 + 100
    wrong = resolved("wrong", interaction_time="yesterday")
    answer = await organization.key.post("events", wrong, expect=422)
    assert [error["pointer"] for error in answer["errors"]] == ["/data/interaction_time"]


async def test_what_cannot_count_is_parked_and_does_not_say_who_reported_it(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED | {"pricing": {"type": "percentage", "rate": "5"}})
    event = resolved("foreign", value="10", currency="EUR") | {"organization": organization.id}
    await organization.operator.post("events", event, expect=202)
    await xyra.idle()
    (parked,) = (await organization.key.get("events/parked"))["data"]
    assert parked["reason"] == "there is no exchange rate from EUR to USD"
    assert (parked["subject"]["id"], parked["subject"]["data"]["value"]) == ("foreign", "10")
    assert "reporter" not in parked["subject"]
    assert await outcomes(organization) == {}
    key = parked["subject"]["key"]
    for path in (f"events/{key}", f"outcomes/{key.replace('evt_', 'out_')}"):
        missing = await organization.key.send("GET", path)
        missing.problem(404, "not_found")
        assert "it is parked: see /events/parked" in missing.json()["detail"]


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


async def pending_and_verified(organization: Organization) -> list[tuple[int, str]]:
    found = await organization.key.get("outcomes/statistics")
    return [(found[status]["count"], found[status]["value"]) for status in ("pending", "verified")]


async def test_where_no_charge_needs_a_value_it_needs_no_rate_and_is_in_no_sum(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED)
    await organization.key.report(resolved("foreign", value="10", currency="ZAR"), resolved("own", value="3"))
    await xyra.idle()
    await put_rate(xyra, "ZAR/USD", "0.05", effective_from=START)
    shown = await decide(organization, "foreign", "verify")
    assert (shown["value"], shown["exchange_rate"], shown["converted_value"]) == ("10", None, None)
    assert await pending_and_verified(organization) == [(1, "3"), (1, "0")]
    assert amounts(await organization.preview("2026-10")) == [("resolved", "2.00")]


async def test_a_verifier_may_find_less_than_was_reported(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED | {"pricing": {"type": "percentage", "rate": "10"}})
    await organization.key.report(resolved("a", value="80", evidence={"ticket": 7.25}), resolved("b"))
    await xyra.idle()
    answer = await decide(organization, "a", "verify", value="80.01", expect=422)
    assert answer["errors"][0]["pointer"] == "/value"
    await decide(organization, "b", "verify", value="1", expect=422)
    shown = await decide(organization, "a", "verify", value="75.5", evidence={"seen": True}, note="Checked")
    assert (shown["value"], shown["verified_value"], shown["note"]) == ("80", "75.5", "Checked")
    assert (shown["evidence"], shown["verification_evidence"]) == ({"ticket": 7.25}, {"seen": True})
    assert await decide(organization, "a", "verify", value="75.5") == shown
    await decide(organization, "a", "verify", value="75", expect=409)
    assert amounts(await organization.preview("2026-10")) == [("resolved", "7.55")]
    assert (await organization.key.get(f"outcomes/{shown['id']}")) == shown


async def test_a_reversed_outcome_keeps_its_place_before_the_free_ones(xyra: Xyra) -> None:
    """The first two are free; that one of them is taken back makes no other one free."""
    pricing = {"type": "percentage", "rate": "10", "free_events": 2, "minimum_per_event": "1"}
    organization = await priced(xyra, RESOLVED | {"pricing": pricing}, shard_count=4)
    names = [f"{number}" for number in range(6)]
    await organization.key.report(
        *(resolved(name, f"2026-10-1{name}T00:00:00Z", value=str(10 * (int(name) + 1))) for name in names)
    )
    await xyra.idle()
    for name in reversed(names):
        await decide(organization, name, "verify")
    assert (await organization.preview("2026-10"))["total"] == "18.00"  # 30 + 40 + 50 + 60
    await decide(organization, "0", "reverse")
    assert (await organization.preview("2026-10"))["total"] == "18.00"
    await decide(organization, "4", "reverse")
    assert (await organization.preview("2026-10"))["total"] == "13.00"
    await organization.key.report(resolved("late", "2026-10-05T00:00:00Z", value="5"))
    await xyra.idle()
    await decide(organization, "late", "verify")  # the first of all, so that the second is not free any more: 20
    assert (await organization.preview("2026-10"))["total"] == "15.00"


async def test_versions_and_ends_of_agents_change_nothing_of_what_happened_before(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-10-10T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0, shard_count=1)
    model = await organization.model(RESOLVED, effective_from=START)
    agent = await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    await organization.key.report(*(resolved(name, "2026-10-09T00:00:00Z") for name in ("before", "moved", "reversed")))
    await time_machine.xyra.idle()
    await decide(organization, "reversed", "verify")
    etag = (await organization.operator.send("GET", f"billing-models/{model['id']}")).headers["ETag"]
    dearer = RESOLVED | {"pricing": {"type": "per_unit", "unit_amount": "7.00"}}
    body = {"name": "Model", "currency": "USD", "effective_from": "2026-10-12T00:00:00Z", "charges": [dearer]}
    published = await organization.operator.send(
        "PUT", f"billing-models/{model['id']}", body, headers={"If-Match": etag}
    )
    published.expect(200)
    change = {"shard_count": 4}
    (await organization.operator.send("PATCH", f"organizations/{organization.id}", change)).expect(200)
    await time_machine.at("2026-10-13T00:00:00Z")
    await organization.key.report(resolved("after", "2026-10-12T12:00:00Z"))
    await time_machine.xyra.idle()
    await decide(organization, "before", "verify")
    await decide(organization, "reversed", "reverse")
    await decide(organization, "after", "verify")
    (await organization.key.send("DELETE", f"agents/{agent['id']}")).expect(204)
    await time_machine.at("2026-10-20T00:00:00Z")
    await decide(organization, "moved", "verify")
    await time_machine.at("2026-11-02T12:00:00Z")
    (invoice,) = await organization.invoices()
    assert invoice["total"] == "11.00"  # two at 2.00, one at 7.00
    assert await statuses(organization) == {
        "before": "verified",
        "moved": "verified",
        "reversed": "reversed",
        "after": "verified",
    }


async def test_an_event_names_the_lines_that_its_outcome_moves_as_it_stands(xyra: Xyra) -> None:
    organization = await xyra.organization()
    reports = RESOLVED | {"key": "reports", "type": "activity"}
    at_once = RESOLVED | {"key": "at_once", "verification": "none"}
    model = await organization.model(RESOLVED, at_once, reports, effective_from=START)
    agent = await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    names = ("pending", "verified", "rejected", "reversed")
    await organization.key.report(*(resolved(name) for name in names))
    await xyra.idle()
    await decide(organization, "rejected", "reject")
    for name in ("verified", "reversed"):
        await decide(organization, name, "verify")
    await decide(organization, "reversed", "reverse")
    lines = {
        "resolved": f"{model['id']}/resolved/-",
        "at_once": f"{model['id']}/at_once/-",
        "reports": f"{model['id']}/reports/{agent['id']}",
    }
    expected = {
        "pending": {lines["at_once"], lines["reports"]},
        "verified": set(lines.values()),
        "rejected": {lines["reports"]},
        "reversed": {lines["reports"]},
    }
    page = {each["id"]: each for each in (await organization.key.get("events"))["data"]}
    assert {name: set(each["rated_to"]["line_keys"]) for name, each in page.items()} == expected
    for each in page.values():
        assert await organization.key.get(f"events/{each['event_id']}") == each


async def test_lists_and_statistics(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED, shard_count=4)
    await organization.agent("other")
    await organization.key.report(
        *(resolved(f"{number}", f"2026-10-{10 + number}T00:00:00Z", value="1.5") for number in range(10)),
        resolved("unpriced", value="100") | {"agent": "other"},
        resolved("november", "2026-11-10T00:00:00Z", value="8") | {"type": "outcome.sold"},
    )
    await xyra.idle()
    for name in ("0", "1", "2", "unpriced"):
        await decide(organization, name, "verify")
    await decide(organization, "2", "reverse")
    await decide(organization, "3", "reject")
    page = await organization.key.get("outcomes", limit="3")
    assert [each["external_event_id"] for each in page["data"]] == ["november", "unpriced", "9"]
    rest = await organization.key.get("outcomes", limit="200", cursor=page["next_cursor"])
    assert [each["external_event_id"] for each in rest["data"]] == [str(number) for number in range(8, -1, -1)]
    assert list(await outcomes(organization, status="verified")) == ["unpriced", "1", "0"]
    assert list(await outcomes(organization, agent="other")) == ["unpriced"]
    assert list(await outcomes(organization, type="outcome.sold")) == ["november"]
    assert list(await outcomes(organization, period="2026-11")) == ["november"]
    window = {"from": "2026-10-11T00:00:00Z", "to": "2026-10-13T00:00:00Z"}
    assert list(await outcomes(organization, **window)) == ["2", "1"]
    found = await organization.key.get("outcomes/statistics")
    assert (found["count"], found["success_rate"]) == (12, "0.25")
    assert {status: (found[status]["count"], found[status]["value"]) for status in ("verified", "pending")} == {
        "verified": (3, "103"),
        "pending": (7, "17"),
    }
    assert (found["rejected"], found["reversed"]) == ({"count": 1, "value": "1.5"}, {"count": 1, "value": "1.5"})
    november = await organization.key.get("outcomes/statistics", period="2026-11")
    assert (november["count"], november["success_rate"]) == (1, "0")
    assert (await organization.key.get("outcomes/statistics", agent="other"))["success_rate"] == "1"
    coder = await organization.key.get("outcomes/statistics", agent="coder")
    assert (coder["count"], coder["success_rate"]) == (11, "0.181818")
    ready = (await organization.key.get("outcomes/billing-ready"))["data"]
    assert [each["external_event_id"] for each in ready] == ["1", "0"]


async def test_the_convenience_route_makes_the_same_event(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED)
    (agent,) = (await organization.key.get("agents"))["data"]
    body = {
        "outcome_type": "resolved",
        "value": "20",
        "details": {"issue": 3},
        "interaction_time": OCTOBER_20,
        "time": "2026-10-21T00:00:00Z",
    }
    made = await organization.key.post(
        f"agents/{agent['id']}/outcomes", body, expect=202, headers={"Idempotency-Key": "one"}
    )
    await xyra.idle()
    shown = await organization.key.get(f"outcomes/{made['outcome_id']}")
    assert (shown["external_event_id"], shown["value"], shown["status"]) == ("one", "20", "pending")
    assert shown["event_id"] == made["event_id"]
    event = await organization.key.get(f"events/{made['event_id']}")
    assert event["type"] == "outcome.resolved"
    assert event["data"] == {"issue": 3, "value": "20", "currency": "USD", "interaction_time": OCTOBER_20}
    refused = body | {"details": {"value": 3}}
    answer = await organization.key.post(f"agents/{agent['id']}/outcomes", refused, expect=422)
    assert answer["errors"][0]["pointer"] == "/details/value"


async def test_many_are_verified_while_events_flow(xyra: Xyra) -> None:
    """Bulks of different verifiers that overlap, beside reports that move the same totals: exact in the end."""
    organization = await priced(xyra, RESOLVED | {"pricing": {"type": "percentage", "rate": "10"}}, shard_count=4)
    names = [f"{number}" for number in range(MANY)]
    await organization.key.report(*(resolved(name, value=str(int(name) % 7)) for name in names))
    await xyra.idle()
    ids = {name: each["id"] for name, each in (await outcomes(organization)).items()}
    assert len(ids) == MANY
    flowing = asyncio.Event()
    reported = 0

    async def flow() -> None:
        nonlocal reported
        while not flowing.is_set():
            more = [resolved(f"more {reported + number}", value="3") for number in range(20)]
            await organization.key.report(*more)
            reported += len(more)

    async def verify(chosen: list[str]) -> None:
        for start in range(0, len(chosen), AT_ONCE):
            body = {"ids": [ids[name] for name in chosen[start : start + AT_ONCE]]}
            while True:
                answer = await organization.operator.send(
                    "POST", "outcomes/verify", body, organization_id=organization.id
                )
                if answer.status != 503:
                    break
            found = answer.expect(200)
            assert found["refused"] == 0

    sender, started = asyncio.create_task(flow()), time.monotonic()
    await asyncio.gather(verify(names), verify(names[::-1][: MANY // 2]))
    seconds = time.monotonic() - started
    assert reported > 0
    flowing.set()
    await sender
    await xyra.idle()
    worth = sum(number % 7 for number in range(MANY))
    found = await organization.key.get("outcomes/statistics")
    assert (found["verified"]["count"], found["pending"]["count"]) == (MANY, reported)
    assert (Decimal(found["verified"]["value"]), Decimal(found["pending"]["value"])) == (worth, 3 * reported)
    assert Decimal((await organization.preview("2026-10"))["total"]) == Decimal(worth) / 10
    assert await organization.usage("2026-10", "resolved") == MANY
    print(f"{MANY} outcomes verified in {seconds:.1f} s while {reported} more were reported")  # noqa: T201  figures


async def test_a_bulk_by_filter_goes_on_where_it_ended(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED)
    await organization.key.report(*(resolved(f"{number}") for number in range(5)))
    await organization.key.report(resolved("sold") | {"type": "outcome.sold"})
    await xyra.idle()
    body = {"filter": {"type": "outcome.resolved", "to": "2026-10-21T00:00:00Z"}}
    answer = await organization.operator.post("outcomes/verify", body, expect=200, organization_id=organization.id)
    assert (answer["verified"], answer["refused"], answer["next_cursor"]) == (5, 0, None)
    assert (await statuses(organization))["sold"] == "pending"
    unknown = {"ids": ["out_0000000000000000000000000", "nonsense"]}
    answer = await organization.operator.post("outcomes/verify", unknown, expect=200, organization_id=organization.id)
    assert [each["problem"]["code"] for each in answer["data"]] == ["not_found", "not_found"]
    mixed = ["nonsense", *[each["id"] for each in (await outcomes(organization)).values()], "nonsense"]
    answer = await organization.operator.post(
        "outcomes/verify", {"ids": mixed}, expect=200, organization_id=organization.id
    )
    assert [each["id"] for each in answer["data"]] == mixed[:-1]
