"""Events in the background: batches, the spool, outages, forks, the end of the process."""

import json
import logging
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import xyra
from stub_server import Asked, StubServer, Told, problem
from xyra import retries, sending

Make = Callable[..., xyra.Client]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_INTERVAL", 0.02)
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.02)


@pytest.fixture
def make(server: StubServer, tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    server.answer = accept

    def made(**settings: Any) -> xyra.Client:
        client = xyra.Client("key", server.base, spool_path=tmp_path / "spool", **settings)
        request.addfinalizer(client.close)
        return client

    return made


def accept(asked: Asked) -> Told:
    """As Xyra does: events of the agent `nobody` are refused."""
    events = asked.json.get("events", ())
    wrong = [index for index, event in enumerate(events) if event["agent"] == "nobody"]
    errors = [{"pointer": "/agent", "detail": "there is no such agent"}]
    return Told(202, {"accepted": len(events), "rejected": [{"index": index, "errors": errors} for index in wrong]})


def events_of(server: StubServer) -> list[dict[str, Any]]:
    return [event for asked in server.asked for event in asked.json["events"]]


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_events_go_in_batches(make: Make, server: StubServer) -> None:
    client = make(agent="coder")
    ids = [client.track("command", data={"quantity": "2"}, run="run-7") for _ in range(1200)]
    assert client.flush() == 0
    events = events_of(server)
    assert [event["id"] for event in events] == ids
    assert {(event["agent"], event["run"], event["source"]) for event in events} == {("coder", "run-7", "api")}
    assert len(server.asked) < 60
    assert all(asked.query == {"partial": "true"} for asked in server.asked)
    assert client.stats() == {"waiting": 0, "dropped": 0, "refused": 0}


@pytest.mark.parametrize("told", [Told(None), *(problem(status, "x") for status in (401, 403, 404, 429, 500, 503))])
def test_what_does_not_arrive_waits(make: Make, server: StubServer, told: Told) -> None:
    server.answers(told)
    client = make(agent="coder")
    ids = [client.track("command") for _ in range(3)]
    until(lambda: len(server.asked) >= 2)
    assert client.flush(0) == 3
    server.answer = accept
    assert client.flush() == 0
    assert [event["id"] for event in server.asked[-1].json["events"]] == ids


def test_the_same_event_is_sent_with_the_same_content(make: Make, server: StubServer) -> None:
    server.answers(problem(503, "unavailable"), Told(None), Told(202, {}))
    client = make(agent="coder")
    client.track("command")
    assert client.flush() == 0
    assert len({asked.body for asked in server.asked}) == 1


def test_refused_events_are_kept_with_reasons(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    client = make()
    for agent in ("coder", "nobody", "coder"):
        client.track("command", agent=agent)
    assert client.flush() == 0
    assert client.stats() == {"waiting": 0, "dropped": 0, "refused": 1}
    (refused,) = client.refused()
    assert json.loads(refused.body)["agent"] == "nobody"
    assert refused.reason == "/agent: there is no such agent"
    assert "there is no such agent" in caplog.text
    assert client.retry_refused() == 1
    until(lambda: client.stats() == {"waiting": 0, "dropped": 0, "refused": 1})


def test_what_was_refused_stays_so_where_it_cannot_be_put_back(make: Make, tmp_path: Path) -> None:
    client = make()
    client.track("command", agent="nobody")
    assert client.flush() == 0
    with closing(sqlite3.connect(tmp_path / "spool", isolation_level=None)) as other:
        other.execute("create trigger full before delete on refused begin select raise(abort, 'full'); end")
    with pytest.raises(sqlite3.Error, match="full"):
        client.retry_refused()
    assert client.stats() == {"waiting": 0, "dropped": 0, "refused": 1}
    client.track("command", agent="coder")
    with closing(sqlite3.connect(tmp_path / "spool", timeout=1, isolation_level=None)) as other:
        other.execute("drop trigger full")  # the file is not locked
    assert client.retry_refused() == 1


def test_a_batch_that_is_refused_as_a_whole_is_split(make: Make, server: StubServer) -> None:
    def answer(asked: Asked) -> Told:
        events = asked.json["events"]
        return problem(422, "validation") if any(event["type"] == "bad" for event in events) else Told(202, {})

    server.answer = answer
    client = make(agent="coder")
    for number in range(20):
        client.track("bad" if number == 7 else "good")
    assert client.flush() == 0
    assert client.stats() == {"waiting": 0, "dropped": 0, "refused": 1}
    assert json.loads(client.refused()[0].body)["type"] == "bad"


def test_a_full_spool_keeps_the_oldest_and_tells(
    make: Make, server: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers(Told(None))
    client = make(agent="coder", spool_limit=3)
    ids = [client.track("command") for _ in range(5)]
    assert client.stats() == {"waiting": 3, "dropped": 2, "refused": 0}
    assert "is full" in caplog.text
    server.answer = accept
    assert client.flush() == 0
    assert [event["id"] for event in server.asked[-1].json["events"]] == ids[:3]
    assert client.stats()["dropped"] == 2


def test_a_spool_that_cannot_be_written_drops_and_counts(
    server: StubServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "folder").mkdir()
    with xyra.Client("key", server.base, spool_path=tmp_path / "folder", agent="coder") as client:
        client.track("command")
        assert "cannot be written" in caplog.text
        assert client.stats() == {"waiting": 0, "dropped": 1, "refused": 0}


def test_a_broken_spool_is_kept_aside(make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "spool").write_bytes(b"no database" * 1000)
    client = make(agent="coder")
    client.track("command")
    assert client.flush() == 0
    assert len(list(tmp_path.glob("spool.broken-*"))) == 1
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"type": "a b", "agent": "x"}, "letters, digits"),
        ({"type": "a"}, "names no agent"),
        ({"type": "a", "agent": "x", "data": {"text": "x" * 40_000}}, "32768 bytes"),
        ({"type": "a", "agent": "x", "data": {"value": float("nan")}}, "NaN|nan|JSON"),
    ],
)
def test_what_cannot_be_an_event_is_told_at_once(make: Make, given: dict[str, Any], says: str) -> None:
    client = make()
    with pytest.raises(ValueError, match=says):
        client.track(**given)
    assert client.stats()["waiting"] == 0


