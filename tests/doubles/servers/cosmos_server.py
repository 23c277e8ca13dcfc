"""The npm package `@vercel/cosmosdb-server` as a child process. `make npm-tools` installs it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE = Path(__file__).parent
_PACKAGE = _HERE.parent / "node_modules" / "@vercel" / "cosmosdb-server"

KEY = "a2V5IG9mIHRoZSBkb3VibGU="
"""The double accepts any key."""


def is_installed() -> bool:
    return shutil.which("node") is not None and _PACKAGE.is_dir()


@contextmanager
def cosmos_server() -> Iterator[str]:
    """Run the double and yield its endpoint. The SDK does not check certificates of the loopback address."""
    node = shutil.which("node")
    assert node is not None
    process = subprocess.Popen(  # noqa: S603  our own script
        [node, str(_HERE / "cosmos_server.cjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin:
        port = process.stdout.readline().strip()
        assert port, "The server did not start"
        yield f"https://127.0.0.1:{port}"
