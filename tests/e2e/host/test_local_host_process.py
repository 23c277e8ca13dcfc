import asyncio
import json
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from tests.doubles.clients.running_host import BY_HAND
from tests.doubles.clients.sample_process import free_port, process, up
from tests.places import ROOT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_a_request_end_and_takes_no_new_one(number: signal.Signals, tmp_path: Path) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    async with process(tmp_path, str(port)) as started, aiohttp.ClientSession() as client:
        await up(started)
        answer = asyncio.create_task(client.get(f"{base}/api/waits").__aenter__())
        while not (tmp_path / "record").exists():  # noqa: ASYNC110  a file has no event
            await asyncio.sleep(0.01)
        started.send_signal(number)
        while True:
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
            except ConnectionRefusedError:
                break
            await asyncio.sleep(0.01)
        (tmp_path / "gate").touch()
        response = await answer
        assert (response.status, await response.text()) == (200, "done")
        assert await started.wait() == 0


async def test_a_host_with_nothing_to_do_stops_at_once(tmp_path: Path) -> None:
    port = free_port()
    async with process(tmp_path, str(port)) as started, aiohttp.ClientSession() as client:
        await up(started)
        async with client.get(f"http://127.0.0.1:{port}/api/text") as response:  # leaves an idle connection behind
            assert response.status == 200
        started.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await started.wait() == 0


async def test_a_signal_ends_what_was_to_be_done_after_the_start(tmp_path: Path) -> None:
    async with process(tmp_path, str(free_port()), SAMPLE_STARTS_FOREVER="1") as started:
        await up(started)
        started.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await started.wait() == 0


async def test_the_host_json_of_the_project_can_be_used(tmp_path: Path) -> None:
    port = free_port()
    async with process(tmp_path, str(port), str(ROOT / "host.json")) as started, aiohttp.ClientSession() as client:
        await up(started)
        async with client.get(f"http://127.0.0.1:{port}/text") as response:  # its route prefix is empty
            assert response.status == 200


async def refusal(started: asyncio.subprocess.Process) -> str:
    """What a host that cannot start says on stderr: one line."""
    output, errors = await started.communicate()
    assert started.returncode == 1
    assert output == b""
    (line,) = errors.decode().splitlines()
    assert line.startswith("The host cannot start: ")
    return line


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with process(tmp_path, str(port)) as started:
            assert f"cannot listen on 127.0.0.1:{port}" in await refusal(started)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not JSON"),
        ("[]", 'must be an object with "version": "2.0"'),
        ('{"version": "1.0"}', 'must be an object with "version": "2.0"'),
        ('{"version": "2.0", "extensions": []}', "extensions must be an object"),
        ('{"version": "2.0", "extensions": {"http": {"routePrefix": 1}}}', "routePrefix must be a string"),
        (
            '{"version": "2.0", "extensions": {"serviceBus": {"maxMessageBatchSize": 0}}}',
            "maxMessageBatchSize must be a positive integer",
        ),
    ],
)
async def test_a_host_json_that_cannot_be_used_is_explained(content: str, complaint: str, tmp_path: Path) -> None:
    host_json = tmp_path / "host.json"
    host_json.write_text(content, encoding="utf-8")
    async with process(tmp_path, "0", str(host_json)) as started:
        line = await refusal(started)
    assert str(host_json) in line
    assert complaint in line


async def test_a_missing_host_json_is_named(tmp_path: Path) -> None:
    async with process(tmp_path, "0", str(tmp_path / "host.json")) as started:
        assert f"{tmp_path / 'host.json'}: cannot be read" in await refusal(started)


async def test_a_queue_function_can_be_started_by_hand_in_a_running_process(tmp_path: Path) -> None:
    port = free_port()
    async with process(tmp_path, str(port)) as started, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        await up(started)
        async with client.post("/admin/functions/take_one", json={"input": "by hand"}, headers=BY_HAND) as response:
            assert response.status == 202
        while True:
            async with client.get("/admin/host/status") as response:
                if (await response.json())["running"] == 0:
                    break
        started.send_signal(signal.SIGTERM)
        assert await started.wait() == 0
    assert json.loads((tmp_path / "record").read_text(encoding="utf-8"))["body"] == "b'by hand'"
