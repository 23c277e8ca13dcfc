"""An organization whose agents pay a fee a month, on a host with a store in memory."""

import json
from datetime import UTC, datetime
from typing import Any

from functions.billing.invoices import InvoiceListQuery, InvoicePath, InvoiceQuery, get_invoice, list_invoices
from shared.bootstrap import Application, Ports
from shared.domain.access.identity import Permission, Principal
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.http import ENDPOINTS, Call, NoBody, PathValues, Query
from shared.http.replies import Handler
from shared.services.agents.agents import AgentDraft
from shared.services.billing.invoice_runs import Task
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.counting_store import CountingStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.post_box import PostBox
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
        self.post = PostBox()
        self.host = Application(Ports(self.store, MemoryQueue(), self.clock, NoSecrets(), self.post), Settings())

    async def set_up(self, charge: Json = FEE, agents: int = 1, **fields: Any) -> None:
        organization = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", **fields)
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
        return await self.asked(get_invoice, InvoiceQuery(), InvoicePath(invoice_id=invoice_id))
