"""Invoices as the API shows them: a list from their headers, one of them with its first 500 lines."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.billing.invoices import InvoiceListQuery, InvoicePath, get_invoice, list_invoice_lines, list_invoices
from shared.bootstrap import Application, Ports
from shared.containers import INVOICES
from shared.domain.access.identity import Permission, Principal
from shared.domain.billing.documents import Invoice
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.http import ENDPOINTS, Call, ListQuery, NoBody, PathValues, Query
from shared.http.replies import Handler
from shared.services.agents.agents import AgentDraft
from shared.services.billing.invoice_runs import Task
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.counting_store import CountingStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

Json = dict[str, Any]

ORGANIZATION = "org_1"
MODEL = "bm_1"
START = datetime(2022, 1, 1, tzinfo=UTC)
CALLER = Principal("key_1", ORGANIZATION, frozenset(Permission))
FEE = {"key": "fee", "type": "flat_fee", "amount": "31.00", "scope": "agent"}
ADVANCE_FEE = {**FEE, "timing": "advance"}


class Scene:
    """An organization whose agents have paid a fee a month from 2022 on."""

    def __init__(self) -> None:
        self.store = CountingStore()
        self.clock = SettableClock(START)
        self.host = Application(Ports(self.store, MemoryQueue(), self.clock, NoSecrets()), Settings())

    async def set_up(self, charge: Json = FEE, agents: int = 1) -> None:
        organization = OrganizationDraft(name="Acme", currency="USD", timezone="UTC")
        await self.host.organizations.create(ORGANIZATION, organization)
        model = {"name": "Model", "currency": "USD", "effective_from": START, "charges": [charge]}
        await self.host.billing_models.create(MODEL, ORGANIZATION, BillingModelDraft.model_validate(model))
        for number in range(agents):
            draft = AgentDraft(external_id=f"{number}", name="Agent", billing_model_id=MODEL, billing_model_from=START)
            await self.host.agents.create(f"agt_{number}", ORGANIZATION, draft)
        await self.host.outbox.sweep()

    async def invoiced(self, now: datetime) -> None:
        """As the timer does: what is over is drafted, and finalized after the grace time of a day."""
        self.clock.set(now)
        await self.host.outbox.sweep()
        await self.host.invoice_runs.run(Task(organization_id=ORGANIZATION))

    async def invoiced_then_ended(self) -> None:
        """January is billed in advance with December.

        Then its agent ends in the middle of it.
        """
        await self.set_up(ADVANCE_FEE)
        await self.host.invoice_runs.run(
            Task(job_id="job_1", organization_id=ORGANIZATION, period="2021-12", finalize=True)
        )
        self.clock.set(datetime(2022, 1, 15, 12, tzinfo=UTC))
        await self.host.agents.delete(ORGANIZATION, "agt_0", None)

    async def asked(self, handler: Handler, query: Query, path: PathValues | None = None) -> Json:
        """The handler's answer as its endpoint sends it."""
        call = Call(
            services=self.host,
            principal=CALLER,
            body=NoBody(),
            query=query,
            path=path or PathValues(),
            headers={},
            now=self.clock.now(),
            if_match=None,
            idempotency_key=None,
            request_hash="",
        )
        (declared,) = [endpoint for endpoint in ENDPOINTS if endpoint.name == handler.__name__]
        answer: Json = json.loads((await handler(call)).answer(declared).body)
        return answer

    async def listed(self, limit: int = 100) -> list[Json]:
        shown: list[Json] = (await self.asked(list_invoices, InvoiceListQuery(limit=limit)))["data"]
        return shown

    async def shown(self, invoice_id: str) -> Json:
        return await self.asked(get_invoice, Query(), InvoicePath(invoice_id=invoice_id))


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
