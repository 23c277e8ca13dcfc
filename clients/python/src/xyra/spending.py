"""Decorators that spend credits and report usage, and a base class for agents. They use the client of the process."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ParamSpec, TypeVar, cast

from xyra import models
from xyra.amounts import Amount, amount_of
from xyra.client import Client
from xyra.credits import Hold, cost_in
from xyra.default import client as default_client
from xyra.errors import InsufficientCredits
from xyra.scope import Run

P = ParamSpec("P")
R = TypeVar("R")

_PAYMENT_REQUIRED = 402


def consume_credits(
    agent_type: str, action: str, *, quantity: Amount = 1, metadata: Mapping[str, Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Each call costs what the cost table says: reserved before, captured after, released when it raises.

    Raises `InsufficientCredits` or `LimitExceeded` before the function is called. The key needs `credits:use_amount`.
    """

    def hold() -> AbstractContextManager[object]:
        credit = default_client().credits
        cost = cost_in(credit.get_action_costs(), agent_type, action, quantity)
        if not cost:
            return nullcontext()
        return credit.reserve(cost, agent_type=agent_type, action=action, metadata=metadata)

    return _around(hold)


def require_credits(amount: Amount) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The function is called only where so many credits are available; nothing is set aside.

    Raises `InsufficientCredits` else.
    """
    needed = amount_of(amount)

    def check() -> AbstractContextManager[object]:
        available = default_client().credits.balance()["available"]
        if amount_of(available) < needed:
            raise _insufficient(available, needed)
        return nullcontext()

    return _around(check)


def track_usage(
    type: str,  # noqa: A002  the event's field
    *,
    agent: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Each call that returns is reported as an event; one that raises is not."""

    def reporting() -> AbstractContextManager[object]:
        return _Reported(lambda: default_client().track(type, agent=agent, data=data))

    return _around(reporting)


class _Reported:
    def __init__(self, report: Callable[[], object]) -> None:
        self._report = report

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, _: object) -> None:
        if error is None:
            self._report()


def _around(made: Callable[[], AbstractContextManager[object]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates sync and async functions with a context manager that talks to Xyra, made for each call."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a generator does its work while it is read: use `with client.credits.reserve(...)`")
        if inspect.iscoroutinefunction(function):
            waited = cast("Callable[P, Awaitable[Any]]", function)

            @functools.wraps(function)
            async def called_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                manager = await asyncio.to_thread(made)
                await _entered(manager)
                try:
                    result = await waited(*args, **kwargs)
                except BaseException as error:
                    await asyncio.shield(asyncio.to_thread(manager.__exit__, type(error), error, None))
                    raise
                await asyncio.shield(asyncio.to_thread(manager.__exit__, None, None, None))
                return result

            return cast("Callable[P, R]", called_async)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            with made():
                return function(*args, **kwargs)

        return called

    return decorate


async def _entered(manager: AbstractContextManager[object]) -> None:
    """Enter in a thread. Where the task is cancelled meanwhile, what was reserved is released first."""
    entering = asyncio.ensure_future(asyncio.to_thread(manager.__enter__))
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError as error:
        await asyncio.wait([entering])
        if entering.exception() is None:
            await asyncio.to_thread(manager.__exit__, type(error), error, None)
        raise


def _insufficient(available: str, needed: object) -> InsufficientCredits:
    problem = {
        "type": "urn:xyra:problem:insufficient_credits",
        "detail": f"{needed} credits are required, {available} are available",
        "available": available,
    }
    return InsufficientCredits(_PAYMENT_REQUIRED, problem)


class Agent:
    """Base of agents that pay for their actions: `class Researcher(xyra.Agent)`."""

    agent_type: str = ""
    """Whose actions these are in the cost table; by default the class's name."""

    def __init__(self, name: str, *, client: Client | None = None) -> None:
        """`name`: the agent's external id. Without `client` it is that of the process."""
        self.name = name
        self._client = client

    @property
    def client(self) -> Client:
        return self._client or default_client()

    def run(self, key: str | None = None, *, metadata: Mapping[str, Any] | None = None) -> Run:
        """One execution: what is reported and spent inside belongs to it and to this agent."""
        return self.client.run(key, agent=self.name, metadata=metadata)

    def track(self, type: str, *, data: Mapping[str, Any] | None = None) -> str:  # noqa: A002  the event's field
        """Report an event of this agent."""
        return self.client.track(type, agent=self.name, data=data)

    def consume_credits_for_action(
        self, action: str, *, quantity: Amount = 1, metadata: Mapping[str, Any] | None = None
    ) -> models.UseAnswer:
        """Spend what the action costs. Raises `InsufficientCredits` and `LimitExceeded`."""
        return self.client.credits.use(
            agent_type=self.agent_type or type(self).__name__,
            action=action,
            quantity=quantity,
            metadata=metadata,
            agent=self.name,
        )

    def reserve(self, amount: Amount, *, expires_in: int = 3600) -> Hold:
        """Set credits aside for a `with` block."""
        return self.client.credits.reserve(amount, expires_in=expires_in, agent=self.name)

    def check_credits_available(self, amount: Amount) -> bool:
        """True when so many are available now; nothing is set aside."""
        return amount_of(self.client.credits.balance()["available"]) >= amount_of(amount)
