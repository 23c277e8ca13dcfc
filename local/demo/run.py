"""The demo: recorded usage of a real agent goes in over HTTP and comes out as invoices."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.demo.billing_model import billing_model
from local.demo.presentation import invoice_table, margin_table, next_steps, statement_table, stopped_run, totals_table
from local.demo.recording import Event, Month, events_over, runs_over

BATCH = 500
_POLL_SECONDS = 0.2
_OK = range(200, 300)


SCOPES = [
    "events:write",
    "events:read",
    "agents:read",
    "projects:read",
    "usage:read",
    "outcomes:read",
    "invoices:read",
    "billing_models:read",
    "credits:read",
    "credits:use",
    "credits:use_amount",
]

CREDITS = "1000"
"""What the first project has prepaid. Each of its runs spends what the cost table says of a workflow."""
ACTION = {"agent_type": "WorkflowAgent", "action": "execute_workflow"}
CAP = "10"
"""What each run of the first project may spend, so that one that goes round in circles is stopped."""
CAPPED_RUN = "demo-in-circles"
_FORBIDDEN = 403


class DemoError(Exception):
    """The API did not answer as the demo expects."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One of the demo's organizations, with its project and its agent's key."""

    organization_id: str
    project_id: str
    api_key: str


class Demo:
    """Every step can be repeated: what was cut short is taken up again at the next start."""

    def __init__(  # noqa: PLR0913  where, as whom, and when
        self, base: str, email: str, password: str, data_dir: Path, now: Callable[[], datetime], console: Console
    ) -> None:
        self._base = base
        self._credentials = {"username": email, "password": password}
        self._kept = data_dir / "demo.json"
        self._now = now
        self._console = console

    async def run(self) -> None:
        kept = json.loads(self._kept.read_text()) if self._kept.exists() else {"month": str(Month.before(self._now()))}
        month = Month.parse(kept["month"])
        async with aiohttp.ClientSession(base_url=self._base) as session:
            self._session = session
            self._token = (await self._call("POST", "auth/login/access-token", data=self._credentials))["access_token"]
            if "api_key" in kept:
                self._console.print(f"The demo's data of {month} is here from an earlier start.")
            else:
                self._keep(kept)
                kept = await self._make(month)
                self._keep(kept)
            self._console.print(next_steps(self._base, kept), soft_wrap=True)

    def _keep(self, kept: dict[str, str]) -> None:
        self._kept.touch(mode=0o600)
        self._kept.write_text(json.dumps(kept))

    async def _make(self, month: Month) -> dict[str, str]:
        events = events_over(month)
        total = sum(len(of_project) for of_project in events.values())
        self._console.print(
            f"Demo: {total:,} recorded calls, commands, runs and outcomes of a coding agent on {len(events)} projects\n"
            f"laid over {month}: each run is moved by whole days into that month, its times of day stay."
        )
        customers = {project: await self._customer(project, month) for project in sorted(events)}
        await self._send(events, customers, total)
        for customer in customers.values():
            await self._rated(customer, month)
            await self._decide(customer, month)
        invoices = [await self._invoice(customer, month) for customer in customers.values()]
        first = next(iter(customers.values()))
        self._console.print(invoice_table(invoices[0]))
        self._console.print(statement_table(await self._spend_credits(first, next(iter(customers)), month)))
        self._console.print(stopped_run(CAPPED_RUN, await self._run_in_circles(first)))
        self._console.print(totals_table(invoices))
        summaries = {project: await self._summary(customer, month) for project, customer in customers.items()}
        self._console.print(margin_table(summaries))
        return {"month": str(month), "organization_id": first.organization_id, "api_key": first.api_key}

    async def _customer(self, project: str, month: Month) -> Customer:
        organization = await self._call(
            "POST",
            "organizations",
            key=f"demo-{project}",
            json={"name": project, "slug": project, "currency": "USD", "timezone": "UTC"},
        )
        owned = {"organization_id": organization["id"]}
        start = month.start.isoformat()
        model = await self._call(
            "POST",
            "billing-models",
            key=f"demo-model-{project}",
            json=billing_model(f"Coding agent for {project}", organization["id"], start),
        )
        made = await self._call("POST", "projects", key=f"demo-project-{project}", json=owned | {"name": project})
        await self._call(
            "POST",
            "agents",
            key=f"demo-agent-{project}",
            json=owned
            | {
                "external_id": "coder",
                "name": f"Coding agent on {project}",
                "type": "coding",
                "project_id": made["id"],
                "billing_model_id": model["id"],
                "billing_model_from": start,
            },
        )
        key = await self._call(
            "POST", "api-keys", key=f"demo-key-{project}", json=owned | {"name": "Demo", "scopes": SCOPES}
        )
        return Customer(organization["id"], made["id"], key["token"])

    async def _send(self, events: dict[str, list[Event]], customers: dict[str, Customer], total: int) -> None:
        """With the customers' own keys: who reports an outcome may not verify it."""
        with Progress(
            TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=self._console
        ) as progress:
            task = progress.add_task("", total=total)
            for project, of_project in events.items():
                for start in range(0, len(of_project), BATCH):
                    batch = of_project[start : start + BATCH]
                    await self._call("POST", "events", credential=customers[project].api_key, json=batch)
                    progress.advance(task, len(batch))

    async def _rated(self, customer: Customer, month: Month) -> None:
        params = {"organization_id": customer.organization_id, "period": str(month)}
        while (await self._call("GET", "usage", params=params))["pending"]:  # noqa: ASYNC110  asked over HTTP
            await asyncio.sleep(_POLL_SECONDS)

    async def _decide(self, customer: Customer, month: Month) -> None:
        """The operator verifies the outcomes of runs whose issue is resolved, and rejects the others."""
        resolved = {run.id for run in runs_over(month) if run.resolved}
        of_organization = {"organization_id": customer.organization_id}
        pending = await self._pending(of_organization)
        verified = [outcome["id"] for outcome in pending if outcome["run"] in resolved]
        if verified:
            note = "The issue's tests pass"
            await self._call("POST", "outcomes/verify", params=of_organization, json={"ids": verified, "note": note})
        for outcome in pending:
            if outcome["run"] not in resolved:
                reason = {"reason": "The issue's tests fail"}
                await self._call("POST", f"outcomes/{outcome['id']}/reject", params=of_organization, json=reason)

    async def _pending(self, of_organization: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        wanted = of_organization | {"status": "pending", "limit": "200"}
        while True:
            page = await self._call("GET", "outcomes", params=wanted)
            found += page["data"]
            if page["next_cursor"] is None:
                return found
            wanted["cursor"] = page["next_cursor"]

    async def _spend_credits(self, customer: Customer, project: str, month: Month) -> dict[str, Any]:
        """Give a customer prepaid credits and spend some for each run of its project; its statement."""
        grant = {"organization_id": customer.organization_id, "amount": CREDITS, "source": "purchase"}
        await self._call("POST", "credits/grants", key="demo-credits", json=grant | {"reason": "Prepaid credits"})
        for run in runs_over(month):
            if run.project == project:
                use = ACTION | {"agent": "coder", "run": run.id}
                await self._call("POST", "credits/use", key=f"demo-{run.id}", credential=customer.api_key, json=use)
        span = {"from": month.start.isoformat(), "to": (self._now() + timedelta(days=1)).isoformat()}
        statement: dict[str, Any] = await self._call(
            "GET", "credits/statement", credential=customer.api_key, params=span
        )
        return statement

    async def _run_in_circles(self, customer: Customer) -> dict[str, Any]:
        """Cap each run, and let one spend until its cap stops it; what it is told then."""
        of_organization = {"organization_id": customer.organization_id}
        body = {"name": "Each run", "scope": "run", "ref": "each", "window": "once", "limit": CAP}
        await self._call("PUT", "budgets/each-run", params=of_organization, json=body)
        number = 0
        while True:
            number += 1
            use = ACTION | {"agent": "coder", "run": CAPPED_RUN}
            answer: dict[str, Any] = await self._call(
                *("POST", "credits/use"),
                key=f"demo-circle-{number}",
                credential=customer.api_key,
                also=_FORBIDDEN,
                json=use,
            )
            if answer.get("status") == _FORBIDDEN:
                return answer

    async def _invoice(self, customer: Customer, month: Month) -> dict[str, Any]:
        job = await self._call(
            "POST",
            "invoices/generate/monthly",
            json={"organization_id": customer.organization_id, "period": str(month), "finalize": True},
        )
        while not job["done"]:
            await asyncio.sleep(_POLL_SECONDS)
            job = await self._call("GET", f"invoices/jobs/{job['id']}")
        (invoice_id,) = job["invoices"]
        invoice: dict[str, Any] = await self._call("GET", f"invoices/{invoice_id}")
        return invoice

    async def _summary(self, customer: Customer, month: Month) -> dict[str, Any]:
        summary: dict[str, Any] = await self._call(
            "GET",
            f"projects/{customer.project_id}/summary",
            params={"organization_id": customer.organization_id, "period": str(month)},
        )
        return summary

    async def _call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        credential: str | None = None,
        also: int | None = None,
        **request: Any,  # noqa: ANN401  those of aiohttp
    ) -> Any:  # noqa: ANN401  JSON
        headers = {}
        if path != "auth/login/access-token":
            headers["Authorization"] = f"Bearer {credential or self._token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        async with self._session.request(method, f"/api/v1/{path}", headers=headers, **request) as response:
            if response.status not in _OK and response.status != also:
                raise DemoError(f"{method} {path} answered {response.status}: {await response.text()}")
            return await response.json()
