"""Frameworks for agents: they set run and agent, and the HTTP client below them reports the calls."""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xyra.observing.paying import is_paid_at_the_door, paid_at_the_door
from xyra.scope import InScope, Run, current_scope

if TYPE_CHECKING:
    from xyra.reporting import Reporter

_IS_OURS = "_xyra_runs"
_LITELLM_CALLS = ("completion", "acompletion", "responses", "aresponses", "embedding", "aembedding")


def instrument_frameworks(reporter: Callable[[], Reporter]) -> list[str]:
    """Those that are installed. The agent is the scope's, else that of `init`, else the framework's own."""
    instrumented: list[str] = []
    known = (("pydantic_ai", _pydantic_ai), ("agents", _openai_agents), ("litellm", _litellm))
    for name, prepare in known:
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        prepare(reporter, library)
        instrumented.append(name)
    return instrumented


def _agent_of(reporter: Callable[[], Reporter], agent: object) -> str | None:
    name = getattr(agent, "name", None)
    return current_scope().agent or reporter().agent or (name if isinstance(name, str) else None)


def _run_of(reporter: Callable[[], Reporter], agent: object) -> Run | InScope:
    """A run of its own; inside of another run only its agent."""
    scope = current_scope()
    named = _agent_of(reporter, agent)
    return Run(reporter, agent=named) if scope.run is None else InScope(replace(scope, agent=named))


def _pydantic_ai(reporter: Callable[[], Reporter], library: Any) -> None:
    kind = library.Agent
    if getattr(kind.iter, _IS_OURS, False):
        return
    inner = kind.iter

    @functools.wraps(inner)
    @asynccontextmanager
    async def iterated(self: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        with _run_of(reporter, self):
            async with inner(self, *args, **kwargs) as run:
                yield run

    setattr(iterated, _IS_OURS, True)
    kind.iter = iterated


def _openai_agents(reporter: Callable[[], Reporter], _: Any) -> None:
    kind = importlib.import_module("agents.run").AgentRunner
    if getattr(kind.run, _IS_OURS, False):
        return
    run, run_streamed = kind.run, kind.run_streamed

    @functools.wraps(run)
    async def ran(self: Any, starting_agent: Any, *args: Any, **kwargs: Any) -> Any:
        with _run_of(reporter, starting_agent):
            return await run(self, starting_agent, *args, **kwargs)

    @functools.wraps(run_streamed)
    def streamed(self: Any, starting_agent: Any, *args: Any, **kwargs: Any) -> Any:
        if current_scope().run is not None:
            with _run_of(reporter, starting_agent):
                return run_streamed(self, starting_agent, *args, **kwargs)
        one = Run(reporter, agent=_agent_of(reporter, starting_agent))
        one.enter()
        try:
            result = run_streamed(self, starting_agent, *args, **kwargs)
        finally:
            one.leave()
        task: asyncio.Task[Any] | None = result.run_loop_task  # it goes on in the context in which it was made

        def ended(task: asyncio.Task[Any]) -> None:
            one.report(None if task.cancelled() else task.exception())

        if task is not None:
            task.add_done_callback(ended)
        return result

    setattr(ran, _IS_OURS, True)
    kind.run, kind.run_streamed = ran, streamed


def _litellm(_: Callable[[], Reporter], library: Any) -> None:
    """It renames what is raised below it, so its calls are paid at its door. The clients below report them."""
    for name in _LITELLM_CALLS:
        function = getattr(library, name, None)
        if function is not None and not is_paid_at_the_door(function):
            setattr(library, name, paid_at_the_door(function))
