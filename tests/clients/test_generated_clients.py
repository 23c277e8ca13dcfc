"""Clients that generators make of the OpenAPI document: made without a warning, and they work.

`make clients` installs the generators, each pinned, in an environment of their own, and names it in
`XYRA_CLIENT_TOOLS`. Without it these tests are skipped by name.
"""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

import function_app
from shared.http import openapi
from tests.doubles.clients.xyra_client import Xyra
from tests.e2e.billing.test_main_job import billed_agent, command

assert function_app.app, "importing it declares the endpoints"

TOOLS = Path(os.environ.get("XYRA_CLIENT_TOOLS", "no client tools")).absolute()
USE = Path(__file__).with_name("use_generated_client.py")

pytestmark = pytest.mark.skipif(not TOOLS.is_dir(), reason="the client generators are not installed: make clients")


def run(*command_line: str | Path, **environment: str) -> str:
    """What a program prints, on both streams. It has to end well."""
    path = f"{TOOLS / 'bin'}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(  # noqa: S603  the pinned generators
        list(map(str, command_line)),
        env={"PATH": path, "HOME": os.environ["HOME"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


SENT_AS_BYTES = ("application/x-protobuf", "application/pdf", "application/xml", "text/csv")
"""Media types that this generator has to be told of."""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes(openapi.document())
    return path


@pytest.fixture(scope="module")
def python_client(document: Path) -> Path:
    """The folder of the generated package."""
    folder = document.parent / "python"
    config = document.parent / "config.yaml"
    config.write_text(f"content_type_overrides: {dict.fromkeys(SENT_AS_BYTES, 'application/octet-stream')}")
    generate = ("generate", "--path", document, "--config", config, "--output-path", folder)
    output = run(TOOLS / "bin/openapi-python-client", *generate)
    assert output.strip() == f"Generating {folder}", output
    return folder


async def test_the_python_client_reports_lists_and_meets_an_error(xyra: Xyra, python_client: Path) -> None:
    organization = await xyra.organization()
    await billed_agent(organization)
    await organization.key.report(command("october"))
    await xyra.idle()
    (invoice,) = await xyra.generate(organization, "2026-10")
    token = organization.key.headers["Authorization"].removeprefix("Bearer ")
    base = str(xyra.anonymous.session._base_url).rstrip("/")
    printed = await asyncio.to_thread(run, TOOLS / "bin/python", USE, base, token, PYTHONPATH=str(python_client))
    assert json.loads(printed) == {
        "accepted": 1,
        "totals": [invoice["total"]],
        "status": 404,
        "problem": "urn:xyra:problem:not_found",
    }
    await xyra.idle()
    assert await organization.usage("2026-11", "commands") == 2


def test_the_typescript_client_is_made_without_a_warning_and_compiles(document: Path) -> None:
    types = document.parent / "xyra.ts"
    node_tools = TOOLS / "node_modules/.bin"
    output = run(node_tools / "openapi-typescript", document, "-o", types)
    assert "warn" not in output.lower()
    use = document.parent / "use.ts"
    use.write_text(
        'import type { operations } from "./xyra";\n'
        'export type Accepted = operations["report_events"]["responses"][202]["content"]["application/json"];\n'
        "export const count = (answer: Accepted): number => answer.accepted;\n"
    )
    run(node_tools / "tsc", "--noEmit", "--strict", types, use)
