"""A preview is what the close of its period would issue, after the invoices of earlier periods."""

from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

FEE = {"key": "fee", "type": "flat_fee", "amount": "31.00", "scope": "agent"}
AHEAD = {"key": "ahead", "type": "flat_fee", "amount": "10.00", "timing": "advance"}


async def organization_since(
    time_machine: TimeMachine, start: str, *charges: Json, grace_hours: int = 720
) -> tuple[Organization, Json]:
    """With an agent that pays these charges from its start on."""
    await time_machine.at(start)
    organization = await time_machine.xyra.organization(grace_hours=grace_hours)
    model = await organization.model(*charges, effective_from=start)
    return organization, await organization.agent(billing_model_id=model["id"], billing_model_from=start)


def assumed(preview: Json) -> list[str]:
    return [period["start"][:7] for period in preview["assumes_issued"]]


def billed(document: Json) -> list[tuple[str, str, str]]:
    return [(line["period"]["start"][:7], line["charge"], line["amount"]) for line in document["lines"]]


@pytest.mark.parametrize("month", ["2026-12", "2027-11"])
async def test_what_has_not_begun_cannot_be_previewed(xyra: Xyra, month: str) -> None:
    """It is November 2026."""
    organization = await xyra.organization()
    refused = await organization.key.send("GET", "invoices/preview", period=month)
    assert refused.problem(422, "validation") == ["?period"]
    assert "2026-11" in refused.json()["detail"]
    for begun in ("2026-11", "2026-10", "2020-01"):
        assert (await organization.preview(begun))["total"] == "0.00"


async def test_the_month_begins_in_the_timezone_of_the_organization(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-02-01T00:30:00Z")
    early = await time_machine.xyra.organization(timezone="Pacific/Auckland")
    late = await time_machine.xyra.organization(timezone="America/New_York")
    assert (await early.preview("2027-02"))["period"]["start"] == "2027-01-31T11:00:00Z"
    refused = await late.key.send("GET", "invoices/preview", period="2027-02")
    assert refused.problem(422, "validation") == ["?period"]
    assert "2027-01" in refused.json()["detail"]


async def test_earlier_months_are_not_added_up_but_issued_first(time_machine: TimeMachine) -> None:
    """The grace time is 30 days, so that on 1 March those of January and February go on."""
    organization, _ = await organization_since(time_machine, "2027-01-01T00:00:00Z", FEE, AHEAD)
    await time_machine.at("2027-03-01T12:00:00Z")
    previews = [await organization.preview(month) for month in ("2027-01", "2027-02", "2027-03")]
    assert [assumed(preview) for preview in previews] == [[], ["2027-01"], ["2027-01", "2027-02"]]
    assert [billed(preview) for preview in previews] == [
        [("2027-01", "ahead", "10.00"), ("2027-01", "fee", "31.00"), ("2027-02", "ahead", "10.00")],
        [("2027-02", "fee", "31.00"), ("2027-03", "ahead", "10.00")],
        [("2027-03", "fee", "31.00"), ("2027-04", "ahead", "10.00")],
    ]
    await time_machine.at("2027-05-02T12:00:00Z")
    issued = await organization.invoices()
    assert [invoice["lines"] for invoice in issued[:3]] == [preview["lines"] for preview in previews]


async def test_what_changes_after_an_invoice_is_on_the_next_one(time_machine: TimeMachine) -> None:
    """January's invoice is issued already, so February's corrects it, and March's assumes that."""
    used = {"key": "used", "type": "activity", "meter": {"event_type": "step"}}
    used["pricing"] = {"type": "per_unit", "unit_amount": "1.00"}
    event = {"type": "step", "agent": "coder", "time": "2027-01-01T00:00:00Z"}
    organization, _ = await organization_since(time_machine, "2027-01-01T00:00:00Z", used, grace_hours=48)
    await organization.key.report({"id": "in time", **event})
    await time_machine.at("2027-02-05T00:00:00Z")
    (january,) = await organization.invoices()
    assert (january["status"], january["total"]) == ("pending", "1.00")
    await time_machine.at("2027-03-01T12:00:00Z")
    await organization.key.report({"id": "late", **event})
    await time_machine.xyra.idle()
    february, march = [await organization.preview(month) for month in ("2027-02", "2027-03")]
    assert (billed(february), assumed(february)) == ([("2027-01", "used", "1.00")], [])
    assert (billed(march), assumed(march)) == ([], ["2027-02"])
