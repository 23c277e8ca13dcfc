"""The double over HTTP: `python -m tests.doubles.servers.stripe.server` prints its address and serves until stopped."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.doubles.servers.stripe.double import SECRET_KEYS, Answer, Failure, Received, StripeDouble, encoded
from tests.doubles.servers.stripe.faults import FaultRule
from tests.doubles.servers.stripe.forms import read_form
from tests.doubles.servers.stripe.refusals import StripeFault
from tests.doubles.servers.stripe.steering import steer

_REFUSED = {
    "401": StripeFault(401, "invalid_request_error", "Invalid API Key provided"),
    "403": StripeFault(403, "invalid_request_error", "The provided key does not have the required permissions"),
    "409": StripeFault(409, "invalid_request_error", "This object cannot be accessed right now", "lock_timeout"),
    "429": StripeFault(429, "invalid_request_error", "Too many requests", "rate_limit"),
}
_FAILURES: dict[str, Failure] = {"500": "in place of the effect", "500 after": "after the effect"}
_AS_IT_SHOULD_BE = FaultRule("*", "slow")


class StripeServer:
    def __init__(self, double: StripeDouble) -> None:
        self.double = double
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def running(cls, port: int = 0) -> AsyncIterator["StripeServer"]:
        server = cls(StripeDouble())
        app = web.Application()
        app.router.add_post("/_test/{command}", server.steer)
        app.router.add_route("*", "/{path:.*}", server.serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield server
        finally:
            await runner.cleanup()

    async def steer(self, request: web.Request) -> web.Response:
        return web.json_response(await steer(self.double, request.match_info["command"], await request.json()))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        try:
            received = await self._received(request)
        except StripeFault as fault:
            return _response(encoded(fault.status, fault.body()))
        rule = self.double.faults.take(received.operation.name) or _AS_IT_SHOULD_BE
        return await self._served(received, rule) or _break(request)

    async def _received(self, request: web.Request) -> Received:
        livemode = SECRET_KEYS.get(_secret_key(request.headers.get("Authorization", "")))
        if livemode is None:
            raise _REFUSED["401"]
        if request.headers.get("Stripe-Version") != self.double.described.version:
            raise StripeFault(400, "invalid_request_error", "Invalid Stripe API version", is_saved=False)
        found = self.double.described.find(request.method, request.path)
        if found is None:
            message = f"Unrecognized request URL ({request.method}: {request.path})"
            raise StripeFault(404, "invalid_request_error", message, is_saved=False)
        operation, parameters = found
        form = (await request.text()) if operation.method == "post" else request.rel_url.raw_query_string
        key = request.headers.get("Idempotency-Key")
        if key is not None and len(key) > 255:
            raise StripeFault(400, "idempotency_error", "Idempotency keys are at most 255 characters", is_saved=False)
        return Received(operation, request.path, parameters, read_form(form), key, livemode)

    async def _served(self, received: Received, rule: FaultRule) -> web.Response | None:
        """The response, or none where the connection breaks."""
        if rule.kind in _REFUSED:
            fault = _REFUSED[rule.kind]
            return _response(encoded(fault.status, fault.body()))
        if rule.kind == "before":
            return None
        if rule.kind == "late":
            self.double.late.append(received)
            return None
        answer = await self.double.execute(received, pause=rule.seconds, failure=_FAILURES.get(rule.kind))
        if rule.kind == "unreadable":
            answer = Answer(answer.status, answer.body[: len(answer.body) // 2])
        return None if rule.kind == "after" else _response(answer)


def _secret_key(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme == "Basic":
        return base64.b64decode(value).decode().partition(":")[0]
    return value if scheme == "Bearer" else ""


def _response(answer: Answer) -> web.Response:
    headers = {"Request-Id": "req_double"} | ({"Idempotent-Replayed": "true"} if answer.is_replay else {})
    return web.Response(status=answer.status, body=answer.body, headers=headers, content_type="application/json")


def _break(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _main() -> None:
    async with StripeServer.running(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
