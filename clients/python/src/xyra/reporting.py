"""Reports events in the background: `track` writes to the spool, a thread sends."""

from __future__ import annotations

import atexit
import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from xyra.connection import Settings, encoded
from xyra.scope import current_scope
from xyra.sending import Sender
from xyra.spool import Kind, Refused, Spool, default_path

SPOOL_LIMIT = 100_000
EXIT_SECONDS = 5.0
"""How long the end of the process waits for what is still to be sent; the rest waits in the spool."""
_log = logging.getLogger("xyra")
_MAXIMUM_EVENT = 32 * 1024
_TYPE = re.compile(r"[A-Za-z0-9_.:/-]{1,200}")
_POLL = 0.02


class Attached(Protocol):
    """What spends by itself, and has to be reported as long as the process lives."""

    def report(self) -> None: ...

    def report_due(self) -> None: ...

    def end(self) -> None: ...


class Reporter:
    """One spool and its sender, of a client."""

    def __init__(self, settings: Settings, spool_path: str | Path | None, spool_limit: int, agent: str | None) -> None:
        """`agent`: whose events those are that name none and happen in no agent's scope."""
        if spool_limit < 1:
            raise ValueError("spool_limit is at least 1")
        path = spool_path or os.environ.get("XYRA_SPOOL")
        self._path = Path(path) if path else default_path(settings.base_url, settings.api_key)
        self._settings = settings
        self.agent = agent
        self.spool = Spool(self._path, spool_limit)
        self._attached: set[Attached] = set()
        self._sender = Sender(settings, self.spool, self._report_due)
        self._starting = threading.Lock()
        self._is_closed = False

    def track(  # noqa: PLR0913  what an event has
        self,
        type: str,  # noqa: A002  the event's field
        *,
        agent: str | None = None,
        data: Mapping[str, Any] | None = None,
        run: str | None = None,
        id: str | None = None,  # noqa: A002  the event's field
        source: str = "api",
        time: datetime | None = None,
        organization: str | None = None,
    ) -> str:
        """Report an event, and return its id at once: it is in the spool, and counts once however often it is sent.

        Raises `ValueError` for what cannot be an event. Where the spool is full, the event is dropped, counted and
        logged.
        """
        scope = current_scope()
        named = agent or scope.agent or self.agent
        if not named:
            raise ValueError("the event names no agent: give agent, or use xyra.run(..., agent=), or xyra.init(agent=)")
        if not _TYPE.fullmatch(type):
            raise ValueError(f"a type has letters, digits and _ . : / -, at most 200: {type!r}")
        event: dict[str, Any] = {
            "id": id or uuid.uuid4().hex,
            "type": type,
            "agent": named,
            "time": time or datetime.now(UTC),
            "source": source,
            "data": data or {},
        }
        if run or scope.run:
            event["run"] = run or scope.run
        if organization:
            event["organization"] = organization
        body = encoded(event)
        if len(body) > _MAXIMUM_EVENT:
            raise ValueError(f"an event has at most {_MAXIMUM_EVENT} bytes; this one has {len(body)}")
        self.add("event", body.decode())
        return str(event["id"])

    def add(self, kind: Kind, body: str) -> bool:
        """Put an item into the spool, and see to it that it is sent."""
        taken = self.spool.add(kind, body)
        if not self._sender.is_running and not self._is_closed:
            try:
                self.start()
            except RuntimeError:  # the interpreter is ending: the next process sends what waits
                _log.warning("no thread can be started: what is reported waits in the spool")
        return taken

    def start(self) -> None:
        """Send what waits, also what an earlier process left."""
        with self._starting:
            self._sender.start()
            _started.add(self)

    def attach(self, spending: Attached) -> None:
        """From now on it is reported now and then, by each `flush`, and at the end of the process."""
        self._attached.add(spending)
        self.start()

    def detach(self, spending: Attached) -> None:
        self._attached.discard(spending)

    def _report_due(self) -> None:
        for spending in list(self._attached):
            spending.report_due()

    def flush(self, timeout: float = 10.0) -> int:
        """Send now. Returns how many items are left when all is sent or the time is over; 0 means that all arrived."""
        for spending in list(self._attached):
            spending.report()
        self.start()
        deadline = time.monotonic() + timeout
        self._sender.hurry(timeout)
        while (left := self.spool.counts()["waiting"]) and time.monotonic() < deadline:
            time.sleep(_POLL)
        return left

    def stats(self) -> dict[str, int]:
        """`waiting`, `dropped` (the spool was full or could not be written) and `refused`, over all processes."""
        return self.spool.counts()

    def refused(self) -> list[Refused]:
        """What Xyra did not take, with reasons."""
        return self.spool.refused()

    def retry_refused(self) -> int:
        """Send again what was refused, when its reason is gone. How many items these are."""
        again = self.spool.retry_refused()
        self.start()
        return again

    def close(self, timeout: float = EXIT_SECONDS) -> int:
        """Send what there is time for, and end. Returns how many items wait in the spool."""
        if self._is_closed:
            return 0
        for spending in list(self._attached):
            spending.end()
        left = 0
        if self._sender.is_running:
            left = self.flush(timeout)
            self._sender.end()
        self._is_closed = True
        _started.discard(self)
        self.spool.close()
        return left

    def after_fork(self) -> None:
        """In a child: a sender of its own, started with its first event."""
        self._sender.left_behind_by_fork()
        self._starting = threading.Lock()
        self._sender = Sender(self._settings, self.spool, self._report_due)


_started: set[Reporter] = set()


def _at_exit() -> None:
    for reporter in list(_started):
        reporter.close()


def _in_child() -> None:
    for reporter in _started:
        reporter.after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
