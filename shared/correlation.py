"""The correlation id of what is being done now: from the request through queue and metering into every log line."""

import re
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


class correlated:  # noqa: N801  read as the functions of contextlib are
    """What is done in the block has this correlation id."""

    __slots__ = ("_correlation_id", "_token")

    def __init__(self, correlation_id: str) -> None:
        self._correlation_id = correlation_id

    def __enter__(self) -> str:
        self._token = _current.set(self._correlation_id)
        return self._correlation_id

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
