"""One endpoint of a test's own, served as every other, over memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.bootstrap import Application, Ports
from shared.http import Access, Endpoint
from shared.http.replies import Handler
from shared.http.serving import Request, serve
from shared.services.storage.idempotency import Answer
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

Json = dict[str, Any]
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def request(
    method: str = "GET", *, body: bytes = b"", headers: Mapping[str, str] | None = None, **path: str
) -> Request:
    return Request(method=method, headers=headers or {}, params={}, route_params=path, body=body)


@dataclass
class ServedEndpoint:
    """`declaration` has the parts of `Endpoint` that matter to the test."""

    handler: Handler
    declaration: Mapping[str, Any]
    application: Application = field(init=False)

    def __post_init__(self) -> None:
        clock = SettableClock(NOW)
        self.application = Application(Ports(MemoryStore(), MemoryQueue(), clock, NoSecrets()), Settings())

    @property
    def declared(self) -> Endpoint:
        defaults: Json = {
            "name": "tried",
            "area": "tests",
            "method": "GET",
            "path": "/tried",
            "summary": "Tried",
            "access": Access.PUBLIC,
            "answers": {200: dict[str, Any]},
        }
        return Endpoint(**(defaults | dict(self.declaration)))

    async def answer(self, sent: Request | None = None) -> Answer:
        return await serve(self.declared, self.handler, sent or request(), lambda: self.application)

    async def problem(self, sent: Request | None = None) -> Json:
        answer = await self.answer(sent)
        assert answer.media_type == "application/problem+json"
        problem: Json = json.loads(answer.body)
        assert problem["status"] == answer.status
        return problem
