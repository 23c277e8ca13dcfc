"""Runs what people report usage with, each in an environment of its own, and reads what was counted.

`make usage-clients` installs the clients, all pinned, and names their folder in `XYRA_USAGE_CLIENTS`. Without it their
tests are skipped by name.
"""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]

CLIENTS = Path(os.environ.get("XYRA_USAGE_CLIENTS", "no usage clients")).absolute()
FOLDER = Path(__file__).parent
CALLS = int(os.environ.get("XYRA_USAGE_CALLS", "1000"))
NODE = CLIENTS / "node/lib"

installed = pytest.mark.skipif(not CLIENTS.is_dir(), reason="the usage clients are not installed: make usage-clients")


async def run(client: str, script: str, *arguments: str, sent: str = "", **environment: str) -> str:
    """What a Python script prints in the environment of a client. It has to end well, and without an error logged."""
    command = [str(CLIENTS / client / "bin/python"), str(FOLDER / script), *arguments]
    return await run_command(command, sent, environment)


async def run_command(command: list[str], sent: str, environment: dict[str, str]) -> str:
    ended = await finished(command, sent, environment)
    assert "ERROR" not in ended.stderr, ended.stderr[-4000:]
    assert "Failed to export" not in ended.stderr, ended.stderr[-4000:]
    return ended.stdout


async def finished(command: list[str], sent: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A command that ended well, whatever it wrote."""
    ended = await asyncio.to_thread(
        subprocess.run,
        command,
        input=sent,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended


def base_of(xyra: Xyra) -> str:
    return str(xyra.anonymous.session._base_url).rstrip("/")


def token_of(client: Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def traces_to(xyra: Xyra, key: Client) -> dict[str, str]:
    """The lines of `docs/send-usage.md`."""
    return {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{base_of(xyra)}/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"x-api-key={token_of(key)}",
        "OTEL_TRACES_SAMPLER": "always_on",
        "OTEL_SERVICE_NAME": "coder",
    }


async def recorded(organization: Organization) -> dict[str, Json]:
    """All events, by id."""
    events: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = await organization.key.get("events", limit="200", **cursor)
        events += page["data"]
        if page["next_cursor"] is None:
            by_id = {event["id"]: event for event in events}
            assert len(by_id) == len(events), "an event was counted twice"
            return by_id
        cursor = {"cursor": page["next_cursor"]}


async def warnings_of(organization: Organization) -> dict[str, int]:
    """How often each was given, by code."""
    counted = (await organization.key.get("ingestion", window="hour"))["warnings"]
    return {warning["code"]: warning["count"] for warning in counted}
