"""The demo: recorded usage of a real agent goes in over HTTP and comes out as invoices."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.demo.billing_model import billing_model
from local.demo.presentation import invoice_table, next_steps
from local.demo.recording import Event, Month, events_over

BATCH = 500
_POLL_SECONDS = 0.2
_OK = range(200, 300)


class DemoError(Exception):
    """The API did not answer as the demo expects."""


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
            f"Demo: {total:,} recorded calls, commands and runs of a coding agent on {len(events)} projects,\n"
            f"laid over {month}: each run is moved by whole days into that month, its times of day stay."
        )
        organizations = {project: await self._organization(project, month) for project in sorted(events)}
        await self._send(events, organizations, total)
        await self._rated(organizations, month)
        invoices = await self._invoice(organizations, month)
        self._console.print(invoice_table(invoices[0]))
        for invoice in invoices:
            self._console.print(f"{invoice['number']}  {invoice['total']:>12} {invoice['currency']}")
        first = next(iter(organizations.values()))
        key = await self._call(
            "POST",
            "api-keys",
            key="demo-key",
            json={
                "name": "Demo",
                "organization_id": first,
                "scopes": ["events:write", "agents:read", "usage:read", "invoices:read", "billing_models:read"],
            },
        )
        return {"month": str(month), "organization_id": first, "api_key": key["token"]}

    async def _organization(self, project: str, month: Month) -> str:
        organization = await self._call(
            "POST",
            "organizations",
            key=f"demo-{project}",
            json={"name": project, "slug": project, "currency": "USD", "timezone": "UTC"},
        )
        organization_id: str = organization["id"]
        start = month.start.isoformat()
        model = await self._call(
            "POST",
            "billing-models",
            key=f"demo-model-{project}",
            json=billing_model(f"Coding agent for {project}", organization_id, start),
        )
        await self._call(
            "POST",
            "agents",
            key=f"demo-agent-{project}",
            json={
                "organization_id": organization_id,
                "external_id": "coder",
                "name": f"Coding agent on {project}",
                "type": "coding",
                "billing_model_id": model["id"],
                "billing_model_from": start,
            },
        )
        return organization_id

    async def _send(self, events: dict[str, list[Event]], organizations: dict[str, str], total: int) -> None:
        with Progress(
            TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=self._console
        ) as progress:
            task = progress.add_task("", total=total)
            for project, of_project in events.items():
                for start in range(0, len(of_project), BATCH):
                    batch = of_project[start : start + BATCH]
                    await self._call("POST", "events", params={"organization_id": organizations[project]}, json=batch)
                    progress.advance(task, len(batch))

    async def _rated(self, organizations: dict[str, str], month: Month) -> None:
        for organization_id in organizations.values():
            params = {"organization_id": organization_id, "period": str(month)}
            while (await self._call("GET", "usage", params=params))["pending"]:  # noqa: ASYNC110  asked over HTTP
                await asyncio.sleep(_POLL_SECONDS)

    async def _invoice(self, organizations: dict[str, str], month: Month) -> list[dict[str, Any]]:
        invoices = []
        for organization_id in organizations.values():
            job = await self._call(
                "POST",
                "invoices/generate/monthly",
                json={"organization_id": organization_id, "period": str(month), "finalize": True},
            )
            while not job["done"]:
                await asyncio.sleep(_POLL_SECONDS)
                job = await self._call("GET", f"invoices/jobs/{job['id']}")
            invoices += [await self._call("GET", f"invoices/{invoice_id}") for invoice_id in job["invoices"]]
        return invoices

    async def _call(self, method: str, path: str, *, key: str | None = None, **request: Any) -> Any:  # noqa: ANN401  JSON
        headers = {"Authorization": f"Bearer {self._token}"} if path != "auth/login/access-token" else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        async with self._session.request(method, f"/api/v1/{path}", headers=headers, **request) as response:
            if response.status not in _OK:
                raise DemoError(f"{method} {path} answered {response.status}: {await response.text()}")
            return await response.json()
