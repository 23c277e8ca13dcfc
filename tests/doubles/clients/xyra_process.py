"""The host as it is run: `python -m local`, a process with a data directory."""

import http.client
import json
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

from local.host.log_lines_after_end import MARK
from shared.adapters.clock.file_clock import FileClock
from tests.doubles.clients.log_scan import KNOWN, scan
from tests.places import ROOT

OPERATOR = ("operator@example.com", "a password of the operator's")

IN_GROUPS = os.environ.get("XYRA_TEST_PROCESSES") == "groups"
"""True where hosts have a process for each function group, which see each other's writes late."""
READ_LAG_SECONDS = 0.1 if IN_GROUPS else 0

_GROUPS = {"XYRA_PROCESSES": "groups", "XYRA_READ_LAG_MILLISECONDS": str(round(READ_LAG_SECONDS * 1000))}
_SERVES = re.compile(r"Xyra serves on (http://127\.0\.0\.1:[0-9]+)")
_PATIENCE = 60
_LONGEST_START = 240
"""On a machine with many more programs than processors; alone it takes two seconds."""
_OK = 200
_AZURE = {"XYRA_STORE", "XYRA_QUEUE"}
_OUTSPOKEN = "tests.doubles.clients.outspoken_xyra"
_SECRET_SETTINGS = ("_PASSWORD", "_KEY")
_KEPT_SECRETS = ("operator.json", "demo.json")
_TO_BE_SEEN = ("WARNING", "ERROR", "CRITICAL")
_CHOSEN_PASSWORD = r"^  TOKEN=.*\"password=\$XYRA_OPERATOR_PASSWORD\".*"
_DEMO_KEY = r"^  (?:curl -H \"X-API-Key: |XYRA_URL=\S+ XYRA_API_KEY=).*"
_MAILED_LINK = r"^  http://\S+/account/\S+"
_MADE_UP_PASSWORD = r"^The operator: .*|^  TOKEN=.*"

Tables = dict[str, Counter[tuple[object, ...]]]


