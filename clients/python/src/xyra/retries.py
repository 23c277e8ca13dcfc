"""When a request is tried again, and after how long: one decision for the sync and the async client."""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx2

from xyra.errors import Unreachable

LONGEST_WAIT = 60.0
"""Seconds: where Xyra asks for more, the caller decides."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_RATE_LIMITED = 429
_REFUSED_BEFORE_WORK = frozenset({_RATE_LIMITED})
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


def pause_before(retry: int, longest: float = _LONGEST_PAUSE) -> float:
    """Seconds before a retry, the first of which is 0: exponential, with jitter so that clients spread."""
    pause = min(longest, _FIRST_PAUSE * 2.0**retry)
    return pause * random.uniform(0.5, 1.0)  # noqa: S311  spreads requests, no secret


def retry_after(response: httpx2.Response) -> float | None:
    """Seconds that the answer asks to wait; None where it says none."""
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):  # Xyra sends seconds; a proxy's date is not read
        return None


@dataclass(slots=True)
class Attempts:
    """The tries of one request. `is_repeatable`: sending it twice does what sending it once does."""

    maximum_retries: int
    is_repeatable: bool
    made: int = 0

    def pause_after_failure(self, error: httpx2.TransportError) -> float:
        """Seconds to wait where there was no answer. Raises `Unreachable` when it was tried often enough."""
        was_not_sent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
        if self.made >= self.maximum_retries or not (self.is_repeatable or was_not_sent):
            raise Unreachable(f"no answer after {self.made + 1} tries: {error or type(error).__name__}") from error
        return self._next()

    def pause_after_answer(self, response: httpx2.Response) -> float | None:
        """Seconds to wait before the next try; None where this answer is the last word."""
        passing = _PASSING if self.is_repeatable else _REFUSED_BEFORE_WORK
        if response.status_code not in passing or self.made >= self.maximum_retries:
            return None
        asked = retry_after(response)
        if asked is not None and asked > LONGEST_WAIT:
            return None
        return max(asked or 0.0, self._next())

    def _next(self) -> float:
        pause = pause_before(self.made)
        self.made += 1
        return pause
