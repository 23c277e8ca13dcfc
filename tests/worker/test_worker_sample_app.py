"""The sample app in the platform's own worker, and in the local host: the functions must see the same in both."""

import importlib.util
import json
from collections.abc import Callable
from datetime import datetime
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import azure.functions as func
import pytest

from local.host import Host
from tests.doubles.clients.running_host import ADMIN_KEY, MovableClock, RunningHost
from tests.doubles.fakes.memory_broker import MemoryBroker, Message
from tests.places import ROOT

Worker = Callable[..., dict[str, Any]]

SAMPLE_APP = ROOT / "tests" / "doubles" / "worlds" / "sample_app"
SETTINGS = {"SAMPLE_SCHEDULE": "0 0 9 * * *"}

REQUESTS: list[dict[str, Any]] = [
    {"function": "echo", "path": "/api/echo/A%20b?a=1&A=2&b=&c=x%20y+z", "route_params": {"first": "A b"}},
    {"function": "echo", "path": "/api/echo/1/2/", "route_params": {"first": "1", "second": "2"}, "method": "DELETE"},
    {
        "function": "echo",
        "path": "/api/echo/x%2Fy",
        "route_params": {"first": "x", "second": "y"},
        "method": "POST",
        "headers": [
            ["Content-Type", "application/x-www-form-urlencoded"],
            ["X-Two", "a"],
            ["X-Two", "b"],
            ["X-Empty", ""],
        ],
        "body": "f=1&g=%20",
    },
    {"function": "echo", "path": "/api/echo/b", "route_params": {"first": "b"}, "method": "PUT", "body": "\x00\xff"},
    {"function": "take_json", "path": "/api/json", "method": "POST", "body": '{"n": 1.10}'},
    {"function": "take_json", "path": "/api/json", "method": "POST", "body": "{"},
    {"function": "take_json", "path": "/api/json", "method": "POST"},
    {"function": "take_json", "path": "/api/json", "method": "POST", "body": "\xff"},
    {"function": "cookies", "path": "/api/cookies"},
    {"function": "text", "path": "/api/text"},
    {"function": "who", "path": "/api/who"},
    {"function": "nothing", "path": "/api/nothing"},
    {"function": "fails", "path": "/api/fails"},
]


