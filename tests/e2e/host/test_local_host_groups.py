"""One process for each function group, behind one port."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from tests.doubles.clients.running_host import BY_HAND, problem_of
from tests.doubles.clients.sample_process import SERVE, free_port, process, up

GROUPS = {"http", "take_many", "take_one", "tick"}


@asynccontextmanager
async def grouped(directory: Path, **environment: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Clients of the sample app, with a process for each group.

    At the end a signal has to end all of them.
    """
    port = free_port()
    host_json = directory / "host.json"
    document = json.loads(SERVE.with_name("host.json").read_text())
    host_json.write_text(json.dumps(document | {"functionTimeout": "00:00:03"}))
    async with process(directory, str(port), str(host_json), SAMPLE_GROUPS="1", **environment) as started:
        await up(started)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield client
            processes = (await status(client))["processes"]
        started.send_signal(signal.SIGTERM)
        assert await started.wait() == 0
        assert [each for each in processes.values() if is_alive(each)] == []


async def status(client: aiohttp.ClientSession) -> dict[str, Any]:
    async with client.get("/admin/host/status") as response:
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def test_each_group_has_a_process_and_the_status_is_of_all(tmp_path: Path) -> None:
    async with grouped(tmp_path) as client:
        of_all = await status(client)
    assert set(of_all["processes"]) == GROUPS
    assert len(set(of_all["processes"].values())) == len(GROUPS)
    assert of_all["queues"] == {name: {"active": 0, "locked": 0, "dead_letter": 0} for name in ("many", "one")}
    assert set(of_all["timers"]) == {"tick"}
    assert (of_all["queued"], of_all["running"], of_all["overdue"]) == (0, 0, 0)


REQUESTS = [
    ("GET", "/api/echo/A%20b?a=1&A=2&b=&c=x%20y+z", b""),
    ("POST", "/api/echo/x%2Fy", b"\x00\xff"),
    ("HEAD", "/api/echo/b", b""),
    ("GET", "/api/cookies", b""),
    ("GET", "/api/fails", b""),
    ("GET", "/api/unknown", b""),
    ("PUT", "/api/json", b"{}"),
    ("GET", "/admin/other", b""),
    ("PUT", "/admin/host/status", b""),
    ("POST", "/admin/functions/echo", b"{}"),
    ("POST", "/admin/functions/take_one", b"{"),
]


async def test_the_answers_are_those_of_a_host_in_one_process(tmp_path: Path) -> None:
    port = free_port()
    async with process(tmp_path, str(port)) as started, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        await up(started)
        expected = [await answer(client, *request) for request in REQUESTS]
    async with grouped(tmp_path) as client:
        assert [await answer(client, *request) for request in REQUESTS] == expected


async def answer(client: aiohttp.ClientSession, method: str, path: str, body: bytes) -> Any:
    headers = [("X-Two", "a"), ("X-Two", "b"), ("Accept", "text/x"), ("X-Forwarded-For", "203.0.113.9")]
    headers += BY_HAND.items() if path.startswith("/admin") else []
    url = URL(f"http://127.0.0.1:{client._base_url.port}{path}", encoded=True)  # type: ignore[union-attr]
    async with client.request(method, url, data=body or None, headers=headers) as response:
        text = (await response.text("latin-1")).replace(str(url.port), "PORT")
        shown = json.loads(text) if response.content_type == "application/json" and text else text
        if "headers" in shown:
            forwarded = shown["headers"].pop("x-forwarded-for").rpartition(":")[0]
            assert forwarded == "203.0.113.9, 127.0.0.1"
            shown["headers"].pop("connection", None)  # of each connection by itself
        kept = {name: value for name, value in response.headers.items() if name not in {"Date", "Content-Length"}}
        return response.status, kept, response.headers.getall("Set-Cookie", []), shown


async def test_a_function_is_started_by_hand_in_its_own_process(tmp_path: Path) -> None:
    async with grouped(tmp_path) as client:
        async with client.post("/admin/functions/take_one", json={"input": "by hand"}, headers=BY_HAND) as response:
            assert response.status == 202
        while (await status(client))["running"]:
            pass
    assert json.loads((tmp_path / "record").read_text(encoding="utf-8"))["body"] == "b'by hand'"


async def test_who_has_no_key_or_is_a_web_page_starts_nothing(tmp_path: Path) -> None:
    async with grouped(tmp_path) as client:
        for headers, status_ in (
            ({}, 401),
            (BY_HAND | {"Origin": "null"}, 403),
            (BY_HAND | {"Host": "a.example"}, 403),
        ):
            async with client.post("/admin/functions/take_one", json={}, headers=headers) as response:
                assert response.status == status_
        async with client.get("/admin/host/status", headers={"Origin": "null"}) as response:
            assert response.status == 403
    assert not (tmp_path / "record").exists()


async def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    async with grouped(tmp_path) as client:
        before = (await status(client))["processes"]
        os.kill(before["http"], signal.SIGKILL)
        async with client.get("/api/text") as response:
            assert response.status == 200
        after = (await status(client))["processes"]
    assert {group for group in GROUPS if before[group] != after[group]} == {"http"}


async def test_a_function_that_takes_too_long_ends_its_process_only(tmp_path: Path) -> None:
    async with grouped(tmp_path) as client:
        before = (await status(client))["processes"]
        async with client.get("/api/waits") as response:
            assert (await problem_of(response))["status"] == 500
        async with client.get("/api/text") as response:
            assert response.status == 200
        after = (await status(client))["processes"]
    assert {group for group in GROUPS if before[group] != after[group]} == {"http"}


async def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    port = free_port()
    async with process(tmp_path, str(port), SAMPLE_GROUPS="1") as started:
        await up(started)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            processes = (await status(client))["processes"]
        started.kill()
        await started.wait()
        async with asyncio.timeout(10):
            while any(map(is_alive, processes.values())):  # noqa: ASYNC110  other processes have no event here
                await asyncio.sleep(0.01)


async def test_an_app_that_cannot_be_run_in_a_group_is_explained(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{")
    async with process(tmp_path, "0", str(tmp_path / "host.json"), SAMPLE_GROUPS="1") as started:
        _, errors = await started.communicate()
    assert started.returncode == 1
    assert "is not JSON" in errors.decode()
    assert "The host cannot start: the process of the function group" in errors.decode()
