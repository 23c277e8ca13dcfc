"""Who is acting now: set where a request is authenticated, read where a change is stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.domain.kernel.audit import SYSTEM, Actor

_current: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current_actor() -> Actor:
    """The caller of the request; the system where work was started by a timer or a queue."""
    return _current.get()


def becomes(actor: Actor) -> None:
    """From now on, until the end of what `acting` encloses, this actor is known."""
    _current.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """What is stored meanwhile was done by this actor, or by whom `becomes` names since."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)