class XyraProcess:
    """A host; several may run on one data directory.

    Its output goes to a file, so that it never blocks. It logs at `DEBUG`; at its end the log is scanned for secrets.
    """

    def __init__(self, data_dir: Path, *, clock_file: Path | None = None, name: str = "host", **settings: str) -> None:
        """`settings` are environment variables; without `XYRA_DEMO` it starts empty."""
        self.data_dir = data_dir
        self.clock_file = clock_file
        self._name = name
        self._outputs: list[Path] = []
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("XYRA_")}
        own = {
            "XYRA_PORT": "0",
            "XYRA_DATA_DIR": str(data_dir),
            "XYRA_DEMO": "0",
            "XYRA_OUTBOUND_ALLOW": "127.0.0.1/32",  # where doubles serve
            "XYRA_UNVERIFIED_MAY_WRITE": "1",
            "XYRA_LOG_LEVEL": "DEBUG",
            "XYRA_LIMITS": "off",  # all tests call from one address
            "XYRA_OPERATOR_EMAIL": OPERATOR[0],
            "XYRA_OPERATOR_PASSWORD": OPERATOR[1],
        }
        clock = {"XYRA_CLOCK_FILE": str(clock_file)} if clock_file is not None else {}
        self._environment = inherited | own | clock | (_GROUPS if IN_GROUPS else {}) | settings
        self._module = _OUTSPOKEN if _AZURE & settings.keys() else "local"
        self._process: subprocess.Popen[bytes] | None = None
        self.base = ""

    def start(self) -> None:
        """Return when it has printed its address and is ready."""
        self.spawn()
        self.until(lambda: _SERVES.search(self.output), seconds=_LONGEST_START)
        self.base = _SERVES.findall(self.output)[0]
        self.until(self._ready, seconds=_LONGEST_START)

    def start_at(self, base: str) -> None:
        """As `start`, on a port that was chosen before.

        Returns as soon as it is ready.
        """
        self.spawn()
        self.base = base
        self.until(self._ready, seconds=_LONGEST_START)

    def spawn(self) -> None:
        """Return at once, long before it is ready."""
        self._outputs.append(self.data_dir.parent / f"{self.data_dir.name}.{self._name}.{len(self._outputs)}.out")
        with self._outputs[-1].open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  a module of ours
                [sys.executable, "-m", self._module], cwd=ROOT, env=self._environment, stdout=output, stderr=output
            )

    @property
    def output(self) -> str:
        """What it has printed since the last start."""
        return self._outputs[-1].read_text(encoding="utf-8")

    def until(self, condition: Callable[[], object], *, seconds: float = _PATIENCE) -> None:
        """Wait until the condition holds, as long as the process lives."""
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
        """Wait until it ends by itself, and return the exit code."""
        return self._running.wait(_PATIENCE)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was not started"
        return self._process

    def kill(self) -> None:
        """End it as `kill -9` does. Its port may soon belong to another process, so it is forgotten."""
        self._running.kill()
        self._running.wait()
        self.base = ""

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self._running.send_signal(number)
        return self._running.wait(_PATIENCE)

    def end(self) -> None:
        """End it in whatever state it is, and assert that its logs hold no secret."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self.assert_nothing_secret_is_logged()
        self.assert_nothing_is_logged_late()

    def memory_mb(self) -> float:
        """The resident memory in MiB."""
        return self._memory_mb("VmRSS")

    def peak_memory_mb(self) -> float:
        """The most resident memory so far in MiB."""
        return self._memory_mb("VmHWM")

    def _memory_mb(self, name: str) -> float:
        status = Path(f"/proc/{self._running.pid}/status").read_text(encoding="utf-8")
        return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024

    @property
    def log(self) -> Path:
        return self.data_dir / "log.jsonl"

    def assert_nothing_secret_is_logged(self) -> None:
        """Scan for all secrets that the tests know by now, of any host."""
        self._learn_secrets()
        password = _CHOSEN_PASSWORD if self._environment["XYRA_OPERATOR_PASSWORD"] else _MADE_UP_PASSWORD
        # To a person who has no other way to learn it.
        on_purpose = re.compile(f"{_DEMO_KEY}|{_MAILED_LINK}|{password}", re.MULTILINE)
        found = [finding for output in self._outputs for finding in scan(output, but=on_purpose)]
        found += scan(self.log) if self.log.exists() else []
        assert not found, "secrets are logged:\n" + "\n".join(map(str, found))

    def assert_nothing_is_logged_late(self) -> None:
        """The platform drops lines that are logged after their invocation ended: no warning may be among them."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        late = [line for line in lines if f'"{MARK}"' in line and json.loads(line)["level"] in _TO_BE_SEEN]
        assert not late, "lines that the platform would drop:\n" + "\n".join(late)

    def _learn_secrets(self) -> None:
        for name, value in self._environment.items():
            if name.startswith("XYRA_") and name.endswith(_SECRET_SETTINGS):
                KNOWN.add(name, value)
            elif name.endswith("_CONNECTION_STRING"):
                KNOWN.add_connection_string(name, value)
        for path in filter(Path.exists, (self.data_dir / name for name in _KEPT_SECRETS)):
            KNOWN.learn(json.loads(path.read_bytes()))
        admin_key = self.data_dir / "admin.key"
        if admin_key.exists():
            KNOWN.add("key of /admin", admin_key.read_text(encoding="ascii"))
        secrets = self.data_dir / "secrets.json"
        for name, value in json.loads(secrets.read_bytes()).items() if secrets.exists() else ():
            KNOWN.add_key(name, value)

    def set_clock(self, now: datetime) -> None:
        assert self.clock_file is not None, "it runs by the machine's clock"
        draft = self.clock_file.with_suffix(".tmp")
        draft.write_text(now.isoformat(), encoding="utf-8")
        draft.replace(self.clock_file)

    def now(self) -> datetime:
        """The host's time, where its clock is a file: it runs on from what was written."""
        assert self.clock_file is not None
        return FileClock(self.clock_file).now()

    def tables(self) -> Tables:
        """All rows of all tables, to compare, without session locks.

        Those are held a while after their work.
        """
        with closing(sqlite3.connect(f"file:{self.data_dir / 'xyra.db'}?mode=ro", uri=True)) as database:
            names = [
                row[0]
                for row in database.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'queue_sessions'"
                )
            ]
            return {name: Counter(database.execute(f'SELECT * FROM "{name}"')) for name in names}  # noqa: S608  names of tables