def load_sample_app() -> func.FunctionApp:
    """A fresh one: an app can be indexed only once."""
    spec = importlib.util.spec_from_file_location("a_fresh_sample_app", SAMPLE_APP / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app = module.app
    assert isinstance(app, func.FunctionApp)
    return app


def recorded(record: Path) -> list[Any]:
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


async def in_the_local_host(broker: MemoryBroker, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask for each request, then wait until the host is at rest.

    That is when the queues are empty and a timer has fired.
    """
    clock = MovableClock()
    host = Host(
        load_sample_app(),
        host_json=SAMPLE_APP / "host.json",
        broker=broker,
        clock=clock,
        admin_key=ADMIN_KEY,
        settings=SETTINGS,
    )
    await host.start(0)
    try:
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{host.port}", cookie_jar=jar) as client:
            answers = [await _ask(client, request) for request in requests]
            running = RunningHost(host, client, broker, clock)
            await running.idle()
            clock.now = clock.now.replace(hour=9)
            await running.idle()
    finally:
        await host.stop()
    return answers


async def _ask(client: aiohttp.ClientSession, request: dict[str, Any]) -> dict[str, Any]:
    async with client.request(
        request.get("method", "GET"),
        _encoded(client, request["path"]),
        headers=[("Host", "sample"), *[(name, value) for name, value in request.get("headers", [])]],
        data=request.get("body", "").encode("latin-1") or None,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as response:
        cookies = [next(iter(SimpleCookie(each).values())) for each in response.headers.getall("Set-Cookie", [])]
        return {
            "status": response.status,
            "headers": {name.lower(): value for name, value in response.headers.items()},
            "cookies": [[cookie.key, cookie.value] for cookie in cookies],
            "body": (await response.read()).decode("latin-1"),
        }


def _encoded(client: aiohttp.ClientSession, path: str) -> Any:
    base = client._base_url
    assert base is not None
    return type(base)(str(base).rstrip("/") + path, encoded=True)


def for_the_worker(request: dict[str, Any], seen_headers: dict[str, str]) -> dict[str, Any]:
    """The same request, with the headers that the client put in."""
    http = {key: value for key, value in request.items() if key not in {"function", "path", "headers"}}
    return {
        "function": request["function"],
        "http": http | {"url": f"http://sample{request['path']}", "headers": list(seen_headers.items())},
    }


async def test_http_functions_see_and_answer_the_same(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMPLE_RECORD", str(tmp_path / "record"))
    here = await in_the_local_host(MemoryBroker(), REQUESTS)
    headers = [json.loads(each["body"])["headers"] if '"headers"' in each["body"] else {} for each in here]
    there = worker(SAMPLE_APP, *(for_the_worker(*each) for each in zip(REQUESTS, headers, strict=True)))
    for request, ours, theirs in zip(REQUESTS, here, there["results"], strict=True):
        if theirs["failure"]:
            assert (ours["status"], json.loads(ours["body"])["status"]) == (500, 500), request
            continue
        answer = theirs["http"]
        assert ours["status"] == answer["status"], request
        assert ours["cookies"] == answer["cookies"], request
        assert {name: ours["headers"][name.lower()] for name in answer["headers"]} == answer["headers"], request
        if request["function"] == "text":  # what the worker hands on as text, the platform sends as UTF-8
            assert ours["body"].encode("latin-1").decode() == answer["body"]
            assert ours["headers"]["content-type"] == "text/plain; charset=utf-8"
        else:
            assert ours["body"] == answer["body"], request
    assert [bool(each["failure"]) for each in there["results"]] == [False] * 11 + [True, True]


async def test_queue_and_timer_functions_see_the_same(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "here"
    monkeypatch.setenv("SAMPLE_RECORD", str(record))
    broker = MemoryBroker()
    messages = [
        Message(b"first", session_id="s", message_id="m1"),
        Message(b'{"a": "1.10"}', session_id="s", message_id="m2", correlation_id="of the second"),
        Message(b"\x00\xff", session_id="s", message_id="m3", correlation_id="of the third"),
    ]
    await broker.send("many", messages)
    await broker.send("one", [Message("eins ü".encode(), session_id="t", message_id="m4", correlation_id="c")])
    await in_the_local_host(broker, [])
    here = recorded(record)
    batch, single = (here[0], here[1]) if isinstance(here[0], list) else (here[1], here[0])

    there = worker(
        SAMPLE_APP,
        {"function": "take_many", "batch": [as_sent(*each) for each in zip(messages, batch, strict=True)]},
        {
            "function": "take_one",
            "message": as_sent(Message("eins ü".encode(), "t", "m4", "c"), single) | {"body": "eins ü"},
        },
        {"function": "tick", "timer": {"past_due": False}},
        environment={"SAMPLE_RECORD": str(tmp_path / "there")},
    )
    assert [each["failure"] for each in there["results"]] == [None, None, None]
    assert recorded(tmp_path / "there") == [batch, single, here[2]]


def as_sent(message: Message, seen: dict[str, str]) -> dict[str, Any]:
    """A message as the platform passes it on.

    What the broker made up is taken from what the local host gave.
    """
    enqueued = datetime.fromisoformat(seen["enqueued_time_utc"])
    return {
        "body": message.body.decode("latin-1"),
        "session_id": message.session_id,
        "message_id": message.message_id,
        "correlation_id": message.correlation_id or None,
        "delivery_count": int(seen["delivery_count"]),
        "sequence_number": int(seen["sequence_number"]),
        "lock_token": seen["lock_token"].strip("'"),
        "enqueued_time_utc": enqueued.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0",
        "expires_at_utc": "9999-12-31T23:59:59.9999999",
    }


def test_an_exception_of_a_queue_function_is_a_failure_of_the_whole_invocation(worker: Worker, tmp_path: Path) -> None:
    poison = {
        "body": "poison",
        "delivery_count": 1,
        "sequence_number": 1,
        "enqueued_time_utc": "2026-10-03T08:00:00",
        "expires_at_utc": "9999-12-31T23:59:59.9999999",
    }
    answer = worker(
        SAMPLE_APP,
        {"function": "take_many", "batch": [poison]},
        environment={"SAMPLE_RECORD": str(tmp_path / "record")},
    )
    assert answer["results"][0]["failure"] == "RuntimeError: on purpose"


def test_the_worker_indexes_all_functions_with_their_bindings(worker: Worker) -> None:
    answer = worker(SAMPLE_APP)
    assert answer["failure"] is None
    bindings = {each["name"]: each["bindings"] for each in answer["functions"]}
    assert sorted(bindings) == [
        "cookies", "echo", "fails", "nothing", "take_json", "take_many", "take_one", "text", "tick", "waits", "who",
    ]  # fmt: skip
    assert bindings["take_many"][0]["isSessionsEnabled"] is True
    assert bindings["take_many"][0]["dataType"] == "BINARY"
    assert bindings["tick"][0]["schedule"] == "%SAMPLE_SCHEDULE%"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("async def take(messages: list[func.ServiceBusMessage]) -> None: ...", "cannot load the take function"),
        ("async def take(messages, extra=1) -> None: ...", "extra"),
        ("async def take(other) -> None: ...", "other"),
        ("async def take(messages: 'Missing') -> None: ...", "Missing"),
    ],
)
async def test_what_the_worker_cannot_load_the_local_host_refuses(
    source: str, complaint: str, worker: Worker, tmp_path: Path
) -> None:
    trigger = 'arg_name="messages", queue_name="q", connection="C", cardinality=func.Cardinality.MANY'
    text = "import azure.functions as func\napp = func.FunctionApp()\n"
    text += f"@app.service_bus_queue_trigger({trigger})\n{source}\n"
    (tmp_path / "function_app.py").write_text(text, encoding="utf-8")
    (tmp_path / "host.json").write_text('{"version": "2.0"}', encoding="utf-8")
    assert complaint in worker(tmp_path)["failure"]
    namespace: dict[str, Any] = {"__name__": quote(source)}
    exec(text, namespace)  # noqa: S102  the app of this test
    with pytest.raises(Exception, match=r"function take: "):
        Host(
            namespace["app"],
            host_json=tmp_path / "host.json",
            broker=MemoryBroker(),
            clock=MovableClock(),
            admin_key=ADMIN_KEY,
        )
