# ruff: noqa: ARG001  the platform passes the request by this name, used or not
import asyncio
import gzip
import io
import json
import threading
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.host import http_trigger
from local.host.http_trigger import PLATFORM_BODY_BYTES
from tests.doubles.clients.running_host import Options, hosted, problem_of


def an_app() -> func.FunctionApp:
    return func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def echo_app(route: str = "echo", methods: list[str] | None = None) -> func.FunctionApp:
    """Its one function answers with what it was given."""
    app = an_app()

    @app.route(route=route, methods=methods)
    async def echo(req: func.HttpRequest) -> func.HttpResponse:
        seen = {
            "method": req.method,
            "url": req.url,
            "headers": dict(req.headers),
            "params": dict(req.params),
            "route_params": dict(req.route_params),
            "body": req.get_body().decode("latin-1"),
        }
        return func.HttpResponse(json.dumps(seen), mimetype="application/json")

    return app


async def test_a_request_reaches_the_function_as_it_was_sent(tmp_path: Path) -> None:
    async with hosted(echo_app(), tmp_path) as running:
        headers = {"X-Some": "Thing", "traceparent": "00-1-2-3"}
        async with running.client.post("/echo?q=a%20b+c&n=1", data=b"\x00\xff", headers=headers) as response:
            seen = await response.json()
    assert seen["method"] == "POST"
    assert seen["url"] == f"http://{response.url.authority}/echo?q=a%20b+c&n=1"
    assert seen["headers"]["x-some"] == "Thing"
    assert seen["params"] == {"q": "a b c", "n": "1"}
    assert seen["body"] == "\x00\xff"


async def test_query_parameters_are_folded_as_the_platform_folds_them(tmp_path: Path) -> None:
    async with hosted(echo_app(), tmp_path) as running, running.client.get("/echo?a=1&A=2&empty=&a=3&b=x") as response:
        assert (await response.json())["params"] == {"a": "1,2,3", "b": "x"}


async def test_the_address_of_the_caller_is_added_to_the_forwarded_ones(tmp_path: Path) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}
    async with hosted(echo_app(), tmp_path) as running, running.client.get("/echo", headers=headers) as response:
        forwarded = (await response.json())["headers"]["x-forwarded-for"]
    assert forwarded.startswith("203.0.113.9, 127.0.0.1:")


async def test_a_compressed_body_is_passed_on_as_it_came(tmp_path: Path) -> None:
    packed = gzip.compress(b"hello")
    async with hosted(echo_app(), tmp_path) as running:
        headers = {"Content-Encoding": "gzip"}
        async with running.client.post("/echo", data=packed, headers=headers) as response:
            assert (await response.json())["body"].encode("latin-1") == packed


@pytest.mark.parametrize(("loses", "body"), [("", ""), ("0", "one two")], ids=["as the platform", "where it arrives"])
async def test_a_body_that_comes_in_chunks_is_lost_as_on_the_platform(loses: str, body: str, tmp_path: Path) -> None:
    async def chunks() -> Any:
        yield b"one "
        yield b"two"

    options = Options(settings={"LOCAL_HOST_LOSES_CHUNKED_BODIES": loses})
    async with hosted(echo_app(), tmp_path, options) as running:
        async with running.client.post("/echo", data=chunks()) as response:
            answer = await response.json()
        assert (answer["body"], answer["headers"]["transfer-encoding"]) == (body, "chunked")


async def test_a_client_that_expects_to_be_told_to_go_on_is_told_so(tmp_path: Path) -> None:
    async with hosted(echo_app(), tmp_path) as running:
        posted = running.client.post("/echo", data=b"body", expect100=True)
        async with asyncio.timeout(5), posted as response:
            assert (await response.json())["body"] == "body"


