"""Who reported an event goes with it: through the queue, into the store, and through another try after parking."""

import json
from typing import Any

import function_app
from functions.usage.events import report_events
from shared.bootstrap import Application, Ports
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.ids import named_id
from shared.domain.usage.events import AcceptedEvent, event_key
from shared.http import ENDPOINTS
from shared.http.serving import Request, serve
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.agents.agents import AgentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.messages import QUEUE, read_message
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.invoiced_organization import delivered
from tests.doubles.worlds.served_endpoint import NOW

ORGANIZATION = named_id("org", "reporters")
PERSON = Principal("usr_1", ORGANIZATION, frozenset(Permission))
SCOPES = (Permission.API_KEYS_WRITE, Permission.EVENTS_WRITE)

assert function_app.app, "importing it declares the endpoints"


async def with_an_agent(queue: MemoryQueue) -> Application:
    host = Application(Ports(MemoryStore(), queue, SettableClock(NOW), NoSecrets()), Settings())
    await host.organizations.create(ORGANIZATION, OrganizationDraft(name="Acme", currency="USD", timezone="UTC"))
    await host.agents.create(named_id("agt", "coder"), ORGANIZATION, AgentDraft(external_id="coder", name="Coder"))
    return host


async def report(host: Application, token: str, event: dict[str, Any]) -> None:
    declared = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "report_events")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    request = Request("POST", headers, {}, {}, json.dumps(event).encode())
    answer = await serve(declared, report_events, request, lambda: host)
    assert answer.status == 202, answer.body


async def test_an_event_carries_the_root_of_the_key_that_reported_it() -> None:
    queue = MemoryQueue()
    host = await with_an_agent(queue)
    (root, _), token = await host.api_keys.create(
        named_id("key", "root"), ORGANIZATION, ApiKeyDraft(name="Root", scopes=SCOPES), PERSON
    )
    holder = await host.authentication.authenticate(token, for_events=False)
    _, childs = await host.api_keys.create(
        named_id("key", "child"), ORGANIZATION, ApiKeyDraft(name="Child", scopes=SCOPES), holder
    )
    await report(host, childs, {"id": "1", "type": "command", "agent": "coder"})
    (message,) = queue.waiting[QUEUE]
    (event,) = read_message(message.body).events
    assert event.reporter == root.id
    await host.metering.meter(delivered([message]))
    stored = await host.recorded_events.get(await host.organizations.get(ORGANIZATION), event.key)
    assert stored.event.reporter == root.id


def test_messages_from_before_every_event_had_a_reporter_are_read() -> None:
    key = event_key(ORGANIZATION, "api", "1")
    body = (
        f'{{"organization":"org_1","events":[{{"key":"{key}","id":"1","source":"api","type":"command",'
        '"agent":"agt_1","time":"2026-10-05T00:00:00.000000Z","data":{},"content":"c"}]}'
    )
    expected = AcceptedEvent(
        key=key,
        id="1",
        source="api",
        type="command",
        agent="agt_1",
        time="2026-10-05T00:00:00.000000Z",
        data={},
        reporter=None,
        content="c",
    )
    assert read_message(body.encode()).events == [expected]
