"""How `python -m local` starts and stops."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator

import aiohttp
import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Description, Xyra
from tests.doubles.clients.xyra_process import OPERATOR, XyraProcess

MakeProcess = Callable[..., XyraProcess]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


async def test_who_waits_until_it_is_ready_can_sign_in(new_process: MakeProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    process = new_process(XYRA_PORT=str(port))
    process.start_at(f"http://127.0.0.1:{port}")
    async with aiohttp.ClientSession(process.base) as session:
        form = dict(zip(("username", "password"), OPERATOR, strict=True))
        async with session.post("/api/v1/auth/login", data=form) as response:
            assert response.status == 200


async def test_an_operator_that_was_made_up_stays_and_is_printed_at_every_start(new_process: MakeProcess) -> None:
    nobody = {"XYRA_OPERATOR_EMAIL": "", "XYRA_OPERATOR_PASSWORD": ""}
    first, second = new_process(**nobody), new_process(**nobody)
    first.start()
    printed = re.search(r"The operator: (\S+)  password: (\S+)", first.output)
    assert printed
    assert first.stop(signal.SIGTERM) == 0
    second.start()
    assert printed[0] in second.output
    async with aiohttp.ClientSession(second.base) as session:
        xyra = Xyra(session, Description({"paths": {}}), "")
        operator = await xyra.sign_in(printed[1], printed[2])
        await operator.get("organizations")


@pytest.mark.parametrize("password", [{}, {"XYRA_OPERATOR_PASSWORD": ""}], ids=["chosen", "made up"])
def test_what_it_prints_without_a_demo_can_be_copied(new_process: MakeProcess, password: dict[str, str]) -> None:
    process = new_process(**password)
    process.start()
    process.until(lambda: "Ctrl-C" in process.output)
    assert "docs/quick-start.md" in process.output
    commands = "\n".join(line for line in process.output.splitlines() if line.startswith("  "))
    environment = os.environ | {"XYRA_OPERATOR_PASSWORD": OPERATOR[1]}
    done = subprocess.run(  # noqa: S603  what it prints
        ["/bin/bash", "-c", commands], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert json.loads(done.stdout)["slug"] == "acme"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_0_and_the_data_stays(new_process: MakeProcess, number: signal.Signals) -> None:
    first, second = new_process(), new_process()
    served = await Served.by(first)
    async with served.clients() as xyra:
        organization = await xyra.organization()
        agent = await organization.agent()
        await organization.key.report({"id": "1", "type": "command", "agent": "coder"})
    assert first.stop(number) == 0
    second.start()
    async with Served(second, served.description, served.operator_key).clients() as xyra:
        await xyra.idle()
        again = xyra.again(organization)
        assert (await again.key.get(f"agents/{agent['id']}"))["external_id"] == "coder"
        assert [row["quantity"] for row in (await again.key.get("usage"))["data"]] == ["1"]


def test_a_taken_port_is_named_and_ends_it_with_1(new_process: MakeProcess, taken_port: int) -> None:
    process = new_process(XYRA_PORT=str(taken_port))
    with pytest.raises(AssertionError, match="the process has ended"):
        process.start()
    assert f"cannot listen on 127.0.0.1:{taken_port}" in process.output
    assert process.wait() == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("XYRA_PORT", "http"),
        ("XYRA_SHARD_COUNT", "3"),
        ("XYRA_QUEUE_LOCK_SECONDS", "long"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(new_process: MakeProcess, setting: str, value: str) -> None:
    process = new_process(**{setting: value})
    with pytest.raises(AssertionError, match="the process has ended"):
        process.start()
    assert process.wait() == 1
    (line,) = process.output.splitlines()
    assert line.startswith("The settings cannot be used: ")
    assert setting in line
    assert "Input" not in line
