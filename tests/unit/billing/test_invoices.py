"""Invoices as the API shows them: a list from their headers, one of them with its first 500 lines."""

from datetime import UTC, datetime, timedelta

from functions.billing.invoices import InvoicePath, list_invoice_lines
from shared.containers import INVOICES
from shared.domain.billing.documents import Invoice
from shared.http import ListQuery
from tests.doubles.worlds.paid_fees import ORGANIZATION, START, Json, Scene


async def test_50_invoices_are_listed_in_one_store_request() -> None:
    """Of the two that a call may take, the other one is for its credential."""
    scene = Scene()
    await scene.set_up()
    await scene.invoiced(datetime(2026, 3, 10, tzinfo=UTC))
    scene.store.requests = 0
    listed = await scene.listed(limit=50)
    assert scene.store.requests == 1
    assert [invoice["number"][-6:] for invoice in listed] == [f"{number:06d}" for number in range(50, 0, -1)]
    assert {invoice["total"] for invoice in listed} == {"31.00"}


async def test_a_list_shows_all_of_an_invoice_but_its_lines_and_credit_notes() -> None:
    scene = Scene()
    await scene.invoiced_then_ended()
    await scene.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (header,) = await scene.listed()
    whole = await scene.shown(header["id"])
    assert len(whole["lines"]) == 1
    assert [note["total"] for note in whole["credit_notes"]] == ["-16.00"]
    assert header == {**whole, "lines": [], "credit_notes": []}
    assert header["lines_url"] == f"/api/v1/invoices/{header['id']}/lines"


async def test_a_draft_shows_the_same_total_in_a_list_as_alone() -> None:
    """One that finalizing turns into a credit note shows nothing to pay."""
    scene = Scene()
    await scene.invoiced_then_ended()
    await scene.invoiced(datetime(2022, 2, 1, 1, tzinfo=UTC))
    draft, _ = await scene.listed()
    whole = await scene.shown(draft["id"])
    assert (draft["status"], draft["total"]) == ("draft", "0.00")
    assert [note["total"] for note in whole["credit_notes"]] == ["-16.00"]
    assert draft == {**whole, "lines": [], "credit_notes": []}


async def test_a_draft_of_before_is_listed_by_the_lines_that_were_stored_with_it() -> None:
    """It has neither totals nor the time at which they were computed."""
    scene = Scene()
    await scene.invoiced_then_ended()
    await scene.invoiced(datetime(2022, 2, 1, 1, tzinfo=UTC))
    listed, _ = await scene.listed()
    stored = await scene.store.get(INVOICES.name, ORGANIZATION, listed["id"])
    assert stored is not None
    draft = Invoice.read(stored.document)
    bill = await scene.host.bills.of_draft(await scene.host.organizations.get(ORGANIZATION), draft.period)
    await scene.host.billing_documents.write_lines(ORGANIZATION, draft, bill.lines)
    del stored.document["draft_totals"], stored.document["as_of"]
    await scene.store.upsert(INVOICES.name, ORGANIZATION, stored.document)
    assert (await scene.listed())[0] == listed
    assert (await scene.shown(listed["id"]))["total"] == listed["total"]


async def test_one_invoice_shows_its_first_500_lines_and_its_lines_url_has_all() -> None:
    scene = Scene()
    await scene.set_up(agents=1201)
    await scene.invoiced(datetime(2022, 2, 5, tzinfo=UTC))
    (header,) = await scene.listed()
    scene.store.requests = 0
    whole = await scene.shown(header["id"])
    assert scene.store.requests == 3  # header, first lines, credit notes
    assert (len(whole["lines"]), whole["total"]) == (500, "37231.00")
    lines: list[Json] = []
    cursor: str | None = None
    while cursor is not None or not lines:
        query = ListQuery(limit=200, cursor=cursor)
        page = await scene.asked(list_invoice_lines, query, InvoicePath(invoice_id=header["id"]))
        lines += page["data"]
        cursor = page["next_cursor"]
    assert (len(lines), lines[:500]) == (1201, whole["lines"])


async def test_the_grace_time_of_a_day_keeps_a_draft_open() -> None:
    scene = Scene()
    await scene.set_up()
    end = datetime(2022, 2, 1, tzinfo=UTC)
    await scene.invoiced(end + timedelta(hours=23))
    assert [invoice["status"] for invoice in await scene.listed()] == ["draft"]
    await scene.invoiced(end + timedelta(hours=25))
    assert [invoice["status"] for invoice in await scene.listed()] == ["pending"]


async def test_a_draft_is_finalized_also_where_its_period_is_settled_already() -> None:
    """A later invoice may have billed the period while the draft was made; left open, it would hold back all others."""
    scene = Scene()
    await scene.set_up()
    await scene.invoiced(datetime(2022, 2, 1, 1, tzinfo=UTC))
    (draft,) = await scene.listed()
    january = await scene.host.periods.item(ORGANIZATION, START)
    settled = january.entity.changed(settled=True)
    await scene.store.upsert(INVOICES.name, ORGANIZATION, settled.document())
    await scene.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    assert [(invoice["id"], invoice["status"]) for invoice in await scene.listed()] == [(draft["id"], "pending")]
