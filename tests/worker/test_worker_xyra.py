"""Xyra itself in the platform's own worker: it is indexed, and its functions do their work."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import function_app
from shared.adapters.clock.system_clock import SystemClock
from shared.adapters.secret_file.secrets import LocalSecrets
from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.sqlite.queue import LocalQueue
from shared.bootstrap import Application, Ports
from shared.containers import TENANTS
from shared.domain.access.identity import OPERATOR_ONLY, Permission, Principal
from shared.domain.kernel.ids import new_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.http import ENDPOINTS
from shared.ports.queue import Message
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.agents.agents import AgentDraft
from shared.services.storage import OutboxEntry
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.places import ROOT

assert function_app.app, "importing it declares the endpoints"

Worker = Callable[..., dict[str, Any]]

EVENT = {"id": "1", "type": "command", "agent": "coder", "data": {"quantity": "2.5"}}


@dataclass(frozen=True)
class Data:
    """A data directory with an organization, seen by another process than the worker's."""

    application: Application
    store: SqliteStore
    queue: LocalQueue
    sent: MemoryQueue
    """What the application sends."""
    organization_id: str
    key: str
    message: Message
    """As the app itself would send it to `rate_usage`."""

    async def waiting(self, queue: str) -> bytes:
        """The body of the one message in the queue."""
        session = await self.queue.accept(queue, wait_seconds=0)
        assert session is not None
        (received,) = await self.queue.receive(session, max_messages=10, wait_seconds=0) or []
        return received.message.body

    async def usage(self) -> list[tuple[str | None, str]]:
        organization = await self.application.organizations.get(self.organization_id)
        period = await self.application.periods.of_month(organization, None, self.application.clock.now())
        everything = {"agent": None, "charge": None, "project": None, "department": None}
        rows = await self.application.usage_reports.rows(organization, period, **everything)
        return [(row.charge, row.quantity) for row in rows]


async def set_up(data_dir: Path) -> Data:
    database = Database(data_dir / "xyra.db")
    clock = SystemClock()
    queue, sent = LocalQueue(database), MemoryQueue()
    secrets = LocalSecrets(data_dir / "secrets.json")
    store = SqliteStore(database, clock)
    application = Application(Ports(store, sent, clock, secrets), Settings(data_dir=data_dir))
    organization_id = new_id("org")
    draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC")
    await application.organizations.create(organization_id, draft)
    start = datetime.now(UTC) - timedelta(days=40)
    charge = {
        "key": "commands",
        "type": "activity",
        "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
        "pricing": {"type": "per_unit", "unit_amount": "1"},
    }
    fee = {"key": "platform", "type": "flat_fee", "amount": "10"}
    model = BillingModelDraft.model_validate(
        {"name": "Model", "currency": "USD", "effective_from": start, "charges": [charge, fee]}
    )
    model_id = new_id("bm")
    await application.billing_models.create(model_id, organization_id, model)
    agent = AgentDraft(external_id="coder", name="Coder", billing_model_id=model_id, billing_model_from=start)
    await application.agents.create(new_id("agt"), organization_id, agent)
    system = Principal("usr_test", None, frozenset(Permission))
    draft = ApiKeyDraft(name="Tests", scopes=tuple(sorted(set(Permission) - OPERATOR_ONLY)))
    _, key = await application.api_keys.create(new_id("key"), organization_id, draft, system)
    return Data(
        application, store, queue, sent, organization_id, key, await message_of(application, sent, organization_id)
    )


async def message_of(application: Application, sent: MemoryQueue, organization_id: str) -> Message:
    event = ReportedEvent(0, "by message", "command", "coder", "api", None, None, {"quantity": "4"}, organization_id)
    await application.events.accept([event], partial=False)
    (message,) = sent.waiting["usage"]
    return message


def delivered(message: Message) -> dict[str, Any]:
    return {
        "body": message.body.decode("latin-1"),
        "session_id": message.session_id,
        "message_id": message.message_id,
        "correlation_id": message.correlation_id,
        "delivery_count": 1,
        "sequence_number": 1,
        "lock_token": "00000000-0000-0000-0000-000000000000",
        "enqueued_time_utc": "2026-10-03T08:00:00.0000000",
        "expires_at_utc": "9999-12-31T23:59:59.9999999",
    }


