"""Which run and agent what happens belongs to: context variables, followed into threads and tasks."""

from __future__ import annotations

import functools
import inspect
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from xyra.connection import encoded

if TYPE_CHECKING:
    from xyra.budgets import Budget
    from xyra.call_costs import Advance, MaximumCost
    from xyra.reporting import Reporter

P = ParamSpec("P")
R = TypeVar("R")

_MAXIMUM_ERROR = 4000
_MAXIMUM_KEY = 256


@dataclass(frozen=True, slots=True)
class Scope:
    run: str | None = None
    agent: str | None = None
    budget: Budget | None = None
    """What calls of models are paid from."""
    maximum_cost: MaximumCost | None = None
    """What each of them may come to, where that is said for a block."""
    advance: Advance | None = None
    """What the next of them is paid with already."""


_NOTHING = Scope()
_scope: ContextVar[Scope] = ContextVar("xyra_scope", default=_NOTHING)


def current_scope() -> Scope:
    return _scope.get()


class InScope:
    """What happens inside belongs to a scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._token: Token[Scope] | None = None

    def __enter__(self) -> None:
        self._token = _scope.set(self._scope)

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _scope.reset(self._token)


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """The function, to be called in another thread, in the scope of now."""
    scope = current_scope()

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with InScope(scope):
            return function(*args, **kwargs)

    return called


class Run:
    """One execution of an agent. What is reported inside belongs to it; at its end it is reported itself.

    A context manager, for `with` and `async with`.
    """

    def __init__(
        self,
        reporter: Callable[[], Reporter],
        key: str | None = None,
        *,
        agent: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if metadata is not None:
            encoded(metadata)
        self.key = key or uuid.uuid4().hex
        if len(self.key) > _MAXIMUM_KEY:
            raise ValueError(f"a run's key has at most {_MAXIMUM_KEY} characters")
        self._reporter = reporter
        self._agent = agent
        self._metadata = metadata
        self._started: datetime | None = None
        self._entered: list[InScope] = []

    def enter(self) -> None:
        """From here on what is reported belongs to it."""
        reporter = self._reporter()  # what is missing to report is told now, not at the end
        self._agent = self._agent or current_scope().agent or reporter.agent
        self._started = datetime.now(UTC)
        inner = InScope(self._scope())
        inner.__enter__()
        self._entered.append(inner)

    def _scope(self) -> Scope:
        return replace(current_scope(), run=self.key, agent=self._agent)

    def leave(self) -> None:
        """What is reported belongs to what was around it again."""
        self._entered.pop().__exit__()

    def ending(self, error: BaseException | None) -> dict[str, Any]:
        """What is said of how it ended."""
        ended: dict[str, Any] = {
            "status": "completed" if error is None else "failed",
            "completed_at": datetime.now(UTC),
        }
        if error is not None:
            ended["error"] = (str(error) or type(error).__name__)[:_MAXIMUM_ERROR]
        return ended

    def report(self, error: BaseException | None = None) -> None:
        """It has ended."""
        body: dict[str, Any] = {"key": self.key, "started_at": self._started, **self.ending(error)}
        if self._agent:
            body["agent"] = self._agent
        if self._metadata:
            body["metadata"] = self._metadata
        self._reporter().add("run", encoded(body).decode())

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        self.report(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def agent_decorator(reporter: Callable[[], Reporter], name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """What a decorated function does is the agent's; outside of a run, each call is a run."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a generator runs in its reader's context: use `with xyra.run(...)` around the reading")
        if inspect.iscoroutinefunction(function):
            waited = cast("Callable[P, Awaitable[Any]]", function)

            @functools.wraps(function)
            async def called_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with _agents(reporter, name):
                    return await waited(*args, **kwargs)

            return cast("Callable[P, R]", called_async)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            with _agents(reporter, name):
                return function(*args, **kwargs)

        return called

    return decorate


def _agents(reporter: Callable[[], Reporter], name: str) -> Run | InScope:
    scope = current_scope()
    return Run(reporter, agent=name) if scope.run is None else InScope(replace(scope, agent=name))
