"""Drafts: what they show until they are finalized, in the order of their periods."""

from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization

Json = dict[str, Any]

USED = {
    "key": "used",
    "type": "activity",
    "meter": {"event_type": "step", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1.00"},
}


def step(event_id: str, quantity: int, time: str) -> Json:
    return {"id": event_id, "type": "step", "agent": "coder", "time": time, "data": {"quantity": quantity}}


async def drafted(time_machine: TimeMachine) -> tuple[Organization, str]:
    """An organization of which the hourly run has just drafted January, with 70.00."""
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=72)
    model = await organization.model(USED)
    await organization.agent(billing_model_id=model["id"])
    await organization.key.report(step("1", 70, "2027-01-01T00:01:00Z"))
    await time_machine.at("2027-02-01T00:06:00Z")
    (draft,) = (await organization.key.get("invoices"))["data"]
    assert (draft["status"], draft["total"], draft["as_of"][:16]) == ("draft", "70.00", "2027-02-01T00:06")
    return organization, draft["id"]


async def test_a_draft_shows_what_would_be_issued_now(time_machine: TimeMachine) -> None:
    organization, draft_id = await drafted(time_machine)
    await time_machine.at("2027-02-01T00:30:00Z")
    await organization.key.report(step("2", 101, "2027-01-31T12:00:00Z"))
    await time_machine.xyra.idle()
    draft = await organization.key.get(f"invoices/{draft_id}")
    preview = await organization.preview("2027-01")
    assert (draft["status"], draft["total"], draft["as_of"][:16]) == ("draft", "171.00", "2027-02-01T00:30")
    assert draft["lines"] == preview["lines"]
    lines = await organization.key.get(f"invoices/{draft_id}/lines")
    assert (lines["data"], lines["as_of"][:16]) == (draft["lines"], "2027-02-01T00:30")
    invoice = (await organization.operator.send("POST", f"invoices/{draft_id}/finalize")).expect(200)
    assert (invoice["total"], invoice["lines"], invoice["as_of"]) == ("171.00", draft["lines"], None)
    assert (await organization.key.get(f"invoices/{draft_id}/lines"))["as_of"] is None


async def test_the_list_shows_a_total_with_its_time_which_the_hourly_run_refreshes(time_machine: TimeMachine) -> None:
    organization, draft_id = await drafted(time_machine)

    async def listed() -> tuple[str, str]:
        (draft,) = (await organization.key.get("invoices", status="draft"))["data"]
        return draft["total"], draft["as_of"][:16]

    await organization.key.report(step("2", 101, "2027-01-31T12:00:00Z"))
    await time_machine.xyra.idle()
    assert await listed() == ("70.00", "2027-02-01T00:06")
    await time_machine.at("2027-02-01T01:06:00Z")
    assert await listed() == ("171.00", "2027-02-01T01:06")
    await time_machine.at("2027-02-01T02:06:00Z")
    assert await listed() == ("171.00", "2027-02-01T01:06")  # nothing has changed since
    await time_machine.at("2027-02-01T02:30:00Z")
    (asked,) = await time_machine.xyra.generate(organization, "2027-01", finalize=False)
    assert (asked["id"], await listed()) == (draft_id, ("171.00", "2027-02-01T02:30"))


async def test_drafts_are_finalized_in_the_order_of_their_periods(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await time_machine.xyra.organization(grace_hours=720)
    model = await organization.model(USED)
    await organization.agent(billing_model_id=model["id"])
    await organization.key.report(step("1", 70, "2027-01-01T00:01:00Z"))
    await time_machine.at("2027-02-10T00:00:00Z")
    await organization.key.report(step("2", 40, "2027-02-09T00:00:00Z"))
    await time_machine.at("2027-03-01T00:06:00Z")
    february, january = (await organization.key.get("invoices"))["data"]
    assert [(each["status"], each["total"]) for each in (january, february)] == [("draft", "70.00"), ("draft", "40.00")]
    shown = await organization.key.get(f"invoices/{february['id']}")
    assert (shown["total"], shown["assumes_issued"]) == ("40.00", [january["period"]])

    refused = await organization.operator.send("POST", f"invoices/{february['id']}/finalize")
    assert refused.problem(409, "conflict") == []
    assert january["id"] in refused.json()["detail"]
    body = {"organization_id": organization.id, "period": "2027-02", "finalize": True}
    job = await organization.operator.post("invoices/generate/monthly", body, expect=202)
    await time_machine.xyra.idle()
    (part,) = (await organization.operator.get(f"invoices/jobs/{job['id']}"))["organizations"]
    assert (part["status"], part["invoice_id"]) == ("failed", february["id"])
    assert january["id"] in part["detail"]

    for draft, total in ((january, "70.00"), (february, "40.00")):
        invoice = (await organization.operator.send("POST", f"invoices/{draft['id']}/finalize")).expect(200)
        assert (invoice["total"], len(invoice["lines"])) == (total, 1)
