"""Counts requests for the rate limits that their endpoint declares, and tells callers how they stand."""

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from shared.bootstrap import Application
from shared.domain.access.accounts import comparable_address
from shared.domain.access.identity import Principal
from shared.domain.access.rate_limits import RateLimit, Standing, Subject
from shared.domain.access.shared_windows import WINDOW
from shared.domain.kernel.errors import RateLimitedError, UnauthenticatedError
from shared.http.client_addresses import client_address, network_of
from shared.http.declaration import Endpoint
from shared.http.tenancy import Call
from shared.services.access.rate_limits import CountedRequest

POLICY_HEADER = "RateLimit-Policy"
STANDING_HEADER = "RateLimit"


class Standings:
    """How the caller of a request stands with the limits that it was counted for."""

    def __init__(self) -> None:
        self._standings: list[Standing] = []

    def add(self, standing: Standing) -> None:
        self._standings.append(standing)

    def headers(self) -> Mapping[str, str]:
        """Those of the limit that has the fewest requests left; none where the request was not counted."""
        if not self._standings:
            return {}
        standing = min(self._standings, key=lambda each: each.remaining)
        return {
            POLICY_HEADER: f'"default";q={standing.allowed};w={_seconds(standing.window)}',
            STANDING_HEADER: f'"default";r={standing.remaining};t={_seconds(standing.frees_in)}',
        }


def _seconds(time: timedelta) -> int:
    return math.ceil(time.total_seconds())


async def count_caller(services: Application, principal: Principal, standings: Standings) -> None:
    """Count a request for the rates of its API key and of its organization, where they have one.

    Raises `RateLimitedError`.
    """
    organization_id = principal.organization_id
    if organization_id is None or services.settings.limits == "off":
        return
    limits = await services.limits.cached(organization_id)
    if principal.key is not None and limits.key_requests_per_minute is not None:
        await _count_rate(services, principal.id, "API key", limits.key_requests_per_minute, standings)
    if limits.requests_per_minute is not None:
        await _count_rate(services, organization_id, "organization", limits.requests_per_minute, standings)


async def _count_rate(services: Application, caller_id: str, called: str, allowed: int, standings: Standings) -> None:
    try:
        standings.add(await services.request_rates.count(caller_id, allowed))
    except RateLimitedError as error:
        standings.add(Standing(allowed, WINDOW, 0, timedelta(seconds=error.retry_after)))
        raise RateLimitedError(f"The {called} makes too many requests", retry_after=error.retry_after) from error


@asynccontextmanager
async def counted(declared: Endpoint, call: Call[Any, Any, Any], standings: Standings) -> AsyncIterator[None]:
    """Count the request for each limit of its endpoint, before it is acted upon. Raises `RateLimitedError`."""
    limits = declared.rate_limits if call.services.settings.limits == "on" else ()
    requests = [await _count(limit, call, standings) for limit in limits]
    is_failure = False
    try:
        yield
    except UnauthenticatedError:
        is_failure = True
        raise
    finally:
        for request in requests:
            if request.limit.counts_failures and not is_failure:
                await call.services.rate_limits.take_back(request)


async def _count(limit: RateLimit, call: Call[Any, Any, Any], standings: Standings) -> CountedRequest:
    try:
        request = await call.services.rate_limits.count(limit, await _subject(limit.by, call))
    except RateLimitedError as error:
        standings.add(Standing(limit.allowed, limit.window, 0, timedelta(seconds=error.retry_after)))
        raise
    standings.add(request.standing)
    return request


async def _subject(by: Subject, call: Call[Any, Any, Any]) -> str:
    match by:
        case Subject.ADDRESS:
            return network_of(client_address(call.headers, call.services.settings.trusted_hops))
        case Subject.EMAIL:
            return comparable_address(call.body.email)
        case Subject.USER:
            return call.principal.root_id
        case Subject.ORGANIZATION:
            return await call.organization_id()
