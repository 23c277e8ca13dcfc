"""Requests, retries and errors, of the sync and the async client alike."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import xyra
from stub_server import StubServer, Told, problem
from xyra.connection import encoded
from xyra.retries import pause_before

pytestmark = pytest.mark.usefixtures("short_pauses")

Call = Callable[[Callable[[Any], Any]], Any]


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, server: StubServer) -> Call:
    """Calls a method of a client, given as a function of the client."""

    def sync(method: Callable[[Any], Any]) -> Any:
        with xyra.Client("key", server.base) as client:
            answer = method(client)
            return list(answer) if hasattr(answer, "pages") else answer

    def asynchronous(method: Callable[[Any], Any]) -> Any:
        async def called() -> Any:
            async with xyra.AsyncClient("key", server.base) as client:
                answer = method(client)
                return [entry async for entry in answer] if hasattr(answer, "__aiter__") else await answer

        return asyncio.run(called())

    return sync if request.param == "sync" else asynchronous


def test_one_idempotency_key_for_all_tries(server: StubServer, call: Call) -> None:
    server.answers(Told(None), problem(503, "unavailable"), Told(201, {"id": "agt_1"}))
    answer = call(lambda client: client.agents.create({"external_id": "coder", "name": "Coder"}))
    assert answer == {"id": "agt_1"}
    keys = {asked.headers["Idempotency-Key"] for asked in server.asked}
    assert len(server.asked) == 3
    assert len(keys) == 1
    call(lambda client: client.agents.create({"external_id": "coder", "name": "Coder"}, idempotency_key="mine"))
    assert server.asked[-1].headers["Idempotency-Key"] == "mine"


def test_what_cannot_be_repeated_is_sent_once(server: StubServer, call: Call) -> None:
    server.answers(Told(None))
    with pytest.raises(xyra.Unreachable):
        call(lambda client: client.auth.sign_up({}))
    assert len(server.asked) == 1
    server.answers(problem(503, "unavailable"))
    with pytest.raises(xyra.Unavailable):
        call(lambda client: client.auth.sign_up({}))
    assert len(server.asked) == 2
    server.answers(problem(429, "rate_limited"), Told(201, {}))
    call(lambda client: client.auth.sign_up({}))
    assert len(server.asked) == 4


def test_it_waits_as_long_as_retry_after_says(server: StubServer, call: Call) -> None:
    server.answers(Told(429, None, {"Retry-After": "1"}), Told(200, {}))
    began = time.monotonic()
    call(lambda client: client.limits.get())
    assert time.monotonic() - began >= 1


def test_a_wait_that_is_too_long_is_the_callers_to_decide(server: StubServer, call: Call) -> None:
    server.answers(Told(429, None, {"Retry-After": "3600"}))
    with pytest.raises(xyra.RateLimited) as raised:
        call(lambda client: client.limits.get())
    assert raised.value.retry_after == 3600
    assert len(server.asked) == 1


def test_tries_end(server: StubServer, call: Call) -> None:
    server.answers(Told(None))
    with pytest.raises(xyra.Unreachable, match="after 4 tries"):
        call(lambda client: client.limits.get())
    server.answers(problem(503, "unavailable"))
    with pytest.raises(xyra.Unreachable):
        call(lambda client: client.limits.get())
    assert len(server.asked) == 8


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "malformed", xyra.InvalidRequest),
        (401, "unauthenticated", xyra.Unauthenticated),
        (402, "insufficient_credits", xyra.InsufficientCredits),
        (403, "forbidden", xyra.Forbidden),
        (403, "limit_exceeded", xyra.LimitExceeded),
        (404, "not_found", xyra.NotFound),
        (409, "conflict", xyra.Conflict),
        (412, "precondition_failed", xyra.PreconditionFailed),
        (418, "teapot", xyra.ApiError),
        (422, "validation", xyra.InvalidRequest),
        (501, "other", xyra.Unavailable),
    ],
)
def test_errors_are_those_of_the_problem_document(
    server: StubServer, call: Call, status: int, code: str, error: type[xyra.ApiError]
) -> None:
    server.answers(problem(status, code, available="2.5", errors=[{"pointer": "/name", "detail": "is missing"}]))
    with pytest.raises(error) as raised:
        call(lambda client: client.agents.get("agt_1"))
    assert type(raised.value) is error
    assert (raised.value.status, raised.value.code, raised.value.correlation_id) == (status, code, "c-1")
    assert str(raised.value) == f"{status} {code}: what is wrong; /name: is missing"
    assert raised.value.problem["available"] == "2.5"


def test_lists_are_read_page_by_page(server: StubServer, call: Call) -> None:
    server.answers(
        Told(200, {"data": [{"id": "1"}, {"id": "2"}], "next_cursor": "more"}),
        Told(200, {"data": [{"id": "3"}], "next_cursor": None}),
    )
    agents = call(lambda client: client.agents.list(limit=2, active=True))
    assert [agent["id"] for agent in agents] == ["1", "2", "3"]
    assert [asked.query for asked in server.asked] == [
        {"limit": "2", "active": "true"},
        {"limit": "2", "active": "true", "cursor": "more"},
    ]


def test_values_in_paths_are_quoted(server: StubServer, call: Call) -> None:
    call(lambda client: client.agents.get("a/b?c"))
    assert server.asked[0].path == "/api/v1/agents/a%2Fb%3Fc"


def test_the_etag_of_an_answer_guards_a_change(server: StubServer, call: Call) -> None:
    server.answers(Told(200, {"id": "agt_1"}, {"ETag": '"7"'}))
    agent = call(lambda client: client.agents.get("agt_1"))
    assert xyra.etag_of(agent) == '"7"'
    call(lambda client: client.agents.update("agt_1", {"name": "New"}, if_match=xyra.etag_of(agent)))
    assert server.asked[-1].headers["If-Match"] == '"7"'


def test_what_a_lost_answer_deleted_is_deleted(server: StubServer, call: Call) -> None:
    server.answers(Told(None), problem(404, "not_found"))
    assert call(lambda client: client.agents.delete("agt_1")) is None


def test_the_key_is_sent_and_never_shown(server: StubServer, call: Call) -> None:
    call(lambda client: client.limits.get())
    assert server.asked[0].headers["Authorization"] == "Bearer key"
    assert "key" not in repr(xyra.Client("key", server.base).connection.settings).replace("api_key", "")


def test_decimals_and_times_are_text() -> None:
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    assert encoded({"a": Decimal("1E+2"), "t": moment}) == b'{"a": "100", "t": "2026-12-01T00:00:00+00:00"}'
    for wrong in (float("nan"), Decimal("NaN"), moment.replace(tzinfo=None)):
        with pytest.raises(ValueError, match=r"."):
            encoded({"a": wrong})


def test_pauses_grow_and_differ() -> None:
    assert all(pause_before(9) <= 8 for _ in range(100))
    assert len({pause_before(0) for _ in range(100)}) > 50


@pytest.mark.parametrize(("key", "url"), [(None, "http://x"), ("k", None), ("k", "example.com")])
def test_missing_settings_are_told(key: str | None, url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XYRA_API_KEY", raising=False)
    monkeypatch.delenv("XYRA_URL", raising=False)
    with pytest.raises(ValueError, match=r"api_key|base_url"):
        xyra.Client(key, url)