def test_scopes_follow_calls_threads_and_tasks(make: Make, server: StubServer) -> None:
    client = make()

    @client.agent("writer")
    def write() -> None:
        client.track("inner")

    with client.run("ticket-7", agent="helpdesk", metadata={"customer": "c"}):
        client.track("outer")
        write()
        thread = threading.Thread(target=xyra.carried(client.track), args=("thread",))
        thread.start()
        thread.join()
    with pytest.raises(ValueError, match="names no agent"):
        client.track("outside")
    assert client.flush() == 0
    events = {event["type"]: (event["run"], event["agent"]) for event in events_of_batches(server)}
    assert events == {
        "outer": ("ticket-7", "helpdesk"),
        "inner": ("ticket-7", "writer"),
        "thread": ("ticket-7", "helpdesk"),
    }
    (run,) = (asked.json for asked in server.asked if asked.path == "/api/v1/runs")
    assert (run["key"], run["agent"], run["status"]) == ("ticket-7", "helpdesk", "completed")
    assert run["metadata"] == {"customer": "c"}
    assert run["started_at"] <= run["completed_at"]


def events_of_batches(server: StubServer) -> list[dict[str, Any]]:
    return [event for asked in server.asked if "events" in asked.json for event in asked.json["events"]]


async def test_an_agents_call_is_a_run_and_its_error_is_told(server: StubServer, tmp_path: Path) -> None:
    server.answer = accept
    async with xyra.AsyncClient("key", server.base, spool_path=tmp_path / "spool") as client:

        @client.agent("helpdesk")
        async def work() -> None:
            client.track("step")
            raise LookupError("no such ticket")

        with pytest.raises(LookupError):
            await work()
        assert await client.flush() == 0
    (event,) = events_of_batches(server)
    (run,) = (asked.json for asked in server.asked if asked.path == "/api/v1/runs")
    assert (run["status"], run["error"], run["agent"]) == ("failed", "no such ticket", "helpdesk")
    assert event["run"] == run["key"]


