"""The life of outcomes, from the report to the invoice and what comes after it."""

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.reported_outcomes import (
    OCTOBER_20,
    RESOLVED,
    START,
    amounts,
    decide,
    outcomes,
    priced,
    resolved,
    statuses,
)


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
    """The first two are free.

    That one of them is taken back makes no other one free.
    """
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


async def test_every_charge_reads_the_verified_value_in_the_period_of_the_outcome(time_machine: TimeMachine) -> None:
    """Also one that counted it on arrival: by 10 % each, 3.00 of an outcome at 100 that is verified at 30."""
    await time_machine.at("2026-10-21T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=0)
    ten_percent = {"type": "percentage", "rate": "10"}
    proven = RESOLVED | {"key": "proven", "pricing": ten_percent}
    reported = RESOLVED | {"key": "reported", "pricing": ten_percent, "verification": "none"}
    model = await organization.model(proven, reported, effective_from=START)
    await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    await organization.key.report(resolved("at once", value="100"))
    await time_machine.xyra.idle()
    await decide(organization, "at once", "verify", value="30")
    preview = await organization.preview("2026-10")
    assert (amounts(preview), preview["total"]) == ([("proven", "3.00"), ("reported", "3.00")], "6.00")
    await organization.key.report(resolved("late", value="100"))
    await time_machine.at("2026-11-02T12:00:00Z")
    (invoice,) = await organization.invoices()
    assert amounts(invoice) == [("proven", "3.00"), ("reported", "13.00")]

    await decide(organization, "late", "verify", value="30")
    await time_machine.at("2026-12-02T12:00:00Z")
    october, adjustment = await organization.invoices()
    assert amounts(adjustment) == [("proven", "3.00"), ("reported", "-3.00")]
    assert [amounts(note) for note in october["credit_notes"]] == [[("reported", "-4.00")]]
