"""Writes the SDK's models and resources from the API's description: `python -m tools.sdk_source`.

What it writes is checked in, and held to the description by `tests/sdk/test_generated_sources.py`.
"""

import json
import subprocess
import sys
from pathlib import Path

import function_app
from shared.http import openapi
from tools.sdk.models import model_sources
from tools.sdk.operations import operations_of
from tools.sdk.resources import resource_sources

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "clients/python/src/xyra"
FOLDERS = ("models", "resources")

assert function_app.app, "importing it declares the endpoints"  # noqa: S101  a development tool, never run with -O


def sources() -> dict[Path, str]:
    """The text of each generated module, formatted, by its path in the package."""
    document = json.loads(openapi.document())
    operations = operations_of(document)
    written = model_sources(document, operations) | resource_sources(operations)
    return {path: _formatted(text) for path, text in written.items()}


def _formatted(text: str) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    command = [ruff, "format", "--config", ROOT / "pyproject.toml", "-"]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, check=True)  # noqa: S603  our formatter
    return ended.stdout


def main() -> None:
    written = sources()
    for folder in FOLDERS:
        for old in (PACKAGE / folder).glob("*.py"):
            old.unlink()
    for path, text in written.items():
        (PACKAGE / path).parent.mkdir(parents=True, exist_ok=True)
        (PACKAGE / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