def test_a_run_that_is_known_is_done(make: Make, server: StubServer) -> None:
    server.answers(problem(409, "conflict"))
    client = make()
    with client.run("ticket-7", agent="helpdesk"):
        pass
    assert client.flush() == 0
    assert client.stats() == {"waiting": 0, "dropped": 0, "refused": 0}


def test_generators_are_no_agents(make: Make) -> None:
    def generator() -> Any:
        yield 1

    with pytest.raises(TypeError, match=r"xyra\.run"):
        make().agent("helpdesk")(generator)


def program(server: StubServer, spool: Path, text: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with the SDK as it is installed here."""
    environment = {**os.environ, "XYRA_URL": server.base, "XYRA_API_KEY": "key", "XYRA_SPOOL": str(spool)}
    command = [sys.executable, "-c", textwrap.dedent(text)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  our own program


def test_the_end_of_the_process_sends(server: StubServer, tmp_path: Path) -> None:
    server.answer = accept
    ended = program(server, tmp_path / "spool", 'import xyra\nxyra.track("command", agent="coder")')
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(events_of(server)) == 1


def test_what_a_killed_process_left_is_sent_by_the_next(server: StubServer, tmp_path: Path) -> None:
    server.answers(problem(503, "unavailable"))
    text = """
        import os, signal, xyra
        for number in range(50):
            xyra.track("command", agent="coder", id=str(number))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert program(server, tmp_path / "spool", text).returncode == -9
    server.asked.clear()
    server.answer = accept
    ended = program(server, tmp_path / "spool", "import xyra\nprint(xyra.flush())")
    assert ended.stdout == "0\n"
    assert [event["id"] for event in events_of(server)] == [str(number) for number in range(50)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_children_report_by_themselves(server: StubServer, tmp_path: Path) -> None:
    server.answer = accept
    text = """
        import os, warnings, xyra
        warnings.simplefilter("ignore", DeprecationWarning)
        xyra.track("command", agent="coder", id="parent")
        for child in range(4):
            if not os.fork():
                for number in range(25):
                    xyra.track("command", agent="coder", id=f"{child}-{number}")
                os._exit(xyra.flush(20))
        left = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(4)]
        print(left, xyra.flush(20))
    """
    ended = program(server, tmp_path / "spool", text)
    assert (ended.stdout, ended.stderr) == ("[0, 0, 0, 0] 0\n", "")
    ids = {event["id"] for event in events_of(server)}
    assert ids == {"parent", *(f"{child}-{number}" for child in range(4) for number in range(25))}


def test_threads_share_a_spool(make: Make, server: StubServer) -> None:
    client = make(agent="coder")
    threads = [threading.Thread(target=lambda: [client.track("command") for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush() == 0
    ids = [event["id"] for event in events_of(server)]
    assert len(ids) == len(set(ids)) == 1600


def test_the_spool_is_for_its_owner_alone(make: Make, tmp_path: Path) -> None:
    make(agent="coder").track("command")
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


def test_trouble_is_logged_once(make: Make, server: StubServer, caplog: pytest.LogCaptureFixture) -> None:
    server.answers(problem(503, "unavailable"))
    caplog.set_level(logging.WARNING, "xyra")
    make(agent="coder").track("command")
    until(lambda: len(server.asked) >= 3)
    assert [record.message for record in caplog.records if "503" in record.message] == [
        "Xyra answers 503 (what is wrong): what is reported waits in the spool"
    ]
