"""Rate limits that are exact: each request that counts is one guarded write."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from shared.containers import DIRECTORY
from shared.domain.access.rate_limits import RateLimit, RequestLog, Standing
from shared.domain.kernel.errors import ConflictError, RateLimitedError, UnavailableError
from shared.domain.kernel.ids import fingerprint
from shared.ports.clock import Clock
from shared.services.storage import Records, Store
from shared.services.storage.locks import NamedLocks

_LOG = "log"


@dataclass(frozen=True, slots=True)
class CountedRequest:
    """A request that was let through, as it is counted."""

    limit: RateLimit
    subject: str
    at: datetime
    standing: Standing


class RateLimits:
    """Counts requests in the store, so that all instances of the app count together.

    A request counts before it is acted upon: requests at the same time do not pass uncounted.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._logs = Records(store, DIRECTORY, RequestLog)
        self._locks = NamedLocks()

    async def count(self, limit: RateLimit, subject: str) -> CountedRequest:
        """Raises `RateLimitedError`, also where too many are counted at this moment, and `UnavailableError`."""
        partition = _partition(limit, subject)
        now = self._clock.now()

        async def attempt() -> RequestLog:
            current = await self._logs.find(partition, _LOG)
            log = (current.entity if current is not None else RequestLog(id=_LOG)).with_request(limit, now)
            return (await self._logs.write(partition, current, log)).entity

        try:
            async with self._locks.held(partition):
                log = await self._logs.retry(attempt)
        except ConflictError as error:
            raise RateLimitedError("Too many requests at this moment; try again") from error
        return CountedRequest(limit, subject, now, log.standing(limit, now))

    async def take_back(self, request: CountedRequest) -> None:
        """Count a request no longer. Where the store does not answer it goes on counting."""
        partition = _partition(request.limit, request.subject)

        async def attempt() -> None:
            current = await self._logs.find(partition, _LOG)
            if current is not None:
                await self._logs.write(partition, current, current.entity.without_request(request.at))

        with suppress(ConflictError, UnavailableError):
            async with self._locks.held(partition):
                await self._logs.retry(attempt)


def _partition(limit: RateLimit, subject: str) -> str:
    """The directory partition of a counter, which does not tell whose it is."""
    return f"limit:{limit.name}:{limit.by}:{fingerprint(subject)}"
