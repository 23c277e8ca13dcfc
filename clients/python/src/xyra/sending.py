"""Sends what waits in a spool, in a thread of its own."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from xyra.connection import Settings
from xyra.file_lock import FileLock
from xyra.retries import pause_before, retry_after
from xyra.spool import Item, Kind, Spool

_log = logging.getLogger("xyra")

_INTERVAL = 0.5
"""Seconds in which events gather for a batch."""
_MAXIMUM_EVENTS = 500
_MAXIMUM_BYTES = 900_000
"""Of a batch; Xyra takes 1 MiB."""
_LONGEST_PAUSE = 60.0
_LONGEST_PAUSE_IN_A_HURRY = 1.0
"""While somebody waits in `flush`."""
_FIRST_ERROR = 400
_CONFLICT = 409
_ABOUT_CONTENT = frozenset({400, 413, 422})
"""Refusals that will not change: they are about what was sent. All others are waited out."""
_FINAL_FOR_USES = frozenset({400, 402, 403, 409, 422})


@dataclass(slots=True)
class _Channel:
    """One kind of items, which waits for itself: refused uses do not hold up events."""

    kind: Kind
    failures: int = 0
    not_before: float = 0.0
    most: int = _MAXIMUM_EVENTS
    """Smaller while a batch is refused as a whole, to find out what is wrong with it."""

    def wait(self, asked: float | None, longest: float) -> None:
        pause = pause_before(self.failures, longest)
        self.failures = min(self.failures + 1, 16)
        self.not_before = time.monotonic() + max(pause, asked or 0.0)

    def succeeded(self) -> None:
        self.failures = 0
        self.not_before = 0.0
        self.most = _MAXIMUM_EVENTS


class Sender:
    """A thread that empties a spool. Of several processes with one spool, one sends."""

    def __init__(self, settings: Settings, spool: Spool) -> None:
        self._settings = settings
        self._spool = spool
        self._lock = FileLock(spool.path.with_name(f"{spool.path.name}.lock"))
        self._changed = threading.Condition()
        self._hurry = False
        self._hurried_until = 0.0
        self._is_ending = False
        self._channels = [_Channel("event"), _Channel("run"), _Channel("use")]
        self._thread: threading.Thread | None = None
        self._told = ""

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        if not self.is_running:
            self._thread = threading.Thread(target=self._run, name="xyra", daemon=True)
            self._thread.start()

    def hurry(self, seconds: float) -> None:
        """Send now, also what a failure made wait, and wait less after failures for so long."""
        with self._changed:
            self._hurried_until = time.monotonic() + seconds
            self._hurry = True
            self._changed.notify_all()

    def end(self) -> None:
        """Stop after the request that is on its way. What waits stays in the spool."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=self._settings.timeout)

    def left_behind_by_fork(self) -> None:
        """In a child: the thread and the lock are the parent's."""
        self._lock.release()

    def _run(self) -> None:
        with httpx2.Client(**self._settings.http_options()) as http:
            while not self._is_ending:
                try:
                    if self._lock.acquire():
                        self._send_all(http)
                except (sqlite3.Error, OSError) as error:
                    self._tell(f"the spool {self._spool.path} cannot be read ({error})")
                except Exception:  # noqa: BLE001  the thread must live: what waits is tried again
                    _log.exception("the spool %s cannot be sent just now", self._spool.path)
                with self._changed:
                    if not (self._hurry or self._is_ending):
                        self._changed.wait(_INTERVAL)
                    if self._hurry:
                        self._hurry = False
                        for channel in self._channels:
                            channel.not_before = 0.0
        self._lock.release()

    def _send_all(self, http: httpx2.Client) -> None:
        sent = False
        for channel in self._channels:
            while not self._is_ending and time.monotonic() >= channel.not_before:
                most = channel.most if channel.kind == "event" else 1
                items = self._spool.batch(channel.kind, most, _MAXIMUM_BYTES)
                if not items:
                    break
                self._send(http, channel, items)
                sent = True
        if sent:
            self._spool.checkpoint()

    def _send(self, http: httpx2.Client, channel: _Channel, items: list[Item]) -> None:
        send = {"event": self._send_events, "run": self._send_run, "use": self._send_use}[channel.kind]
        try:
            response = send(http, items)
        except httpx2.TransportError as error:
            channel.wait(None, self._longest_pause())
            self._tell(f"Xyra is not reached ({type(error).__name__}): what is reported waits in the spool")
            return
        conclude: Callable[[_Channel, list[Item], httpx2.Response], bool] = (
            self._conclude_events if channel.kind == "event" else self._conclude_one
        )
        if conclude(channel, items, response):
            self._told = ""
            return
        channel.wait(retry_after(response), self._longest_pause())
        self._tell(f"Xyra answers {response.status_code} ({_detail(response)}): what is reported waits in the spool")

    def _send_events(self, http: httpx2.Client, items: list[Item]) -> httpx2.Response:
        body = f'{{"events": [{", ".join(item.body for item in items)}]}}'
        return self._post(http, "/api/v1/events", body, {"partial": "true"}, {})

    def _send_run(self, http: httpx2.Client, items: list[Item]) -> httpx2.Response:
        (item,) = items
        return self._post(http, "/api/v1/runs", item.body, {}, {})

    def _send_use(self, http: httpx2.Client, items: list[Item]) -> httpx2.Response:
        (item,) = items
        kept = json.loads(item.body)
        headers = {"Idempotency-Key": str(kept["key"])}
        return self._post(http, "/api/v1/credits/use", json.dumps(kept["body"]), {}, headers)

    def _post(
        self, http: httpx2.Client, path: str, body: str, query: dict[str, str], headers: dict[str, str]
    ) -> httpx2.Response:
        if self._settings.organization_id is not None:
            query = {**query, "organization_id": self._settings.organization_id}
        headers = {"Content-Type": "application/json", **headers}
        return http.post(path, content=body.encode(), params=query, headers=headers)

    def _conclude_events(self, channel: _Channel, items: list[Item], response: httpx2.Response) -> bool:
        """True when the batch is done with; False where it has to wait."""
        if response.status_code in _ABOUT_CONTENT:
            if len(items) == 1:
                self._spool.settle([], [(items[0], _detail(response))])
                channel.succeeded()
            else:
                channel.most = len(items) // 2
            return True
        if response.status_code >= _FIRST_ERROR:
            return False
        rejected = {
            int(entry["index"]): "; ".join(f"{one['pointer']}: {one['detail']}" for one in entry.get("errors", ()))
            for entry in response.json().get("rejected", ())
        }
        taken = [item.id for index, item in enumerate(items) if index not in rejected]
        self._spool.settle(taken, [(items[index], reason) for index, reason in rejected.items()])
        channel.succeeded()
        return True

    def _conclude_one(self, channel: _Channel, items: list[Item], response: httpx2.Response) -> bool:
        (item,) = items
        status = response.status_code
        if status < _FIRST_ERROR or (item.kind == "run" and status == _CONFLICT):  # a run with this key is known
            self._spool.settle([item.id], [])
        elif status in (_ABOUT_CONTENT if item.kind == "run" else _FINAL_FOR_USES):
            self._spool.settle([], [(item, _detail(response))])
        else:
            return False
        channel.succeeded()
        return True

    def _longest_pause(self) -> float:
        return _LONGEST_PAUSE_IN_A_HURRY if time.monotonic() < self._hurried_until else _LONGEST_PAUSE

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            self._told = trouble
            _log.warning("%s", trouble)


def _detail(response: httpx2.Response) -> str:
    try:
        problem = response.json()
    except ValueError:
        return "no problem document"
    if not isinstance(problem, dict):
        return "no problem document"
    document = cast("dict[str, Any]", problem)
    places = "".join(f"; {place.get('pointer')}: {place.get('detail')}" for place in document.get("errors", ()))
    return f"{document.get('detail') or document.get('title')}{places}"