def request(method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    sent = {"method": method, "url": f"http://xyra{path}", "headers": [list(pair) for pair in headers.items()]}
    return sent | ({"body": json.dumps(body)} if body is not None else {})


def test_the_worker_indexes_every_function(worker: Worker) -> None:
    answer = worker(ROOT)
    assert answer["failure"] is None
    triggers = {each["name"]: each["bindings"][0] for each in answer["functions"]}
    routes = [(each["route"], *each.get("methods", ())) for each in triggers.values() if each["type"] == "httpTrigger"]
    assert sorted(routes) == sorted([("{*path}",), *((endpoint.template, *endpoint.methods) for endpoint in ENDPOINTS)])
    assert {each["authLevel"] for each in triggers.values() if each["type"] == "httpTrigger"} == {"ANONYMOUS"}
    others = {name: each["type"] for name, each in triggers.items() if each["type"] != "httpTrigger"}
    assert others == {
        "rate_usage": "serviceBusTrigger",
        "park_dead_usage": "serviceBusTrigger",
        "run_invoices": "serviceBusTrigger",
        "fail_dead_invoice_runs": "serviceBusTrigger",
        "handle_payment_events": "serviceBusTrigger",
        "park_dead_payment_events": "serviceBusTrigger",
        "start_invoice_runs": "timerTrigger",
        "sweep_outbox": "timerTrigger",
        "run_exports": "timerTrigger",
    }
    queues = {name: each for name, each in triggers.items() if each["type"] == "serviceBusTrigger"}
    with_sessions = {name for name, each in queues.items() if each.get("isSessionsEnabled")}
    assert with_sessions == {"rate_usage", "run_invoices", "handle_payment_events"}
    assert {(each.get("cardinality"), each["dataType"]) for each in queues.values()} == {(None, "BINARY")}


async def test_its_functions_do_their_work_in_the_worker(worker: Worker, tmp_path: Path) -> None:
    data = await set_up(tmp_path / "data")
    json_body = {"content-type": "application/json"}
    answer = worker(
        ROOT,
        {"function": "health", "http": request("GET", "/health")},
        {"function": "health_ready", "http": request("GET", "/health/ready")},
        {"function": "report_events", "http": request("POST", "/api/v1/events", EVENT, **json_body)},
        {
            "function": "report_events",
            "http": request("POST", "/api/v1/events", EVENT, **json_body, **{"x-api-key": data.key}),
        },
        {"function": "rate_usage", "message": delivered(data.message)},
        {"function": "rate_usage", "message": delivered(data.message)},
        {"function": "get_usage", "http": request("GET", "/api/v1/usage", authorization=f"Bearer {data.key}")},
        {"function": "start_invoice_runs", "timer": {"past_due": False}},
        environment={"XYRA_DATA_DIR": str(tmp_path / "data")},
    )
    assert [each["failure"] for each in answer["results"]] == [None] * 8
    health, ready, refused, accepted, _, _, usage, _ = (each["http"] for each in answer["results"])
    assert (health["status"], json.loads(health["body"])) == (200, {"status": "ok"})
    assert (ready["status"], json.loads(ready["body"])) == (200, {"status": "ok"})
    assert refused["status"] == 401
    assert json.loads(refused["body"])["type"] == "urn:xyra:problem:unauthenticated"
    assert accepted["status"] == 202
    assert json.loads(accepted["body"])["events"] == [{"index": 0, "id": "1"}]

    # The event of the message was metered, once; the one that was posted waits in the queue.
    shown = json.loads(usage["body"])
    assert [(row["charge"], row["quantity"]) for row in shown["data"]] == [("commands", "4")]
    assert shown["pending"] == 1
    assert await data.usage() == [("commands", "4")]
    (event,) = json.loads(await data.waiting("usage"))["events"]
    assert (event["id"], event["data"]) == ("1", {"quantity": "2.5"})
    assert json.loads(await data.waiting("invoices"))["page"]["cursor"] is None


async def test_what_is_logged_reaches_the_host_as_a_text_with_its_correlation_id(
    worker: Worker, tmp_path: Path
) -> None:
    """A trace in Application Insights has no fields for an exception: `parse_json(message)` finds it, and the id."""
    data = await set_up(tmp_path / "data")
    due = data.application.clock.now() - timedelta(minutes=1)
    entry = OutboxEntry(id="outbox:1", effect="nobody's", payload={}, correlation_id="request-7", due_at=due)
    await data.store.create(TENANTS.name, data.organization_id, entry.document())
    answer = worker(
        ROOT,
        {"function": "health", "http": request("GET", "/health")},
        {"function": "sweep_outbox", "timer": {"past_due": False}},
        environment={"XYRA_DATA_DIR": str(tmp_path / "data")},
    )
    (line,) = [each for each in answer["logs"] if each["level"] == "ERROR"]
    assert line["category"] == "shared.services.storage.outbox"
    assert line["invocation_id"] == "invocation-1"
    logged = json.loads(line["message"])
    assert (logged["level"], logged["correlation_id"]) == ("ERROR", "request-7")
    assert logged["message"] == "an effect failed and is put off"
    assert 'KeyError: "nobody\'s"' in logged["exc_info"]
    later = [each for each in answer["logs"] if each["invocation_id"] == "invocation-1"]
    assert [each for each in later if each["category"].startswith("azure")] == []
