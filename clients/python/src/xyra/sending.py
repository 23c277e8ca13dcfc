"""Sends what waits in a spool, in a thread of its own."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from xyra.connection import Settings, segment
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
_ABOUT_CONTENT = frozenset({400, 413, 422})
"""Refusals that will not change: they are about what was sent. All others are waited out."""
_CONFLICT = frozenset({409})


@dataclass(frozen=True, slots=True)
class _Answers:
    """Of the items that are sent one by one: what else than success is as good, and what is refused for ever."""

    done: frozenset[int] = frozenset()
    refused: frozenset[int] = _ABOUT_CONTENT


_ANSWERS: Mapping[str, _Answers] = {
    "run": _Answers(done=_CONFLICT),  # a run with this key is known
    "end": _Answers(done=_CONFLICT, refused=_ABOUT_CONTENT | {404}),  # it has ended already
    "use": _Answers(refused=frozenset({400, 402, 403, 409, 422})),
    "settle": _Answers(refused=_ABOUT_CONTENT | {404, 409}),
    "lease": _Answers(done=frozenset({402, 403, 404, 409}) | _ABOUT_CONTENT),  # nothing was given
}


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

    def __init__(self, settings: Settings, spool: Spool, prepare: Callable[[], None]) -> None:
        """`prepare` puts into the spool what is due; it is called each time before what waits is sent."""
        self._prepare = prepare
        self._settings = settings
        self._spool = spool
        self._lock = FileLock(spool.path.with_name(f"{spool.path.name}.lock"))
        self._changed = threading.Condition()
        self._hurry = False
        self._hurried_until = 0.0
        self._is_ending = False
        kinds: tuple[Kind, ...] = ("event", "run", "use", "settle", "lease", "end")
        self._channels = [_Channel(kind) for kind in kinds]
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
                    self._prepare()
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
        send = self._send_events if channel.kind == "event" else self._send_one
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
        return self._request(http, "/api/v1/events", body, {"partial": "true"}, {})

    def _send_one(self, http: httpx2.Client, items: list[Item]) -> httpx2.Response:
        (item,) = items
        if item.kind == "run":
            return self._request(http, "/api/v1/runs", item.body, {}, {})
        kept = json.loads(item.body)
        body = json.dumps(kept["body"])
        if item.kind == "end":
            return self._request(http, f"/api/v1/runs/{segment(kept['run_id'])}", body, {}, {}, method="PATCH")
        credit = {"use": "use", "lease": "leases"}.get(item.kind) or f"leases/{segment(kept['lease_id'])}/settle"
        return self._request(http, f"/api/v1/credits/{credit}", body, {}, {"Idempotency-Key": str(kept["key"])})

    def _request(  # noqa: PLR0913  what a request has
        self,
        http: httpx2.Client,
        path: str,
        body: str,
        query: dict[str, str],
        headers: dict[str, str],
        method: str = "POST",
    ) -> httpx2.Response:
        if self._settings.organization_id is not None:
            query = {**query, "organization_id": self._settings.organization_id}
        headers = {"Content-Type": "application/json", **headers}
        return http.request(method, path, content=body.encode(), params=query, headers=headers)

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
        status, answers = response.status_code, _ANSWERS[item.kind]
        if status < _FIRST_ERROR or status in answers.done:
            if status < _FIRST_ERROR:
                self._follow_up(item, response.json())
            self._spool.settle([item.id], [])
        elif status in answers.refused:
            self._spool.settle([], [(item, _detail(response))])
        else:
            return False
        channel.succeeded()
        return True

    def _follow_up(self, item: Item, answer: dict[str, Any]) -> None:
        """A lease whose answer was lost is ended unspent. What was spent beyond a lease is told."""
        if item.kind == "lease":
            report = {"total": "0", "final": True}
            kept = {"key": f"{json.loads(item.body)['key']}-end", "lease_id": answer["lease_id"], "body": report}
            self._spool.add("settle", json.dumps({**kept, "debt": "0"}))
        elif item.kind == "settle" and (answer.get("late") or answer.get("over", "0") != "0"):
            over, late = answer.get("over"), bool(answer.get("late"))
            _log.warning("lease %s: %s credits beyond it, reported late: %s", answer.get("lease_id"), over, late)

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
