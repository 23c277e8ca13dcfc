"""`worker`: runs a function app inside the platform's own worker, or skips where there is none."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.places import ROOT

DRIVER = Path(__file__).with_name("driver.py")

Worker = Callable[..., dict[str, Any]]


def _can_run_the_worker(python: str) -> bool:
    check = [python, "-c", "import sys, azure_functions_runtime; sys.exit(sys.version_info < (3, 13))"]
    try:
        return subprocess.run(check, capture_output=True, timeout=60, check=False).returncode == 0  # noqa: S603  an interpreter
    except OSError:
        return False


def interpreter() -> str | None:
    """A Python that can run the worker: the one that was named, this one, or that of `.venv-3.13`."""
    named = os.environ.get("XYRA_WORKER_PYTHON")
    if named:
        assert _can_run_the_worker(named), f"XYRA_WORKER_PYTHON={named} cannot import azure_functions_runtime on 3.13+"
        return named
    candidates = [sys.executable, str(ROOT / ".venv-3.13" / "bin" / "python")]
    return next((each for each in candidates if _can_run_the_worker(each)), None)


@pytest.fixture(scope="session")
def worker() -> Worker:
    """Call it with an app's directory, invocations as `driver.py` takes them, and further environment variables."""
    python = interpreter()
    if python is None:
        pytest.skip("no Python 3.13 with azure-functions-runtime here: make .venv-3.13 or set XYRA_WORKER_PYTHON")

    def run(app: Path, *invocations: dict[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        finished = subprocess.run(  # noqa: S603  our own driver
            [python, str(DRIVER)],
            input=json.dumps({"app": str(app), "invocations": invocations}),
            env=os.environ | (environment or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        answer: dict[str, Any] = json.loads(finished.stdout)
        return answer

    return run
