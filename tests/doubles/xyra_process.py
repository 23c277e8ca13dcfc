"""The project as it is run: `python -m local`, a process with a data directory."""

import http.client
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
OPERATOR = ("operator@example.com", "a password of the operator's")

_SERVES = re.compile(r"Xyra serves on (http://127\.0\.0\.1:[0-9]+)")
_PATIENCE = 60
_OK = 200

Tables = dict[str, Counter[tuple[object, ...]]]


class XyraProcess:
    """Several may be started on one data directory. What it prints goes to a file, so that nothing ever blocks it."""

    def __init__(self, data_dir: Path, *, clock_file: Path | None = None, name: str = "host", **settings: str) -> None:
        """`settings` are environment variables; without `XYRA_DEMO` it starts empty."""
        self.data_dir = data_dir
        self.clock_file = clock_file
        self._output = data_dir.parent / f"{data_dir.name}.{name}.out"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("XYRA_")}
        own = {
            "XYRA_PORT": "0",
            "XYRA_DATA_DIR": str(data_dir),
            "XYRA_DEMO": "0",
            "XYRA_OPERATOR_EMAIL": OPERATOR[0],
            "XYRA_OPERATOR_PASSWORD": OPERATOR[1],
        }
        clock = {"XYRA_CLOCK_FILE": str(clock_file)} if clock_file is not None else {}
        self._environment = inherited | own | clock | settings
        self._process: subprocess.Popen[bytes] | None = None
        self.base = ""

    def start(self) -> None:
        """Return when it has printed its address and is ready."""
        self._spawn()
        self.until(lambda: _SERVES.search(self.output))
        self.base = _SERVES.findall(self.output)[0]
        self.until(self._ready)

    def start_at(self, base: str) -> None:
        """As `start`, with a port that was chosen before; return as soon as it is ready."""
        self._spawn()
        self.base = base
        self.until(self._ready)

    def _spawn(self) -> None:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local"], cwd=ROOT, env=self._environment, stdout=output, stderr=output
            )

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def until(self, condition: Callable[[], object], *, seconds: float = _PATIENCE) -> None:
        """Wait for it, as long as the process lives."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._running.poll() is None, f"the process has ended:\n{self.output}"
            assert time.monotonic() < deadline, f"it did not happen within {seconds} s:\n{self.output}"
            time.sleep(0.01)

    def _ready(self) -> bool:
        with closing(http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=_PATIENCE)) as connection:
            try:
                connection.request("GET", "/health/ready")
            except ConnectionRefusedError:
                return False
            return connection.getresponse().status == _OK

    def wait(self) -> int:
        """The exit code, once it has ended by itself."""
        return self._running.wait(_PATIENCE)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was not started"
        return self._process

    def kill(self) -> None:
        """As `kill -9`: nothing is finished."""
        self._running.kill()
        self._running.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self._running.send_signal(number)
        return self._running.wait(_PATIENCE)

    def end(self) -> None:
        """However it stands: leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def set_clock(self, now: datetime) -> None:
        assert self.clock_file is not None, "it runs by the machine's clock"
        draft = self.clock_file.with_suffix(".tmp")
        draft.write_text(now.isoformat(), encoding="utf-8")
        draft.replace(self.clock_file)

    def tables(self) -> Tables:
        """All rows of all tables, to compare."""
        with closing(sqlite3.connect(f"file:{self.data_dir / 'xyra.db'}?mode=ro", uri=True)) as database:
            names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: Counter(database.execute(f'SELECT * FROM "{name}"')) for name in names}  # noqa: S608  names of tables
