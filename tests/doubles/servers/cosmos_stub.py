"""Cosmos DB's answers over HTTP for documents in memory, with faults.

A fault comes before or after a request takes effect. It knows what the adapter's handling of faults needs, and queries
that ask for a whole partition; for the rest there is `cosmos_server.py`.
"""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Document = dict[str, Any]
BATCH = "x-ms-cosmos-is-batch-request"
QUERY = "x-ms-documentdb-isquery"
UPSERT = "x-ms-documentdb-is-upsert"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request for documents instead of its answer."""

    status: int | None = None
    """The status of the answer; None drops the connection."""
    takes_effect: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    is_cut: bool = False
    """The answer ends in its middle."""
    delay: float = 0
    """In seconds. Without a status it is the right answer that comes late."""


@dataclass(frozen=True, slots=True)
class Seen:
    method: str
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class CosmosStub:
    endpoint: str = ""
    faults: deque[Fault] = field(default_factory=deque)
    account_faults: deque[Fault] = field(default_factory=deque)
    container_faults: deque[Fault] = field(default_factory=deque)
    seen: list[Seen] = field(default_factory=list)
    """The requests for documents that came."""
    opened: int = 0
    """How often clients looked at the account."""
    documents: dict[tuple[str, str], Document] = field(default_factory=dict)
    """Documents by partition key and id."""
    _etags: Iterator[int] = field(default_factory=itertools.count)
    _received: asyncio.Event = field(default_factory=asyncio.Event)

    async def received(self) -> None:
        """Wait for the next request for documents."""
        self._received.clear()
        await self._received.wait()

    async def account(self, _request: web.Request) -> web.Response:
        self.opened += 1
        if self.account_faults:
            fault = self.account_faults.popleft()
            return web.json_response(fault.body, status=fault.status or 500)
        location = [{"name": "Here", "databaseAccountEndpoint": self.endpoint}]
        return web.json_response(
            {
                "writableLocations": location,
                "readableLocations": location,
                "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            }
        )

    async def container(self, request: web.Request) -> web.Response:
        if self.container_faults:
            fault = self.container_faults.popleft()
            return web.json_response({}, status=fault.status or 500, headers=fault.headers)
        partition_key = {"paths": ["/pk"], "kind": "Hash", "version": 2}
        return web.json_response({"id": request.match_info["container"], "_rid": "x", "partitionKey": partition_key})

    async def ranges(self, _request: web.Request) -> web.Response:
        ranges = [{"id": "0", "minInclusive": "", "maxExclusive": "FF"}]
        return web.json_response({"_rid": "x", "PartitionKeyRanges": ranges, "_count": 1})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        seen = Seen(request.method, request.headers, json.loads(raw) if raw else None)
        self.seen.append(seen)
        self._received.set()
        fault = self.faults.popleft() if self.faults else None
        if fault is None:
            return self._answer(request, seen)
        await asyncio.sleep(fault.delay)
        answer = self._answer(request, seen) if fault.takes_effect else None
        if fault.is_cut:
            return await self._cut(request)
        if fault.status is not None:
            return web.json_response(fault.body, status=fault.status, headers=fault.headers)
        if fault.delay and answer is not None:
            return answer
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"[{")
        assert request.transport is not None
        request.transport.close()
        return response

    def _answer(self, request: web.Request, seen: Seen) -> web.Response:
        (pk,) = json.loads(seen.headers["x-ms-documentdb-partitionkey"])
        status: int
        body: Any
        if BATCH in seen.headers:
            status, body = self._batch(pk, seen.body)
        elif QUERY in seen.headers:
            found = [document for (owner, _), document in self.documents.items() if owner == pk]
            status, body = 200, {"_rid": "x", "Documents": found, "_count": len(found)}
        else:
            verb = {"POST": "Upsert" if UPSERT in seen.headers else "Create", "PUT": "Replace", "DELETE": "Delete"}
            operation = {
                "operationType": verb.get(seen.method, "Read"),
                "id": request.match_info.get("id"),
                "resourceBody": seen.body,
                "ifMatch": seen.headers.get("If-Match"),
            }
            status, body = self._run(pk, operation)
        headers = {"x-ms-request-charge": "2.5"}
        if isinstance(body, dict) and "_etag" in body:
            headers["etag"] = body["_etag"]
        return web.json_response(body, status=status, headers=headers)

    def _batch(self, pk: str, operations: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
        before = dict(self.documents)
        results: list[dict[str, Any]] = []
        for operation in operations:
            status, body = self._run(pk, operation)
            if status >= 400:
                self.documents = before
                return 207, failed_batch(len(operations), len(results), status)
            results.append({"statusCode": status, "requestCharge": 2.5, "eTag": body.get("_etag")})
        return 200, results

    def _run(self, pk: str, operation: dict[str, Any]) -> tuple[int, Document]:
        document: Document = operation.get("resourceBody") or {}
        id_ = operation.get("id") or document["id"]
        present = self.documents.get((pk, id_))
        verb = operation["operationType"]
        if present is None and verb not in {"Create", "Upsert"}:
            return 404, {}
        if present is not None and verb == "Create":
            return 409, {}
        if present is not None and operation.get("ifMatch") not in {None, present["_etag"]}:
            return 412, {}
        if verb == "Read":
            return 200, present or {}
        if verb == "Delete":
            del self.documents[pk, id_]
            return 204, {}
        own = {"_etag": f'"{next(self._etags):08x}"', "_rid": "x", "_self": "x", "_ts": 1, "_attachments": ""}
        stored = {**document, **own}
        self.documents[pk, id_] = stored
        return 201, stored


def failed_batch(operations: int, index: int, status: int, **more: Any) -> list[dict[str, Any]]:
    """The body of the answer to a batch in which one operation failed."""
    results: list[dict[str, Any]] = [{"statusCode": 424, "requestCharge": 0} for _ in range(operations)]
    results[index] = {"statusCode": status, "requestCharge": 0, **more}
    return results


@asynccontextmanager
async def cosmos_stub(port: int = 0) -> AsyncIterator[CosmosStub]:
    stub = CosmosStub()
    application = web.Application(client_max_size=4 * 1024 * 1024)
    container = "/dbs/{database}/colls/{container}"
    application.router.add_get("/", stub.account)
    application.router.add_get(container, stub.container)
    application.router.add_get(container + "/", stub.container)
    application.router.add_get(container + "/pkranges", stub.ranges)
    application.router.add_get(container + "/pkranges/", stub.ranges)
    for path in ("/docs", "/docs/", "/docs/{id}", "/docs/{id}/"):
        application.router.add_route("*", container + path, stub.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        _, chosen = runner.addresses[0][:2]
        stub.endpoint = f"http://127.0.0.1:{chosen}"
        yield stub
    finally:
        await runner.cleanup()
