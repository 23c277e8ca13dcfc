"""Runs the Bicep compiler. As a program it takes the snapshots of `infra/` anew: `make infra-snapshots`."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.infra.snapshots import SHAPES, SNAPSHOTS, SOURCES, sources

PLACEHOLDERS = (
    "--subscription-id=11111111-1111-1111-1111-111111111111",
    "--tenant-id=22222222-2222-2222-2222-222222222222",
    "--location=westeurope",
)
"""Without them the ids in a snapshot stay expressions."""


class CompilerError(Exception):
    """What the compiler reported."""


@dataclass(frozen=True, slots=True)
class Compiler:
    program: str

    def run(self, *arguments: str | Path) -> str:
        """What it prints on stdout. Raises `CompilerError` for an error, and for a warning too."""
        finished = subprocess.run([self.program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
        if finished.returncode or " : Warning " in finished.stderr:
            raise CompilerError(f"{finished.stderr}{finished.stdout}".strip())
        return finished.stdout

    def template(self, main: Path) -> dict[str, Any]:
        """The built template, with what snapshots leave out: types and defaults of parameters, order."""
        template: dict[str, Any] = json.loads(self.run("build", main, "--stdout"))
        return template

    def snapshot(self, parameters: Path) -> dict[str, Any]:
        """Evaluates the deployment; the file beside the parameters is replaced."""
        self.run("snapshot", parameters, *PLACEHOLDERS)
        content: dict[str, Any] = json.loads(parameters.with_suffix(".snapshot.json").read_text())
        return content


def main(program: str) -> None:
    compiler = Compiler(program)
    for shape in SHAPES:
        parameters = SNAPSHOTS / f"{shape}.bicepparam"
        content = json.dumps(compiler.snapshot(parameters), indent=2, sort_keys=True)
        parameters.with_suffix(".snapshot.json").write_text(f"{content}\n")
    SOURCES.write_text(sources())


if __name__ == "__main__":
    main(*sys.argv[1:])
