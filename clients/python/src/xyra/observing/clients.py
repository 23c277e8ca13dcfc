"""`wrap` and `instrument`: whose requests are watched."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from xyra.observing.frameworks import instrument_frameworks
from xyra.observing.observers import Watched
from xyra.observing.paying import WATCHES, PaidCall, refuse_in, refuse_in_installed
from xyra.observing.threads import carry_into_threads

if TYPE_CHECKING:
    from xyra.reporting import Reporter

Wrapped = TypeVar("Wrapped")
Send = Callable[..., Any]

_HTTP_LIBRARIES = ("httpx2", "httpx")


def wrap(reporter: Callable[[], Reporter], client: Wrapped, *, provider: str | None = None) -> Wrapped:
    """Watch the requests of one client of OpenAI or Anthropic. It stays the same client."""
    http = getattr(client, "_client", None)
    send = getattr(http, "send", None)
    if http is None or send is None:
        raise TypeError(
            f"{type(client).__name__} is no client of OpenAI or Anthropic (openai >= 1, anthropic >= 0.20): "
            "for others there is xyra.instrument()"
        )
    if not getattr(send, WATCHES, False) or provider is not None:
        http.send = watched(reporter, send, provider)
    refuse_in(client)
    return client


def instrument(reporter: Callable[[], Reporter]) -> list[str]:
    """Watch every call of a model that is made with httpx, whoever makes it. What was instrumented.

    That is what the clients of OpenAI, Anthropic and google-genai use, and with them LiteLLM, LangChain, pydantic-ai
    and openai-agents. Of the last two, runs are reported, too. Repeating it changes nothing.
    """
    instrumented: list[str] = []
    for name in _HTTP_LIBRARIES:
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        for kind in (library.Client, library.AsyncClient):
            if not getattr(kind.send, WATCHES, False):
                kind.send = watched(reporter, kind.send, None)
        instrumented.append(name)
    refuse_in_installed()
    carry_into_threads()
    return instrumented + instrument_frameworks(reporter)


def watched(reporter: Callable[[], Reporter], send: Send, provider: str | None) -> Send:
    """A `send` of httpx, bound or not, that reports."""
    wrapper = _async_send if inspect.iscoroutinefunction(send) else _sync_send
    made = wrapper(reporter, send, provider)
    setattr(made, WATCHES, True)
    return made


def _sync_send(reporter: Callable[[], Reporter], send: Send, provider: str | None) -> Send:
    @functools.wraps(send)
    def sent(*args: Any, **kwargs: Any) -> Any:
        *before, request = args or (kwargs.pop("request"),)
        with PaidCall(request) as call:
            one = Watched(reporter, request, is_stream=bool(kwargs.get("stream")), provider=provider)
            response = send(*before, one.sent, **kwargs)
            if one.is_to_be_sent_as_it_was(response):
                response.close()
                response = send(*before, one.sent, **kwargs)
            call.answered(response)
        one.watch(response)
        return response

    return sent


def _async_send(reporter: Callable[[], Reporter], send: Callable[..., Awaitable[Any]], provider: str | None) -> Send:
    @functools.wraps(send)
    async def sent(*args: Any, **kwargs: Any) -> Any:
        *before, request = args or (kwargs.pop("request"),)
        async with PaidCall(request) as call:
            one = Watched(reporter, request, is_stream=bool(kwargs.get("stream")), provider=provider)
            response = await send(*before, one.sent, **kwargs)
            if one.is_to_be_sent_as_it_was(response):
                await response.aclose()
                response = await send(*before, one.sent, **kwargs)
            call.answered(response)
        one.watch(response)
        return response

    return sent
