"""From events to a finalized invoice."""

import pytest

from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.billed_commands import billed_agent, command

OCTOBER = "2026-10"


@pytest.mark.walk
async def test_a_month_is_previewed_drafted_and_finalized(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await billed_agent(organization)
    await organization.key.report(command("1", "10"), command("2", "3"))
    await xyra.idle()
    preview = await organization.preview(OCTOBER)
    # 10 x 1.005 + 3 x 0.5 = 11.55
    assert [(line["charge"], line["quantity"], line["amount"]) for line in preview["lines"]] == [
        ("commands", "13", "11.55"),
        ("platform", "1", "499.00"),
    ]
    (draft,) = await xyra.generate(organization, OCTOBER, finalize=False)
    assert (draft["status"], draft["number"], draft["total"], draft["amount_due"]) == ("draft", None, "510.55", "0.00")
    (same,) = await xyra.generate(organization, OCTOBER, finalize=False)
    assert same == draft | {"as_of": same["as_of"]}
    answer = await xyra.operator.send("POST", f"invoices/{draft['id']}/finalize")
    invoice = answer.expect(200)
    assert invoice["status"] == "pending"
    assert invoice["number"] == f"INV-{organization.slug.upper()}-2026-000001"
    assert (invoice["total"], invoice["subtotal"], invoice["amount_due"]) == ("510.55", "510.55", "510.55")
    assert invoice["lines"] == preview["lines"]
    commands = invoice["lines"][0]
    assert commands["agent_id"] == agent["id"]
    assert [(step["from"], step["to"], step["quantity"], step["amount"]) for step in commands["steps"]] == [
        ("0", "10", "10", "10.05"),
        ("10", None, "3", "1.5"),
    ]
    again = await xyra.operator.send("POST", f"invoices/{draft['id']}/finalize")
    assert again.expect(200) == invoice
    assert await xyra.generate(organization, OCTOBER) == [invoice]
    assert await organization.invoices() == [invoice]
    assert await organization.key.get(f"invoices/{invoice['id']}") == invoice
    assert (await organization.key.get(f"invoices/{invoice['id']}/lines"))["data"] == invoice["lines"]
    assert (await organization.key.get("invoices", status="draft"))["data"] == []
    assert (await organization.preview(OCTOBER))["lines"] == []


async def test_a_run_over_all_organizations_numbers_each_ones_invoices(xyra: Xyra) -> None:
    organizations = [await xyra.organization() for _ in range(3)]
    for each in organizations:
        await billed_agent(each)
    job = await xyra.operator.post("invoices/generate/monthly", {"period": OCTOBER, "finalize": True}, expect=202)
    await xyra.idle()
    assert (await xyra.operator.get(f"invoices/jobs/{job['id']}"))["done"]
    for each in organizations:
        (invoice,) = await each.invoices()
        assert (invoice["number"], invoice["total"]) == (f"INV-{each.slug.upper()}-2026-000001", "499.00")
    first = organizations[0]
    await first.key.report(command("late", "2"))
    await xyra.idle()
    await xyra.generate(first, OCTOBER)
    (september,) = await xyra.generate(first, "2026-09") or [None]
    assert september is None


async def test_a_month_that_has_not_ended_is_only_previewed(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await xyra.operator.send(
        "POST", "invoices/generate/monthly", {"organization_id": organization.id, "period": "2026-11"}
    )
    assert answer.problem(422, "validation") == ["/period"]