async def test_a_body_is_bounded(tmp_path: Path) -> None:
    async def endless() -> Any:
        for _ in range(PLATFORM_BODY_BYTES // 65536 + 1):
            yield bytes(65536)

    async with hosted(echo_app(), tmp_path) as running:
        async with running.client.post("/echo", data=io.BytesIO(bytes(2 * 1024 * 1024))) as response:
            assert response.status == 200
        too_large = io.BytesIO(bytes(PLATFORM_BODY_BYTES + 1))
        async with running.client.post("/echo", data=too_large, expect100=True) as response:
            assert (await problem_of(response))["detail"] == f"The body has more than {PLATFORM_BODY_BYTES} bytes"
            assert response.status == 413
        async with running.client.post("/echo", data=endless()) as response:
            assert response.status == 413


async def test_a_disabled_function_is_not_found(tmp_path: Path) -> None:
    options = Options(settings={"AzureWebJobs.echo.Disabled": "true"})
    async with hosted(echo_app(), tmp_path, options) as running, running.client.get("/echo") as response:
        assert (await problem_of(response))["status"] == 404


async def test_what_a_function_answers_reaches_the_caller(tmp_path: Path) -> None:
    app = an_app()

    @app.route(route="answer")
    async def answer(req: func.HttpRequest) -> func.HttpResponse:
        response = func.HttpResponse("töxt", status_code=418, headers={"X-A": "1", "Content-Length": "999"})
        response.headers.add("Set-Cookie", "a=1; Path=/")
        response.headers.add("Set-Cookie", "b=2")
        return response

    @app.route(route="plain")
    def plain(req: func.HttpRequest) -> str:
        return "plain"

    async with hosted(app, tmp_path) as running:
        async with running.client.get("/answer") as response:
            assert (response.status, await response.text()) == (418, "töxt")
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert response.headers.getall("Set-Cookie") == ["a=1; Path=/", "b=2"]
        async with running.client.get("/plain") as response:
            assert (response.status, await response.text()) == (200, "plain")


async def test_a_large_answer_is_sent(tmp_path: Path) -> None:
    app = an_app()

    @app.route(route="large")
    async def large(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(bytes(5_000_000))

    async with hosted(app, tmp_path) as running, running.client.get("/large") as response:
        assert len(await response.read()) == 5_000_000


@pytest.mark.parametrize("fault", ["raises", "returns a number", "returns nothing", "has a header with a line break"])
async def test_a_fault_of_the_function_is_a_500_without_a_body_and_logged(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = an_app()

    @app.route(route="faulty")
    async def faulty(req: func.HttpRequest) -> func.HttpResponse:
        if fault == "raises":
            raise RuntimeError("secret detail")
        if fault == "has a header with a line break":
            return func.HttpResponse("x", headers={"X-Bad": "a\r\nX-Injected: b"})
        result: Any = 7 if fault == "returns a number" else None
        return result  # type: ignore[no-any-return]

    async with hosted(app, tmp_path) as running:
        for _ in range(2):  # the host goes on
            async with running.client.get("/faulty") as response:
                assert (await problem_of(response))["status"] == 500
    assert "function faulty failed" in caplog.text


async def test_a_slow_function_that_is_no_coroutine_does_not_hold_up_others(tmp_path: Path) -> None:
    app = an_app()
    gate = threading.Event()

    @app.route(route="slow")
    def slow(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(str(gate.wait(timeout=10)))

    @app.route(route="quick")
    async def quick(req: func.HttpRequest) -> func.HttpResponse:
        gate.set()
        return func.HttpResponse("quick")

    async with hosted(app, tmp_path) as running:

        async def get(path: str) -> str:
            async with running.client.get(path) as response:
                return await response.text()

        assert list(await asyncio.gather(get("/slow"), get("/quick"))) == ["True", "quick"]


async def test_an_answer_that_takes_too_long_is_given_up_while_the_function_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_trigger, "LONGEST_ANSWER_SECONDS", 0.1)
    release, ended = asyncio.Event(), asyncio.Event()
    app = an_app()

    @app.route(route="slow")
    async def slow(req: func.HttpRequest) -> func.HttpResponse:
        await release.wait()
        ended.set()
        return func.HttpResponse("too late")

    async with hosted(app, tmp_path) as running:
        async with running.client.get("/slow") as response:
            assert (await problem_of(response))["status"] == 504
        release.set()
        await asyncio.wait_for(ended.wait(), 10)


async def test_a_function_can_declare_the_context_of_its_invocation(tmp_path: Path) -> None:
    app = an_app()

    @app.route(route="who")
    async def who(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        trace = context.trace_context.trace_parent
        return func.HttpResponse(json.dumps([context.function_name, context.invocation_id, trace]))

    async with hosted(app, tmp_path) as running:
        seen = []
        for _ in range(2):
            async with running.client.get("/who", headers={"traceparent": "00-abc-def-01"}) as response:
                seen.append(json.loads(await response.text()))
    assert [each[0] for each in seen] == ["who", "who"]
    assert seen[0][1] != seen[1][1]
    assert seen[0][2] == "00-abc-def-01"
