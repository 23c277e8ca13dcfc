"""The correlation id of what is being done now: from the request through queue and metering into every log line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.domain.kernel.ids import new_id

HEADER = "X-Correlation-Id"
_ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,128}")
_current: ContextVar[str] = ContextVar("correlation_id", default="")


def current() -> str:
    return _current.get()


def accept(offered: str | None) -> str:
    """The caller's id where it is usable, else a new one.

    Usable ids have 1 to 128 visible ASCII characters.
    """
    return offered if offered and _ACCEPTABLE.fullmatch(offered) else new_id("req")


@contextmanager
def correlated(correlation_id: str) -> Iterator[str]:
    token = _current.set(correlation_id)
    try:
        yield correlation_id
    finally:
        _current.reset(token)
