"""`docs/quick-start.md`, command by command as a reader copies them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.clients.xyra_process import ROOT, XyraProcess

PAGE = ROOT / "docs" / "quick-start.md"
FOLDER = "/tmp/xyra-quick-start"  # noqa: S108  as the page has it
BASE = "http://127.0.0.1:7071"
SECONDS = 120
"""What all commands may take, on a machine that is busy."""

Blocks = list[str]
Json = dict[str, Any]


@pytest.fixture(scope="module")
def blocks() -> Blocks:
    return re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def settings_of(block: str) -> dict[str, str]:
    """What the first terminal exports before it starts Xyra."""
    *exports, start = block.splitlines()
    assert start == "make run"
    return {name: value.strip("'") for name, value in (line.removeprefix("export ").split("=") for line in exports)}


def documents_in(output: str) -> Iterator[Json]:
    """The answers that the commands show, one after the other."""
    decoder = json.JSONDecoder()
    while output := output.strip():
        document, end = decoder.raw_decode(output)
        yield document
        output = output[end:]


def test_its_commands_lead_from_nothing_to_a_finalized_invoice(
    blocks: Blocks, new_process: Callable[..., XyraProcess], tmp_path: Path
) -> None:
    start, *commands = blocks
    folder = tmp_path / "data"
    settings = {name: value.replace(FOLDER, str(folder)) for name, value in settings_of(start).items()}
    process = new_process(**settings)
    process.start()
    script = "set -euo pipefail\n" + "\n".join(commands).replace(FOLDER, str(folder)).replace(BASE, process.base)
    python3 = tmp_path / "bin" / "python3"
    python3.parent.mkdir()
    python3.symlink_to(sys.executable)
    done = subprocess.run(  # noqa: S603  the page's commands
        ["/bin/bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={"PATH": f"{python3.parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *_, preview, invoice = documents_in(done.stdout)
    assert (preview["status"], preview["number"], preview["total"]) == ("draft", None, "10.00")
    assert (invoice["status"], invoice["total"]) == ("pending", "10.00")
    assert invoice["number"]
    assert invoice["finalized_at"]
    assert [(line["quantity"], line["amount"]) for line in invoice["lines"]] == [("40", "10.00")]


def test_it_is_the_first_page_that_the_readme_names() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"docs/[a-z-]+\.md", readme)[0] == "docs/quick-start.md"
