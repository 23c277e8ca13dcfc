"""`python -m cli health`: waits for a deployed app, and says what to do where it does not come."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import typer

from cli import health
from cli.execution import ExitCode


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts an app whose `/health` answers with these statuses in turn, the last one for good; where it is served."""
    with ExitStack() as ending:

        def start(*statuses: int) -> str:
            remaining = list(statuses)

            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    assert self.path == "/health"
                    self.send_response(remaining.pop(0) if len(remaining) > 1 else remaining[0])
                    self.end_headers()

                def log_message(self, *_: object) -> None:
                    pass

            server = HTTPServer(("127.0.0.1", 0), Handler)
            ending.callback(server.server_close)
            ending.callback(server.shutdown)
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}"

        yield start


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_PAUSE_SECONDS", 0.01)


def test_it_waits_until_the_app_answers(serve: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    health.health(serve(404, 503, 200), patience=30)
    assert capsys.readouterr().out == "The app answers.\n"


@pytest.mark.parametrize(
    ("status", "advice"), [(404, "found no function"), (503, "does not answer as it should (503)")]
)
def test_what_stays_wrong_is_explained(
    status: int, advice: str, serve: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        health.health(serve(status), patience=0.1)
    assert ended.value.exit_code == ExitCode.DIFFERENT
    assert advice in capsys.readouterr().err


def test_an_app_that_is_not_there_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        health.health("http://127.0.0.1:1", patience=0)
    assert ended.value.exit_code == ExitCode.DIFFERENT
    assert "refused" in capsys.readouterr().err
