"""The package that `tools/build_package` makes: the worker runs the app with nothing else installed.

Needs the network for the wheels, so only `make worker` runs it.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.places import ROOT
from tests.worker.conftest import DRIVER, interpreter

TASK = {
    "app": str(ROOT),
    "invocations": [{"function": "health", "http": {"method": "GET", "url": "http://xyra/health"}}],
}


@pytest.mark.skipif("XYRA_BUILD_PACKAGE" not in os.environ, reason="needs the network: make worker")
def test_the_worker_finds_the_functions_of_a_package_that_was_built_here(tmp_path: Path) -> None:
    python = interpreter()
    assert python is not None
    subprocess.run([ROOT / "tools" / "build_package", tmp_path], check=True)  # noqa: S603  our own script
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    found = "import azure_functions_runtime as runtime; print(runtime.__path__[0])"
    of_worker = subprocess.run([python, "-c", found], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  an interpreter
    (runtime / "azure_functions_runtime").symlink_to(of_worker)
    packages = tmp_path / ".python_packages" / "lib" / "site-packages"
    finished = subprocess.run(  # noqa: S603  our own driver
        [python, "-S", str(DRIVER)],  # without what is installed beside the interpreter
        input=json.dumps(TASK),
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{runtime}:{packages}",
            "XYRA_DATA_DIR": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout)
    assert answer["failure"] is None
    assert answer["results"][0]["http"]["status"] == 200
