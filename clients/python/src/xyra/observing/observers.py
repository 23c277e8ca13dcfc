"""Watches one request of an HTTP client and its answer, without changing what its caller gets."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xyra.observing.asking import Hidden, with_usage
from xyra.observing.calls import SOURCE, ObservedCall, ServerSentEvents, form_of, provider_of
from xyra.scope import InScope, current_scope

if TYPE_CHECKING:
    from xyra.reporting import Reporter

_log = logging.getLogger("xyra")

OBSERVED = "xyra_observed"
"""In a request's extensions: somebody watches it already, so it is reported once."""
_MAXIMUM_BODY = 32 * 1024 * 1024
_FIRST_ERROR = 300
_EVENT_STREAM = "text/event-stream"
_NOT_UNDERSTOOD = frozenset({400, 422})

_does_not_tell_usage: set[str] = set()
"""Hosts that refused to be asked for the usage of a stream."""


class Observer:
    """Of one request. `is_stream`: whether the caller reads the answer piece by piece."""

    def __init__(self, reporter: Callable[[], Reporter], call: ObservedCall) -> None:
        self._reporter = reporter
        self.call = call
        self._scope = current_scope()
        self._events: ServerSentEvents | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._decode: Callable[[bytes], bytes] | None = None
        self._is_concluded = False

    def begin(self, response: Any) -> None:
        """Look at the headers."""
        encoding = response.headers.get("content-encoding")
        if encoding:
            self._decode = lambda raw: type(response)(200, headers={"content-encoding": encoding}, content=raw).content
        elif str(response.headers.get("content-type", "")).startswith(_EVENT_STREAM):
            self._events = ServerSentEvents(self.call)

    def feed(self, chunk: bytes) -> None:
        if self._events is not None:
            self._events.feed(chunk)
            return
        self._size += len(chunk)
        if self._size <= _MAXIMUM_BODY:
            self._body.append(chunk)

    def read_whole(self, content: bytes) -> None:
        """Take an answer that was read at once, and is decoded."""
        self._decode = None
        self.feed(content)
        self.conclude()

    def conclude(self) -> None:
        """Report the call, once; never raises."""
        if self._is_concluded:
            return
        self._is_concluded = True
        try:
            self._read_body()
            id_, data = self.call.event()
            with InScope(self._scope):
                self._reporter().track("llm_call", data=data, id=id_, source=SOURCE)
        except Exception as error:  # noqa: BLE001  nothing of ours may fail a call of the caller's
            _log.warning("a call of a model is not reported: %s", error)

    def _read_body(self) -> None:
        if self._events is not None or not self._body:
            return
        body = b"".join(self._body)
        if self._decode is not None:
            body = self._decode(body)
        if body.lstrip().startswith((b"data:", b"event:")):
            ServerSentEvents(self.call).feed(body + b"\n")
        else:
            with suppress(ValueError):
                answer: Any = json.loads(body)
                parts: list[Any] = answer if body.lstrip().startswith(b"[") else [answer]
                for part in parts:
                    self.call.read(part)


class ObservedStream:
    """The bytes of an answer, on their way to the caller."""

    def __init__(self, stream: Any, observer: Observer, hidden: Hidden | None) -> None:
        self._stream = stream
        self._observer = observer
        self._hidden = hidden

    def _passed(self, chunk: bytes) -> bytes:
        try:
            self._observer.feed(chunk)
        except Exception as error:  # noqa: BLE001  nothing of ours may fail a call of the caller's
            _log.warning("an answer of a model cannot be read: %s", error)
        return chunk if self._hidden is None else self._hidden.feed(chunk)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                yield self._passed(chunk)
            if self._hidden is not None and (rest := self._hidden.end()):
                yield rest
        finally:
            self._observer.conclude()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield self._passed(chunk)
            if self._hidden is not None and (rest := self._hidden.end()):
                yield rest
        finally:
            self._observer.conclude()

    def close(self) -> None:
        self._observer.conclude()
        self._stream.close()

    async def aclose(self) -> None:
        self._observer.conclude()
        await self._stream.aclose()

    def __del__(self) -> None:
        self._observer.conclude()


class Watched:
    """A request before and after it is sent, for sync and async clients alike."""

    def __init__(
        self, reporter: Callable[[], Reporter], request: Any, *, is_stream: bool, provider: str | None
    ) -> None:
        self.request = request
        self._reporter = reporter
        self._is_stream = is_stream
        self._provider = provider
        self.sent = request
        """What is sent in its place, where that differs."""
        self._observer: Observer | None = None
        with _quietly("a request"):
            self._prepare()

    def _prepare(self) -> None:
        form = form_of(self.request.method, self.request.url.path)
        if form is None or OBSERVED in self.request.extensions:
            return
        self.request.extensions = {**self.request.extensions, OBSERVED: True}
        provider = self._provider or provider_of(self.request.url.host, form)
        self._observer = Observer(self._reporter, ObservedCall(form, provider))
        if self._is_stream and _place(self.request) not in _does_not_tell_usage:
            body = with_usage(self.request.url.path, self.request.content)
            if body is not None:
                headers = dict(self.request.headers)
                headers.pop("content-length", None)
                headers["accept-encoding"] = "identity"
                self.sent = type(self.request)(
                    self.request.method,
                    self.request.url,
                    headers=headers,
                    content=body,
                    extensions=self.request.extensions,
                )

    def is_to_be_sent_as_it_was(self, response: Any) -> bool:
        """True where the provider refused, maybe for what was asked besides."""
        if self.sent is self.request or response.status_code not in _NOT_UNDERSTOOD:
            return False
        _does_not_tell_usage.add(_place(self.request))
        self.sent = self.request
        return True

    def watch(self, response: Any) -> None:
        """Have the answer reported when it has been read."""
        if self._observer is None:
            return
        with _quietly("an answer"):
            if response.status_code >= _FIRST_ERROR:
                return  # what failed used nothing
            self._observer.begin(response)
            if self.sent is not self.request:
                response.request = self.request
            if self._is_stream:
                self._put_between(response)
            else:
                self._observer.read_whole(response.content)

    def _put_between(self, response: Any) -> None:
        observer = self._observer
        if observer is None:
            return
        is_hidden = self.sent is not self.request and "content-encoding" not in response.headers
        kinds = type(response.stream).__mro__
        bases = tuple(kind for kind in kinds if kind.__name__ in {"SyncByteStream", "AsyncByteStream"})
        between = type("ObservedStream", (ObservedStream, *bases), {})
        response.stream = between(response.stream, observer, Hidden() if is_hidden else None)


def _place(request: Any) -> str:
    return f"{request.url.host}:{request.url.port}"


class _quietly:  # noqa: N801  reads as a statement
    """Nothing of ours may fail a call of the caller's."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if isinstance(error, Exception):
            _log.warning("%s of a model is not watched: %s", self._what, error)
            return True
        return False
