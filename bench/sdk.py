"""What the SDK adds to a call of a model: `make bench-sdk`. It runs where the SDK is installed, without the app.

8 threads call a provider that answers after 20 ms, plainly and as a stream of 50 events, through a wrapped client of
OpenAI; each call is written to the spool on disk, and Xyra is out of reach. Measured is all the time that the SDK takes
in the caller's thread: `waited` by the clock, with waiting for the spool, for the interpreter's lock and for a
processor; `worked` by the thread's own processor time, which does not depend on what else the machine does.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import xyra
from xyra.observing import clients, observers

THREADS = 8
CALLS = int(os.environ.get("XYRA_BENCH_CALLS", "250"))
"""Of each thread and kind."""
PROVIDER_SECONDS = 0.02
EVENT_SECONDS = 0.001
USAGE = {"prompt_tokens": 1200, "completion_tokens": 90, "total_tokens": 1290}
ABOUT = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5"}
LIMIT_MILLISECONDS = 1.0


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


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

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"waited": sorted(waited), "worked": sorted(worked)}


def main() -> int:
    for owner, name in (
        (clients.Watched, "__init__"),
        (clients.Watched, "watch"),
        (observers.ObservedStream, "_passed"),
        (observers.Observer, "conclude"),
    ):
        _timed(owner, name)
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        xyra.init("key", "http://127.0.0.1:9", agent="coder", spool_path=Path(folder) / "spool")
        http = httpx2.Client(transport=_Provider())
        client = xyra.wrap(openai.OpenAI(api_key="key", http_client=http))
        for kind, is_stream in (("plain", False), ("stream", True)):
            for name, seconds in _measure(client, is_stream=is_stream).items():
                p50, p99 = (seconds[int(len(seconds) * part)] * 1000 for part in (0.5, 0.99))
                missed += p99 >= LIMIT_MILLISECONDS
                print(f"{kind:8}{name:8}{len(seconds):6} calls  p50 {p50:.3f} ms  p99 {p99:.3f} ms")
        print(f"waiting in the spool: {xyra.stats()['waiting']}")
        xyra.client().reporter._sender.end()  # noqa: SLF001  nobody is there to send to
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
