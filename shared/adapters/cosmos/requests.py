"""Sends requests to Cosmos DB: retried where that is safe, measured and logged."""

import asyncio
import itertools
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineResponse
from azure.cosmos.aio import ContainerProxy

from shared.adapters.cosmos.account import CosmosAccount
from shared.adapters.cosmos.faults import Fault
from shared.adapters.cosmos.request_charges import Purpose, RequestCharge, RequestCharges, Weight

T = TypeVar("T", bound=Sequence[object])
Hook = Callable[[PipelineResponse[Any, Any]], None]
Send = Callable[[ContainerProxy, Hook], Awaitable[T]]
"""Makes one attempt; returns the documents read or the ETags written. The hook is the SDK's `raw_response_hook`."""

_log = logging.getLogger(__name__)
_SLOW = 0.5
_NOTHING = Weight()
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 1.0
_ATTEMPTS_AT_A_READ = 3
"""For faults other than throttling, such as a kept connection that was closed at the other end."""


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """How often, and for how many seconds in all, a throttled request is tried."""

    attempts: int = 8
    seconds: float = 5.0


class Requests:
    def __init__(self, account: CosmosAccount, limits: RetryLimits, charges: RequestCharges) -> None:
        self._account = account
        self._limits = limits
        self._charges = charges
        self.clock_difference = timedelta(0)
        """How far the clock of Cosmos DB was ahead of this machine's at its last answer."""

    async def read(self, purpose: Purpose, container: str, send: Send[T]) -> T:
        """Read, retrying after every transient fault. Raises `RequestFailedError`."""
        return await self._send(purpose, container, send, _NOTHING, is_read=True)

    async def write(self, purpose: Purpose, container: str, weight: Weight, send: Send[T]) -> T:
        """Write, retrying only where the attempt certainly took no effect. Raises `RequestFailedError`."""
        return await self._send(purpose, container, send, weight, is_read=False)

    async def _send(self, purpose: Purpose, container: str, send: Send[T], weight: Weight, *, is_read: bool) -> T:
        proxy = await self._container(container)
        deadline = time.monotonic() + self._limits.seconds
        for attempt in itertools.count(1):
            try:
                return await self._measured(purpose, proxy, send, weight, is_read=is_read)
            except RequestFailedError as failure:
                wait = _wait(failure.fault, attempt)
                in_time = time.monotonic() + wait < deadline
                if not (in_time and self._is_repeated(failure.fault, attempt, is_read=is_read)):
                    raise
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def _is_repeated(self, fault: Fault, attempt: int, *, is_read: bool) -> bool:
        if not (fault.took_no_effect or (is_read and fault.is_transient)):
            return False
        return attempt < (self._limits.attempts if fault.is_throttling else _ATTEMPTS_AT_A_READ)

    def _noting_time(self, attempt: "_Attempt") -> Hook:
        def answered(response: PipelineResponse[Any, Any]) -> None:
            attempt.answered(response)
            said = _said_time(response.http_response.headers)
            if said is not None:
                self.clock_difference = said - datetime.now(UTC)

        return answered

    async def _container(self, name: str) -> ContainerProxy:
        """Raises `RequestFailedError` as a request that was not sent, whatever the reason."""
        try:
            return await self._account.container(name)
        except AzureError as error:
            fault = Fault.of(error)
            _log.warning("store out of reach", extra={"container": name, "outcome": str(fault)})
            raise RequestFailedError(Fault(retry_after=fault.retry_after, was_sent=False)) from error

    async def _measured(
        self, purpose: Purpose, container: ContainerProxy, send: Send[T], weight: Weight, *, is_read: bool
    ) -> T:
        attempt = _Attempt(weight)
        start = time.perf_counter()
        outcome = "ok"
        try:
            answer = await send(container, self._noting_time(attempt))
            attempt.charge.documents += len(answer) if is_read else 0
        except AzureError as error:
            fault = Fault.of(error)
            outcome = str(fault)
            attempt.failed(fault)
            raise RequestFailedError(fault) from error
        else:
            return answer
        finally:
            self._charges.add(purpose, attempt.charge)
            seconds = time.perf_counter() - start
            _log.log(
                logging.WARNING if seconds > _SLOW else logging.DEBUG,
                "store request",
                extra={
                    "purpose": purpose,
                    "container": container.id,
                    "outcome": outcome,
                    "milliseconds": round(seconds * 1000, 1),
                    **attempt.charge.summary(),
                },
            )


class RequestFailedError(Exception):
    """The last attempt failed, with this fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"Cosmos DB: {fault}")
        self.fault = fault


class _Attempt:
    """Counts the answers to one attempt; a query has one for each page."""

    def __init__(self, weight: Weight) -> None:
        self.charge = RequestCharge(writes=weight.writes, bytes=weight.bytes, indexed_terms=weight.indexed_terms)

    def answered(self, response: PipelineResponse[Any, Any]) -> None:
        units = _estimated_units(response.http_response.headers)
        self.charge.requests += 1
        self.charge.units += units or 0
        self.charge.unstated += units is None

    def failed(self, fault: Fault) -> None:
        self.charge.throttled += fault.is_throttling
        if not self.charge.requests:  # no answer came
            self.charge.requests += 1
            self.charge.unstated += 1


def _estimated_units(headers: Mapping[str, str]) -> float | None:
    """An estimate of request units, None where the answer has no such header.

    Emulators and gateways may leave it out.
    """
    try:
        units = float(headers["x-ms-request-charge"])
    except (KeyError, ValueError):
        return None
    return units if math.isfinite(units) else None


def _said_time(headers: Mapping[str, str]) -> datetime | None:
    """None where the answer does not say when it was made, or not in a form that is known."""
    try:
        said = parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError):
        return None
    return said if said.tzinfo is not None else None


def _wait(fault: Fault, attempt: int) -> float:
    """Seconds: at least what Cosmos DB asks for, plus jitter, so that throttled callers do not come back at once."""
    shortest = fault.retry_after
    if shortest is None:
        shortest = min(_FIRST_WAIT * 2 ** (attempt - 1), _LONGEST_WAIT)
    return shortest + random.uniform(0, max(shortest, _FIRST_WAIT) / 2)  # noqa: S311  jitter
