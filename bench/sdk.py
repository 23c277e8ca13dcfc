"""What the SDK adds to a call of a model: `make bench-sdk`. It runs where the SDK is installed, without the app.

8 threads call a provider that answers after 20 ms, plainly, as a stream of 50 events, and plainly inside of a budget,
through a wrapped client of OpenAI; each call is written to the spool on disk, and Xyra takes no events. Measured is all
the time that the SDK takes in the caller's thread: `waited` by the clock, with waiting for the spool, for the
interpreter's lock and for a processor; `worked` by the thread's own processor time, which does not depend on what else
the machine does. `use` is what spending an amount of a lease takes, by 8 threads at once.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import openai
import xyra
from xyra.observing import clients, observers, paying

THREADS = 8
CALLS = int(os.environ.get("XYRA_BENCH_CALLS", "250"))
"""Of each thread and kind."""
PROVIDER_SECONDS = 0.02
EVENT_SECONDS = 0.001
USAGE = {"prompt_tokens": 1200, "completion_tokens": 90, "total_tokens": 1290}
ABOUT = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5"}
LIMIT_MILLISECONDS = 1.0
USES = 20 * CALLS
"""Of a lease, of each thread."""
SLICE = "1000000"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class _Xyra(BaseHTTPRequestHandler):
    """Gives one lease, and is out of order for everything else, so that what is reported waits."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        lease = {"lease_id": "lease_1", "amount": SLICE, "expires_in": 86_400}
        known = {"/api/v1/credits/leases": lease, "/api/v1/runs": {"id": "run_1"}}
        body = _json(known.get(self.path, {}))
        self.send_response(201 if self.path in known else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Provider(httpx2.BaseTransport):
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        time.sleep(PROVIDER_SECONDS)
        if b'"stream":true' not in request.content:
            message = {"role": "assistant", "content": "word " * 200}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return httpx2.Response(200, json={**ABOUT, "choices": [choice], "usage": USAGE})
        return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, stream=_Events())


class _Events(httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        for _ in range(50):
            time.sleep(EVENT_SECONDS)
            choice = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
            yield b"data: " + _json({**ABOUT, "choices": [choice], "usage": None}) + b"\n\n"
        yield b"data: " + _json({**ABOUT, "choices": [], "usage": USAGE}) + b"\n\n"
        yield b"data: [DONE]\n\n"


class _Clock(threading.local):
    """Seconds in the SDK's code, of the call that a thread makes now."""

    waited = 0.0
    worked = 0.0


_clock = _Clock()


def _timed(owner: type, name: str) -> None:
    inner = getattr(owner, name)

    def timed(*args: object, **kwargs: object) -> object:
        began, worked = time.perf_counter(), time.thread_time()
        try:
            return inner(*args, **kwargs)
        finally:
            _clock.waited += time.perf_counter() - began
            _clock.worked += time.thread_time() - worked

    setattr(owner, name, timed)


def _measure(client: openai.OpenAI, *, is_stream: bool) -> dict[str, list[float]]:
    waited: list[float] = []
    worked: list[float] = []

    def work() -> None:
        for _ in range(CALLS):
            _clock.waited = _clock.worked = 0.0
            answer = client.chat.completions.create(
                model="gpt-5", messages=[{"role": "user", "content": "x" * 2000}], stream=is_stream
            )
            if is_stream:
                for _ in answer:
                    pass
            waited.append(_clock.waited)
            worked.append(_clock.worked)

    _in_threads(work)
    return {"waited": sorted(waited), "worked": sorted(worked)}


def _in_threads(work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=xyra.carried(work)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _measure_uses(lease: xyra.Lease) -> list[float]:
    waited: list[float] = []

    def work() -> None:
        for _ in range(USES):
            began = time.perf_counter()
            lease.use("0.01")
            waited.append(time.perf_counter() - began)

    _in_threads(work)
    return sorted(waited)


def _tell(kind: str, name: str, seconds: list[float]) -> bool:
    """Print p50 and p99. True where the limit is missed."""
    p50, p99 = (seconds[int(len(seconds) * part)] * 1000 for part in (0.5, 0.99))
    print(f"{kind:8}{name:8}{len(seconds):8} calls  p50 {p50:.4f} ms  p99 {p99:.4f} ms")
    return p99 >= LIMIT_MILLISECONDS


def main() -> int:
    for owner, name in (
        (paying.PaidCall, "__enter__"),
        (paying.PaidCall, "__exit__"),
        (clients.Watched, "__init__"),
        (clients.Watched, "watch"),
        (observers.ObservedStream, "_passed"),
        (observers.Observer, "conclude"),
    ):
        _timed(owner, name)
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Xyra)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        own = xyra.init(
            "key", f"http://127.0.0.1:{server.server_address[1]}", agent="coder", spool_path=Path(folder) / "spool"
        )
        http = httpx2.Client(transport=_Provider())
        client = xyra.wrap(openai.OpenAI(api_key="key", http_client=http))
        for kind, is_stream in (("plain", False), ("stream", True), ("budget", False)):
            budget = xyra.budget("bench", credits=SLICE, max_cost="0.01") if kind == "budget" else nullcontext()
            with budget:
                for name, seconds in _measure(client, is_stream=is_stream).items():
                    missed += _tell(kind, name, seconds)
        with own.credits.lease(SLICE) as lease:
            missed += _tell("lease", "use", _measure_uses(lease))
        print(f"waiting in the spool: {xyra.stats()['waiting']}")
        xyra.client().reporter._sender.end()  # noqa: SLF001  nobody is there to send to
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
