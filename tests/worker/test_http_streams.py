"""HTTP streams, which this app does not use: what `docs/http-streams.md` says of them, in the platform's own worker.

A test that fails here says that the vendor has changed what the decision rests on. -s shows the figures.
"""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.places import ROOT
from tests.worker.conftest import interpreter

STREAMS = ROOT / "tests" / "doubles" / "worlds" / "streams_app"
BUFFERED = ROOT / "tests" / "doubles" / "worlds" / "buffered_app"
DRIVER = ROOT / "tests" / "worker" / "streams_driver.py"
REQUESTS = int(os.environ.get("XYRA_STREAM_REQUESTS", "1000"))
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run() -> Run:
    python = interpreter()
    has_streams = python is not None and (
        subprocess.run([python, "-c", "import azurefunctions.extensions.http.fastapi"], check=False).returncode == 0  # noqa: S603  an interpreter
    )
    if not has_streams:
        pytest.skip("no Python 3.13 with azurefunctions-extensions-http-fastapi here: make worker")

    def scenario(name: str, app: os.PathLike[str] = STREAMS) -> dict[str, Any]:
        finished = subprocess.run(  # noqa: S603  our own driver
            [str(python), str(DRIVER), name, str(app), str(REQUESTS)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        answer: dict[str, Any] = json.loads(next(line for line in finished.stdout.splitlines() if line.startswith("{")))
        return answer

    return scenario


def test_the_worker_never_forgets_an_invocation(run: Run) -> None:
    remembered = run("remembered")
    print(f"{remembered['bytes']:,.0f} bytes stay of each request")  # noqa: T201  figures
    assert remembered["entries"] - remembered["known"] == REQUESTS


def test_a_client_that_chooses_the_invocations_id_hangs_and_so_does_the_invocation(run: Run) -> None:
    assert run("own_header") == {"invocation_hangs": True, "client_hangs": True, "entries": 2}


def test_a_request_under_anothers_id_takes_its_place(run: Run) -> None:
    told = run("anothers_id")
    assert told["first"][1].startswith("11 ")  # the first client is answered for what the second one sent
    assert told["second"][0] == 500


@pytest.mark.parametrize(
    ("scenario", "failure"),
    [("aborted_upload", "ClientDisconnect"), ("gone_before_answer", None), ("failing", "ValueError: with 400 bytes")],
)
def test_what_goes_wrong_ends_and_stays_remembered(run: Run, scenario: str, failure: str | None) -> None:
    told = run(scenario)
    assert (told["failure"] or "").startswith(failure or "")
    assert told["entries"] == 1


def test_an_invocation_whose_request_does_not_come_waits_for_ever(run: Run) -> None:
    assert run("never_forwarded") == {"invocation_hangs": True, "entries": 1}


def test_slashes_repeated_headers_and_head_are_as_without_streams(run: Run) -> None:
    of_body = [200, "0 a/b ['a', 'b']"]
    assert run("relied_on")["answers"] == [of_body, of_body, [200, ""]]


def test_what_a_request_costs_in_the_worker(run: Run) -> None:
    streams, buffered = run("costs"), run("costs", BUFFERED)
    for name, figures in (("streams", streams), ("buffered", buffered)):
        print(f"{name}: {json.dumps(figures)}")  # noqa: T201  figures
    assert streams["many"]["microseconds"] > 1.15 * buffered["many"]["microseconds"]  # of processor time
