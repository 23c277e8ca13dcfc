"""The clients: everything of the API, sync and async."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from xyra.amounts import Amount
from xyra.budgets import Budget, Cap
from xyra.connection import AsyncConnection, Connection, Settings
from xyra.credits import AsyncCredits, Credits
from xyra.debt import Debt, WhenUnreachable
from xyra.local_spending import Account
from xyra.reporting import SPOOL_LIMIT, Reporter
from xyra.resources import AsyncResources, Resources
from xyra.scope import Run, agent_decorator
from xyra.spool import Refused

P = ParamSpec("P")
R = TypeVar("R")


def settings_of(
    api_key: str | None, base_url: str | None, organization_id: str | None, timeout: float, maximum_retries: int
) -> Settings:
    """What was given, else what the environment says. Raises `ValueError` for what neither does."""
    key = api_key or os.environ.get("XYRA_API_KEY")
    url = base_url or os.environ.get("XYRA_URL")
    if not key:
        raise ValueError("no API key: give api_key, or set XYRA_API_KEY")
    if not url:
        raise ValueError("no address: give base_url, or set XYRA_URL")
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"base_url begins with https:// (or http://): {url}")
    return Settings(key, url.rstrip("/"), organization_id, timeout, maximum_retries)


class Reports:
    """What both clients have for reporting in the background."""

    settings: Settings
    _account: Account
    _reporting: tuple[str | Path | None, int, str | None]
    _making = threading.Lock()

    @cached_property
    def reporter(self) -> Reporter:
        """The spool and its sender, made at the first use."""
        with self._making:
            made: Reporter | None = self.__dict__.get("reporter")
            return made or self.__dict__.setdefault("reporter", Reporter(self.settings, *self._reporting))

    def track(  # noqa: PLR0913  what an event has
        self,
        type: str,  # noqa: A002  the event's field
        *,
        agent: str | None = None,
        data: Mapping[str, Any] | None = None,
        run: str | None = None,
        id: str | None = None,  # noqa: A002  the event's field
        source: str = "api",
        time: datetime | None = None,
        organization: str | None = None,
    ) -> str:
        """Report an event in the background, and return its id at once. It never waits for the network.

        It is in the spool then, on disk, and counts once however often it is sent. Agent and run are those of the scope
        where they are not given. Raises `ValueError` for what cannot be an event.
        """
        return self.reporter.track(
            type, agent=agent, data=data, run=run, id=id, source=source, time=time, organization=organization
        )

    def run(
        self, key: str | None = None, *, agent: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Run:
        """One execution of an agent, for `with` or `async with`: what is reported inside belongs to it."""
        return Run(lambda: self.reporter, key, agent=agent, metadata=metadata)

    def budget(  # noqa: PLR0913  what a run and its cap have
        self,
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
        """A run that may spend `usd`, `credits`, or an `amount` of a `currency` in all, for `with` or `async with`.

        It is paid from by `slice` (a tenth by default), which lasts `expires_in` seconds. `max_cost`: what a call of a
        model may come to, in the unit of the cap. Entering raises where the wallet has another currency or credits no
        value in it, Xyra refuses the run or cannot be reached; inside, `BudgetExceeded` comes before a call is sent.
        """
        cap = Cap.of(usd, credits, amount, currency)
        return Budget(
            self._account,
            key,
            cap,
            max_cost=max_cost,
            slice=slice,
            expires_in=expires_in,
            agent=agent,
            metadata=metadata,
        )

    def agent(self, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorates a function: what it does is the agent's, and outside of a run each call is one."""
        return agent_decorator(lambda: self.reporter, name)

    def stats(self) -> dict[str, int]:
        """`waiting`, `dropped` (the spool was full or could not be written) and `refused`, over all processes."""
        return self.reporter.stats()

    def refused(self) -> list[Refused]:
        """What Xyra did not take, with reasons, oldest first."""
        return self.reporter.refused()

    def retry_refused(self) -> int:
        """Send again what was refused, when its reason is gone. How many items these are."""
        return self.reporter.retry_refused()

    def _end_reporting(self) -> None:
        if "reporter" in self.__dict__:
            self.reporter.close()


class Client(Reports, Resources):
    """Xyra's API."""

    def __init__(  # noqa: PLR0913  what a client has
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        organization_id: str | None = None,
        timeout: float = 30.0,
        maximum_retries: int = 3,
        agent: str | None = None,
        spool_path: str | Path | None = None,
        spool_limit: int = SPOOL_LIMIT,
        when_unreachable: WhenUnreachable = "refuse",
        spend_limit: Amount | None = None,
    ) -> None:
        """Without `api_key` and `base_url` the environment has them: `XYRA_API_KEY`, `XYRA_URL`.

        `timeout`: seconds that one try may take. `organization_id` is for operators. `agent`: whose events those are
        that name none. `spool_path` (`XYRA_SPOOL`): the file in which at most `spool_limit` items wait to be sent, by
        default one of this user for the key and the host. `when_unreachable="spend"`: amounts are spent while Xyra is
        out of reach, up to `spend_limit` credits.
        """
        self.settings = settings_of(api_key, base_url, organization_id, timeout, maximum_retries)
        self.connection = Connection(self.settings)
        self._reporting = (spool_path, spool_limit, agent)
        debt = Debt(lambda: self.reporter, when_unreachable, spend_limit)
        self._account = Account(lambda: self.connection, lambda: self.reporter, debt)

    @cached_property
    def credits(self) -> Credits:
        return Credits(self.connection, self._account)

    def flush(self, timeout: float = 10.0) -> int:
        """Send now. Returns how many items are left when all is sent or the time, in seconds, is over."""
        return self.reporter.flush(timeout)

    def close(self) -> None:
        """Send what there is time for, and end the connections. The rest waits in the spool for the next process."""
        self._end_reporting()
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Reports, AsyncResources):
    """Xyra's API, for asyncio."""

    def __init__(  # noqa: PLR0913  what a client has
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        organization_id: str | None = None,
        timeout: float = 30.0,
        maximum_retries: int = 3,
        agent: str | None = None,
        spool_path: str | Path | None = None,
        spool_limit: int = SPOOL_LIMIT,
        when_unreachable: WhenUnreachable = "refuse",
        spend_limit: Amount | None = None,
    ) -> None:
        """As of `Client`."""
        self.settings = settings_of(api_key, base_url, organization_id, timeout, maximum_retries)
        self.connection = AsyncConnection(self.settings)
        self._reporting = (spool_path, spool_limit, agent)
        debt = Debt(lambda: self.reporter, when_unreachable, spend_limit)
        self._account = Account(lambda: self._of_leases, lambda: self.reporter, debt)

    @cached_property
    def _of_leases(self) -> Connection:
        """Leases are asked for in threads, so that no cancelled task loses the answer."""
        return Connection(self.settings)

    @cached_property
    def credits(self) -> AsyncCredits:
        return AsyncCredits(self.connection, self._account)

    async def flush(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109  of the spool, which no cancelling ends
        """Send now. Returns how many items are left when all is sent or the time, in seconds, is over."""
        return await asyncio.to_thread(self.reporter.flush, timeout)

    async def close(self) -> None:
        """Send what there is time for, and end the connections. The rest waits in the spool for the next process."""
        await asyncio.to_thread(self._end_reporting)
        if "_of_leases" in self.__dict__:
            self._of_leases.close()
        await self.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
