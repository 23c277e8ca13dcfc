"""The client of the whole process: `xyra.init(...)`, then functions of the package."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from xyra.amounts import Amount
from xyra.budgets import Budget
from xyra.call_costs import MaximumCost
from xyra.client import Client
from xyra.debt import WhenUnreachable
from xyra.observing import clients
from xyra.reporting import SPOOL_LIMIT, Reporter
from xyra.scope import Run, agent_decorator

P = ParamSpec("P")
R = TypeVar("R")
Wrapped = TypeVar("Wrapped")

_making = threading.RLock()
_client: Client | None = None


def init(  # noqa: PLR0913  what a client has
    api_key: str | None = None,
    base_url: str | None = None,
    *,
    agent: str | None = None,
    spool_path: str | Path | None = None,
    spool_limit: int = SPOOL_LIMIT,
    when_unreachable: WhenUnreachable = "refuse",
    spend_limit: Amount | None = None,
) -> Client:
    """Make the client of this process, in place of an earlier one. Its arguments are those of `Client`."""
    global _client  # noqa: PLW0603  one for the process is what it is for
    with _making:
        earlier = _client
        _client = Client(
            api_key,
            base_url,
            agent=agent,
            spool_path=spool_path,
            spool_limit=spool_limit,
            when_unreachable=when_unreachable,
            spend_limit=spend_limit,
        )
    if earlier is not None:
        earlier.close()
    return _client


def client() -> Client:
    """The client of this process. Without `init` it is made of `XYRA_API_KEY` and `XYRA_URL`."""
    with _making:
        return _client or init()


def reporter() -> Reporter:
    return client().reporter


def track(  # noqa: PLR0913  what an event has
    type: str,  # noqa: A002  the event's field
    *,
    agent: str | None = None,
    data: Mapping[str, Any] | None = None,
    run: str | None = None,
    id: str | None = None,  # noqa: A002  the event's field
    source: str = "api",
    time: datetime | None = None,
) -> str:
    """As `Client.track`."""
    return client().track(type, agent=agent, data=data, run=run, id=id, source=source, time=time)


def run(key: str | None = None, *, agent: str | None = None, metadata: Mapping[str, Any] | None = None) -> Run:
    """As `Client.run`."""
    return Run(reporter, key, agent=agent, metadata=metadata)


def budget(  # noqa: PLR0913  what a run and its cap have
    key: str | None = None,
    *,
    usd: Amount | None = None,
    credits: Amount | None = None,  # noqa: A002  as the API says it
    amount: Amount | None = None,
    currency: str | None = None,
    max_cost: Amount | None = None,
    slice: Amount | None = None,  # noqa: A002  the word for it
    expires_in: int = 300,
    agent: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Budget:
    """As `Client.budget`."""
    return client().budget(
        key,
        usd=usd,
        credits=credits,
        amount=amount,
        currency=currency,
        max_cost=max_cost,
        slice=slice,
        expires_in=expires_in,
        agent=agent,
        metadata=metadata,
    )


def max_cost(amount: Amount) -> MaximumCost:
    """What each call of a model in a block may come to at most, in the unit of the budget around it."""
    return MaximumCost(amount)


def agent(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """As `Client.agent`."""
    return agent_decorator(reporter, name)


def wrap(client: Wrapped, *, provider: str | None = None) -> Wrapped:
    """Report the calls of one client of OpenAI or Anthropic, which stays the same client.

    `provider`: whose prices hold, where the client's address does not tell.
    """
    return clients.wrap(reporter, client, provider=provider)


def instrument() -> list[str]:
    """Report every call of a model that is made with httpx, and the runs of frameworks. What was instrumented.

    That covers OpenAI, Anthropic, google-genai, LiteLLM, LangChain, pydantic-ai and openai-agents. Run and agent follow
    into threads. Call it before clients are used; repeating it changes nothing.
    """
    return clients.instrument(reporter)


def flush(timeout: float = 10.0) -> int:
    """As `Client.flush`."""
    return client().flush(timeout)


def stats() -> dict[str, int]:
    """As `Client.stats`."""
    return client().stats()
